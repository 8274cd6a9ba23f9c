"""Which lines of an output an agent still reads."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clew.records import OpenError, TaskState, ToolKind, WorkingFile
from clew.transcript.reduce.reduce import FAILURE_CHARS_MAX, WHOLE_CHARS_MAX, reduce_lines, select_lines
from clew.transcript.reduce.reduction import OutputContext, ReducedOutput
from tests.transcript.printed import CODE, DIFF, EVERYTHING, FIND, LOG, NUMBERED, PRINTED, SEARCH, Printed

NAMES = sorted(EVERYTHING)
PLACE = re.compile(r"[\w./-]+\.\w{1,5}[:(]\d+")
FAILS = re.compile(r"^(?:FAILED |--- FAIL|E  |.*\berror\b(?:\[|:| TS)|.*(?:Error|Exception): )")


def shown_lines(reduced: ReducedOutput) -> list[str]:
    """The lines of the text that are shown, markers left out."""
    lines = reduced.text.split("\n")
    return [line for start, end in reduced.kept_ranges for line in lines[start - 1 : end]]


def reduced_of(name: str, **known: object) -> ReducedOutput:
    _, command, text = EVERYTHING[name]
    return reduce_lines(text, OutputContext(command=command), **known)  # pyright: ignore[reportArgumentType]


# -- what it is, and what stays ---------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("is_told", [True, False])
def test_a_kind_is_recognised_by_its_lines(name: str, *, is_told: bool) -> None:
    """The command is a hint: without it the same kind is seen, except where nothing but the command could tell."""
    kind, command, text = EVERYTHING[name]
    seen = reduce_lines(text, OutputContext(command=command if is_told else "")).kind
    if name in ("javac", "go build") or (not is_told and name in ("gcc", "cargo")):  # most of its lines could be another program's
        return
    assert seen == kind


@pytest.mark.parametrize("printed", PRINTED, ids=lambda printed: printed.name)
@pytest.mark.parametrize("is_told", [True, False])
def test_every_failure_is_whole_and_what_passed_is_not_shown(printed: Printed, *, is_told: bool) -> None:
    """Name, message, location: each line of the failure is there, whether or not the command is known."""
    reduced = reduce_lines(printed.text, OutputContext(command=printed.command if is_told else ""))
    shown = set(shown_lines(reduced))

    assert [line for line in printed.kept if line not in shown] == []
    assert not reduced.is_whole
    assert len(reduced.render()) < 0.75 * len(printed.text)
    if is_told and printed.kind == "test run":
        assert sum(piece in line for piece in printed.gone for line in shown) < 12


def test_the_lines_of_a_failed_test_stay_and_those_of_passed_ones_do_not() -> None:
    """In go's verbose output a test's own lines stand between its marks."""
    passed = "".join(f"=== RUN   TestNumber{n}\n    part_test.go:{n}: fine so far\n--- PASS: TestNumber{n} (0.01s)\n" for n in range(100))
    failed = (
        "=== RUN   TestBad\n    bad_test.go:7: first sign\n"
        "some output of TestBad\n    bad_test.go:9: got 1, want 2\n--- FAIL: TestBad (0.02s)\n"
    )
    reduced = reduce_lines(passed + failed + passed + "FAIL\n", OutputContext(command="go test -v ./..."))
    shown = shown_lines(reduced)

    assert [line for line in failed.split("\n")[:-1] if line not in shown] == []
    assert sum("fine so far" in line for line in shown) == 0
    assert any("passed tests" in gap.description for gap in reduced.omitted)


def test_events_of_failed_tests_stay() -> None:
    reduced = reduced_of("go test -json")
    assert any('"Action":"fail"' in line for line in shown_lines(reduced))
    assert any("got 1, want 0" in line for line in shown_lines(reduced))
    assert len(reduced.render()) < len(reduced.text) / 2


def test_every_error_of_a_compiler_stays() -> None:
    """However many there are, as long as somebody could read them; warnings give way."""
    errors = [f"src/part{n}.ts({n},1): error TS2304: Cannot find name 'x{n}'." for n in range(120)]
    warnings = [f"src/part{n}.ts({n},1): warning TS6133: 'y{n}' is never used." for n in range(300)]
    reduced = reduce_lines("\n".join([*warnings[:150], *errors, *warnings[150:]]), OutputContext(command="tsc"))
    assert set(errors) <= set(shown_lines(reduced))
    assert not set(warnings) <= set(shown_lines(reduced))


def test_more_errors_than_anybody_reads_are_bounded() -> None:
    """The names of what failed at both ends, and how many lines are left out."""
    text = "\n".join(f"src/part{n}.c:{n}:1: error: 'x{n}' undeclared here (not in a function)" for n in range(20_000))
    reduced = reduce_lines(text, OutputContext(command="make"))
    assert len(reduced.render()) <= FAILURE_CHARS_MAX + 200
    assert "'x19999'" in reduced.render()


def test_an_error_that_repeats_with_other_numbers_is_shown_first_and_last() -> None:
    lines = [f"2026-01-02 10:00:{n % 60:02},000 ERROR pool: job {n} failed after {n} ms" for n in range(400)]
    shown = shown_lines(reduce_lines("\n".join(lines), OutputContext(command="cat worker.log")))
    assert lines[0] in shown
    assert lines[-1] in shown
    assert len(shown) < 200


def test_frames_of_packages_give_way_to_frames_of_ones_own() -> None:
    own = [f'  File "/w/app/part{n}.py", line {n}, in step_{n}' for n in range(6)]
    other = [f'  File "/w/.venv/lib/python3.11/site-packages/lib/core{n}.py", line {n}, in call_{n}' for n in range(200)]
    trace = ["Traceback (most recent call last):", *own[:3], *other, *own[3:], "ValueError: bad ledger 17"]
    reduced = reduce_lines("\n".join(trace), OutputContext(command="python run.py"))
    shown = shown_lines(reduced)
    assert {trace[0], *own, trace[-1]} <= set(shown)
    assert sum("site-packages" in line for line in shown) < 20


# -- what every reduction promises -------------------------------------------------------------------


def check(text: str, reduced: ReducedOutput) -> None:
    """Whole lines, in order, bytes copied; parts and gaps are every line once."""
    lines = text.split("\n")
    covered = sorted([*((part.start, part.end) for part in reduced.kept), *((gap.start, gap.end) for gap in reduced.omitted)])
    assert [start for start, _ in covered] == [1, *(end + 1 for _, end in covered[:-1])] if covered else not text
    rendered = reduced.render("abcd2345").split("\n")
    kept = [line for line in rendered if not line.startswith("[… ")]
    if reduced.is_whole:
        assert reduced.render() == text
    elif "\r" not in text:
        assert kept == shown_lines(reduced) + ([""] if text.endswith("\n") else [])
        assert all(line in set(lines) for line in kept)


@pytest.mark.parametrize("name", NAMES)
def test_lines_are_whole_in_order_and_copied(name: str) -> None:
    check(EVERYTHING[name][2], reduced_of(name))


SPICE = st.sampled_from(
    [
        "FAILED tests/test_a.py::test_b - assert 1 == 2", "--- FAIL: TestX (0.01s)", "    x_test.go:12: got 1",
        "error: no such file", "src/a.c:3:1: error: bad",
        "Traceback (most recent call last):", '  File "/w/a.py", line 3, in f', "ValueError: bad", "1 failed, 3 passed in 2.0s",
        "@@ -1,2 +1,2 @@", "diff --git a/x b/x",
        "ok 3 - fine", "not ok 4 - bad", "\x1b[31merror\x1b[0m: red", "10%\r20%\r30%\r100% done", '{"a": 1}', "  1) a name",
        "=====", "", " ", "[… lines 1-2 of 3 left out]", "é ✓ fine",
    ]
)  # fmt: skip
LINES = st.one_of(
    SPICE,
    st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=120),
    st.sampled_from(SEARCH.split("\n")),
    st.sampled_from(LOG.split("\n")),
)


@given(
    st.lists(LINES, max_size=300), st.integers(0, 6000) | st.none(), st.sampled_from(["", "pytest", "git diff", "rg x", "cat a.py", "ls"])
)
@example(
    [
        *["FAILED tests/test_a.py::test_b - assert 1 == 2"] * 2, *["--- FAIL: TestX (0.01s)"] * 2, "    x_test.go:12: got 1",
        "--- FAIL: TestX (0.01s)", "Traceback (most recent call last):", "0" * 40 + ":" + "0" * 10 + "A", *["0" * 52] * 2, "0" * 56,
        *["0" * 59] * 2, "--- FAIL: TestX (0.01s)", "0" * 40 + ":" + "0" * 10 + "A", "0" * 50, *["0" * 51 + " "] * 2, "0" * 58 + " ",
        *["FAILED tests/test_a.py::test_b - assert 1 == 2"] * 2,
    ],
    None, "",
)  # fmt: skip
@settings(max_examples=120, deadline=None)
def test_any_text_is_reduced_to_whole_lines_in_order(pieces: list[str], budget: int | None, command: str) -> None:
    """Whatever is printed: the promises hold, twice the same, and a second reduction changes nothing of a first by default."""
    text = "\n".join(pieces)
    reduced = reduce_lines(text, OutputContext(command=command), budget_chars=budget)
    check(text, reduced)
    assert reduced == reduce_lines(text, OutputContext(command=command), budget_chars=budget)
    once = reduce_lines(text, OutputContext(command=command)).render("abcd2345")
    assert reduce_lines(once, OutputContext(command=command)).render("abcd2345") == once
    ranges = select_lines(text, OutputContext(command=command), 900)
    assert ranges == sorted(ranges)
    shown = [line for start, end in ranges for line in text.split("\n")[start - 1 : end]]
    assert len("\n".join(shown)) <= 900


def evidence(lines: list[str]) -> set[str]:
    """A definition of its own: lines that state a failure, and places named outside of a search, a diff, a read."""
    return {line for line in lines if FAILS.match(line)}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("budget", [600, 1500, 4000, 12_000])
def test_the_tail_of_the_same_size_tells_no_more(name: str, budget: int) -> None:
    """Nor do head and tail: each failure and each place that they would show is shown."""
    kind, command, text = EVERYTHING[name]
    reduced = reduce_lines(text, OutputContext(command=command), budget_chars=budget)
    shown = shown_lines(reduced)
    lines = text.rstrip("\n").split("\n")
    size = sum(len(line) + 1 for line in shown)
    for ends in (_tail(lines, size), _tail(lines[::-1], size // 2)[::-1] + _tail(lines, size // 2)):
        if kind not in ("search", "listing", "read", "diff", "json"):
            assert evidence(ends) <= evidence(shown)
            if kind != "test run":  # passed tests name places too
                places = {place for line in ends for place in PLACE.findall(line)}
                assert places <= {place for line in shown for place in PLACE.findall(line)}
    if kind == "search":
        assert len({line.partition(":")[0] for line in shown}) >= len({line.partition(":")[0] for line in _tail(lines, size)})


def _tail(lines: list[str], chars: int) -> list[str]:
    kept: list[str] = []
    for line in reversed(lines):
        chars -= len(line) + 1
        if chars < 0:
            break
        kept.append(line)
    return kept[::-1]


# -- what steers it ------------------------------------------------------------------------------------


def test_a_read_and_short_output_stay_whole() -> None:
    assert reduce_lines(NUMBERED, OutputContext(ToolKind.READ, path="/w/src/part.py")).is_whole
    assert reduce_lines(CODE, OutputContext(command="sed -n '1,600p' src/part.py")).is_whole
    assert reduce_lines(SEARCH[: WHOLE_CHARS_MAX - 1]).is_whole


def test_what_shows_a_file_under_edit_is_whole_at_any_budget() -> None:
    """Text that is about to be replaced must be there byte for byte; folded later, too, while the file is edited."""
    task = TaskState(working_set=(WorkingFile("src/part.py", "edit", 3),))
    known = OutputContext(ToolKind.READ, path="/w/src/part.py").with_task(task)
    assert reduce_lines(NUMBERED, known, budget_chars=500).is_whole
    assert select_lines(NUMBERED, known, 500) == [(1, NUMBERED.count("\n"))]
    assert not reduce_lines(NUMBERED, OutputContext(ToolKind.READ, path="/w/src/other.py").with_task(task), budget_chars=500).is_whole


def test_names_of_open_errors_and_of_the_working_set_are_kept() -> None:
    """A hit that the task is about is shown, wherever it stands in the list."""
    task = TaskState(
        working_set=(WorkingFile("src/part31/module_31.py", "read", 1),),
        open_errors=(OpenError("NameError: name 'compute_17' is not defined", "check:x"),),
    )
    plain = reduce_lines(SEARCH, OutputContext(command="rg -n compute"), budget_chars=1500)
    guided = reduce_lines(SEARCH, OutputContext(command="rg -n compute").with_task(task), budget_chars=1500)
    assert sum("compute_17(" in line or "module_31" in line for line in shown_lines(guided)) > sum(
        "compute_17(" in line or "module_31" in line for line in shown_lines(plain)
    )


def test_every_file_of_a_diff_and_of_a_search_is_named_before_any_is_whole() -> None:
    assert all(f"module_{n}.py" in reduced_of("search").render() for n in range(40))
    shown = reduce_lines(DIFF, OutputContext(command="git diff"), budget_chars=7000).render()
    assert all(f"+++ b/src/part{n}.py" in shown or f"b/src/part{n}.py" in shown for n in range(14))


def test_a_generated_file_goes_before_written_ones() -> None:
    lock = "diff --git a/package-lock.json b/package-lock.json\n@@ -1 +1 @@\n" + "".join(
        f'+    "part-{n}": "1.0.{n}",\n' for n in range(400)
    )
    reduced = reduce_lines(lock + DIFF, OutputContext(command="git diff"))
    assert any("generated" in gap.description for gap in reduced.omitted)
    assert sum('"part-' in line for line in shown_lines(reduced)) < 20


# -- how it is written ---------------------------------------------------------------------------------


def test_the_first_marker_says_how_to_get_the_rest_back() -> None:
    written = reduced_of("pytest -v").render("abcd2345")
    markers = [line for line in written.split("\n") if line.startswith("[… ")]
    assert re.fullmatch(r"\[… lines \d+-\d+ of \d+ left out: \d+ passed tests; clew unfold abcd2345\]", markers[0])
    assert all("unfold" not in line for line in markers[1:])


def test_colours_and_runners_prefixes_hide_nothing() -> None:
    """The lines are recognised as if they were plain, and shown as they are."""
    text = EVERYTHING["jest"][2]
    coloured = "\n".join(f"\x1b[1m\x1b[31m{line}\x1b[39m\x1b[22m" if line.strip() else line for line in text.split("\n"))
    prefixed = "\n".join(f"web:test: {line}" for line in text.split("\n"))
    for dressed, mark in ((coloured, "\x1b[1m\x1b[31m"), (prefixed, "web:test: ")):
        reduced = reduce_lines(dressed, OutputContext(command="turbo test"))
        assert reduced.kind == "test run"
        assert any(line.startswith(f"{mark}    Expected: 119") for line in shown_lines(reduced))
        assert len(reduced.render()) < len(dressed) / 2


def test_overwritten_states_of_a_progress_bar_are_left_out() -> None:
    bar = "\r".join(f"Downloading {n:3}% [{'#' * (n // 2):50}]" for n in range(101))
    text = "\n".join([*(f"step {n} of the build of part {n} is done" for n in range(200)), bar, "error: disk full"])
    written = reduce_lines(text, budget_chars=3000).render()
    assert "error: disk full" in written
    assert " 50% [" not in written


def test_one_long_line_is_shortened_within() -> None:
    text = json.dumps({"items": list(range(5000))})
    written = reduce_lines(text, OutputContext(command="curl -s https://example.org"), budget_chars=1000).render("abcd2345")
    assert written.startswith('{"items": [0, 1, ')
    assert written.endswith("4999]}")
    assert re.search(r"^\[… characters \d+-\d+ of 28901 left out; clew unfold abcd2345\]$", written, re.MULTILINE)
    assert len(written) < 1200
    assert select_lines(text, OutputContext(), 1000) == []  # of lines it can only take all


# -- how long it takes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "piece",
    [
        "a" * 997, "1:" * 400, "= " * 400, "error: " * 140, "\x1b[" * 300, "/x" * 450, "(" * 900,
        " " * 900 + "x", '"' * 900, "at " * 300, "a.b:" * 220, "\\" * 900,
        "_" * 500 + " " + "_" * 400, "[… " * 300, "Error" * 190, "x: " * 300, "12:34:56 " * 100,
        "FAILED " * 130, '{"a":' * 180, "|" * 900, "- " * 450, "panicked at '" * 70,
    ],
)  # fmt: skip
def test_no_text_makes_it_slow(piece: str) -> None:
    """A megabyte of one hostile line after the other: a pattern that backtracks would take minutes."""
    text = "\n".join(f"{piece}{n}" for n in range(1_000_000 // len(piece)))
    started = time.process_time()
    reduce_lines(text, OutputContext(command="./run"))
    select_lines(text, OutputContext(), 1200)
    assert time.process_time() - started < 20


def test_listings_of_any_length_are_bounded() -> None:
    text = FIND * 60
    started = time.process_time()
    reduced = reduce_lines(text, OutputContext(command="find ."))
    assert len(reduced.render()) < 20_000
    assert time.process_time() - started < 20
