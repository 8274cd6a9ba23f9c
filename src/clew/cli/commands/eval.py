"""`clew eval`: measure how much of the needed context would have survived a compaction in past sessions."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli import output
from clew.cli.open import check_folder, find_client_transcripts, load_settings
from clew.cli.options import FOLDER_TYPE, KeepLevel, format_examples, json_option, quiet_option, tokenizer_option
from clew.cli.progress import show_progress
from clew.records.wording import format_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clew.evaluation.evaluate import TranscriptResult
    from clew.evaluation.report import BudgetSummary, EvaluationReport, ScoreLead

_LEGEND = "summary: the client's own summary; recency: the newest text"
_COMPARED = ("files", "verbatim", "terms", "named", "constraints", "dead_ends")
_MISSING_SHOWN = 3
_KEEP_SECONDS = 300.0  # of one run that measures; the next goes on
_WIDTH_MAX = 100  # of prose; longer lines read badly
_MAIN_BUDGETS = ("summary", "10 %")  # the first of these that was measured is shown in full

_EXAMPLE = """
clew eval
clew eval ~/.claude/projects --limit 30
clew eval session.jsonl --budget 10% --budget summary
clew eval ~/.claude/projects --keep 98%
"""


class _WindowSize(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  generic only since click 8.4
    """The type of an option that takes a share of the history, or the word `summary` for the size of the client's own."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the share in `10%` or `0.1`, or 0 for `summary`; anything else is a usage error."""
        text = str(value).strip().lower()
        if text == "summary":
            return 0.0
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0 < share <= 1:
            self.fail(f"{value!r} is neither a share of the history, as 10% or 0.1, nor the word summary", param, ctx)
        return share


@click.command(short_help="What would have survived in your own sessions.", epilog=format_examples(_EXAMPLE))
@click.argument("sessions", type=click.Path(path_type=Path), nargs=-1, metavar="[FOLDER]...")
@click.option(
    "--budget",
    "budgets",
    type=_WindowSize(),
    multiple=True,
    metavar="SHARE",
    help="Size of the windows, as a share of the history's tokens (10%), or `summary`: the size of the client's own. May be given "
    "several times. Default: summary, 5%, 10%, 25%, 50%.",
)
@click.option(
    "--keep",
    "level",
    type=KeepLevel(),
    metavar="LEVEL",
    help="Measure instead what `clew compact --keep` must show to keep this share (98%) of what is used later, and store those numbers.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the N transcripts that were written to last.")
@click.option(
    "--repo", type=FOLDER_TYPE, metavar="PATH", help="Without FOLDER: the repository whose sessions are meant. Default: the current one."
)
@tokenizer_option
@json_option
@quiet_option
def command(
    sessions: tuple[Path, ...],
    *,
    budgets: tuple[float, ...],
    level: float | None,
    limit: int | None,
    repo: Path | None,
    tokenizer: str | None,
    is_json: bool,
    is_quiet: bool,
) -> None:
    """Replay past sessions (folders of transcripts, or files) and report what would have survived a compaction.

    Each session is cut where the client compacted, or at 60 % of a session that it never compacted. What the agent
    did after the cut shows what it needed from before. Clew's window, the client's own summary and the newest text,
    all of one size, are compared by how much of that they hold. Without FOLDER: Claude Code's own transcripts of this
    repository.

    Runs on this machine only. Stores nothing and changes no file, but for --keep, which stores numbers in clew's folder: at most five
    minutes a run, the next goes on.
    """
    from clew.evaluation.evaluate import BUDGET_SHARES, EvaluationOptions, evaluate_transcripts, find_main_transcripts, select_newest
    from clew.evaluation.report import build_report
    from clew.evaluation.wording import report_to_json

    settings = load_settings()
    places = sessions or find_client_transcripts(check_folder(repo or Path()))
    plan = EvaluationOptions(
        shares=tuple(dict.fromkeys(share for share in budgets if share)) if budgets else BUDGET_SHARES,
        with_summary=not budgets or 0.0 in budgets,
        tokenizer=tokenizer or settings.tokenizer,
    )
    paths, problems = find_main_transcripts(places)
    paths = select_newest(paths, limit)
    if level is not None:
        _calibrate(settings.data_dir, paths, problems, level, is_json=is_json, is_quiet=is_quiet)
        return
    outcomes: list[TranscriptResult] = []
    with show_progress(is_quiet=is_quiet or is_json) as show:
        for outcome in evaluate_transcripts(paths, plan, workers=settings.jobs or os.cpu_count() or 1):
            outcomes.append(outcome)
            if show:
                show("replaying sessions", len(outcomes), len(paths))
    report = build_report(outcomes, problems)
    if is_json:
        output.write_json(report_to_json(report, outcomes, plan.tokenizer))
    else:
        output.write_text(_to_text(report))
        if not is_quiet:
            output.write_problems(report.problems)
    if report.problems and not report.sessions:
        raise click.exceptions.Exit(1)


def _calibrate(folder: Path, paths: Sequence[Path], problems: Sequence[str], level: float, *, is_json: bool, is_quiet: bool) -> None:
    """Measure transcripts, the newest first, and say whether a level can be kept."""
    from clew.compaction.level import count_needed_cuts
    from clew.evaluation.evaluate import select_newest
    from clew.evaluation.keeping import KeepCalibration

    calibration, needed = KeepCalibration(folder), count_needed_cuts(level)
    newest = select_newest(paths, None)
    with show_progress(is_quiet=is_quiet or is_json) as show:
        left, unread = calibration.measure(
            newest, seconds=_KEEP_SECONDS, progress=(lambda done: show("measuring sessions", done, len(newest))) if show else None
        )
    found = calibration.coverage(level)
    if is_json:
        output.write_json({**asdict(found), "cuts_needed": needed, "left": left, "problems": [*problems, *unread]})
        return
    said = f"{format_count(found.cuts, 'cut')} of {format_count(found.sessions, 'session')} measured"
    if found.cuts < needed:
        said = f"Not enough sessions: {said}, and {needed:,} cuts are needed for {100 * level:.4g} %."
    elif found.threshold is None:
        said = f"{said}: even all lines keep less than {100 * level:.4g} % of what is used later."
    else:
        said = f"{said}. `clew compact --keep {100 * level:.4g}%` can be used."
        said += "" if found.kept is None else f" Of each session, by a threshold from the others, {_percent(found.kept, 1)} was kept."
    said += f" {format_count(left, 'transcript')} left for another run." if left else ""
    output.write_text(_prose(said))
    if not is_quiet:
        output.write_problems([*problems, *unread])


def _to_text(report: EvaluationReport) -> str:
    """Return an evaluation as text; "" if no session was read."""
    from clew.evaluation.wording import LIMITS, describe_cuts, describe_recovery, describe_times

    by_name = {at.budget: at for at in report.budgets}
    main = next((by_name[name] for name in _MAIN_BUDGETS if name in by_name), report.budgets[0] if report.budgets else None)
    parts = [_prose(describe_cuts(report))]
    if main is not None and any(report.needed.values()):
        parts += [_means(main), _leads(main), _sizes(report, main), _worst(report)]
    if main is not None:
        parts += [_prose(describe_recovery(report)), _prose(describe_times(report)), _prose(LIMITS)]
    return "\n".join(part for part in parts if part)


def _means(at: BudgetSummary) -> str:
    from clew.cli.tables import Column, format_table
    from clew.evaluation.wording import MEASURE_NAMES

    title = "At the size of the client's own summary" if at.budget == "summary" else f"At {at.budget} of the history"
    above = [f"{title}: {format_count(at.cuts, 'cut')}, {at.tokens:,} tokens ({_percent(at.share, 1)})"]
    columns = [Column("in %")] + [Column(arm, is_number=True, style="bold" if arm == "clew" else "") for arm in at.means]
    rows = [
        [name, *(_points(found[measure]) for found in at.means.values())]
        for measure, name in MEASURE_NAMES.items()
        if any(found[measure] is not None for found in at.means.values())
    ]
    return format_table(above, columns, rows) + _prose(f"{_LEGEND}.", indent="  ")


def _leads(at: BudgetSummary) -> str:
    """Return the table of clew's differences from the summary, if there is one, and from the newest text."""
    from clew.cli.tables import Column, format_table
    from clew.evaluation.wording import MEASURE_NAMES

    columns = [Column("points (cuts with more, with less)")] + [Column(f"clew − {arm}", is_number=True) for arm in at.leads]
    rows = [
        [MEASURE_NAMES[measure], *(_lead(found[measure]) for found in at.leads.values())]
        for measure in _COMPARED
        if any(found[measure].mean is not None for found in at.leads.values())
    ]
    return format_table([], columns, rows) if at.leads else ""


def _sizes(report: EvaluationReport, main: BudgetSummary) -> str:
    """Return the table of clew's figures at all other sizes, with those of the newest text in brackets."""
    from clew.cli.tables import Column, format_table

    others = [at for at in report.budgets if at is not main]
    if not others:
        return ""
    measures = {"files": "files", "verbatim": "lines", "folded": "unfold", "terms": "with line", "named": "named"}
    columns = [Column("of the history"), *(Column(head, is_number=True) for head in measures.values()), Column("tokens", is_number=True)]
    rows = [
        [
            "the summary's size" if at.budget == "summary" else at.budget,
            *(f"{_points(at.means['clew'][name])} ({_points(at.means['recency'][name])})" for name in measures),
            f"{at.tokens:,}",
        ]
        for at in others
    ]
    return format_table(["At other sizes: clew (recency)"], columns, rows)


def _worst(report: EvaluationReport) -> str:
    if not report.worst:
        return ""
    budget = "the summary's size" if report.worst[0].budget == "summary" else report.worst[0].budget
    lines = [f"Worst for clew, at {budget} (mean of files, lines and names):"]
    for each in report.worst:
        missing = ", ".join(each.missing[:_MISSING_SHOWN]) + (
            f" and {len(each.missing) - _MISSING_SHOWN} more" if len(each.missing) > _MISSING_SHOWN else ""
        )
        lines.append(f"  {_percent(each.score):>5}  {each.cut}")
        if each.request:
            lines.append(f"         asked: {textwrap.shorten(output.escape_control(each.request), _width() - 17, placeholder=' …')}")
        if missing:
            lines.append(f"         not named: {output.escape_control(missing)}")
    return "\n".join(lines) + "\n"


def _points(mean: float | None) -> str:
    return "–" if mean is None else f"{100 * mean:.0f}"


def _lead(found: ScoreLead) -> str:
    return "–" if found.mean is None else f"{round(100 * found.mean):+d} ({found.more}, {found.less})"


def _percent(share: float, decimals: int = 0) -> str:
    return f"{100 * share:.{decimals}f} %"


def _prose(text: str, indent: str = "") -> str:
    if not text:
        return ""
    kept = output.escape_control(text).replace(" %", "\u00a0%")  # a number and its sign stay on one line
    filled = textwrap.fill(kept, _width(), initial_indent=indent, subsequent_indent=indent, break_long_words=False)
    return filled.replace("\u00a0%", " %") + "\n"


def _width() -> int:
    """Return the width of prose in characters: the terminal's, at most _WIDTH_MAX."""
    return min(shutil.get_terminal_size((_WIDTH_MAX, 24)).columns, _WIDTH_MAX) if output.is_terminal(sys.stdout) else _WIDTH_MAX
