"""The two commands of a fresh clone say what they need when it is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[2]
PYTHONS = ("python3", "python3.13", "python3.12", "python3.11", "python")


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A clone without a virtual environment."""
    clone = tmp_path / "clone"
    (clone / "tools").mkdir(parents=True)
    shutil.copy(CLONE / "tools" / "venv", clone / "tools" / "venv")
    for name in ("check", "demo", "pyproject.toml"):
        shutil.copy(CLONE / name, clone / name)
    return clone


def with_python(folder: Path, body: str) -> dict[str, str]:
    """An environment in which every Python is this shell script."""
    folder.mkdir()
    for name in PYTHONS:
        script = folder / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:/usr/bin:/bin"}


@pytest.mark.parametrize("command", ["check", "demo"])
def test_an_old_python_is_named_and_a_way_out_too(fresh: Path, tmp_path: Path, command: str) -> None:
    environment = with_python(tmp_path / "bin", '[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1')
    done = subprocess.run(["sh", fresh / command], env=environment, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "no Python 3.11 or newer was found (python3 is Python 3.9.2)" in done.stderr
    assert "hint:" in done.stderr


def test_a_python_without_venv_is_told_how_to_get_it(fresh: Path, tmp_path: Path) -> None:
    environment = with_python(tmp_path / "bin", '[ "$1" = -m ] && echo "No module named venv" >&2 && exit 1\nexit 0')
    done = subprocess.run(["sh", fresh / "check"], env=environment, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "cannot make a virtual environment" in done.stderr
    assert "apt install python3-venv" in done.stderr


def test_the_demo_refuses_a_path_that_is_no_folder(fresh: Path) -> None:
    done = subprocess.run(["sh", fresh / "demo", "/no/such/folder"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "is not a folder" in done.stderr


@pytest.mark.parametrize("script", ["check", "demo", "tools/venv", ".ci/run"])
def test_the_scripts_can_be_executed(script: str) -> None:
    assert os.access(CLONE / script, os.X_OK)


@pytest.mark.slow
@pytest.mark.skipif(not (CLONE / ".venv" / "clew-run.stamp").exists(), reason="this clone was not set up by its own scripts")
def test_the_demo_shows_code_and_memory_in_one_packet_and_brings_an_original_back(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    done = subprocess.run(["sh", CLONE / "demo"], env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    shown = done.stdout
    calls = ["$ clew index", "$ clew ingest", "$ clew retrieve", "$ clew unfold", "$ clew explain"]
    for part in [*calls, "heaviest", "=== session c1e3a57e", "below the LP bound"]:
        assert part in shown
    assert list(tmp_path.rglob("clew.db")) == []
