"""`clew trial`: split one's own sessions at random, with and without parts of clew, and report what that shows."""

from __future__ import annotations

import shutil
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
import msgspec

from clew.cli import output
from clew.cli.open import load_settings, open_engine
from clew.cli.options import format_examples, json_option, quiet_option
from clew.cli.progress import show_progress

if TYPE_CHECKING:
    from clew.trial.log import Trial, TrialLog
    from clew.trial.report import PartResult, TrialReport
    from clew.trial.statistics import Interval

_WIDTH_MAX = 100

_EXAMPLE = """
clew trial start --parts prompts,reduction
clew trial status
clew trial report
clew trial stop
"""


@click.command(short_help="Find out whether clew helps you, by chance.", epilog=format_examples(_EXAMPLE))
@click.argument("action", type=click.Choice(("start", "status", "report", "stop")), metavar="ACTION")
@click.option("--parts", metavar="NAMES", help="start: what some sessions do without, of prompts, reduction, compaction. Default: all.")
@click.option(
    "--margin", type=click.FloatRange(1, 50), metavar="POINTS",
    help="start: the loss of completed work, in percentage points of all sessions, that you would bear. Default: 10.",
)  # fmt: skip
@click.option("--sessions", type=click.IntRange(4, 100_000), metavar="N", help="start: sessions to judge. Default: what the margin needs.")
@json_option
@quiet_option
def command(
    action: str, *, parts: str | None, margin: float | None, sessions: int | None, is_json: bool, is_quiet: bool
) -> None:  # fmt: skip
    """Have chance decide which of your sessions work with each part of clew and which without, and report what that shows.

    ACTION is start, status, report or stop. `start` writes down what is asked, how it is measured and how many sessions are judged;
    from then on each new session is drawn, and stays as it was drawn when it is resumed. `report` measures the sessions that are final,
    from their transcripts: first whether their work was completed, then what they were billed. It says nothing of the difference before
    the planned number is reached. `stop` ends it: every session has all of clew again.

    Off until you start one. Nothing leaves this machine.
    """
    from clew.trial.log import TrialLog

    if action != "start" and (parts, margin, sessions) != (None, None, None):
        raise click.UsageError("--parts, --margin and --sessions are chosen at `clew trial start`")
    log = TrialLog(load_settings().data_dir)
    if action == "start":
        trial = _start(log, parts, margin, sessions)
    elif action == "stop":
        trial = log.stop()
    else:
        trial = _require(log)
    if action in ("report", "stop"):
        trial = _measure(log, is_quiet=is_quiet or is_json)
    _show(trial, is_json=is_json, is_new=action == "start")


def _start(log: TrialLog, parts: str | None, margin: float | None, sessions: int | None) -> Trial:
    from clew.trial.plan import MARGIN, PARTS, Assumptions, check_parts, plan_sessions

    chosen = check_parts([part.strip() for part in parts.split(",")] if parts is not None else list(PARTS))
    share, assumed = MARGIN if margin is None else margin / 100, Assumptions()
    return log.start(chosen, sessions or plan_sessions(share, len(chosen), assumed), margin=share, assumed=assumed)


def _require(log: TrialLog) -> Trial:
    from clew.trial.log import NoTrial

    trial = log.read_current()
    if trial is None:
        raise NoTrial
    return trial


def _measure(log: TrialLog, *, is_quiet: bool) -> Trial:
    """Write down the outcomes that are final by now, and return the trial with them."""
    from clew.adapters.trials import measure_final

    with open_engine() as engine, show_progress(is_quiet=is_quiet) as show:
        return measure_final(log, engine, lambda done, total: show("reading sessions", done, total) if show else None)


def _show(trial: Trial, *, is_json: bool, is_new: bool) -> None:
    from clew.trial.report import build_report

    report = build_report(trial)
    output.write_answer(_to_json(trial, report), _to_text(trial, report, is_new=is_new), is_json=is_json)


def _to_json(trial: Trial, report: TrialReport) -> dict[str, Any]:
    plan = {**msgspec.to_builtins(report.plan), "text": report.plan.describe(), "sha256": report.plan_digest}
    return {
        "plan": plan,
        "log": str(trial.path),
        "is_decided": report.is_decided,
        "is_stopped": report.is_stopped,
        "still": report.still,
        "detectable_saving": round(report.detectable, 4),
        "all_arms": asdict(report.progress),
        "parts": [_part_to_json(part) for part in report.parts],
        "additions_used": asdict(report.additions) if report.additions else None,
    }


def _part_to_json(part: PartResult) -> dict[str, Any]:
    intervals = {"completed": part.completed, "cost": part.cost, "judged": part.judged}
    return {
        "part": part.part,
        "verdict": part.verdict.value,
        "why": part.why,
        **{name: _interval_to_json(interval) for name, interval in intervals.items()},
        "secondary": {name: _interval_to_json(interval) for name, interval in part.secondary},
        "needed": part.needed,
    }


def _interval_to_json(found: Interval | None) -> dict[str, Any] | None:
    """Return an interval as JSON; an end that nothing bounds is null."""
    if found is None:
        return None
    ends = {name: (value if abs(value) < float("inf") else None) for name, value in (("low", found.low), ("high", found.high))}
    return {"value": found.value, **ends, "with": found.n_with, "without": found.n_without}


def _to_text(trial: Trial, report: TrialReport, *, is_new: bool) -> str:
    from clew.trial import wording

    lines = [wording.describe_plan(trial), ""]
    if is_new:
        lines += [wording.describe_start(report), ""]
    lines.append(wording.describe_progress(trial, report))
    if not report.is_decided and not is_new:
        lines += ["", wording.describe_waiting(trial, report)]
    for part in report.parts if report.is_decided else ():
        lines += ["", f"{part.part}: {part.verdict.value.upper()}. {wording.describe_verdict(part)}"]
        for each in wording.list_measures(report.plan, part):
            beside = f"; {each.beside}" if each.beside else ""
            sessions = f" ({each.sessions})" if each.sessions else ""
            lines.append(f"  {each.name}: {' '.join(filter(None, (each.value, each.interval)))}{sessions}{beside}")
        if needed := wording.describe_needed(part):
            lines.append(f"  {needed}")
    if report.is_decided:
        lines += ["", wording.NO_TESTS, "", wording.describe_additions(report.additions)]
    return "\n".join(_wrap(line) for line in lines) + "\n"


def _wrap(line: str) -> str:
    indent = "  " if line.startswith("  ") else ""
    width = min(shutil.get_terminal_size((_WIDTH_MAX, 24)).columns, _WIDTH_MAX)
    return textwrap.fill(output.escape_control(line), width, subsequent_indent=indent * 2, break_long_words=False)
