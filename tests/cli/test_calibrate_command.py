"""`clew calibrate`, as a person and as a machine call it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from calling import Call


@pytest.fixture
def committed(repository: Path) -> Path:
    """The three small files with two commits."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*words: str) -> None:
        who = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
        subprocess.run(["git", "-C", repository, *who, *words], env=environment, check=True, capture_output=True)

    git("init", "-q", "--initial-branch=main")
    git("add", "-A")
    git("commit", "-qm", "Rig the whole boat")
    sails = repository / "src" / "sails.py"
    sails.write_text(sails.read_text().replace("return tie_bowline(rope)", "return tie_bowline(rope) + ', hoisted'"))
    git("commit", "-qam", "Say that the sail is hoisted")
    return repository


def test_it_grades_the_default_where_there_is_too_little_to_fit_to(clew: Call, committed: Path) -> None:
    done = clew("calibrate", committed)

    lines = done.out.decode().splitlines()
    assert done.code == 0
    assert lines[0] == "1 commit of the newest 2 asked"
    assert any(line.startswith("symbols within 8,192 tokens") and "100.0 %" in line for line in lines)
    assert lines[-1] == "the default weights stay: 1 commit can be asked, and 40 are needed to fit and to judge"


def test_json_says_what_was_found_and_that_nothing_was_kept(clew: Call, committed: Path) -> None:
    answer = clew("calibrate", committed, "--json", "--dry-run").json

    assert (answer["kept"], answer["is_better"], answer["looked_through"]) == (False, False, 2)
    assert answer["calibration"]["commits"] == 1
    assert clew("status", "--repo", committed, "--json").json["calibration"] is None
    assert clew("calibrate", committed, "--reset", "--json").json == {"reset": False}


def test_a_folder_without_history_says_so(clew: Call, repository: Path) -> None:
    done = clew("calibrate", repository)

    assert done.code == 0
    assert done.out.decode() == "the default weights stay: there is no git history here\n"


def test_what_makes_no_sense_is_refused(clew: Call, repository: Path) -> None:
    assert clew("calibrate", repository, "--commits", "0").code == 2
    assert clew("calibrate", repository / "nothing").code != 0
