"""What differs from its many neighbours stays, what failed is named, and a list is shown from all over it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.transcript.reduce.lines import OutputLines
from clew.transcript.reduce.odd import ODD_CHARS_MAX, find_odd_lines
from clew.transcript.reduce.pieces import split_long_lines
from clew.transcript.reduce.reduce import reduce_lines, select_lines
from clew.transcript.reduce.reduction import OutputContext

BUDGETS = (None, 1000, 300)


def shown(text: str, command: str, budget: int | None) -> str:
    return reduce_lines(text, OutputContext(command=command), budget_chars=budget).render("abcd2345")


def _text(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def _users() -> list[dict[str, object]]:
    return [{"id": n, "name": f"user{n}", "plan": ("free", "pro")[n % 2], "balance": n * 7 % 100} for n in range(400)]


def _changed(at: int, **fields: object) -> list[dict[str, object]]:
    users = _users()
    users[at] |= fields
    return users


def _without(at: int, key: str) -> list[dict[str, object]]:
    users = _users()
    del users[at][key]
    return users


RECORDS = {
    "another word": _changed(143, plan="suspended"),
    "a key in excess": _changed(143, error="quota exceeded"),
    "a missing key": _without(143, "plan"),
    "null": _changed(143, balance=None),
    "a text for a number": _changed(143, balance="12 EUR"),
    "a negative number": _changed(143, balance=-5),
    "a number far beyond the others": _changed(143, balance=99_000),
}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("budget", BUDGETS)
def test_the_record_that_differs_stays(name: str, budget: int | None) -> None:
    """Whether JSON stands one value or one record a line, with what says which record it is."""
    records = RECORDS[name]
    for text in (json.dumps(records, indent=2) + "\n", json.dumps({"users": records}, indent=4) + "\n", _text(*map(json.dumps, records))):
        assert '"id": 143' in shown(text, "curl -s https://example.org/users", budget)


TABLES = {
    "psql": ("psql -c q", [f" {n} | user{n} | {n % 9 if n != 222 else -99999}" for n in range(500)], 222),
    "psql, no value": ("psql -c q", [f" {n} | user{n} | {'x@y.org' if n != 222 else ''}" for n in range(500)], 222),
    "mysql": ("mysql -e q", [f"| {n:4} | {'open' if n != 301 else 'lost'} |" for n in range(500)], 301),
    "csv": ("cat a.csv", [f"{n},user{n},{n % 50}.00" if n != 99 else f"{n},user{n}" for n in range(500)], 99),
    "tabs": ("sqlite3 a.db", [f"{n}\tuser{n}\t{n % 90 if n != 400 else 9_000_000}" for n in range(600)], 400),
    "pods": ("kubectl get pods", [f"web-{n:03}   1/1   {'Running' if n != 88 else 'Evicted'}   0   {n % 9}d" for n in range(250)], 88),
    "log": ("cat a.log", [f"10:00:{n % 60:02} INFO request {n} took={n % 30 if n != 250 else 91_234}ms" for n in range(500)], 250),
    "steps": ("./run", [f"step {n}: copied f{n}.txt" if n != 250 else "nothing left on the disk" for n in range(500)], 250),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("budget", BUDGETS)
def test_the_row_that_differs_stays(name: str, budget: int | None) -> None:
    command, rows, at = TABLES[name]
    assert rows[at] in shown(_text(*rows), command, budget).split("\n")


ONE_LINE = {
    **{f"json, {name}": (json.dumps(records), '"id": 143') for name, records in RECORDS.items()},
    "json, closely": (json.dumps({"users": RECORDS["null"]}, separators=(",", ":")), '"id":143'),
    "json below headers": (f"HTTP/1.1 200 OK\ncontent-type: application/json\n\n{json.dumps(RECORDS['null'])}\n", '"id": 143'),
    "sql": ("INSERT INTO t VALUES " + ",".join(f"({n},'user{n}',{n % 9 if n != 222 else 'NULL'})" for n in range(900)) + ";\n", "NULL"),
    "markup": ("<i>" + "".join(f'<j id="{n}"><s>{"ok" if n != 300 else "broken"}</s></j>' for n in range(600)) + "</i>", "broken"),
    "numbers": (json.dumps([n % 9 if n != 700 else -4711 for n in range(3000)]), "-4711"),
    "words": (", ".join(f"task {n} ok" if n != 400 else "task 400 FAILED" for n in range(900)), "task 400 FAILED"),
}


@pytest.mark.parametrize("name", ONE_LINE)
@pytest.mark.parametrize("budget", BUDGETS)
def test_in_one_line_the_part_that_differs_stays_and_both_ends(name: str, budget: int | None) -> None:
    text, odd = ONE_LINE[name]
    written = shown(text, "./run", budget)
    assert odd in written
    assert written[:10] == text[:10]
    assert written[-3:] == text[-3:]


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1, max_size=60), min_size=20, max_size=200),
    st.sampled_from([", ", "},{", "; ", " ", ""]),
    st.integers(0, 3000),
)
@settings(max_examples=60, deadline=None)
def test_what_is_shown_of_long_lines_is_copied(pieces: list[str], separator: str, budget: int) -> None:
    """Pieces joined are the text, and what is kept and left out of it is every character once, but for line breaks."""
    text = f"head\n{separator.join(pieces * 4)}\ntail"
    split = split_long_lines(OutputLines(text))
    if split:
        assert "".join(text[start:end] for start, end in split[1]) == text.replace("\n", "")
    reduced = reduce_lines(text, OutputContext(), budget_chars=budget)
    if reduced.counts_chars:
        parts = sorted([*((part.start, part.end) for part in reduced.kept), *((gap.start, gap.end) for gap in reduced.omitted)])
        covered = "".join(text[start - 1 : end] for start, end in parts)
        assert covered.replace("\n", "") == text.replace("\n", "")
        assert all(kept in text for kept in reduced.kept_texts)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=90), max_size=200), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_of_any_text_little_is_odd(pieces: list[str], repeats: int) -> None:
    lines = OutputLines("\n".join([*pieces, *(f"step {n} of many" for n in range(repeats))]))
    odd = find_odd_lines(lines)
    assert odd == sorted(set(odd))
    assert sum(lines.sizes[at] for at in odd) <= ODD_CHARS_MAX


def test_where_all_rows_are_alike_none_is_odd() -> None:
    assert find_odd_lines(OutputLines(_text(*(f"{n} | user{n} | {n % 7}" for n in range(300))))) == []
    assert find_odd_lines(OutputLines(_text(*(f"{n * 7919:07x} fix the part {n}" for n in range(300))))) == []


# -- names of what failed ------------------------------------------------------------------------------


def _failures(count: int) -> dict[str, tuple[str, list[str], list[str]]]:
    vitest = [
        line
        for n in range(count)
        for line in (
            f" FAIL  src/r{n}.test.ts > r{n} > works",
            "AssertionError: expected 403 to be 201",
            "",
            f" ❯ src/r{n}.test.ts:9:27",
            "",
        )
    ]
    gradle = [
        line
        for n in range(count)
        for line in (f"CartTest > total{n}() FAILED", f"    AssertionFailedError: <{n}>", f"        at app//X.f({n})", "")
    ]
    xdist = [
        line
        for n in range(count)
        for line in (f"_____ test_b{n} _____", f"[gw{n % 4}] linux -- Python 3.11", "", f">       assert f({n})", f"E       assert {n}", "")
    ]
    xdist += [f"FAILED tests/test_b.py::test_b{n} - assert {n}" for n in range(count)]
    jest = [
        line
        for n in range(count)
        for line in (
            f"FAIL src/bad{n}.test.js",
            f"  ● cart {n} › adds",
            "",
            f"    Expected: {n}",
            f"      at x (src/bad{n}.test.js:1:1)",
            "",
        )
    ]
    return {
        "vitest": ("npx vitest run", vitest, [f"src/r{n}.test.ts > r{n}" for n in range(count)]),
        "gradle": ("./gradlew test", gradle, [f"CartTest > total{n}() FAILED" for n in range(count)]),
        "xdist": ("pytest -n 4", xdist, [f"tests/test_b.py::test_b{n} -" for n in range(count)]),
        "jest": ("npx jest", jest, [f"FAIL src/bad{n}.test.js" for n in range(count)]),
    }


@pytest.mark.parametrize("name", _failures(1))
def test_every_failed_test_is_named(name: str) -> None:
    """By whatever is left of its details: where those do not fit, a fold gives names their own room."""
    command, lines, names = _failures(45)[name]
    text = _text(*(f"  ✓ works {n}" for n in range(100)), *lines, *(f"  ✓ still works {n}" for n in range(100)))
    for budget in BUDGETS:
        assert [each for each in names if each not in shown(text, command, budget)] == []
    ranges = select_lines(text, OutputContext(command=command), 1200, name_chars=6000)
    folded = "\n".join(line for start, end in ranges for line in text.split("\n")[start - 1 : end])
    assert [each for each in names if each not in folded] == []


HUNG = {
    "go": ("go test ./...", ["panic: test timed out after 10m0s", "running tests:", "\tTestDrain (9m58s)", ""], "TestDrain (9m58s)"),
    "go, indented": (
        "go test ./...",
        ["panic: test timed out after 10m0s", "\trunning tests:", "\t\tTestDrain (9m58s)", ""],
        "TestDrain (9m58s)",
    ),
    "go -v": ("go test -v ./...", ["=== RUN   TestFine", "--- PASS: TestFine (0.01s)", "=== RUN   TestDrain", "Terminated"], "TestDrain"),
    "pytest": (
        "pytest -v",
        [*(f"tests/a.py::test_{n} PASSED [ 1%]" for n in range(50)), "tests/q.py::test_drain "],
        "tests/q.py::test_drain",
    ),
    "xdist": (
        "pytest -n 4 -v",
        [
            *(line for n in range(50) for line in (f"tests/a.py::test_{n} ", f"[gw1] [ 1%] PASSED tests/a.py::test_{n} ")),
            "tests/q.py::test_drain ",
        ],
        "tests/q.py::test_drain",
    ),
    "jest": ("npx jest", [*(f"PASS src/m{n}.test.js" for n in range(50)), "", "RUNS  src/queue.test.js"], "src/queue.test.js"),
    "gradle": (
        "./gradlew test",
        ["ATest > a() STARTED", "ATest > a() PASSED", "DrainTest > drains() STARTED", "Terminated"],
        "DrainTest > drains()",
    ),
    "cargo": (
        "cargo test",
        [*(f"test a::t{n} ... ok" for n in range(50)), "test queue::drain has been running for over 60 seconds"],
        "queue::drain",
    ),
    "ctest": ("ctest", ["    Start 1: fine", "1/2 Test #1: fine ....   Passed    0.01 sec", "    Start 2: ring_drain"], "ring_drain"),
    "maven": (
        "mvn test",
        [
            "[INFO] Running com.x.ATest",
            "[INFO] Tests run: 3, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.1 s -- in com.x.ATest",
            "[INFO] Running com.x.DrainTest",
        ],
        "com.x.DrainTest",
    ),
}


@pytest.mark.parametrize("name", HUNG)
@pytest.mark.parametrize("budget", BUDGETS)
def test_the_test_that_hung_is_named(name: str, budget: int | None) -> None:
    command, lines, hung = HUNG[name]
    stack = [
        line
        for n in range(200)
        for line in (f"goroutine {n} [chan receive]:", f"ex/queue.wait(0x{n:x})", f"\t/w/queue/wait.go:{n} +0x1f", "")
    ]
    passed = {"go": [f"ok  \tex/p{n}\t0.01s" for n in range(200)]}.get(name.partition(",")[0], [])
    text = _text(*passed, *lines, *(stack if command.startswith("go") else [f"    poll {n}" for n in range(400)]))
    assert hung in shown(text, command, budget)


def test_an_image_build_shows_the_line_of_its_file() -> None:
    text = _text(
        *(f"#{n % 9 + 3} {n / 10:.3f} Get:{n} http://deb.example.org lib{n}" for n in range(300)),
        "#12 ERROR: process did not complete successfully: exit code: 1", "------", " > [6/9] RUN make:", "------", "Dockerfile:14",
        "-" * 20, "  13 |     COPY . .", "  14 | >>> RUN make", "-" * 20, "ERROR: failed to solve: exit code: 1",
    )  # fmt: skip
    for budget in BUDGETS:
        assert "Dockerfile:14\n" in shown(text, "docker build .", budget)
        assert "  14 | >>> RUN make\n" in shown(text, "docker build .", budget)


# -- lists ---------------------------------------------------------------------------------------------

LISTS = {
    "git log": ("git log --oneline", [f"{n:07x} change number {n}" for n in range(300)]),
    "git branch": ("git branch -a", [f"  remotes/origin/feature-{n}" for n in range(300)]),
    "find": ("find .", [f"./src/d{n // 10}/file{n}.txt" for n in range(500)]),
    "ls": ("ls", [f"module{n:03}" for n in range(800)]),
    "grep -l": ("grep -rl x .", [f"./src/f{n}.py" for n in range(400)]),
    "any list": ("./run", [f"a {n} of them" for n in range(600)]),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("budget", BUDGETS)
def test_a_list_is_shown_from_its_start_middle_and_end(name: str, budget: int | None) -> None:
    command, lines = LISTS[name]
    written = shown(_text(*lines), command, budget).split("\n")
    assert {lines[0], lines[len(lines) // 2], lines[-1]} <= set(written)
    assert any("left out" in line for line in written)


@pytest.mark.parametrize("budget", BUDGETS)
def test_folders_are_shown_from_all_over_a_listing(budget: int | None) -> None:
    text = "\n\n".join("\n".join([f"./d{d}:", *(f"file{d}_{n}.txt" for n in range(12))]) for d in range(60)) + "\n"
    written = shown(text, "ls -R", budget)
    assert all(f"./d{d}:\n" in written for d in (0, 30, 59))


@pytest.mark.parametrize("budget", BUDGETS)
def test_every_file_of_a_search_is_named(budget: int | None) -> None:
    """By a hit, or in the marker that stands for its hits."""
    text = _text(*(f"./src/f{n % 40}.py:{n}:    total = {n}" for n in range(300)))
    written = shown(text, "grep -rn total .", budget)
    assert [n for n in range(40) if f"./src/f{n}.py" not in written] == []
