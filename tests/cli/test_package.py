"""The wheel holds all that clew needs, and works where there is no clone."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=CLONE, capture_output=True, check=True)
    [built] = folder.glob("clew-*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    package = CLONE / "src" / "clew"
    wanted = {f"clew/{path.relative_to(package).as_posix()}" for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert found == wanted
    assert {"clew/py.typed", "clew/samples/ties.jsonl", "clew/store/sqlite/migrations/0001_initial.sql"} <= found


def test_the_wheel_names_its_command_and_its_licence(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    [entry_points] = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
    [metadata] = [name for name in archive.namelist() if name.endswith("METADATA")]

    assert "clew = clew.cli:main" in archive.read(entry_points).decode()
    assert "License-Expression: Apache-2.0" in archive.read(metadata).decode()
    assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())


@pytest.mark.slow
def test_an_installed_wheel_answers_a_question(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own; the dependencies are borrowed from this one, clew is not."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    [site] = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "knots.py").write_text('"""Knots."""\n\n\ndef tie(rope):\n    """Tie a bowline."""\n    return rope\n')
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CLEW_", "PYTHONPATH"))}

    def clew(*words: str) -> str:
        command = [tmp_path / "venv" / "bin" / "clew", *words]
        home = {"CLEW_HOME": str(tmp_path / "home")}
        return subprocess.run(command, cwd=repository, env=environment | home, capture_output=True, text=True, check=True).stdout

    assert clew("--version").startswith("clew ")
    clew("index")
    assert "Tie a bowline" in clew("retrieve", "how is a bowline tied?", "--budget", "500")
