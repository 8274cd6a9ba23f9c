"""The replay of changes: what is asked, and that nothing later is known."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bench.impact.arms import arms, scores
from bench.impact.changes import newest
from bench.impact.replay import Work, replay
from bench.impact.report import summarise, table

PAIR = ("knots.py", "sails.py")


@pytest.fixture
def git_dir(tmp_path: Path) -> Path:
    """A repository in which two files always change together, nine times, and a third one alone."""
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q", "--initial-branch=main")
    for time in range(10):
        for name in PAIR:
            (root / name).write_text(f"X = {time}\n", encoding="utf-8")
        save(root, f"both {time}")
        (root / "rope.py").write_text(f"R = {time}\n", encoding="utf-8")
        save(root, f"rope {time}")
    return root / ".git"


def git(root: Path, *words: str) -> None:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    who = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    subprocess.run(["git", "-C", str(root), *who, *words], env=environment, check=True, capture_output=True)


def save(root: Path, message: str) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", message)


def test_changes_are_those_of_several_files_that_were_there_before(git_dir: Path) -> None:
    """Oldest first, every fourth of the newest; the commit that made the files is none."""
    found = newest(git_dir, "owner/name", 40)

    assert [change.files for change in found] == [PAIR] * 3


def test_a_replay_knows_what_came_before_and_goes_on_where_it_was(git_dir: Path, tmp_path: Path) -> None:
    """The other file is found from the commits before; a second run measures nothing again."""
    changes = newest(git_dir, "owner/name", 40)
    work = Work(tmp_path / "work.jsonl")
    said: list[str] = []

    first = replay(git_dir, changes, work, said.append)
    again = replay(git_dir, changes, work, said.append)

    assert len(said) == len(changes)
    assert again == first
    assert [len(asked.past) for one in first for asked in one.asked if asked.given == "knots.py"] == [0, 4, 8]
    named = arms()
    assert scores(named["clew"], first[-1]) == {"recall@5": 1.0, "recall@10": 1.0, "mrr": 1.0}
    assert scores(named["oracle"], first[0]) == {"recall@5": 1.0, "recall@10": 1.0, "mrr": 1.0}
    machine = {"cpu": "c", "cores": 1, "memory_mb": 1, "python": "p"}
    assert "| clew |" in table({"name": "n", "machine": machine, "command": ["c"], "summary": summarise(first)})
