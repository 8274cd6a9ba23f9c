"""Eval: what would have survived in one's own sessions, cut by cut, with the figures of `clew eval`, computed in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

from clew.adapters.clients import find_repository_transcript_dirs
from clew.adapters.page.actions import Report
from clew.adapters.page.views.places import find_root, list_roots
from clew.adapters.page.views.view import Form, Query, Viewer, page, turn_to
from clew.errors import UsageError
from clew.evaluation.evaluate import (
    EvaluationOptions,
    TranscriptResult,
    evaluate_transcripts,
    find_main_transcripts,
    select_newest,
)
from clew.evaluation.report import EvaluationReport, build_report
from clew.evaluation.wording import LIMITS, MEASURE_NAMES, describe_cuts, describe_recovery, describe_times

KIND = "eval"
LIMITS_OFFERED = (10, 30, 100)
LIMIT_MAX = 100_000
ROWS = 20
CUT_MEASURES = ("files", "verbatim", "terms", "named")  # of one cut; the others are in the means


@dataclass(frozen=True, slots=True)
class EvaluationInput:
    """What the process is given: transcripts, or folders of them, options, and sentences about places without any."""

    paths: tuple[Path, ...]
    plan: EvaluationOptions
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What the process returns."""

    report: EvaluationReport
    outcomes: tuple[TranscriptResult, ...]


def evaluate(given: EvaluationInput, report: Report) -> Evaluated:
    """Judge every transcript, and tell how many are done."""
    outcomes: list[TranscriptResult] = []
    report(0, len(given.paths))
    for outcome in evaluate_transcripts(given.paths, given.plan):
        outcomes.append(outcome)
        report(len(outcomes), len(given.paths))
    return Evaluated(build_report(outcomes, given.problems), tuple(outcomes))


def show_eval(viewer: Viewer, query: Query, _: Form) -> Response:
    """Show the evaluation that was asked for, else the latest one, and the form that starts another."""
    asked = query.get("run")
    action = viewer.actions.find(asked) if asked else viewer.actions.find_latest(KIND)
    shown = action if action is None or action.result is not None else viewer.actions.find_latest(KIND, is_done=True)
    found = shown.result if shown is not None and isinstance(shown.result, Evaluated) else None
    session = query.get("session")
    if session:
        viewer.catalogue.find(session)  # a name that stands nowhere is said to be unknown
    budget = _choose_budget(found, query.get("budget"))
    cuts = [cut for outcome in found.outcomes for cut in outcome.cuts] if found else []
    rows = turn_to([(cut, {row.arm: row for row in cut.rows if row.budget == budget}) for cut in cuts], query, ROWS)
    return page(
        "eval.html", "/eval", "Eval",
        action=action, is_gone=bool(asked) and action is None, shown=shown, report=found.report if found else None,
        roots=list_roots(viewer), limits=LIMITS_OFFERED, session=session, rows=rows, budget=budget,
        at=next((at for at in found.report.budgets if at.budget == budget), None) if found else None,
        sentences=(describe_cuts(found.report), describe_recovery(found.report), describe_times(found.report)) if found else (),
        measures=MEASURE_NAMES, cut_measures=CUT_MEASURES, limitation=LIMITS,
    )  # fmt: skip


def start_eval(viewer: Viewer, _: Query, form: Form) -> str:
    """Start an evaluation of a repository's sessions, of one session or of all, and return the address of its progress."""
    paths, title = find_places(viewer, form)
    mains, problems = find_main_transcripts(paths)
    newest = select_newest(mains, read_limit(form))
    if not newest:
        raise UsageError("there is no transcript to judge\nhint: a client keeps one for each session; choose another repository")
    plan = EvaluationOptions(tokenizer=viewer.engine.settings.tokenizer)
    given = EvaluationInput(tuple(newest), plan, tuple(problems))
    key = f"{form.get('w')}\n{form.get('session')}\n{len(newest)}"
    return viewer.actions.start(KIND, key, evaluate, given, title=f"Replaying {title}", address="/eval").address


def find_places(viewer: Viewer, form: Form) -> tuple[Sequence[Path], str]:
    """Return the places of the transcripts that a form names, and what they are called."""
    if session := form.get("session"):
        found = viewer.catalogue.find(session)
        if found.row.file is None:
            raise UsageError("the transcript of this session is gone\nhint: only sessions whose transcript a client still keeps are judged")
        return [found.row.file], f"session {session}"
    if key := form.get("w"):
        root = find_root(viewer, key)
        return find_repository_transcript_dirs(root), f"sessions of {root}"
    return [row.file for row in viewer.catalogue.list_all() if row.file is not None], "sessions of this machine"


def read_limit(form: Form) -> int | None:
    """Return how many sessions a form asks for, None for all. Raises UsageError for what is no number."""
    given = form.get("limit")
    if not given:
        return None
    if not given.isdecimal() or not 1 <= int(given[:9]) <= LIMIT_MAX:
        raise UsageError(f"{given[:40]!r} is no number of sessions\nhint: a whole number from 1, or nothing for all")
    return int(given)


def _choose_budget(found: Evaluated | None, asked: str) -> str:
    """The budget whose figures are shown: the one that is asked for, else as on the command line."""
    names = [at.budget for at in found.report.budgets] if found else []
    return next((name for name in (asked, "summary", "10 %", *names) if name in names), "")
