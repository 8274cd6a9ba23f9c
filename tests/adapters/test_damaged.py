"""A database that turns out to be damaged while it is used: sessions go on, and the status line and the tools say so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

import clew
from clew.adapters.daemon_files import DaemonPaths, read_problems
from clew.adapters.http import start
from clew.settings import load_settings
from tests.adapters.daemon import over_socket, repository, until
from tests.adapters.test_mcp import Client
from tests.faults import fault

PROMPT = "where is one added to x in calc.py, and who calls add_one?"


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[tuple[DaemonPaths, Path]]:
    """A daemon over a database that opens, and whose records cannot be read."""
    settings = replace(load_settings({}), data_dir=tmp_path / "home")
    paths, root = DaemonPaths(settings.data_dir), repository(tmp_path / "repo")
    settings.data_dir.mkdir()
    with clew.open(settings=settings) as engine:
        engine.index(root)
    connection = apsw.Connection(str(settings.database_path))
    pages = [number for (number,) in connection.execute("SELECT pageno FROM dbstat WHERE name LIKE 'records%' OR name LIKE 'sources%'")]
    connection.close()
    with settings.database_path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * 4096)
            file.write(bytes(range(255, -1, -1)) * 16)
    start.ensure_daemon(paths)
    yield paths, root
    start.stop_daemon(paths)


def line_of(paths: DaemonPaths, root: Path) -> str:
    return over_socket(paths, "POST", "/statusline", {"session_id": "s", "cwd": str(root)})[1].decode()


@fault(
    "the database turns out to be damaged in the middle of a session",
    "the status line says so, `clew repair` mends it, and the line is well again",
)
def test_a_session_goes_on_and_the_status_line_says_what_is_wrong(damaged: tuple[DaemonPaths, Path]) -> None:
    paths, root = damaged
    told = {"session_id": "s", "cwd": str(root), "hook_event_name": "UserPromptSubmit", "prompt": PROMPT}

    assert over_socket(paths, "POST", "/hook/UserPromptSubmit", told) == (200, b"{}")
    assert until(lambda: "database is damaged" in line_of(paths, root))
    assert any("`clew repair`" in str(each["what"]) for each in read_problems(paths))

    environment = {**os.environ, "CLEW_HOME": str(paths.home)}
    done = subprocess.run([sys.executable, "-m", "clew", "repair"], cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"set aside as .*clew\.db\.damaged-", done.stdout)
    assert over_socket(paths, "POST", "/hook/UserPromptSubmit", {**told, "session_id": "t"})[0] == 200
    assert "damaged" not in line_of(paths, root)


def test_a_tool_that_meets_the_damage_names_the_way_out_and_the_status_line_knows(damaged: tuple[DaemonPaths, Path]) -> None:
    paths, root = damaged
    client = Client(paths, root)
    text, is_error = client.call("impact", names=["calc.py"])

    assert is_error
    assert "clew repair" in text
    assert "database is damaged" in line_of(paths, root)
    assert client.close() == 0
