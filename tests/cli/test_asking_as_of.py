"""`--as-of` at the command line: what is printed names what it was computed at, and errors are sentences."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from calling import Call


@pytest.fixture
def commit(repository: Path) -> str:
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=repository, check=True)
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("words", [("retrieve", "who ties a knot?"), ("retrieve", "who ties a knot?", "--files"), ("recall", "a knot")])
def test_an_answer_names_what_it_was_computed_at(clew: Call, repository: Path, commit: str, words: tuple[str, ...]) -> None:
    clew("index", repository)
    now = clew(*words, "--repo", repository, "--json").json["as_of"]
    assert (now["instant"], now["commit"], now["branch"], now["missing"]) == (None, None, None, [])
    assert now["generation"] > 0
    then = clew(*words, "--repo", repository, "--as-of", "main", "--json").json["as_of"]
    assert (then["commit"], then["branch"], then["generation"]) == (commit, "main", now["generation"])
    assert then["instant"].endswith("Z")
    called = clew(*words, "--repo", repository, "--as-of", commit[:9])
    assert f"as of commit {commit[:12]}, {then['instant']} (generation {now['generation']})" in called.text + called.err
    called = clew(*words, "--repo", repository)
    assert f"as of now (generation {now['generation']})" in called.text + called.err


@pytest.mark.parametrize("command", [("retrieve", "a knot"), ("recall", "a knot"), ("state", "s1")])
@pytest.mark.parametrize("when", ["nosuch", "2999-01-01", "2001-01-01", ""])
def test_what_cannot_be_asked_is_said(clew: Call, repository: Path, commit: str, command: tuple[str, ...], when: str) -> None:
    clew("index", repository)
    called = clew(*command, "--repo", repository, "--as-of", when)
    assert called.code == 2
    assert "hint: " in called.err
    assert called.text == ""
