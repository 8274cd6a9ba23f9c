"""Health: what `clew doctor` finds, how long the daemon's answers take against what their callers wait, and what is stored."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.doctor import DoctorInput, Finding, run_checks
from clew.adapters.page.views.view import Form, Query, Viewer, page
from clew.settings import claude_code_base_url, claude_code_dir, find_workspace, load_settings_leniently

CHECKED_S = 30.0  # seconds for which the doctor's findings are shown again; guess
_checked: tuple[float, list[Finding]] | None = None
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Latency:
    """How long answers of one kind took, in milliseconds, and how long their caller waits."""

    name: str
    count: int
    median_ms: float
    p95_ms: float
    longest_ms: float
    budget_ms: float


def show_health(viewer: Viewer, query: Query, _: Form) -> Response:  # noqa: ARG001 - every view takes a query
    """Show findings, latencies and sizes."""
    engine = viewer.engine
    status = engine.read_status(Path.home())
    return page(
        "health.html", "/health", "Health",
        findings=_find(viewer), latencies=_latencies(viewer), store=status, data_dir=str(engine.settings.data_dir),
        problem=viewer.context.find_problem(),
    )  # fmt: skip


def _find(viewer: Viewer) -> list[Finding]:
    global _checked  # noqa: PLW0603 - a check of the whole file takes seconds, and every reader would wait for one
    with _lock:
        if _checked is None or time.monotonic() - _checked[0] > CHECKED_S:
            settings, chosen = viewer.engine.settings, load_settings_leniently()
            live = next((each for each in viewer.live.list_recent() if each.cwd and Path(each.cwd).is_dir()), None)
            given = DoctorInput(
                settings, DaemonPaths(settings.data_dir), claude_code_dir().absolute(),
                find_workspace(Path(live.cwd) if live else Path.home())[1], shutil.which("claude"), claude_code_base_url(),
                (*chosen.warnings, *map(str, chosen.errors)),
            )  # fmt: skip
            _checked = time.monotonic(), run_checks(given)
        return _checked[1]


def _latencies(viewer: Viewer) -> list[Latency]:
    found: list[Latency] = []
    for name, (taken, budget_s) in viewer.latencies().items():
        ordered = sorted(1e3 * seconds for seconds in taken)
        if ordered:
            p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
            found.append(Latency(name, len(ordered), ordered[len(ordered) // 2], p95, ordered[-1], 1e3 * budget_s))
    return found
