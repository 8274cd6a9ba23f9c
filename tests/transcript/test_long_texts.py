"""What tools print may be of any shape: no pattern takes longer than the text is long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from clew.transcript.follow import read_deltas

if TYPE_CHECKING:
    from conftest import ClaudeScript

CHARS = 100_000
TEXTS = {
    "spaces": " " * CHARS + "x",
    "a patch, then spaces": "*** Begin Patch\n*** Update File: a" + " " * CHARS + "b",
    "digits": "1" * CHARS,
    "words": "a " * (CHARS // 2),
    "quotes": '"a' * (CHARS // 2),
    "dots": "... " * (CHARS // 4),
    "slashes": "a/" * (CHARS // 2),
    "empty lines": "\n" * CHARS,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_text_of_one_kind_costs_no_more_than_its_length(claude: ClaudeScript, text: str) -> None:
    """As a command, as its answer, as a patch, and as what was read, said and asked."""
    claude.prompt(text)
    claude.say({"type": "text", "text": text})
    claude.answer(claude.call("Bash", command=text), text)
    claude.answer(claude.call("apply_patch", input=text), text)
    claude.answer(claude.call("Read", file_path="/a.py"), text)
    claude.answer(claude.call("Bash", command="pytest"), text, is_error=True)
    lines = [record + b"\n" for record in claude.records]
    started = time.thread_time()

    list(read_deltas(lines))

    assert time.thread_time() - started < 3.0
