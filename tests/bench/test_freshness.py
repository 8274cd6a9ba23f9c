"""The freshness benchmark, on a repository of three commits: it finds what is stale, and the engine shows nothing that is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.freshness.replay import ARMS, replay

VERSIONS = (
    {
        "rope.py": "def splice(rope):\n    return rope\n\n\ndef whip(rope):\n    return rope\n",
        "sail.py": "def hoist(sail):\n    return sail\n",
    },
    {"rope.py": "# moved down\n\n\ndef whip(rope):\n    return rope * 2\n", "sail.py": "def hoist(sail):\n    return sail\n"},
    {"rope.py": "# moved down\n\n\ndef whip(rope):\n    return rope * 2\n"},
)


@pytest.fixture
def git_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "origin"
    folder.mkdir()

    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words], cwd=folder, check=True, capture_output=True)

    git("init", "-q")
    for number, files in enumerate(VERSIONS):
        for path in folder.glob("*.py"):
            path.unlink()
        for name, text in files.items():
            (folder / name).write_text(text)
        git("add", "-A")
        git("commit", "-q", "-m", f"whip and splice, hoist the sail: version {number}")
    return folder / ".git"


def test_an_index_that_nobody_refreshes_shows_stale_entries_and_no_other_way_does(git_dir: Path, tmp_path: Path) -> None:
    tallies = replay(git_dir, 2, tmp_path / "work", budget_tokens=500, say=lambda _: None)

    assert list(tallies) == list(ARMS)
    assert all(tally.packets and tally.entries and tally.memories for tally in tallies.values())
    assert {"gone", "lines", "memory"} <= {cause for cause, count in tallies["no-refresh"].stale.items() if count}
    assert {name: tally.stale.total() for name, tally in tallies.items() if name != "no-refresh"} == {"question": 0, "hook": 0, "index": 0}
