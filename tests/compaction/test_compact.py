"""What stands in the window after a session was cut: lines that will be needed, as they are true now."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import clew
from clew.compaction.keep import ScoringNetwork, load_networks, networks_from_arrays
from clew.compaction.lines import LINE_FEATURES, line_features
from clew.compaction.names import NAME_FEATURES, rare_identifiers
from clew.records import TaskState
from clew.settings import Settings
from clew.transcript.session_files import find_session_files
from clew.usecases.compact import EARLIER_COMPACTIONS_MAX, CompactionInput
from tests.transcript.conftest import FOLDER, ClaudeScript

SETTLE = [
    "def settle(entries, clock):",
    "    balance = opening_balance(entries, clock)",
    "    for entry in entries:",
    "        balance = balance.add(entry.amount)",
    "    return balance.rounded(2)",
]
NOISE = [f"drwxr-xr-x  2 dev dev  4096 Jan  1 10:0{number % 10} folder of noise number {number} and nothing else" for number in range(60)]


def script(*, edits: bool = False, turns: int = 12) -> ClaudeScript:
    made = ClaudeScript()
    made.prompt("Settle the ledger in src/ledger.py with `opening_balance`. Never push to main.")
    made.read(f"{FOLDER}/src/ledger.py", SETTLE)
    for number in range(turns):
        made.run(f"ls folder{number}", "\n".join(f"{line} {number}" for line in NOISE))
    if edits:
        made.edit(f"{FOLDER}/src/ledger.py", SETTLE[3], "        balance = balance.plus(entry.amount)", 4)
    made.tell("I have looked at src/ledger.py and its settle().")
    return made


def compact(path: Path, budget_tokens: int, *, at: str | None = None) -> str:
    engine = clew.open(settings=Settings(path.parent), is_in_memory=True)
    return engine.compact(str(path), at=at, budget_tokens=budget_tokens, tokenizer="chars4", path=path.parent).text


def test_lines_of_a_file_stand_as_they_are_in_it(tmp_path: Path) -> None:
    """Without the numbers that the tool printed: an edit must find them letter for letter. The first one's number stands before."""
    text = compact(script().save(tmp_path / "work"), 800)

    assert "@2\n    balance = opening_balance(entries, clock)\n" in text or "@1\n" + "\n".join(SETTLE[:2]) in text


def test_a_line_that_an_edit_has_replaced_is_not_shown(tmp_path: Path) -> None:
    """What stands beside it still is: the read as a whole is no longer true, its other lines are."""
    text = compact(script(edits=True).save(tmp_path / "work"), 2000)
    old = text.index("<<<<<<< old") if "<<<<<<< old" in text else len(text)

    assert SETTLE[1] in text
    assert SETTLE[3] not in text[:old].partition("=== session")[2]


def test_a_line_that_was_brought_back_is_shown_again(tmp_path: Path) -> None:
    """The edit is undone, and a read shows the line once more: the record of the edit does not speak against it."""
    made = script(edits=True)
    made.run("git checkout src/ledger.py", "Updated 1 path from the index")
    made.read(f"{FOLDER}/src/ledger.py", SETTLE)

    assert SETTLE[3] in compact(made.save(tmp_path / "work"), 2000)


def test_of_equal_lines_the_newest_is_shown(tmp_path: Path) -> None:
    made = script()
    made.read(f"{FOLDER}/src/ledger.py", SETTLE)

    assert compact(made.save(tmp_path / "work"), 2000).count(SETTLE[1]) == 1


@pytest.mark.parametrize("budget_tokens", [0, 1, 60, 127, 400, 2000, 100_000])
def test_a_compaction_fits_its_budget(tmp_path: Path, budget_tokens: int) -> None:
    assert (len(compact(script(edits=True).save(tmp_path / "work"), budget_tokens)) + 3) // 4 <= budget_tokens


def test_what_stood_in_the_window_stays_in_its_form(tmp_path: Path) -> None:
    """The client compacts, works on, and is compacted again: the file's lines keep their bytes though newer things came."""
    made = script()
    made.add("system", subtype="compact_boundary", content="Conversation compacted", compactMetadata={"trigger": "auto", "preTokens": 9000})
    made.prompt("The user wants the ledger settled.", isCompactSummary=True)
    first_cut = str(len(made.records) - 2)
    made.prompt("Look at more folders.")
    for number in range(8):
        made.run(f"ls more{number}", "\n".join(f"{line} again {number}" for line in NOISE))
    path = made.save(tmp_path / "work")

    before, after = compact(path, 700, at=first_cut), compact(path, 700)

    kept = before[before.index("@") : before.index(SETTLE[1]) + len(SETTLE[1])]
    assert kept in after


def test_a_session_that_was_compacted_often_looks_back_on_the_last_times(tmp_path: Path) -> None:
    """As far as the bound, and not on none of them because there were more."""
    made = script(turns=2)
    for number in range(EARLIER_COMPACTIONS_MAX + 2):
        made.add(
            "system", subtype="compact_boundary", content="Conversation compacted", compactMetadata={"trigger": "auto", "preTokens": 9}
        )
        made.run(f"ls more{number}", "nothing")
    path = made.save(tmp_path / "work")
    engine = clew.open(settings=Settings(path.parent), is_in_memory=True)
    at: CompactionInput | None = engine.load_compaction_input(
        find_session_files(path), path.read_bytes().splitlines(keepends=True), tokenizer="chars4", path=path.parent
    )

    chain = 0
    while at is not None and (at := at.load_earlier()) is not None:
        chain += 1

    assert chain == EARLIER_COMPACTIONS_MAX


def test_nets_for_other_features_are_refused() -> None:
    held = {"lines.names": np.array(LINE_FEATURES[1:]), "names.names": np.array(NAME_FEATURES)}

    with pytest.raises(ValueError, match="other features than lines have now"):
        networks_from_arrays(held)


def test_the_nets_of_the_release_are_for_these_features() -> None:
    lines, names = load_networks()

    assert (len(lines.mean), len(names.mean)) == (len(LINE_FEATURES), len(NAME_FEATURES))
    assert np.all((chances := lines(np.zeros((3, len(LINE_FEATURES)), np.float32))) >= 0)
    assert np.all(chances <= 1)


def test_a_net_is_the_mean_of_its_members() -> None:
    """Two members of one unit each, by hand: 1/(1+e^-2) for the first where x = 1, one half for the second."""
    net = ScoringNetwork(
        np.zeros(1, np.float32),
        np.ones(1, np.float32),
        np.array([[[1.0]], [[0.0]]], np.float32),
        np.zeros((2, 1), np.float32),
        np.array([[2.0], [5.0]], np.float32),
        np.zeros(2, np.float32),
    )

    assert net(np.ones((1, 1), np.float32))[0] == pytest.approx((1 / (1 + np.exp(-2.0)) + 0.5) / 2)


def test_a_name_is_rare_where_few_records_hold_it() -> None:
    lines = [*(f"see common_name in note {at}" for at in range(6)), "and RARE_NAME_7 once, or src/rare.py"]
    found = rare_identifiers(lines, np.arange(7), np.zeros((7, len(LINE_FEATURES)), np.float32), LINE_FEATURES, {})

    assert found.texts == ["RARE_NAME_7", "src/rare.py"]
    assert found.row.tolist() == [6, 6]


def test_a_session_without_lines_has_no_features() -> None:
    found = line_features([], [], [], TaskState())

    assert found.features.shape == (0, len(LINE_FEATURES))
