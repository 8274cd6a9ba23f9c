"""What stands in the window after a session was cut: lines that will be needed, as they are true now."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import clew
from clew.compaction.compact import RECENT_SHARE
from clew.compaction.keep import ScoringNetwork, load_networks, networks_from_arrays
from clew.compaction.lines import LINE_FEATURES, line_features
from clew.compaction.names import NAME_FEATURES, rare_identifiers
from clew.records import TaskState
from clew.settings import Settings
from clew.transcript.session_files import find_session_files
from clew.usecases import compact as compact_usecase
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
    """Without the numbers that the tool printed: an edit must find them letter for letter. The heading says the first one's number."""
    text = compact(script().save(tmp_path / "work"), 800)

    assert "ledger.py:2\n    balance = opening_balance(entries, clock)\n" in text or "ledger.py:1\n" + "\n".join(SETTLE[:2]) in text


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

    kept = before[before.index("ledger.py:") : before.index(SETTLE[1]) + len(SETTLE[1])]
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


def boundary(made: ClaudeScript) -> None:
    made.add("system", subtype="compact_boundary", content="Conversation compacted", compactMetadata={"trigger": "auto", "preTokens": 9000})


@pytest.mark.parametrize("compactions", [0, 1, 3])
def test_an_ingested_session_is_compacted_from_its_records_as_its_transcript_would_be(tmp_path: Path, compactions: int) -> None:
    """Also when the transcript is gone."""
    made = script(edits=True)
    for number in range(compactions):
        boundary(made)
        made.prompt(f"Now look at part {number}.")
        made.run(f"ls more{number}", "\n".join(f"{line} again {number}" for line in NOISE))
    path = made.save(tmp_path / "work")
    engine = clew.open(settings=Settings(path.parent), is_in_memory=True)
    engine.ingest([path], repo=path.parent)
    lines = engine.compact(str(path), at=str(len(made.records)), budget_tokens=900, tokenizer="chars4", path=path.parent).text
    session = find_session_files(path).id
    path.unlink()

    assert engine.compact(session, at=None, budget_tokens=900, tokenizer="chars4", path=path.parent).text == lines


def test_what_an_earlier_compaction_showed_is_chosen_anew_once_some_of_it_was_purged(tmp_path: Path) -> None:
    """A process keeps that choice; one that begins after the purge comes to the same."""
    made = script(edits=True)
    boundary(made)
    made.run("ls more", "\n".join(f"{line} again" for line in NOISE))
    path = made.save(tmp_path / "work")
    engine = clew.open(settings=Settings(path.parent), is_in_memory=True)
    engine.ingest([path], repo=path.parent)
    session = find_session_files(path).id
    path.unlink()

    def compacted() -> str:
        return engine.compact(session, at=None, budget_tokens=900, tokenizer="chars4", path=path.parent).text

    before = compacted()
    assert compacted() == before
    [handle] = [line[1:9] for line in before.splitlines() if "ledger.py" in line and line.startswith("[")][:1]
    engine.purge(path.parent, handles=[handle], reason="test")
    after = compacted()
    compact_usecase._selected.clear()

    assert handle not in after
    assert compacted() == after


def test_a_compaction_from_records_lacks_what_was_purged(tmp_path: Path) -> None:
    path = script().save(tmp_path / "work")
    engine = clew.open(settings=Settings(path.parent), is_in_memory=True)
    engine.ingest([path], repo=path.parent)

    def compacted() -> str:
        return engine.compact(find_session_files(path).id, at=None, budget_tokens=2000, tokenizer="chars4", path=path.parent).text

    before = compacted()
    handle = before[: before.index("ledger.py:1\n")].rpartition("[")[2].partition("]")[0]
    engine.purge(path.parent, handles=[handle])

    assert "opening_balance(entries" in before
    assert "opening_balance(entries" not in compacted()


ACTIONS = st.lists(
    st.tuples(st.lists(st.text(alphabet="ab1 .:é", max_size=90), min_size=1, max_size=12), st.sampled_from([0, 0, 1])),
    min_size=1,
    max_size=9,
)


@settings(deadline=None, max_examples=60)
@given(ACTIONS, st.integers(300, 4000))
@example([([""], 1), (["", "111", "1111"], 0), ([""] * 5 + ["1", "11", "11", "111"], 0), ([""], 0), ([""], 0)], 615)
@example(
    [([""], 1), (["", "111", "1111", *["11111"] * 2, "111111", *["1111111"] * 2], 0), ([""] * 5 + ["1", "11", "11", "111"], 0)]
    + [([""], 0)] * 2,
    600,
)
def test_what_is_recent_is_intact_before_any_line_is_bought(actions: list[tuple[list[str], int]], budget_tokens: int) -> None:
    """Of the turn's last actions each stands in front, named, and the newest byte for byte as far as their share goes."""
    made = script(turns=3)
    made.prompt("Now measure it.")
    outputs: list[str] = []
    for number, (lines, exit_code) in enumerate(actions):
        outputs.append("\n".join(["measured", *lines, f"end of {number}"]))
        made.run(f"./measure --run {number}", outputs[-1], exit_code)
    with TemporaryDirectory() as folder:
        text = compact(made.save(Path(folder) / "work"), budget_tokens)
    front, _, bought = text.partition("=== session")

    shown = [f"./measure --run {number}" in front for number in range(len(actions))]
    assert all(shown[-5:]) or not bought
    assert f"end of {len(actions) - 1}" in front or not bought
    left = RECENT_SHARE * budget_tokens - 120  # five names and the heading
    for output in reversed(outputs):
        left -= (len(output) + 80) / 4
        assert left < 0 or output in front


PLANTED = (
    "Never send private data to external services without consent from Ada Quill.",
    "The staging API base URL is https://jjspq.internal/v2.",
    "The production database is Postgres 15 in eu-north-5.",
    "I want answers in metric units, signed XKX-8683.",
    "Branch spike/hyopr-35 is based on commit 77e90d3.",
)
SMALL_TALK = tuple(
    f"{what} {tail}"
    for what in ("Walking through the queue", "Looking at the retries", "Notes on the cache")
    for tail in ("again.", "now.")
)


def test_what_the_user_told_once_outlives_five_compactions_and_small_talk(tmp_path: Path) -> None:
    """What one compaction kept the next one keeps: it reads the original, whatever stands in the window."""
    made = ClaudeScript()
    for number in range(30):
        if number % 6 == 0:
            made.prompt(PLANTED[number // 6])
            made.tell("Noted and recorded.")
        made.prompt(SMALL_TALK[number % len(SMALL_TALK)])
        made.tell("Acknowledged. Continuing with the plan.")
    kept: list[list[str]] = []
    for _ in range(5):
        made.add(
            "system", subtype="compact_boundary", content="Conversation compacted", compactMetadata={"trigger": "auto", "preTokens": 900}
        )
        window = compact(made.save(tmp_path / "work"), 300)
        kept.append([said for said in PLANTED if said in window])
        made.prompt(window, isCompactSummary=True)

    assert kept == [list(PLANTED)] * 5


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


REMINDER = "<system-reminder>\nWhenever you read a file, you should consider whether it would be malware.\n</system-reminder>"


def test_the_clients_own_words_behind_an_output_are_not_shown(tmp_path: Path) -> None:
    """A reminder behind a file's lines, an acknowledgement of an edit: the handle has them, the window does not."""
    made = ClaudeScript()
    made.prompt("Settle the ledger in src/ledger.py.")
    made.read(f"{FOLDER}/src/ledger.py", [*SETTLE, "# <system-reminder>of the file</system-reminder>"], behind=f"\n\n{REMINDER}\n")
    made.run("cat notes.md", REMINDER)
    made.edit(f"{FOLDER}/src/ledger.py", SETTLE[3], "        balance = balance.plus(entry.amount)", 4)
    engine = clew.open(settings=Settings(tmp_path), is_in_memory=True)
    packet = engine.compact(str(made.save(tmp_path / "work")), at=None, budget_tokens=4000, tokenizer="chars4", path=tmp_path)
    read = next(entry for entry in packet.entries if entry.kind == "read" and SETTLE[0] in entry.text)

    assert packet.text.count("Whenever you read a file") == 1  # what a command printed is its output, whatever it looks like
    assert "# <system-reminder>of the file</system-reminder>" in packet.text
    assert "has been updated" not in packet.text
    assert REMINDER in engine.unfold(tmp_path, read.handle).data.decode()


def test_a_reminder_before_a_file_leaves_the_file_where_it_is(tmp_path: Path) -> None:
    """The client says first how old its own notes are; what has no end is no reminder, and what it says of the file itself is output."""
    made = ClaudeScript()
    made.prompt("Settle the ledger.")
    made.answer(made.call("Read", file_path="a.md"), f"{REMINDER}\n1\tThe ledger rounds half up.\n2\tNever in place.\n\n{REMINDER}")
    made.answer(made.call("Read", file_path="b.md"), "1\tThe clock is a parameter.\n<system-reminder>\nThe shop closes at six.")
    made.answer(made.call("Read", file_path="c.md"), "<system-reminder>Warning: the file exists but has no lines.</system-reminder>")
    text = compact(made.save(tmp_path / "work"), 4000)

    for line in ("The ledger rounds half up.", "Never in place.", "The clock is a parameter.", "The shop closes at six.", "has no lines"):
        assert line in text
    assert text.count("Whenever you read a file") == 1


@pytest.mark.parametrize("first", ["<system-reminder>", "1\tone"])
def test_nothing_of_an_attached_file_is_taken_for_the_clients_words(tmp_path: Path, first: str) -> None:
    """Its lines have no numbers, so they may look like anything."""
    lines = [first, "<system-reminder>", "The ledger rounds half up.", "</system-reminder>"]
    made = ClaudeScript()
    made.prompt("Settle the ledger.")
    file = {"filePath": f"{FOLDER}/notes.tsv", "content": "\n".join(lines), "startLine": 1, "totalLines": len(lines)}
    attached = {"type": "file", "filename": f"{FOLDER}/notes.tsv", "content": {"type": "text", "file": file}}
    made.add("attachment", attachment=attached)

    assert "The ledger rounds half up." in compact(made.save(tmp_path / "work"), 4000)


def test_a_long_command_that_succeeded_is_named_without_its_end(tmp_path: Path) -> None:
    made = ClaudeScript()
    made.prompt("Settle the ledger.")
    for size in range(70, 130):
        made.run(f"pytest -k {'x' * size}", "\n".join(f"{size} of the ledger: {line}" for line in SETTLE))
    text = compact(made.save(tmp_path / "work"), 6000)

    assert "pytest -k xxx" in text
    assert "→…" not in text
    assert "→ e" not in text


def test_a_path_stands_in_full_once(tmp_path: Path) -> None:
    """Above later lines of the file its last part is enough, unless another file has the same."""
    made = ClaudeScript()
    made.prompt("Compare them.")
    for name in ("src/deep/folder/ledger.py", "src/deep/folder/mod.py", "src/other/mod.py"):
        made.read(f"{FOLDER}/{name}", [f"{line} # {name}" for line in SETTLE])
    text = compact(made.save(tmp_path / "work"), 4000).partition("## Last actions")[2]

    assert "] ledger.py:1\n" in text
    assert "] src/deep/folder/mod.py:1\n" in text
    assert "] src/other/mod.py:1\n" in text


def test_a_heading_says_how_a_long_command_ended(tmp_path: Path) -> None:
    """What was called is clipped, what became of it is not."""
    made = ClaudeScript()
    made.prompt("Post them.")
    made.run("./post --to somewhere " + " ".join(f"--comment={number:03}" for number in range(9)), "no such place", 3)
    for number in range(6):
        made.run(f"./try {number}", "no")
    text = compact(made.save(tmp_path / "work"), 4000)

    assert "→ exit 3\n" in text.partition("## Last actions")[2]
