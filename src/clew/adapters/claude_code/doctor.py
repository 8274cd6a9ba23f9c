"""Doctor: what is wrong between Claude Code and clew, why it matters, and how to mend it.

Looks and changes nothing. Each check is a function that yields findings; one that finds nothing yields none.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import psutil

import clew
from clew.adapters.claude_code import managed, plugin_files
from clew.adapters.claude_code.install import NotOurs, gateway_url, manifest, read_object
from clew.adapters.clients.claude_code import MODS_SINCE, TRIED, version_of
from clew.adapters.http import start
from clew.adapters.places import Address, Places, known_address, problems, state
from clew.codebase.private import refusal
from clew.errors import ClewError, SchemaTooNew, StoreBusy, StoreUnusable
from clew.sessions.live import LiveSessions
from clew.settings import CONFIG, Settings, workspace_of
from clew.store.sqlite.repair import first_sign

SLOW_S = 0.5
FREE_BYTES_MIN = 500 * 2**20  # guess
FULL_BYTES = 16 * 2**20  # as `clew.adapters.serving.FREE_BYTES_MIN`
LOCK_WAIT_S = 2.0  # a write of clew's own takes less; guess
RECENT_DAYS = 7
SHOWN_MAX = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know. `is_wrong` asks to be mended; else it is said for the sake of knowing."""

    check: str
    what: str
    why: str
    mend: str
    is_wrong: bool = True


@dataclass(frozen=True, slots=True)
class Patient:
    """All that the checks look at.

    client       Claude Code's folder; `managed` that of the administrator's settings for it.
    program      what `claude` is, None where it is not found.
    of_settings  what of clew's own settings could not be used, a sentence each.
    """

    settings: Settings
    places: Places
    client: Path
    root: Path
    program: str | None
    base_url: str = ""
    of_settings: tuple[str, ...] = ()
    managed: Path = field(default_factory=managed.folder)


def examine(patient: Patient) -> list[Finding]:
    """Return what was found, in the order of the checks. A check that fails is itself a finding."""
    found: list[Finding] = []
    for check in CHECKS:
        try:
            found.extend(check(patient))
        except (ClewError, OSError) as error:
            found.append(
                Finding(check.__name__.strip("_"), f"could not be checked: {error}", "so nothing is known of it", "see the message")
            )
    return found


def _client(patient: Patient) -> Iterator[Finding]:
    if patient.program is None:
        yield Finding(
            "client", "`claude` is not on the PATH", "clew plugs into Claude Code, and cannot see which release runs",
            "install Claude Code, or ignore this if an editor brings its own", is_wrong=False,
        )  # fmt: skip
        return
    try:
        version = version_of(patient.program)
    except (OSError, subprocess.TimeoutExpired) as error:
        yield Finding(
            "client", f"{patient.program} does not say its version ({error})", "it may not run at all", "run `claude --version` by hand"
        )
        return
    if version is None:
        yield Finding("client", "the client does not say its version", "it was never tried with clew", "sessions go on; report what fails")
        return
    name = ".".join(map(str, version))
    if version < TRIED[0]:
        yield Finding(
            "client", f"Claude Code {name} is older than any that was tried", "its hooks may not do what clew expects", "claude update"
        )
    elif version < MODS_SINCE:
        yield Finding(
            "client", f"Claude Code {name} has no mods", "compaction asks a model for a summary, which clew then steers and completes",
            "update Claude Code (npm on Node 20 picks an old one: name the version)", is_wrong=False,
        )  # fmt: skip
    elif version > TRIED[-1]:
        yield Finding(
            "client", f"Claude Code {name} is newer than {'.'.join(map(str, TRIED[-1]))}, the newest that was tried",
            "mods may have changed; what fails is left to the client", "nothing, unless something below says so", is_wrong=False,
        )  # fmt: skip


def _plugin(patient: Patient) -> Iterator[Finding]:
    done = manifest(patient.places)
    if not done.touched:
        yield Finding("plugin", "clew is not installed in Claude Code", "sessions run without it", "clew init")
        return
    if done.version != clew.__version__:
        yield Finding("plugin", f"it was rendered by clew {done.version}, and this is {clew.__version__}", "they may disagree", "clew init")
    folder = plugin_files.folder(patient.places)
    hooks = read_object(folder / plugin_files.NAME / "hooks" / "hooks.json")
    if not hooks:
        yield Finding("plugin", f"{folder} is gone, or empty", "the client has nothing to load", "clew init")
        return
    python = read_object(folder / plugin_files.NAME / ".mcp.json").get("mcpServers", {}).get("clew", {}).get("command", "")
    if not Path(str(python)).exists():
        yield Finding(
            "plugin",
            f"the interpreter that it names, {python}, is gone",
            "hooks that are commands fail, and nothing starts the daemon",
            "clew init",
        )
    place = folder / plugin_files.NAME / "clew_place.py"
    if not place.is_file() or repr(str(patient.places.socket)) not in place.read_text("utf-8"):
        yield Finding("plugin", "it asks at another place than the daemon listens", "no hook is answered", "clew init")
    scopes = _enabled(patient)
    if not any(scopes.values()):
        yield Finding(
            "plugin",
            "it is installed and not enabled here",
            "sessions in this repository run without it",
            "clew init, or `claude plugin enable clew@clew`",
        )
    for path in _loaded(patient):
        if not (path / "hooks" / "hooks.json").is_file():
            yield Finding("plugin", f"the client's copy {path} is gone", "the client cannot load it", "clew init")


def _enabled(patient: Patient) -> dict[str, bool]:
    files = {
        "user": patient.client / "settings.json",
        "project": patient.root / ".claude" / "settings.json",
        "local": patient.root / ".claude" / "settings.local.json",
    }
    return {scope: _mapping(read_object(file).get("enabledPlugins")).get(plugin_files.ID) is True for scope, file in files.items()}


def _loaded(patient: Patient) -> list[Path]:
    told = read_object(patient.client / "plugins" / "installed_plugins.json")
    entries = _mapping(told.get("plugins")).get(plugin_files.ID)
    listed = cast("list[Any]", entries) if isinstance(entries, list) else []
    return [Path(str(_mapping(entry).get("installPath"))) for entry in listed]


def _settings(patient: Patient) -> Iterator[Finding]:
    for said in patient.of_settings:
        what, _, hint = said.partition("\nhint: ")
        yield Finding("settings", what, "the default holds instead", hint or f"mend {patient.settings.home / CONFIG}")


def _managed_settings(patient: Patient) -> Iterator[Finding]:
    for said in managed.obstacles(patient.managed, plugin_files.folder(patient.places)):
        yield Finding("managed settings", said, "sessions run without that part of clew", "ask whoever administers this machine")


def _client_settings(patient: Patient) -> Iterator[Finding]:
    for file in (
        patient.client / "settings.json",
        patient.root / ".claude" / "settings.json",
        patient.root / ".claude" / "settings.local.json",
    ):
        try:
            told = read_object(file)
        except NotOurs as error:
            yield Finding("settings", str(error).partition("\n")[0], "the client cannot read its own settings", "mend the file")
            continue
        if told.get("disableAllHooks") is True:
            yield Finding("settings", f"{file} sets disableAllHooks", "no hook of clew runs", "take it out, if clew is wanted")
        if _mapping(told.get("enabledPlugins")).get(plugin_files.ID) is False:
            yield Finding(
                "settings", f"{file} disables {plugin_files.ID}", "sessions there run without it", "claude plugin enable clew@clew"
            )


def _private(patient: Patient) -> Iterator[Finding]:
    wanted = [
        patient.places.run,
        patient.places.address,
        patient.places.private_key,
        plugin_files.folder(patient.places) / plugin_files.NAME / "hooks" / "hooks.json",
    ]
    wanted.extend(path / "hooks" / "hooks.json" for path in _loaded(patient))
    for path in wanted:
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding(
                "privacy",
                f"others can read {path}",
                "it leads to the daemon, or holds what it knows of sessions",
                f"chmod go= {shlex.quote(str(path))}",
            )


def _daemon(patient: Patient) -> Iterator[Finding]:
    started = time.perf_counter()
    found = start.running(patient.places)
    took = time.perf_counter() - started
    if found is None:
        was = state(patient.places)
        if was is not None:
            yield Finding(
                "daemon", f"it does not run, and the last one (pid {was.get('pid')}) did not stop by itself", "it was killed: sessions since went on without clew",
                "nothing: the next session starts it; or `clew serve --detach`",
            )  # fmt: skip
        else:
            yield Finding("daemon", "it does not run", "the next session starts it", "nothing, or `clew serve --detach`", is_wrong=False)
        return
    if found.answers is None:
        yield Finding(
            "daemon",
            f"it runs (pid {found.pid}) and does not answer",
            "hooks wait for it until their time is up",
            f"clew serve --stop; its log is {patient.places.log}",
        )
        return
    if found.answers.get("version") != clew.__version__:
        yield Finding(
            "daemon",
            f"it is clew {found.answers.get('version')}, and this is {clew.__version__}",
            "they may disagree",
            "clew serve --stop; clew serve --detach",
        )
    if took > SLOW_S:
        yield Finding(
            "daemon",
            f"it took {took:.1f} s to answer",
            "prompts and tool calls wait as long, up to their limit",
            "see what else the machine does",
        )
    where = known_address(patient.places)
    if where is not None and not _listens(patient.places, where):
        yield Finding(
            "daemon",
            f"127.0.0.1:{where.port} is not the daemon's",
            "the gateway does not work, nor do other programs over loopback; hooks do, and nothing is sent to whoever listens",
            "stop what listens there, then clew serve --stop; clew serve --detach",
        )


def _listens(places: Places, where: Address) -> bool:
    import http.client  # lazy: only here

    from clew.adapters.http import certificate  # lazy: likewise

    try:
        connection = http.client.HTTPSConnection("127.0.0.1", where.port, timeout=2, context=certificate.trusting(places))
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


def _journal(patient: Patient) -> Iterator[Finding]:
    since = time.time() - RECENT_DAYS * 86_400
    counted: dict[tuple[str, str], list[int]] = {}
    for told in problems(patient.places):
        at = told.get("at")
        if isinstance(at, int | float) and at >= since:
            counted.setdefault((str(told.get("where")), str(told.get("what"))), []).append(int(at))
    latest = sorted(counted.items(), key=lambda pair: -pair[1][-1])
    for (where, what), times in latest[:SHOWN_MAX]:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(times[-1]))
        again = f", {len(times)} times" if len(times) > 1 else ""
        yield Finding(
            "journal", f"{when}{again}: {where}: {what.partition(chr(10))[0]}", "the session went on without this", _mend_for(what)
        )
    if len(latest) > SHOWN_MAX:
        yield Finding(
            "journal", f"and {len(latest) - SHOWN_MAX} other problems", "all are kept", f"see {patient.places.problems}", is_wrong=False
        )


def _mend_for(what: str) -> str:
    hints = (
        ("busy", "another program holds the database; it is asked again"),
        ("locked", "another program holds the database; it is asked again"),
        ("full", "make room on the disk"),
        ("No space", "make room on the disk"),
        ("newer than", "upgrade clew"),
        ("not a setting of", "correct config.toml"),
        ("config.toml", "correct config.toml"),
        ("was not there", "clew serve --detach, if it happens again"),
        ("killed", "nothing: it was started again, or is by the next session"),
        ("took longer", "see what else the machine does; nothing if it was once"),
    )
    return next((mend for word, mend in hints if word in what), "if it comes again, report it; delete the journal to forget it")


def _store(patient: Patient) -> Iterator[Finding]:
    settings = patient.settings
    home = settings.home if settings.home.exists() else settings.home.parent
    free = shutil.disk_usage(home).free if home.exists() else FREE_BYTES_MIN
    if free < FREE_BYTES_MIN:
        yield Finding(
            "disk",
            f"{free / 2**20:,.0f} MiB are left on the disk of {settings.home}",
            "what sessions say can soon not be kept",
            "make room",
        )
    if not settings.database.is_file():
        yield Finding("store", "nothing is stored yet", "there is nothing to recall", "clew init", is_wrong=False)
        return
    if refusal(patient.root) or any(_database(patient)):
        return  # those checks say why
    with clew.open(settings=settings, is_read_only=True) as engine:
        status = engine.status(patient.root)
    if not status.files:
        yield Finding(
            "index",
            f"{patient.root} is not indexed",
            "prompts there get no help from its code",
            f"clew index {shlex.quote(str(patient.root))}",
        )


def _database(patient: Patient) -> Iterator[Finding]:
    database = patient.settings.database
    if not database.is_file():
        return
    lost = "sessions go on, and nothing of them is kept or recalled"
    try:
        said = first_sign(database, wait_s=LOCK_WAIT_S)
    except SchemaTooNew as error:
        yield Finding("database", str(error).partition("\n")[0], lost, "upgrade clew, or point CLEW_HOME at another folder")
    except StoreBusy:
        yield Finding(
            "database", f"{database} is locked: another program has been writing for longer than {LOCK_WAIT_S:g} s", lost,
            f"wait until it ends, or find it by `fuser -v {shlex.quote(str(database))}`",
        )  # fmt: skip
    except StoreUnusable as error:
        what, _, hint = str(error).partition("\nhint: ")
        yield Finding("database", what, lost, "clew repair" if error.is_damaged else hint)
    else:
        if said:
            yield Finding("database", f"{database} is damaged: {said}", "some answers fail, and it may get worse", "clew repair")


def _folder(patient: Patient) -> Iterator[Finding]:
    home = patient.settings.home
    if not home.is_dir():
        return
    unwritable = [path for path in (home, patient.settings.database) if path.exists() and not os.access(path, os.W_OK)]
    if unwritable:
        yield Finding(
            "folder", f"{unwritable[0]} cannot be written: it is read-only, or not yours", "what sessions say is not kept",
            "give it back to yourself, mount its disk for writing, or point CLEW_HOME at another folder",
        )  # fmt: skip
    if shutil.disk_usage(home).free < FULL_BYTES:
        yield Finding(
            "folder", f"the disk of {home} is full", "what sessions say is not kept", "make room; nothing of clew is damaged by it"
        )


def _stopped(patient: Patient) -> Iterator[Finding]:
    known = state(patient.places) or {}
    for pid in (known.get("pid"), known.get("worker")):
        if isinstance(pid, int) and start.is_daemon(patient.places, pid, since_s=int(known.get("started") or 0)):
            with suppress(psutil.Error):  # it ended meanwhile, which `_daemon` tells
                if psutil.Process(pid).status() == psutil.STATUS_STOPPED:
                    yield Finding(
                        "daemon", f"its process {pid} was stopped by a signal", "sessions go on without clew", f"kill -CONT {pid}"
                    )  # fmt: skip


def _left_alone(patient: Patient) -> Iterator[Finding]:
    try:
        until, _, why = patient.places.fault.read_text("utf-8").split(" ", 2)
        left_s = float(until) - time.time()
    except (OSError, ValueError):  # there is none, or it was cut short
        return
    if left_s > 0 and why.strip() != "starting":
        when = time.strftime("%H:%M:%S", time.localtime(float(until)))
        reason = {"late": "it did not answer in time"}.get(why.strip(), why.strip())
        yield Finding(
            "daemon", f"hooks leave it alone until {when}: {reason}", "sessions go on without clew until then",
            "nothing, where nothing else is said of it: it has been asked just now; else clew serve --stop; clew serve --detach",
        )  # fmt: skip


def _slow(patient: Patient) -> Iterator[Finding]:
    here = [
        live for live in LiveSessions(patient.places.run / "sessions").all() if live.cwd and Path(live.cwd).is_relative_to(patient.root)
    ]
    late = max((live for live in here if live.late > 1), key=lambda live: live.late_at, default=None)
    if late is not None:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(late.late_at))
        yield Finding(
            "prompts", f"{late.late} prompts of session {late.id[:8]} were answered too late, the last one {when}{_files(patient)}",
            "nothing was added to them", "see what else the machine does; leave large folders out by .gitignore, then clew index",
        )  # fmt: skip


def _files(patient: Patient) -> str:
    """How many files the repository's index has, as the end of a sentence; "" where that cannot be said."""
    try:
        with clew.open(settings=patient.settings, is_read_only=True) as engine:
            return f"; {sum(1 for _ in engine.store.sources(workspace_of(patient.root)[0], 'file:')):,} files are indexed here"
    except ClewError:  # the check of the database says why
        return ""


def _repository(patient: Patient) -> Iterator[Finding]:
    if why := refusal(patient.root):
        yield Finding(
            "repository", f"{patient.root} {why}", "prompts of sessions that were started there get no help from files",
            "start the session in the folder of a repository",
        )  # fmt: skip


def _gateway(patient: Patient) -> Iterator[Finding]:
    where = known_address(patient.places)
    files = (patient.client / "settings.json", patient.root / ".claude" / "settings.local.json")
    urls = [str(_mapping(read_object(file).get("env")).get("ANTHROPIC_BASE_URL") or "") for file in files]
    ours = [url for url in (*urls, patient.base_url) if "/gateway/" in url]
    if not ours:
        return
    if where is None or ours[0] != gateway_url(where):
        yield Finding("gateway", "the client's base URL is not the daemon's", "every request of the client fails", "clew init --gateway")
    elif start.running(patient.places) is None:
        yield Finding(
            "gateway",
            "the client asks through the daemon, which does not run",
            "requests fail until a session starts it",
            "clew serve --detach",
        )


def _statusline(patient: Patient) -> Iterator[Finding]:
    for file in (patient.client / "settings.json", patient.root / ".claude" / "settings.local.json"):
        command = str(_mapping(read_object(file).get("statusLine")).get("command") or "")
        if "clew_hook" in command and not (plugin_files.folder(patient.places) / plugin_files.NAME / "clew_hook.py").is_file():
            yield Finding("status line", f"{file} names files that are gone", "the client shows no status line", "clew init")


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


CHECKS: tuple[Callable[[Patient], Iterator[Finding]], ...] = (
    _client, _settings, _plugin, _managed_settings, _client_settings, _private, _left_alone, _daemon, _journal, _store, _gateway, _statusline,
    _folder, _database, _stopped, _slow, _repository,
)  # fmt: skip
