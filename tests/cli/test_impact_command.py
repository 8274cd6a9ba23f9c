"""`clew impact`, as a person and as a machine call it."""

from __future__ import annotations

from pathlib import Path

import pytest
from calling import Call

from tests.fences import opened


def test_it_lists_files_with_reasons(clew: Call, repository: Path) -> None:
    """A repository that was never indexed is indexed first; one line a file, the surest first."""
    done = clew("impact", "src/knots.py", "--repo", repository)

    [line, *_] = opened(done.text).inside[0].splitlines()
    assert done.code == 0
    assert "src/sails.py" in line
    assert "calls it" in line
    assert "never indexed" in done.err


def test_json_has_scores_and_shares(clew: Call, repository: Path) -> None:
    clew("index", repository)

    answer = clew("impact", "src/knots.py", "--repo", repository, "--json").json

    first = answer["files"][0]
    assert answer["given"] == ["src/knots.py"]
    assert first["path"] == "src/sails.py"
    assert first["score"] > 0
    assert 0 < first["shares"]["calls"] <= 1


def test_the_limit_limits(clew: Call, repository: Path) -> None:
    clew("index", repository)

    done = clew("impact", "src/knots.py", "--repo", repository, "--limit", "1")

    assert len(opened(done.text).inside[0].splitlines()) == 1


@pytest.mark.parametrize(("words", "code"), [(["src/nothing.py"], 4), (["zzzzzzzz"], 4), ([], 2), (["src/knots.py", "--limit", "0"], 2)])
def test_what_makes_no_sense_has_its_exit_code(clew: Call, repository: Path, words: list[str], code: int) -> None:
    clew("index", repository)

    done = clew("impact", *words, "--repo", repository)

    assert done.code == code
    assert done.out == b""
    assert done.err.startswith("clew: ")


def test_two_processes_with_other_hash_seeds_say_the_same_bytes(process: Call, repository: Path) -> None:
    process("index", repository)

    one, other = (process("impact", "src/knots.py", "--repo", repository, "--json", PYTHONHASHSEED=seed) for seed in ("1", "2"))

    assert one.out == other.out
    assert one.out
