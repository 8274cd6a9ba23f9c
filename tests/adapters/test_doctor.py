"""The doctor: each thing that can be wrong is found, and said with its mend."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import psutil
import pytest

import clew
from clew.adapters.claude_code import plugin_files
from clew.adapters.claude_code.install import Installer, InstallOptions, InstallTarget, build_gateway_url
from clew.adapters.daemon_files import DaemonPaths, ensure_address, record_problem
from clew.adapters.doctor import DoctorInput, Finding, run_checks
from clew.adapters.http import start
from clew.sessions.live import LiveSessions
from clew.settings import load_settings
from clew.store.sqlite import MIGRATIONS
from tests.adapters.daemon import pids, repository, until


def program(folder: Path, says: str) -> str:
    path = folder / "claude"
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def well(tmp_path: Path) -> Iterator[DoctorInput]:
    """Everything as it should be."""
    settings = replace(load_settings({}), data_dir=tmp_path / "home")
    paths = DaemonPaths(settings.data_dir)
    root = repository(tmp_path / "repo")
    settings.data_dir.mkdir()
    with clew.open(settings=settings) as engine:
        engine.index(root)
    client = tmp_path / ".claude"
    Installer(paths).install(InstallTarget(client, root, "user"), InstallOptions(with_statusline=True, with_gateway=False))
    start.ensure_daemon(paths)
    yield DoctorInput(settings, paths, client, root, program(tmp_path, "2.1.330 (Claude Code)"))
    for pid in pids(paths).values() if start.find_running_daemon(paths) else ():
        os.kill(pid, signal.SIGCONT)
    start.stop_daemon(paths)


def wrong(patient: DoctorInput) -> list[Finding]:
    return [each for each in run_checks(patient) if each.is_wrong]


def test_where_all_is_well_nothing_is_found(well: DoctorInput) -> None:
    assert run_checks(well) == []


def change(path: Path, edit: Callable[[dict[str, object]], object]) -> None:
    told = json.loads(path.read_text())
    edit(told)
    path.write_text(json.dumps(told))


def place_of(patient: DoctorInput) -> Path:
    return hooks_of(patient).parent.parent / "clew_place.py"


def hooks_of(patient: DoctorInput) -> Path:
    return plugin_files.marketplace_dir(patient.paths) / "clew" / "hooks" / "hooks.json"


BREAKS: dict[str, tuple[Callable[[DoctorInput], object], str]] = {
    "disabled": (lambda p: change(p.client_dir / "settings.json", lambda told: told.update(enabledPlugins={"clew@clew": False})), "disables"),
    "hooks off": (lambda p: change(p.client_dir / "settings.json", lambda told: told.update(disableAllHooks=True)), "disableAllHooks"),
    "settings broken": (lambda p: (p.client_dir / "settings.json").write_text("{"), "is no JSON"),
    "another release": (lambda p: change(p.settings.data_dir / "installed.json", lambda told: told.update(version="0.0.1")), "rendered by clew 0.0.1"),
    "plugin gone": (lambda p: hooks_of(p).unlink(), "is gone, or empty"),
    "place of another": (
        lambda p: place_of(p).write_text(place_of(p).read_text().replace(str(p.paths.socket), "/elsewhere/serve.sock")),
        "asks at another place",
    ),
    "readable by others": (lambda p: hooks_of(p).chmod(0o644), "others can read"),
    "interpreter gone": (
        lambda p: change(
            plugin_files.marketplace_dir(p.paths) / "clew" / ".mcp.json", lambda told: told["mcpServers"]["clew"].update(command="/no/such/python")  # type: ignore[index]
        ),
        "is gone",
    ),
    "journal": (lambda p: record_problem(p.paths, "hook/PostToolUse", "StoreBusy: the database is locked"), "the database is locked"),
    "client's copy gone": (lambda p: [file.unlink() for file in p.client_dir.rglob("cache/**/hooks.json")], "client's copy"),
    "killed": (lambda p: _kill(p.paths), "did not stop by itself"),
    "hanging": (lambda p: [os.kill(pid, signal.SIGSTOP) for pid in pids(p.paths).values()], "does not answer"),
    "damaged store": (lambda p: [start.stop_daemon(p.paths)] + [file.unlink() for file in p.settings.data_dir.glob("clew.db-*")] + [p.settings.database_path.write_bytes(b"x" * 9000)], "is not a database"),
}  # fmt: skip


def _kill(paths: DaemonPaths) -> None:
    for pid in pids(paths).values():
        os.kill(pid, signal.SIGKILL)
    assert until(lambda: start.find_running_daemon(paths) is None)


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_wrong_is_found_with_its_mend(well: DoctorInput, name: str) -> None:
    breaks, says = BREAKS[name]
    breaks(well)
    found = wrong(well)

    assert any(says in each.what for each in found), found
    assert all(each.why and each.mend for each in found)


def test_one_late_answer_is_told_and_is_wrong_only_if_it_comes_again(well: DoctorInput) -> None:
    for is_wrong in (False, True):
        record_problem(well.paths, "mod/prompt", "took longer than the 0.1 s that its caller waits", "late")

        [finding] = [each for each in run_checks(well) if each.check == "journal"]

        assert "took longer" in finding.what
        assert finding.is_wrong is is_wrong


@pytest.mark.parametrize(
    ("says", "word", "is_wrong"),
    [
        ("2.1.197 (Claude Code)", "has no mods", False),
        ("2.0.5 (Claude Code)", "older than any", True),
        ("9.0.0 (Claude Code)", "newer than", False),
        ("an unknown build", "does not say its version", True),
    ],
)
def test_the_clients_version_is_judged(well: DoctorInput, tmp_path: Path, *, says: str, word: str, is_wrong: bool) -> None:
    [finding] = run_checks(replace(well, program=program(tmp_path, says)))

    assert word in finding.what
    assert finding.is_wrong is is_wrong


def test_a_client_that_is_not_there_is_said_and_is_no_error(well: DoctorInput) -> None:
    [finding] = run_checks(replace(well, program=None))

    assert not finding.is_wrong


def test_managed_settings_and_settings_of_our_own_that_cannot_be_used_are_found(well: DoctorInput, tmp_path: Path) -> None:
    managed = tmp_path / "managed"
    managed.mkdir()
    (managed / "managed-settings.json").write_text('{"allowManagedHooksOnly": true}')
    found = wrong(
        replace(well, managed_dir=managed, settings_problems=("config.toml: jobs = 'many' is not a whole number\nhint: correct it",))
    )

    assert {each.check for each in found} == {"managed settings", "settings"}
    assert any("allowManagedHooksOnly" in each.what for each in found)
    assert any(each.mend == "correct it" for each in found)


def test_a_gateway_that_nobody_serves_is_found(well: DoctorInput) -> None:
    url = build_gateway_url(ensure_address(well.paths))
    start.stop_daemon(well.paths)

    assert any(each.check == "gateway" for each in wrong(replace(well, base_url=url)))
    assert any("is not the daemon's" in each.what for each in wrong(replace(well, base_url="http://127.0.0.1:1/gateway/x")))


def test_a_repository_that_is_not_indexed_is_found(well: DoctorInput, tmp_path: Path) -> None:
    other = repository(tmp_path / "other")

    assert any("is not indexed" in each.what for each in wrong(replace(well, root=other)))


def named(patient: DoctorInput, check: str) -> list[Finding]:
    return [each for each in wrong(patient) if each.check == check]


def damage(patient: DoctorInput) -> None:
    """Pages of every index are noise; the file still opens."""
    connection = apsw.Connection(str(patient.settings.database_path))
    pages = [number for (number,) in connection.execute("SELECT pageno FROM dbstat WHERE name LIKE 'records_by%' OR name = 'segments'")]
    connection.pragma("wal_checkpoint", "TRUNCATE")
    connection.close()
    with patient.settings.database_path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * 4096)
            file.write(bytes(range(256)) * 16)


@pytest.mark.parametrize("is_running", [True, False])
def test_a_damaged_database_is_found_with_its_way_out(well: DoctorInput, *, is_running: bool) -> None:
    start.stop_daemon(well.paths)
    damage(well)
    if is_running:
        start.ensure_daemon(well.paths)
    [finding] = named(well, "database")

    assert "damaged" in finding.what
    assert finding.mend == "clew repair"


def test_a_newer_database_is_found(well: DoctorInput) -> None:
    start.stop_daemon(well.paths)
    connection = apsw.Connection(str(well.settings.database_path))
    connection.pragma("user_version", len(MIGRATIONS) + 1)
    connection.close()
    [finding] = named(well, "database")

    assert "newer" in finding.what
    assert "upgrade clew" in finding.mend


def test_a_database_that_another_program_keeps_locked_is_found(well: DoctorInput) -> None:
    script = "import apsw, sys; c = apsw.Connection(sys.argv[1]); c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", script, str(well.settings.database_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        found = named(well, "database")
        other.stdin.close()

    assert ["is locked" in each.what for each in found] == [True]
    assert named(well, "database") == []


@pytest.mark.parametrize(("options", "says"), [("ro,bind,remount", "cannot be written"), ("size=4m", "is full")])
def test_a_data_folder_that_takes_nothing_is_found(well: DoctorInput, options: str, says: str) -> None:
    """Read-only, or on a full disk of its own."""
    home = well.settings.data_dir
    start.stop_daemon(well.paths)
    how = ["--bind", home, home] if "bind" in options else ["-t", "tmpfs", "-o", options, "tmpfs", home]
    if subprocess.run(["mount", *how], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a disk: nothing is shown of read-only and full disks")
    try:
        if "bind" in options:
            subprocess.run(["mount", "-o", options, home], check=True, capture_output=True)
        [finding] = named(well, "folder")
        assert says in finding.what
    finally:
        subprocess.run(["umount", "-l", home], check=True)


def test_a_daemon_that_a_signal_has_stopped_is_found_with_the_one_that_wakes_it(well: DoctorInput) -> None:
    worker = pids(well.paths)["worker"]
    os.kill(worker, signal.SIGSTOP)
    assert until(lambda: psutil.Process(worker).status() == psutil.STATUS_STOPPED)

    assert f"kill -CONT {worker}" in [each.mend for each in named(well, "daemon")]


def test_a_daemon_that_hooks_leave_alone_is_found_with_the_time(well: DoctorInput) -> None:
    """It hangs: one that answers takes the note away."""
    for pid in pids(well.paths).values():
        os.kill(pid, signal.SIGSTOP)
        assert until(lambda pid=pid: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    again = time.time() + 200
    note = f"until {time.strftime('%H:%M:%S', time.localtime(again))}: it did not answer in time"
    well.paths.fault.write_text(f"{again:.3f} 240.000 late\n")
    assert any(note in each.what for each in named(well, "daemon"))

    well.paths.fault.write_text(f"{time.time() - 1:.3f} 240.000 late\n")
    assert not any("leave it alone" in each.what for each in named(well, "daemon"))


def test_prompts_that_were_too_slow_are_found_with_the_number_of_files(well: DoctorInput) -> None:
    sessions = LiveSessions(well.paths.run_dir / "sessions")
    live = sessions.update("slow-one", cwd=str(well.root))
    live.late, live.late_at = 3, time.time()
    sessions.save(live)
    [finding] = named(well, "prompts")

    assert "3 prompts of session slow-one" in finding.what
    assert "1 files are indexed here" in finding.what


def test_a_home_folder_is_said_to_be_no_repository(well: DoctorInput, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(well.root))
    found = wrong(well)

    assert [(each.check, "is a home folder" in each.what) for each in found] == [("repository", True)]
