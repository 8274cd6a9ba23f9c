"""What was seen, and what ceased to be true."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.records import EndKind, EndReason, FileChange, Hunk
from clew.task.commands import CheckScope, analyse_command, parse_check_scope
from clew.transcript.ledger import EndedRecord, FileLines, FixedFailure, Ledger, hash_lines

FILE = [f"line {number}" for number in range(1, 101)]


def view(start: int, end: int, lines: list[str] = FILE) -> FileLines:
    return FileLines("/a.py", start, lines[start - 1 : end])


def ended_by(record_id: str, kind: EndKind, *values: str) -> EndedRecord:
    return EndedRecord(record_id, EndReason(kind, values))


@pytest.mark.parametrize(
    ("first", "second", "ended"),
    [
        ((1, 50), (1, 50), EndKind.READ_AGAIN),
        ((10, 20), (1, 50), EndKind.CONTAINED),
        ((1, 50), (10, 20), None),
        ((1, 50), (40, 90), None),
    ],
)
def test_a_later_read_ends_the_earlier_ones_that_it_shows_again(
    first: tuple[int, int], second: tuple[int, int], ended: EndKind | None
) -> None:
    ledger = Ledger()
    ledger.record_view("first", view(*first), "")

    assert ledger.record_view("second", view(*second), "") == ([ended_by("first", ended)] if ended else [])


def test_a_later_read_of_other_lines_says_that_the_file_changed() -> None:
    ledger = Ledger()
    ledger.record_view("first", view(10, 20), "")

    assert ledger.record_view("second", view(1, 50, ["new", *FILE]), "") == [ended_by("first", EndKind.CHANGED)]


def test_what_a_subagent_saw_is_not_seen_by_the_main_thread() -> None:
    ledger = Ledger()
    ledger.record_view("first", view(1, 50), "")

    assert ledger.record_view("second", view(1, 50), "a1") == []
    assert ledger.record_edits("edit", [FileChange("/a.py", (Hunk(3, 1, 1),))]) == [
        ended_by("first", EndKind.EDITED),
        ended_by("second", EndKind.EDITED),
    ]


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
    ledger.record_view("read", view(10, 20), "")

    assert ledger.record_edits("edit", [FileChange("/a.py", (hunk,))]) == ([ended_by("read", EndKind.EDITED)] if is_ended else [])


def test_reads_below_an_edit_move_with_their_lines() -> None:
    ledger = Ledger()
    ledger.record_view("read", view(50, 60), "")
    ledger.record_edits("edit", [FileChange("/a.py", (Hunk(2, 1, 4), Hunk(30, 2, 0)))])
    after = ["line 1", "a", "b", "c", "d", *FILE[2:29], *FILE[31:]]

    assert ledger.record_view("later", FileLines("/a.py", 1, after), "") == [ended_by("read", EndKind.CONTAINED)]


def test_an_edit_that_does_not_say_where_ends_every_read_of_its_file() -> None:
    ledger = Ledger()
    ledger.record_view("read", view(1, 5), "")

    assert ledger.record_edits("edit", [FileChange("/b.py"), FileChange("/a.py")]) == [ended_by("read", EndKind.EDITED)]


def test_a_file_written_again_or_removed_ends_what_was_known_of_it() -> None:
    ledger = Ledger()
    ledger.record_view("read", view(1, 5), "")

    assert ledger.record_write("write", "/a.py") == [ended_by("read", EndKind.REWRITTEN)]
    assert ledger.record_write("write again", "/a.py") == [ended_by("write", EndKind.REWRITTEN)]
    assert ledger.record_unseen_changes("rm", ["/a.py"]) == [ended_by("write again", EndKind.CHANGED_BY_COMMAND)]


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        (False, True, EndKind.FIXED),
        (True, False, EndKind.BROKEN),
        (True, True, EndKind.OTHER_OUTPUT),
        (False, False, EndKind.FAILED_AGAIN),
        (None, None, EndKind.OTHER_OUTPUT),
    ],
)
def test_a_check_run_again_ends_its_earlier_outcome(*, before: bool | None, now: bool | None, kind: EndKind) -> None:
    ledger = Ledger()
    ledger.record_run("first", "check:pytest", "1", has_passed=before)

    ended, fixed = ledger.record_run("second", "check:pytest", "2", has_passed=now)

    assert ended == [ended_by("first", kind)]
    assert fixed == ([FixedFailure("first", ())] if kind is EndKind.FIXED else [])


def test_edits_between_a_failure_and_its_fix_share_the_credit() -> None:
    ledger = Ledger()
    ledger.record_edits("too early", [FileChange("/a.py")])
    ledger.record_run("failure", "check:pytest", "1", has_passed=False)
    ledger.record_edits("edit", [FileChange("/a.py")])
    ledger.record_write("write", "/b.py")

    assert ledger.record_run("pass", "check:pytest", "2", has_passed=True)[1] == [FixedFailure("failure", (("edit", 0.5), ("write", 0.5)))]
    ledger.record_edits("too late", [FileChange("/a.py")])
    assert ledger.record_run("again", "check:pytest", "2", has_passed=True)[1] == []


def test_a_wider_check_that_passes_fixes_the_narrower_one_and_a_narrower_one_does_not_fix_the_wider() -> None:
    def scopes(command: str) -> list[object]:
        return [parse_check_scope(check) for check in analyse_command(command).checks]

    ledger = Ledger()
    ledger.record_run("one file", "check:pytest tests/a.py", "1", has_passed=False, scopes=scopes("pytest tests/a.py"))  # type: ignore[arg-type]
    ended, fixed = ledger.record_run("all", "check:pytest", "2", has_passed=True, scopes=scopes("pytest"))  # type: ignore[arg-type]
    assert ended == [ended_by("one file", EndKind.FIXED)]
    assert fixed == [FixedFailure("one file", ())]

    ledger.record_run("all fail", "check:pytest", "3", has_passed=False, scopes=scopes("pytest"))  # type: ignore[arg-type]
    assert ledger.record_run("one", "check:pytest tests/a.py", "4", has_passed=True, scopes=scopes("pytest tests/a.py"))[0] == []  # type: ignore[arg-type]


def test_a_call_that_failed_ends_when_the_same_works() -> None:
    ledger = Ledger()
    ledger.record_failure("failed", "edit:a.py")

    assert ledger.record_success("edit:b.py") == []
    assert ledger.record_success("edit:a.py") == [ended_by("failed", EndKind.WORKED)]
    assert ledger.record_success("edit:a.py") == []


def scopes_of(command: str) -> list[CheckScope]:
    return [parse_check_scope(check) for check in analyse_command(command).checks]


@pytest.mark.parametrize(
    ("command", "path", "is_stale"),
    [
        ("pytest tests/a.py", "/shop/src/cart.py", True),
        ("go test ./...", "/shop/cart.go", True),
        ("pytest", "/shop/README.md", False),
        ("ruff check src/tax.py", "/shop/src/cart.py", False),
        ("ruff check src", "/shop/src/cart.py", True),
    ],
)
def test_a_check_that_passed_is_not_checked_since_an_edit_that_it_concerns(command: str, path: str, *, is_stale: bool) -> None:
    ledger = Ledger()
    ledger.record_run("pass", f"check:{command}", "ok", has_passed=True, scopes=scopes_of(command))

    assert ledger.record_edits("edit", [FileChange(path, (Hunk(1, 1, 1),))]) == (
        [ended_by("pass", EndKind.NOT_CHECKED)] if is_stale else []
    )
    assert ledger.record_edits("edit again", [FileChange(path, (Hunk(1, 1, 1),))]) == []
    again = ledger.record_run("pass again", f"check:{command}", "ok", has_passed=True, scopes=scopes_of(command))[0]
    assert again == ([] if is_stale else [ended_by("pass", EndKind.SAME_OUTPUT)])


def test_a_failed_check_stays_open_until_what_it_checks_is_deleted() -> None:
    ledger = Ledger()
    ledger.record_run("fail", "check:pytest tests/a.py", "red", has_passed=False, scopes=scopes_of("pytest tests/a.py"))

    assert ledger.record_edits("edit", [FileChange("/shop/tests/a.py")]) == []
    assert ledger.record_deletions("rm", ["/shop/tests/b.py"]) == []
    assert ledger.record_deletions("rm", ["/shop/tests/a.py"]) == [ended_by("fail", EndKind.TARGET_DELETED)]


def test_edits_of_files_that_a_failure_names_have_the_larger_share_of_its_fix() -> None:
    ledger = Ledger()
    ledger.record_run("failure", "check:pytest", "src/cart.py:3: assert 1 == 2", has_passed=False)
    ledger.record_edits("docs", [FileChange("/shop/guide.py")])
    ledger.record_edits("cart", [FileChange("/shop/src/cart.py")])

    assert ledger.record_run("pass", "check:pytest", "ok", has_passed=True)[1] == [FixedFailure("failure", (("docs", 0.3), ("cart", 0.7)))]


def test_a_view_inside_a_live_one_knows_its_holder() -> None:
    ledger = Ledger()
    ledger.record_view("whole", view(1, 50), "")
    ledger.record_view("part", view(10, 20), "")
    assert ledger.find_containing_view("part", "/a.py") == "whole"
    assert ledger.find_containing_view("whole", "/a.py") == ""

    ledger.record_edits("edit", [FileChange("/a.py", (Hunk(30, 1, 1),))])
    assert ledger.find_containing_view("part", "/a.py") == ""


def test_an_edit_that_is_taken_back_brings_back_what_it_ended_and_ends_what_was_seen_between() -> None:
    ledger = Ledger()
    ledger.record_view("before", view(1, 50), "")
    ledger.record_view("apart", view(60, 70), "")
    assert ledger.record_edits("edit", [FileChange("/a.py", (Hunk(10, 1, 2),))], ("a", "b")) == [ended_by("before", EndKind.EDITED)]
    ledger.record_view("between", FileLines("/a.py", 1, [*FILE[:9], "x", "y", *FILE[10:49]]), "")

    assert ledger.record_edits("back", [FileChange("/a.py", (Hunk(10, 2, 1),))], ("b", "a")) == [ended_by("between", EndKind.EDITED)]
    assert ledger.take_restored() == ["before"]
    assert ledger.take_restored() == []
    assert ledger.record_view("later", view(1, 80), "") == [
        ended_by("before", EndKind.CONTAINED),
        ended_by("apart", EndKind.CONTAINED),
    ]


def test_a_view_that_two_edits_touched_returns_when_both_are_taken_back() -> None:
    ledger = Ledger()
    ledger.record_view("before", view(1, 50), "")
    ledger.record_edits("one", [FileChange("/a.py", (Hunk(10, 1, 1),))], ("a", "b"))
    ledger.record_edits("two", [FileChange("/a.py", (Hunk(20, 1, 1),))], ("c", "d"))
    ledger.record_edits("two back", [FileChange("/a.py", (Hunk(20, 1, 1),))], ("d", "c"))
    assert ledger.take_restored() == []

    ledger.record_edits("one back", [FileChange("/a.py", (Hunk(10, 1, 1),))], ("b", "a"))
    assert ledger.take_restored() == ["before"]


def test_git_puts_a_file_back() -> None:
    ledger = Ledger()
    ledger.record_view("before", view(1, 50), "")
    ledger.record_edits("edit", [FileChange("/a.py", (Hunk(10, 1, 1),))])
    ledger.record_view("after", view(1, 9), "")

    assert ledger.record_restore("checkout", ["/a.py"]) == [ended_by("after", EndKind.PUT_BACK)]
    assert ledger.take_restored() == ["before"]


def test_a_commit_keeps_its_edits_until_it_is_undone() -> None:
    ledger = Ledger()
    ledger.record_view("before", view(1, 50), "")
    ledger.record_edits("edit", [FileChange("/a.py", (Hunk(10, 1, 1),))])
    ledger.record_commit()
    assert ledger.record_restore("reset") == []
    assert ledger.take_restored() == []

    ledger.record_commit_undo("reset hard", with_edits=True)
    assert ledger.take_restored() == ["before"]


def test_a_stash_lays_edits_aside_and_brings_them_back() -> None:
    ledger = Ledger()
    ledger.record_view("before", view(1, 50), "")
    ledger.record_edits("edit", [FileChange("/a.py", (Hunk(10, 1, 1),))])
    ledger.record_view("after", view(1, 20), "")
    assert ledger.record_stash("stash") == [ended_by("after", EndKind.STASHED)]
    assert ledger.take_restored() == ["before"]

    assert ledger.record_unstash("pop") == [ended_by("before", EndKind.UNSTASHED)]
    assert ledger.take_restored() == ["after"]


def test_views_wait_on_their_branch_for_a_return() -> None:
    ledger = Ledger()
    ledger.record_checkout("", "/", "main", is_known=False)
    ledger.record_view("on main", view(1, 50), "")
    assert ledger.record_checkout("make", "/", "fix", is_known=False) == []
    ledger.record_edits("edit", [FileChange("/a.py", (Hunk(10, 1, 1),))])
    ledger.record_commit()
    ledger.record_view("on fix", view(1, 20), "")

    assert ledger.record_checkout("away", "/", "main", is_known=True) == [ended_by("on fix", EndKind.BRANCH_LEFT, "fix", "main")]
    assert ledger.take_restored() == ["on main"]
    assert ledger.record_checkout("back", "/", "fix", is_known=True) == [ended_by("on main", EndKind.BRANCH_LEFT, "main", "fix")]
    assert ledger.take_restored() == ["on fix"]


def test_what_no_commit_holds_travels_to_the_other_branch() -> None:
    ledger = Ledger()
    ledger.record_checkout("", "/", "main", is_known=False)
    ledger.record_edits("edit", [FileChange("/a.py", (Hunk(10, 1, 1),))])
    ledger.record_view("edited", view(1, 50), "")

    assert ledger.record_checkout("away", "/", "old", is_known=True) == []


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["see", "see", "edit", "edit", "undo", "restore", "commit", "stash", "pop", "switch"]), st.integers(0, 11)),
    max_size=24,
)


@given(OPERATIONS, st.integers(0, 24))
def test_whatever_happens_to_a_file_a_live_view_shows_what_stands_there(operations: list[tuple[str, int]], cut: int) -> None:
    """A model beside it holds the file's lines on each branch; putting the ledger down and taking it up changes nothing."""
    ledger = Ledger()
    ledger.record_checkout("", "/", "main", is_known=False)
    committed = {"main": [f"main {at}" for at in range(12)], "old": [f"old {at}" for at in range(12)]}
    branch, lines = "main", list(committed["main"])
    aside: list[str] | None = None
    undoable: list[tuple[int, str, str]] = []
    shown: dict[str, tuple[int, list[str]]] = {}
    live: set[str] = set()
    for number, (what, at) in enumerate(operations):
        if number == cut:
            ledger = Ledger(ledger.dump_state())
        name, ended = f"r{number}", []
        if what == "see":
            shown[name] = (at, lines[at : at + 4])
            ended = ledger.record_view(name, FileLines("/a.py", at + 1, lines[at : at + 4]), "")
            live.add(name)
        elif what == "edit":
            undoable.append((at, lines[at], name))
            ended = ledger.record_edits(name, [FileChange("/a.py", (Hunk(at + 1, 1, 1),))], (hash_lines([lines[at]]), hash_lines([name])))
            lines[at] = name
        elif what == "undo" and undoable:
            place, old, new = undoable.pop()
            ended = ledger.record_edits(name, [FileChange("/a.py", (Hunk(place + 1, 1, 1),))], (hash_lines([new]), hash_lines([old])))
            lines[place] = old
        elif what == "restore" and lines != committed[branch]:
            ended, lines, undoable = ledger.record_restore(name, ["/a.py"]), list(committed[branch]), []
        elif what == "commit":
            ledger.record_commit()
            committed[branch] = list(lines)
        elif what == "stash" and aside is None and lines != committed[branch]:
            ended, aside, lines, undoable = ledger.record_stash(name), lines, list(committed[branch]), []
        elif what == "pop" and aside is not None and lines == committed[branch]:
            ended, lines, aside, undoable = ledger.record_unstash(name), aside, None, []
        elif what == "switch" and lines == committed[branch] and aside is None:
            branch = "old" if branch == "main" else "main"
            ended, lines, undoable = ledger.record_checkout(name, "/", branch, is_known=True), list(committed[branch]), []
        live -= {item.id for item in ended}
        live |= set(ledger.take_restored())
        for each in live:
            start, texts = shown[each]
            assert lines[start : start + 4] == texts, (each, what)


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
            return ledger.record_view(f"r{number}", view(a, a + b), "")
        if kind == "edit":
            return ledger.record_edits(f"r{number}", [FileChange("/a.py", (Hunk(a, b, 1),))])
        return ledger.record_run(f"r{number}", f"check:{a}", str(b), has_passed=(None, True, False)[b])

    def play(restart: Callable[[Ledger, int], Ledger]) -> list[object]:
        ledger, told = Ledger(), []
        for number, step in enumerate(steps):
            ledger = restart(ledger, number)
            told.append(act(ledger, number, step))
        return told

    assert play(lambda ledger, _: ledger) == play(lambda ledger, number: Ledger(ledger.dump_state()) if number == at else ledger)
