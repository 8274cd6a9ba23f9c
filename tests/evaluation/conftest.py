"""A session that goes on after a cut, and says by what it does next what it needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clew.evaluation.cases import EvaluationCase, find_cases
from clew.evaluation.prepared import PreparedCase
from clew.text.tokens import make_counter
from tests.transcript.conftest import FOLDER, SESSION, ClaudeScript

LEDGER = [
    "def settle(entries, clock):",
    "    balance = opening_balance(entries, clock)",
    "    for entry in entries:",
    "        balance = balance.add(entry.amount)",
    "    return balance.rounded(2)",
]
NOISE = [f"drwxr-xr-x  2 dev dev  4096 Jan  1 10:0{number % 10} folder of noise number {number} and nothing else" for number in range(60)]
SUMMARY = f"The user wants the ledger settled. {FOLDER}/src/ledger.py holds settle(). Never push to main."


def work(*, with_summary: bool) -> ClaudeScript:
    """A session of 30 looks and a cut; after it an edit, a rare name, a look that is repeated, a file that is read again."""
    script = ClaudeScript()
    script.prompt("Settle the ledger. Never push to main.")
    script.read(f"{FOLDER}/src/ledger.py", LEDGER)
    script.read(f"{FOLDER}/src/clock.py", ["def now():", "    return frozen_clock_of_tests()"])
    script.run(
        "cat config/rates.ini",
        "XTAX_RATE_2031 = 0.19 ; from the ministry\nOTHER_RATE = 0.07",
    )
    script.run("cat VERSION.txt", "release train 2031.4 of the ledger service\nbuilt from the tag ledger-2031.4")
    for number in range(26):
        script.run(f"ls folder{number}", "\n".join(NOISE))
    script.tell("I have looked at everything.")
    if with_summary:
        script.add(
            "system", subtype="compact_boundary", content="Conversation compacted", compactMetadata={"trigger": "auto", "preTokens": 9000}
        )
        script.prompt(SUMMARY, isCompactSummary=True)
    script.prompt("Go on with `opening_balance`, please.")
    script.edit(f"{FOLDER}/src/ledger.py", LEDGER[3], "        balance = balance.plus(entry.amount)", 4)
    script.run("grep -n XTAX_RATE_2031 config/rates.ini", "17:XTAX_RATE_2031 = 0.19 ; from the ministry")
    script.run("cat VERSION.txt", "release train 2031.4 of the ledger service\nbuilt from the tag ledger-2031.4")
    script.run("grep -n opening_balance src/ledger.py", "2:    balance = opening_balance(entries, clock)")
    script.run("python -m pytest tests/test_of_nothing.py", "1 passed")
    for number in range(16):
        script.run(f"echo {number}", str(number))
    return script


@pytest.fixture
def compacted(tmp_path: Path) -> Path:
    """A transcript in which the client compacted."""
    return work(with_summary=True).save(tmp_path / "sessions")


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """The same session, never compacted."""
    return work(with_summary=False).save(tmp_path / "sessions", f"{SESSION[:-1]}6.jsonl")


@pytest.fixture
def case(compacted: Path) -> EvaluationCase:
    """The cut where the client compacted."""
    [only] = find_cases(compacted)
    return only


@pytest.fixture
def prepared(case: EvaluationCase) -> PreparedCase:
    """The same cut, made ready."""
    return PreparedCase(case, make_counter("claude"))


@pytest.fixture
def session() -> Callable[..., ClaudeScript]:
    """The script of the session, to write on."""
    return work
