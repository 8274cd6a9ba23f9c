"""Trial: does clew help this user? The report of `clew trial`, which says nothing of the difference before the planned number."""

from __future__ import annotations

import threading

from starlette.responses import Response

import clew
from clew.adapters.page.actions import Report
from clew.adapters.page.views.view import Form, Query, Viewer, page
from clew.adapters.trials import measure_final
from clew.settings import Settings
from clew.trial import wording
from clew.trial.log import Trial, TrialLog
from clew.trial.plan import MARGIN, PARTS, Assumptions, plan_sessions
from clew.trial.report import TrialReport, build_report

KIND = "trial"
_lock = threading.Lock()
_built: tuple[Trial, TrialReport] | None = None


def show_trial(viewer: Viewer, query: Query, _: Form) -> Response:
    """Show the trial that was started last, or how to start one."""
    trial = viewer.context.trial.read_current()
    asked = query.get("run")
    action = viewer.actions.find(asked) if asked else viewer.actions.find_latest(KIND)
    report = _build(trial) if trial else None
    shown = [(part, wording.list_measures(report.plan, part)) for part in report.parts] if report else []
    return page(
        "trial.html", "/trial", "Trial",
        trial=trial, report=report, action=action, shown=shown, words=wording, parts=PARTS, margin=MARGIN,
        needed=[(count, plan_sessions(MARGIN, count, Assumptions())) for count in (1, len(PARTS))],
        waiting=len(trial.drawn) - len(trial.outcomes) if trial else 0,
    )  # fmt: skip


def start_measuring(viewer: Viewer, _: Query, __: Form) -> str:
    """Start to write down the outcomes that are final, and return the address of the progress."""
    settings = viewer.engine.settings
    return viewer.actions.start(KIND, "", measure, settings, title="Reading the sessions of the trial", address="/trial").address


def measure(settings: Settings, report: Report) -> bool:
    """Write down the outcomes that are final."""
    with clew.open(settings=settings) as engine:
        measure_final(TrialLog(settings.data_dir), engine, report)
    return True


def _build(trial: Trial) -> TrialReport:
    """The report of a trial, made once for each state of its log: the draws of labels take a second."""
    global _built  # noqa: PLW0603 - one trial at a time
    with _lock:
        if _built is None or _built[0] is not trial:
            _built = trial, build_report(trial)
        return _built[1]
