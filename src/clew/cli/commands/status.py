"""`clew status`: print where the data is, and how much there is."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from clew.cli import output
from clew.cli.open import check_folder, open_engine
from clew.cli.options import format_examples, json_option, repo_option
from clew.records.wording import format_count, format_size
from clew.settings import data_dir

if TYPE_CHECKING:
    from clew.store.ports import Workspace
    from clew.usecases.status import StoreStatus

_SESSIONS_SHOWN = 5  # the latest; guess


@click.command(short_help="Where the data lives, and how much there is.", epilog=format_examples("clew status --json"))
@repo_option
@json_option
def command(*, repo: Path, is_json: bool) -> None:
    """Print where the data is, how much there is, and what is stored of this repository."""
    check_folder(repo)
    with open_engine() as engine:
        status = engine.read_status(repo)
    running = _running(repo)
    output.write_answer({**_to_json(status), "running": running}, _to_text(status) + _sessions_text(running), is_json=is_json)


def _running(repo: Path) -> dict[str, Any] | None:
    """Return the daemon's own status with the sessions of this repository; None if no daemon answers."""
    from clew.adapters.daemon_files import DaemonPaths
    from clew.adapters.http import start

    path = quote(str(repo.resolve()))
    try:
        return start.request(DaemonPaths(data_dir()), "GET", f"/status?path={path}", timeout_s=2.0)
    except start.DaemonUnavailable:  # that is an answer as well: the lines say so
        return None


def _sessions_text(running: dict[str, Any] | None) -> str:
    """Return lines about the daemon and each session of this repository."""
    if running is None:
        return "daemon   none runs; the next session starts it\n"
    lines = [f"daemon   pid {running['pid']}, up for {running['uptime_s']:.0f} s\n"]
    for session in running.get("sessions", [])[:_SESSIONS_SHOWN]:
        ended = f", ended ({session['ended']})" if session["ended"] else ""
        lines.append(output.escape_control(f"session  {session['session'][:8]}{ended}: {session['line']}") + "\n")
    return "".join(lines)


def _to_json(status: StoreStatus) -> dict[str, Any]:
    """Return the store's status as JSON."""
    here = _workspace_json(status.here) if status.here else None
    workspaces = [_workspace_json(workspace) for workspace in status.workspaces]
    forgetting = {name: getattr(status.forgetting, name) for name in status.forgetting.__struct_fields__}
    return {**asdict(status), "here": here, "workspaces": workspaces, "forgetting": forgetting}


def _to_text(status: StoreStatus) -> str:
    """Return the store's status in lines."""
    lines = [f"database {status.database}, {format_size(status.database_bytes)}, schema {status.schema}"]
    here = status.here
    if here is None:
        lines.append("nothing is stored of this repository yet: `clew index` reads its code, `clew ingest` its sessions")
    else:
        lines.append(
            f"here     {here.root}: {format_count(status.files, 'file')}, {format_count(status.sessions, 'session')}, "
            f"{here.live:,} of {format_count(here.records, 'record')} true now"
        )
        for label, counts in (("layers", status.layers), ("kinds", status.kinds), ("tiers", status.tiers), ("named", status.skipped)):
            if counts:
                shown = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
                lines.append(f"{label:<8} {shown}")
        if (core := status.core) is not None:
            age = f", the oldest {_age(core.oldest_ns)} ago" if core.judged else ""
            failed = f", {core.failed:,} failed" if core.failed else ""
            judged = f"{core.judged:,} judged by a model{age}, {core.queued:,} queued{failed}"
            lines.append(f"core     {core.counts.core:,} of {format_count(core.counts.functions, 'function')}: {judged}")
    if (done := status.forgetting).at_ns:
        more = ", goes on when idle" if done.workspace else ""
        lines.append(
            f"forgot   unasked so far: folded {done.folded:,}, archived {done.archived:,}, {format_size(done.saved)} less on disk, "
            f"purged {format_count(done.expired, 'session')}; the last pass took {done.took_s:.1f} s{more}"
        )
    others = [workspace for workspace in status.workspaces if here is None or workspace.key != here.key]
    lines.extend(f"also     {workspace.root}: {format_count(workspace.records, 'record')}" for workspace in others)
    return "".join(output.escape_control(line) + "\n" for line in lines)


def _age(at_ns: int) -> str:
    hours = max(0, time.time_ns() - at_ns) // 3_600_000_000_000
    return format_count(hours // 24, "day") if hours >= 48 else format_count(hours, "hour")


def _workspace_json(workspace: Workspace) -> dict[str, Any]:
    value = asdict(workspace)
    return {"workspace": value.pop("key"), **value}
