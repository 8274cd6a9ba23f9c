"""What came of a session: completed only where evidence says so, and billed as the client notes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clew.evaluation.outcomes import measure_outcome, read_session
from clew.evaluation.trials import DAY_NS, measure_pending
from clew.trial.log import TrialLog
from clew.trial.outcome import SessionOutcome
from clew.trial.plan import Assumptions
from tests.transcript.conftest import FOLDER, ClaudeScript

LINES = ["def settle(entries):", "    return sum(entries)"]


def begun(session: str = "aaaaaaaa-0000-4000-8000-000000000001") -> ClaudeScript:
    script = ClaudeScript(session)
    script.prompt("Settle the ledger.")
    script.read(f"{FOLDER}/src/ledger.py", LINES)
    return script


def edited(session: str = "aaaaaaaa-0000-4000-8000-000000000001") -> ClaudeScript:
    script = begun(session)
    script.edit(f"{FOLDER}/src/ledger.py", LINES[1], "    return round(sum(entries), 2)", 2)
    return script


def checked(script: ClaudeScript, *, passed: bool = True) -> ClaudeScript:
    if passed:
        script.run("python -m pytest -q", "....\n4 passed in 0.12s")
    else:
        script.run("python -m pytest -q", "F\nFAILED tests/test_ledger.py::test_it - assert 1 == 2\n1 failed in 0.12s", 1)
    return script


def measure(folder: Path, script: ClaudeScript, after: ClaudeScript | None = None) -> SessionOutcome:
    follow = read_session([after.save(folder, "after.jsonl")]) if after else None
    return measure_outcome("s", read_session([script.save(folder, "s.jsonl")]), follow, at_ns=1)


def test_work_is_completed_where_a_check_passed_after_the_last_change(tmp_path: Path) -> None:
    assert measure(tmp_path, checked(edited())).is_completed is True
    assert measure(tmp_path, checked(edited(), passed=False)).is_completed is False


def test_without_a_check_at_the_end_or_a_change_nothing_is_known(tmp_path: Path) -> None:
    late = checked(edited())
    late.edit(f"{FOLDER}/src/ledger.py", LINES[0], "def settle(entries, clock):", 1)
    thanked = edited()
    thanked.prompt("Great, thanks, that is all!")

    assert measure(tmp_path, late).is_completed is None
    assert measure(tmp_path, thanked).is_completed is None
    assert measure(tmp_path, checked(begun())).is_completed is None


def test_a_failed_check_that_was_not_run_again_leaves_it_unknown(tmp_path: Path) -> None:
    script = checked(edited(), passed=False)
    script.edit(f"{FOLDER}/src/ledger.py", LINES[0], "def settle(entries, clock):", 1)
    script.run("ruff check .", "All checks passed!")

    assert measure(tmp_path, script).is_completed is None


@pytest.mark.parametrize("command", ["git checkout -- src/ledger.py", "git restore .", "git reset --hard"])
def test_what_the_next_session_takes_back_was_not_completed(tmp_path: Path, command: str) -> None:
    after = ClaudeScript("bbbbbbbb-0000-4000-8000-000000000001")
    after.prompt("No, that is all wrong.")
    after.run(command, "")

    assert measure(tmp_path, checked(edited()), after).is_completed is False


def test_what_the_next_session_does_to_its_own_work_says_nothing_of_this_one(tmp_path: Path) -> None:
    after = edited("bbbbbbbb-0000-4000-8000-000000000001")
    after.run("git checkout -- src/ledger.py", "")
    checked(after, passed=False)
    of_others = begun("bbbbbbbb-0000-4000-8000-000000000001")
    of_others.run("git checkout -- README.md", "")

    assert measure(tmp_path, checked(edited()), after).is_completed is True
    assert measure(tmp_path, checked(edited()), of_others).is_completed is True


def test_a_check_that_fails_before_the_next_session_changes_anything_refutes_the_work(tmp_path: Path) -> None:
    after = checked(begun("bbbbbbbb-0000-4000-8000-000000000001"), passed=False)

    assert measure(tmp_path, checked(edited()), after).is_completed is False


def test_repeats_turns_and_the_first_edit_are_counted(tmp_path: Path) -> None:
    script = begun()
    listing = "\n".join(f"file number {number} of the ledger" for number in range(20))
    for _ in range(3):
        script.read(f"{FOLDER}/src/long.py", listing.split("\n"))
    for _ in range(2):
        script.run("make check-ledger", "no rule", 2)
    script.edit(f"{FOLDER}/src/ledger.py", LINES[1], "    return 0", 2)
    script.run("make check-ledger", "no rule", 2)
    script.add("system", subtype="compact_boundary", content="Conversation compacted")
    script.prompt("Go on.")
    found = measure(tmp_path, script)

    assert (found.rereads, found.repeated_failures, found.prompts, found.compactions) == (2, 1, 2, 1)
    assert found.first_edit_s is not None
    assert found.first_edit_s > 0


def test_a_bill_is_added_up_at_cache_prices_each_reply_once(tmp_path: Path) -> None:
    script = ClaudeScript()
    script.prompt("hi")
    usage: dict[str, Any] = {
        "input_tokens": 10,
        "output_tokens": 1_000,
        "cache_read_input_tokens": 5_000,
        "cache_creation_input_tokens": 2_000,
    }
    script.say({"type": "text", "text": "a"}, message_id="m1", usage=usage)
    script.say({"type": "text", "text": "b"}, message_id="m1", usage=usage)
    found = measure(tmp_path, script)

    assert found.requests == 1
    assert found.units == pytest.approx(10 + 5 * 1_000 + 0.1 * 5_000 + 1.25 * 2_000)
    assert measure(tmp_path, begun()).units is None


def test_a_fork_counts_with_the_session_that_it_copied_and_nothing_twice(tmp_path: Path) -> None:
    usage = {"input_tokens": 10, "output_tokens": 100, "cache_read_input_tokens": 5_000, "cache_creation_input_tokens": 2_000}
    script = begun()
    script.say({"type": "text", "text": "a"}, message_id="m1", usage=usage)
    first = script.save(tmp_path, "first.jsonl")
    alone = measure_outcome("s", read_session([first]), None, at_ns=1)
    script.say({"type": "text", "text": "b"}, message_id="m2", usage=usage)
    both = measure_outcome("s", read_session([first, script.save(tmp_path, "fork.jsonl")]), None, at_ns=1)

    assert alone.units is not None
    assert both.units == pytest.approx(2 * alone.units, rel=0.01)
    assert (both.requests, both.prompts) == (2, 1)


def test_only_sessions_that_can_no_longer_change_are_measured(tmp_path: Path) -> None:
    """One goes on today: its outcome is not final. A trial that was stopped is measured at once, up to its end."""
    log = TrialLog(tmp_path / "home")
    log.start(("prompts",), 100, margin=0.1, assumed=Assumptions())
    session = "aaaaaaaa-0000-4000-8000-000000000001"
    log.assign(session, FOLDER)
    log.assign("bbbbbbbb-0000-4000-8000-000000000001", FOLDER)
    file = checked(edited(session)).save(tmp_path / "sessions", f"{session}.jsonl")
    trial = log.read_current()
    assert trial is not None
    last_ns = file.stat().st_mtime_ns

    def found_at(days: float) -> list[SessionOutcome | None]:
        return list(
            measure_pending(trial, lambda root: [tmp_path / "sessions"] if root == FOLDER else [], now_ns=last_ns + int(days * DAY_NS))
        )

    assert found_at(0.5) == [None, None]
    assert found_at(3) == [None, None]
    first, second = found_at(8)
    assert first is not None
    assert first.is_completed is True
    assert second is not None
    assert (second.is_completed, second.why) == (None, "it left no transcript")
    assert "pytest" not in json.dumps(first.why)


def test_a_session_is_final_a_day_after_its_end_once_another_has_begun(tmp_path: Path) -> None:
    log = TrialLog(tmp_path / "home")
    log.start(("prompts",), 100, margin=0.1, assumed=Assumptions())
    session = "aaaaaaaa-0000-4000-8000-000000000001"
    log.assign(session, FOLDER)
    file = checked(edited(session)).save(tmp_path / "sessions", f"{session}.jsonl")
    later = begun("cccccccc-0000-4000-8000-000000000001")
    text = later.bytes().replace(b"2026-03-01T10", b"2027-03-01T10")
    (tmp_path / "sessions" / "cccccccc-0000-4000-8000-000000000001.jsonl").write_bytes(text)
    import os

    at_ns = 1_772_000_000_000_000_000  # February 2026, before the later one
    os.utime(file, ns=(at_ns, at_ns))
    trial = log.read_current()
    assert trial is not None
    year_later = 1_804_000_000_000_000_000
    [found] = measure_pending(trial, lambda _: [tmp_path / "sessions"], now_ns=year_later)

    assert found is not None
    assert found.is_completed is True


def test_an_addition_is_used_where_its_file_was_read_or_changed_after_its_prompt(tmp_path: Path) -> None:
    """Read before the prompt, never touched, and touched by a call that failed are not used."""
    script = checked(edited())
    script.run("cat src/shown.py", "TAX = 2")
    script.run("cat src/absent.py", "cat: src/absent.py: No such file or directory", 1)
    read = read_session([script.save(tmp_path, "s.jsonl")])
    end_ns = max(each.at_ns for each in read.observations)
    named = ("src/ledger.py", "src/shown.py", "src/absent.py", "src/other.py")
    told = measure_outcome("s", read, None, at_ns=1, added=[*((1, path) for path in named), (end_ns, "src/ledger.py")])

    assert (told.additions, told.additions_used) == (5, 2)


def test_a_trial_asks_for_the_additions_of_each_session_that_counts_as_one(tmp_path: Path) -> None:
    log = TrialLog(tmp_path / "home")
    log.start(("prompts",), 100, margin=0.1, assumed=Assumptions())
    session, fork = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000001"
    log.assign(session, FOLDER)
    log.assign(fork, FOLDER, origin=session)
    checked(edited(session)).save(tmp_path / "sessions", f"{session}.jsonl")
    log.stop()
    trial = log.read_current()
    assert trial is not None
    asked: list[tuple[str, str]] = []

    def added_to(repository: str, name: str) -> list[tuple[int, str]]:
        asked.append((repository, name))
        return [(1, "src/ledger.py")]

    [found] = measure_pending(trial, lambda _: [tmp_path / "sessions"], added_to, now_ns=2)

    assert asked == [(FOLDER, session), (FOLDER, fork)]
    assert found is not None
    assert (found.additions, found.additions_used) == (2, 2)
