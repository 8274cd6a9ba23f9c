"""What was seen, and what ceased to be true."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.task.commands import read_line, scope_of
from clew.transcript.events import Change, Hunk
from clew.transcript.ledger import Ended, Fixed, Ledger, View

FILE = [f"line {number}" for number in range(1, 101)]


def view(start: int, end: int, lines: list[str] = FILE) -> View:
    return View("/a.py", start, lines[start - 1 : end])


@pytest.mark.parametrize(
    ("first", "second", "ended"),
    [
        ((1, 50), (1, 50), "read again"),
        ((10, 20), (1, 50), "contained in a later read"),
        ((1, 50), (10, 20), ""),
        ((1, 50), (40, 90), ""),
    ],
)
def test_a_later_read_ends_the_earlier_ones_that_it_shows_again(first: tuple[int, int], second: tuple[int, int], ended: str) -> None:
    ledger = Ledger()
    ledger.see("first", view(*first), "")

    assert ledger.see("second", view(*second), "") == ([Ended("first", ended)] if ended else [])


def test_a_later_read_of_other_lines_says_that_the_file_changed() -> None:
    ledger = Ledger()
    ledger.see("first", view(10, 20), "")

    assert ledger.see("second", view(1, 50, ["new", *FILE]), "") == [Ended("first", "changed since")]


def test_what_a_subagent_saw_is_not_seen_by_the_main_thread() -> None:
    ledger = Ledger()
    ledger.see("first", view(1, 50), "")

    assert ledger.see("second", view(1, 50), "a1") == []
    assert ledger.change("edit", [Change("/a.py", (Hunk(3, 1, 1),))]) == [Ended("first", "edited later"), Ended("second", "edited later")]


@pytest.mark.parametrize(
    ("hunk", "is_ended"),
    [
        (Hunk(9, 1, 1), False),
        (Hunk(10, 1, 1), True),
        (Hunk(20, 1, 0), True),
        (Hunk(21, 1, 1), False),
        (Hunk(5, 10, 2), True),
        (Hunk(10, 0, 3), False),
        (Hunk(11, 0, 3), True),
        (Hunk(21, 0, 3), False),
    ],
)
def test_an_edit_ends_the_reads_of_the_lines_that_it_touched(hunk: Hunk, *, is_ended: bool) -> None:
    ledger = Ledger()
    ledger.see("read", view(10, 20), "")

    assert ledger.change("edit", [Change("/a.py", (hunk,))]) == ([Ended("read", "edited later")] if is_ended else [])


def test_reads_below_an_edit_move_with_their_lines() -> None:
    ledger = Ledger()
    ledger.see("read", view(50, 60), "")
    ledger.change("edit", [Change("/a.py", (Hunk(2, 1, 4), Hunk(30, 2, 0)))])
    after = ["line 1", "a", "b", "c", "d", *FILE[2:29], *FILE[31:]]

    assert ledger.see("later", View("/a.py", 1, after), "") == [Ended("read", "contained in a later read")]


def test_an_edit_that_does_not_say_where_ends_every_read_of_its_file() -> None:
    ledger = Ledger()
    ledger.see("read", view(1, 5), "")

    assert ledger.change("edit", [Change("/b.py"), Change("/a.py")]) == [Ended("read", "edited later")]


def test_a_file_written_again_or_removed_ends_what_was_known_of_it() -> None:
    ledger = Ledger()
    ledger.see("read", view(1, 5), "")

    assert ledger.write("write", "/a.py") == [Ended("read", "rewritten later")]
    assert ledger.write("write again", "/a.py") == [Ended("write", "rewritten later")]
    assert ledger.disturb("rm", ["/a.py"]) == [Ended("write again", "changed by a later command")]


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        (False, True, "fixed"),
        (True, False, "broken since"),
        (True, True, "run again with another output"),
        (False, False, "failed again"),
        (None, None, "run again with another output"),
    ],
)
def test_a_check_run_again_ends_its_earlier_outcome(*, before: bool | None, now: bool | None, reason: str) -> None:
    ledger = Ledger()
    ledger.run("first", "check:pytest", "1", has_passed=before)

    ended, fixed = ledger.run("second", "check:pytest", "2", has_passed=now)

    assert ended == [Ended("first", reason)]
    assert fixed == ([Fixed("first", ())] if reason == "fixed" else [])


def test_edits_between_a_failure_and_its_fix_share_the_credit() -> None:
    ledger = Ledger()
    ledger.change("too early", [Change("/a.py")])
    ledger.run("failure", "check:pytest", "1", has_passed=False)
    ledger.change("edit", [Change("/a.py")])
    ledger.write("write", "/b.py")

    assert ledger.run("pass", "check:pytest", "2", has_passed=True)[1] == [Fixed("failure", ("edit", "write"))]
    ledger.change("too late", [Change("/a.py")])
    assert ledger.run("again", "check:pytest", "2", has_passed=True)[1] == []


def test_a_wider_check_that_passes_fixes_the_narrower_one_and_a_narrower_one_does_not_fix_the_wider() -> None:
    def scopes(command: str) -> list[object]:
        return [scope_of(check) for check in read_line(command).checks]

    ledger = Ledger()
    ledger.run("one file", "check:pytest tests/a.py", "1", has_passed=False, scopes=scopes("pytest tests/a.py"))  # type: ignore[arg-type]
    ended, fixed = ledger.run("all", "check:pytest", "2", has_passed=True, scopes=scopes("pytest"))  # type: ignore[arg-type]
    assert ended == [Ended("one file", "fixed")]
    assert fixed == [Fixed("one file", ())]

    ledger.run("all fail", "check:pytest", "3", has_passed=False, scopes=scopes("pytest"))  # type: ignore[arg-type]
    assert ledger.run("one", "check:pytest tests/a.py", "4", has_passed=True, scopes=scopes("pytest tests/a.py"))[0] == []  # type: ignore[arg-type]


def test_a_call_that_failed_ends_when_the_same_works() -> None:
    ledger = Ledger()
    ledger.fail("failed", "edit:a.py")

    assert ledger.succeed("edit:b.py") == []
    assert ledger.succeed("edit:a.py") == [Ended("failed", "worked later")]
    assert ledger.succeed("edit:a.py") == []


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("see"), st.integers(1, 60), st.integers(0, 40)),
        st.tuples(st.just("edit"), st.integers(1, 60), st.integers(0, 3)),
        st.tuples(st.just("run"), st.integers(0, 2), st.integers(0, 2)),
    ),
    max_size=14,
)


@given(STEPS, st.integers(0, 14))
def test_a_ledger_put_down_and_taken_up_again_says_the_same(steps: list[tuple[str, int, int]], at: int) -> None:
    def act(ledger: Ledger, number: int, step: tuple[str, int, int]) -> object:
        kind, a, b = step
        if kind == "see":
            return ledger.see(f"r{number}", view(a, a + b), "")
        if kind == "edit":
            return ledger.change(f"r{number}", [Change("/a.py", (Hunk(a, b, 1),))])
        return ledger.run(f"r{number}", f"check:{a}", str(b), has_passed=(None, True, False)[b])

    def play(restart: Callable[[Ledger, int], Ledger]) -> list[object]:
        ledger, told = Ledger(), []
        for number, step in enumerate(steps):
            ledger = restart(ledger, number)
            told.append(act(ledger, number, step))
        return told

    assert play(lambda ledger, _: ledger) == play(lambda ledger, number: Ledger(ledger.memory()) if number == at else ledger)
