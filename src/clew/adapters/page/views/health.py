"""Health: what `clew doctor` finds, how long the daemon's answers take against what their callers wait, and what is stored."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.responses import Response

from clew.adapters.doctor import Finding, build_input, run_checks
from clew.adapters.page.views.view import Form, Query, Viewer, page
from clew.errors import ClewError
from clew.settings import find_workspace, load_settings_leniently

CHECKED_S = 30.0  # seconds after which the doctor's findings are made anew while the earlier ones are shown; guess
_checked: tuple[float, list[Finding]] | None = None
_lock = threading.Lock()
_checking = threading.Lock()


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
    checked_s, findings = _find(viewer)
    return page(
        "health.html", "/health", "Health",
        findings=findings, checked_s=checked_s, is_checking=_checking.locked(), latencies=_latencies(viewer), store=status,
        data_dir=str(engine.settings.data_dir),
        problem=viewer.context.find_problem(),
    )  # fmt: skip


def _find(viewer: Viewer) -> tuple[float, list[Finding]]:
    """When the doctor looked last, in seconds since 1970, and what it found; the first time it is waited for, later it looks beside."""
    with _lock:
        known = _checked
    if known is None:
        with _checking:
            return _checked or _check(viewer)
    if time.time() - known[0] > CHECKED_S and _checking.acquire(blocking=False):
        threading.Thread(target=_check_beside, args=(viewer,), name="health", daemon=True).start()
    return known


def _check_beside(viewer: Viewer) -> None:
    try:
        _check(viewer)
    except (ClewError, OSError) as error:  # the findings stay as they were, with their time
        viewer.context.record_error("page", error)
    finally:
        _checking.release()


def _check(viewer: Viewer) -> tuple[float, list[Finding]]:
    global _checked  # noqa: PLW0603 - a check of the whole file takes seconds, and every reader would wait for one
    live = next((each for each in viewer.live.list_recent() if each.cwd and Path(each.cwd).is_dir()), None)
    chosen = replace(load_settings_leniently(), settings=viewer.engine.settings)
    made = time.time(), run_checks(build_input(chosen, find_workspace(Path(live.cwd) if live else Path.home())[1]))
    with _lock:
        _checked = made
    return made


def _latencies(viewer: Viewer) -> list[Latency]:
    found: list[Latency] = []
    for name, (taken, budget_s) in viewer.latencies().items():
        ordered = sorted(1e3 * seconds for seconds in taken)
        if ordered:
            p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
            found.append(Latency(name, len(ordered), ordered[len(ordered) // 2], p95, ordered[-1], 1e3 * budget_s))
    return found
