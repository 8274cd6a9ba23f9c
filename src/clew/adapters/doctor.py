"""Find faults of the daemon, the data folder and the clients for `clew doctor`, with why each matters and how to mend it.

Changes nothing. A check is a function that yields findings, none where all is well. Their texts are in `findings.toml`; checks of one
client are in its own module (`clew.adapters.clients`).
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psutil

import clew
from clew.adapters import clients
from clew.adapters.claude_code import managed
from clew.adapters.daemon_files import DaemonAddress, DaemonPaths, read_address, read_problems, read_state
from clew.adapters.http import start
from clew.codebase.private_paths import find_refusal_reason
from clew.errors import ClewError, SchemaTooNew, StoreBusy, StoreUnusable
from clew.sessions.context import FREE_BYTES_MIN as FULL_BYTES
from clew.sessions.live import LiveSessions
from clew.settings import CONFIG_NAME, LoadedSettings, Settings, claude_code_base_url, claude_code_dir
from clew.store.sqlite.repair import check_integrity

SLOW_ANSWER_S = 0.5
LOW_DISK_BYTES = 500 * 2**20  # guess
DATABASE_LOCK_WAIT_S = 2.0  # a write of clew's own takes less; guess
JOURNAL_DAYS = 7
PROBLEMS_SHOWN_MAX = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of `clew doctor`: which check, what was found, why it matters, how to mend it.

    is_wrong  False for information that asks for no action.
    """

    check: str
    what: str
    why: str
    mend: str
    is_wrong: bool = True


@dataclass(frozen=True, slots=True)
class DoctorInput:
    """Settings, paths and client facts that the doctor's checks examine.

    client_dir, managed_dir  Claude Code's folder, and the folder of its administrator settings.
    root                     the repository in which the doctor was called.
    program                  path of the `claude` executable; None where it is not found.
    base_url                 the API's URL in the client's environment; "" for none.
    settings_problems        one sentence for each of clew's own settings that is invalid.
    """

    settings: Settings
    paths: DaemonPaths
    client_dir: Path
    root: Path
    program: str | None
    base_url: str = ""
    settings_problems: tuple[str, ...] = ()
    managed_dir: Path = field(default_factory=managed.managed_settings_dir)


def build_input(chosen: LoadedSettings, root: Path) -> DoctorInput:
    """Return what the checks examine on this machine, for a repository."""
    settings = chosen.settings
    return DoctorInput(
        settings, DaemonPaths(settings.data_dir), claude_code_dir().absolute(), root, shutil.which("claude"), claude_code_base_url(),
        (*chosen.warnings, *map(str, chosen.errors)),
    )  # fmt: skip


DoctorCheck = Callable[[DoctorInput], Iterator[Finding]]


def build_finding(name: str, **values: object) -> Finding:
    """Return the finding of a name in `findings.toml`, its placeholders filled with `values`. Raises KeyError for an unknown name."""
    texts = _load_texts()[name]
    check, what, why, mend = (str(texts[part]).format(**values) for part in ("check", "what", "why", "mend"))
    return Finding(check, what, why, mend, bool(texts.get("is_wrong", True)))


@cache
def _load_texts() -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_name("findings.toml").read_text("utf-8"))


def run_checks(environment: DoctorInput) -> list[Finding]:
    """Return the findings of all checks, those of clients first. A check that raises ClewError or OSError becomes a finding itself."""
    found: list[Finding] = []
    for check in [*(check for client in clients.load_all_clients() for check in client.doctor_checks()), *COMMON_CHECKS]:
        try:
            found.extend(check(environment))
        except (ClewError, OSError) as error:
            found.append(build_finding("unchecked", failed=check.__name__.strip("_"), error=error))
    return found


def _settings(environment: DoctorInput) -> Iterator[Finding]:
    for problem in environment.settings_problems:
        what, _, hint = problem.partition("\nhint: ")
        yield build_finding("setting", what=what, mend=hint or f"mend {environment.settings.data_dir / CONFIG_NAME}")


def find_readable_by_others(*paths: Path) -> Iterator[Finding]:
    """Yield a finding for each existing path that users other than the owner can access."""
    for path in paths:
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield build_finding("not_private", path=path, quoted=shlex.quote(str(path)))


def _private(environment: DoctorInput) -> Iterator[Finding]:
    yield from find_readable_by_others(environment.paths.run_dir, environment.paths.address, environment.paths.private_key)


def _daemon(environment: DoctorInput) -> Iterator[Finding]:
    started = time.perf_counter()
    found = start.find_running_daemon(environment.paths)
    took = time.perf_counter() - started
    if found is None:
        was = read_state(environment.paths)
        yield build_finding("no_daemon") if was is None else build_finding("daemon_killed", pid=was.get("pid"))
        return
    if found.health is None:
        yield build_finding("daemon_hangs", pid=found.pid, log=environment.paths.log)
        return
    if found.health.get("version") != clew.__version__:
        yield build_finding("daemon_of_another_release", found=found.health.get("version"), ours=clew.__version__)
    if took > SLOW_ANSWER_S:
        yield build_finding("daemon_slow", took=took)
    where = read_address(environment.paths)
    if where is not None and not _listens(environment.paths, where):
        yield build_finding("port_taken", port=where.port)


def _listens(paths: DaemonPaths, where: DaemonAddress) -> bool:
    import http.client  # lazy: only here

    from clew.adapters.http import certificate  # lazy: likewise

    try:
        connection = http.client.HTTPSConnection("127.0.0.1", where.port, timeout=2, context=certificate.create_client_context(paths))
    except OSError:  # it has no certificate, so nobody can ask
        return False
    try:
        connection.request("GET", "/health", headers={"authorization": f"Bearer {where.token}"})
        answer = connection.getresponse()
        return answer.status == 200 and b'"version"' in answer.read()
    except (OSError, http.client.HTTPException):  # refused, or somebody else's: the finding says so
        return False
    finally:
        connection.close()


def _journal(environment: DoctorInput) -> Iterator[Finding]:
    since = time.time() - JOURNAL_DAYS * 86_400
    mends: dict[str, str] = _load_texts()["journal"]["mends"]
    counted: dict[tuple[str, str, str], list[int]] = {}
    for entry in read_problems(environment.paths):
        at = entry.get("at")
        if isinstance(at, int | float) and at >= since:
            counted.setdefault((str(entry.get("where")), str(entry.get("what")), str(entry.get("kind"))), []).append(int(at))
    latest = sorted(counted.items(), key=lambda pair: -pair[1][-1])
    for (where, what, kind), times in latest[:PROBLEMS_SHOWN_MAX]:
        if len(times) == 1 and kind == "late":
            yield build_finding("late_once", when=_minute(times[0]), where=where, what=what)
            continue
        again = f", {len(times)} times" if len(times) > 1 else ""
        mend = mends.get(kind, mends["other"])
        yield build_finding("journal", when=_minute(times[-1]), again=again, where=where, what=what.partition("\n")[0], mend=mend)
    if len(latest) > PROBLEMS_SHOWN_MAX:
        yield build_finding("journal_more", count=len(latest) - PROBLEMS_SHOWN_MAX, file=environment.paths.journal)


def _minute(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _store(environment: DoctorInput) -> Iterator[Finding]:
    settings = environment.settings
    home = settings.data_dir if settings.data_dir.exists() else settings.data_dir.parent
    free = shutil.disk_usage(home).free if home.exists() else LOW_DISK_BYTES
    if free < LOW_DISK_BYTES:
        yield build_finding("disk_small", left=free / 2**20, home=settings.data_dir)
    if not (settings.store or settings.database_path.is_file()):
        yield build_finding("nothing_stored")
        return
    if find_refusal_reason(environment.root) or any(_database(environment)):
        return  # those checks say why
    with clew.open(settings=settings, is_read_only=True) as engine:
        if not engine.read_status(environment.root).files:
            yield build_finding("not_indexed", root=environment.root, quoted=shlex.quote(str(environment.root)))


def _database(environment: DoctorInput) -> Iterator[Finding]:
    database = environment.settings.database_path
    if environment.settings.store:
        try:
            clew.open(settings=environment.settings, is_read_only=True).close()
        except ClewError as error:
            what, _, hint = str(error).partition("\nhint: ")
            yield build_finding("database_unusable", what=what, mend=hint)
        return
    if not database.is_file():
        return
    try:
        said = check_integrity(database, wait_s=DATABASE_LOCK_WAIT_S)
    except SchemaTooNew as error:
        yield build_finding("database_new", what=str(error).partition("\n")[0])
    except StoreBusy:
        yield build_finding("database_locked", database=database, waited=DATABASE_LOCK_WAIT_S, quoted=shlex.quote(str(database)))
    except StoreUnusable as error:
        what, _, hint = str(error).partition("\nhint: ")
        yield build_finding("database_unusable", what=what, mend="clew repair" if error.is_repairable else hint)
    else:
        if said:
            yield build_finding("database_damaged", database=database, said=said)


def _folder(environment: DoctorInput) -> Iterator[Finding]:
    home = environment.settings.data_dir
    if not home.is_dir():
        return
    unwritable = [path for path in (home, environment.settings.database_path) if path.exists() and not os.access(path, os.W_OK)]
    if unwritable:
        yield build_finding("folder_read_only", path=unwritable[0])
    if shutil.disk_usage(home).free < FULL_BYTES:
        yield build_finding("disk_full", home=home)


def _stopped(environment: DoctorInput) -> Iterator[Finding]:
    known = read_state(environment.paths) or {}
    for pid in (known.get("pid"), known.get("worker")):
        if isinstance(pid, int) and start.is_daemon_process(environment.paths, pid, recorded_at_s=int(known.get("started") or 0)):
            with suppress(psutil.Error):  # it ended meanwhile, which `_daemon` tells
                if psutil.Process(pid).status() == psutil.STATUS_STOPPED:
                    yield build_finding("daemon_stopped", pid=pid)


def _left_alone(environment: DoctorInput) -> Iterator[Finding]:
    try:
        until, _, why = environment.paths.fault.read_text("utf-8").split(" ", 2)
        left_s, why = float(until) - time.time(), why.strip()
    except (OSError, ValueError):  # there is none, or it was cut short
        return
    if left_s > 0 and why != "starting":
        when = time.strftime("%H:%M:%S", time.localtime(float(until)))
        yield build_finding("left_alone", when=when, reason="it did not answer in time" if why == "late" else why)


def _slow(environment: DoctorInput) -> Iterator[Finding]:
    known = LiveSessions(environment.paths.run_dir / "sessions").list_recent()
    here = [live for live in known if live.late > 1 and live.cwd and Path(live.cwd).is_relative_to(environment.root)]
    late = max(here, key=lambda live: live.late_at, default=None)
    if late is not None:
        yield build_finding("prompts_late", late=late.late, session=late.id[:8], when=_minute(late.late_at), files=_files(environment))


def _files(environment: DoctorInput) -> str:
    """Return the number of indexed files of the repository as the end of a sentence; "" where the store cannot be opened."""
    try:
        with clew.open(settings=environment.settings, is_read_only=True) as engine:
            return f"; {engine.read_status(environment.root).files:,} files are indexed here"
    except ClewError:  # the check of the database says why
        return ""


def _repository(environment: DoctorInput) -> Iterator[Finding]:
    if why := find_refusal_reason(environment.root):
        yield build_finding("no_repository", root=environment.root, why_not=why)


COMMON_CHECKS: tuple[DoctorCheck, ...] = (
    _settings, _private, _left_alone, _daemon, _journal, _store, _folder, _database, _stopped, _slow, _repository,
)  # fmt: skip
