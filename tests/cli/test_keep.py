"""A level to keep in place of a budget: measured by `clew eval --keep`, used by `clew compact --keep`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calling import Call

from clew.text.tokens import make_counter
from tests.evaluation.conftest import work


@pytest.fixture
def sessions(tmp_path: Path) -> list[Path]:
    return [work(with_summary=number % 2 == 0).save(tmp_path / "sessions", f"s{number}.jsonl") for number in range(3)]


def test_too_few_sessions_are_said_with_how_many_are_needed(clew: Call, sessions: list[Path]) -> None:
    refused = clew("compact", sessions[0], "--keep", "98%")

    assert refused.code == 1
    assert "0 cuts of sessions measured, at least 49 are needed" in refused.err
    assert b"Not enough sessions" in clew("eval", sessions[0].parent, "--keep", "98%").out


def test_a_level_that_enough_sessions_back_sizes_the_window(clew: Call, sessions: list[Path]) -> None:
    said = clew("eval", sessions[0].parent, "--keep", "60%")
    assert "`clew compact --keep 60%` can be used" in " ".join(said.out.decode().split())
    packet = json.loads(clew("compact", sessions[0], "--keep", "60%", "--json").out)

    assert packet["budget"] == packet["tokens"] + packet["fence_tokens"]
    assert packet["tokens"] < make_counter("claude").count(sessions[0].read_text())


def test_a_window_needs_a_size_or_a_level(clew: Call, sessions: list[Path]) -> None:
    nothing, wrong = clew("compact", sessions[0]), clew("compact", sessions[0], "--keep", "2")

    assert (nothing.code, wrong.code) == (2, 2)
    assert "Missing option" in nothing.err
    assert "98% or 0.98" in wrong.err
