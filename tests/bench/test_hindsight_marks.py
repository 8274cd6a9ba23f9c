"""The marked dead ends and constraints: pointers into sessions, their words, and whether a window holds them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.hindsight.marks import LIST, ListBroken, MarkMoved, canonical, digest, find, is_kept, load
from bench.hindsight.marks.__main__ import main

SESSION = "owner__repo/cc_one"
PROMPT = {"type": "user", "message": {"role": "user", "content": "never touch the lock file"}}
CALL = {"type": "assistant", "message": {"content": [{"type": "tool_use", "name": "Bash", "input": {"command": "make  fast"}}]}}
RESULT = {"type": "user", "message": {"content": [{"type": "tool_result", "is_error": True, "content": "No rule to make\ntarget 'fast'"}]}}
LINES = [json.dumps(record) for record in (PROMPT, CALL, RESULT)]


def span(line: int, words: str) -> dict[str, Any]:
    start = canonical(LINES[line]).index(words)
    return {"line": line, "start": start, "end": start + len(words), "digest": digest(words)}


def row(**fields: Any) -> dict[str, Any]:
    return {"session": SESSION, "cut": 3, "kind": "dead_end", "note": "a target that is not there", "reason": [], **fields}


def written(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    path = tmp_path / "list.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return path


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """One dead end with two ways of naming the attempt, one constraint, and a mark of another session."""
    dead = row(tried=[span(1, "make  fast"), span(1, "Bash")], reason=[span(2, "No rule to make")])
    rule = row(kind="constraint", note="a file to leave alone", said=[span(0, "never touch the lock file")])
    return written(tmp_path, dead, rule, {**dead, "session": "owner__repo/cc_other"})


def test_the_text_of_a_line_is_its_strings_in_document_order() -> None:
    line = '{"b": "first", "n": 1, "a": ["second", {"key": "third\\nline"}, null, true]}'

    assert canonical(line) == "first\nsecond\nthird\nline"


def test_pointers_become_the_words_of_the_session(listed: Path) -> None:
    dead, rule = find(load(listed), SESSION, LINES)

    assert (dead.tried, dead.reason, dead.said) == (("make  fast", "Bash"), ("No rule to make",), ())
    assert rule.said == ("never touch the lock file",)


@pytest.mark.parametrize(
    ("window", "kept"),
    [
        ("\n".join(LINES), (True, True)),
        ("tried make fast: No rule\n  to   make", (True, False)),
        ("Bash was tried; No rule to make", (True, False)),
        ("tried make fast", (False, False)),
        ("No rule to make", (False, False)),
        ("tried MAKE FAST: no rule to make", (False, False)),
        ("the user: never\ttouch the\nlock file!", (False, True)),
        ("never touch the file", (False, False)),
        ("", (False, False)),
    ],
)
def test_a_window_keeps_an_attempt_with_its_reason_and_a_rule_as_it_was_said(listed: Path, window: str, kept: tuple[bool, bool]) -> None:
    dead, rule = find(load(listed), SESSION, LINES)

    assert (is_kept(dead, window), is_kept(rule, window)) == kept


def test_an_attempt_without_a_marked_reason_needs_only_to_be_named(tmp_path: Path) -> None:
    (mark,) = find(load(written(tmp_path, row(tried=[span(1, "make  fast")]))), SESSION, LINES)

    assert is_kept(mark, "make fast")
    assert not is_kept(mark, "make slow")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (LINES[:2], "the transcript has 2 lines"),
        ([*LINES[:2], LINES[2].replace("rule", "recipe")], "the words there have the digest"),
        ([LINES[0], LINES[2], LINES[1]], "the words there have the digest"),
        ([*LINES[:2], LINES[2][:-5]], "that line is no JSON"),
    ],
)
def test_a_session_that_reads_otherwise_is_an_error_that_names_the_mark(listed: Path, lines: list[str], found: str) -> None:
    with pytest.raises(MarkMoved, match=found) as caught:
        find(load(listed), SESSION, lines)

    assert SESSION in str(caught.value)
    assert "a target that is not there" in str(caught.value)


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (row(tried=[]), "without any span in tried"),
        (row(kind="constraint", said=[]), "without any span in said"),
        (row(kind="rule", said=[]), "not a mark"),
        (row(), "tried"),
        (row(tried=[{**span(1, "Bash"), "line": 3}]), "before the cut at 3"),
        (row(tried=[{**span(1, "Bash"), "end": 0}]), "before the cut at 3"),
        (row(tried=[{"line": 1, "start": 0, "end": 4}]), "digest"),
    ],
)
def test_a_row_that_is_no_mark_is_an_error_that_names_it(tmp_path: Path, broken: dict[str, Any], found: str) -> None:
    good = row(tried=[span(1, "Bash")])

    with pytest.raises(ListBroken, match=found) as caught:
        load(written(tmp_path, good, broken))

    assert caught.value.row == 2


def test_the_list_is_of_twenty_sessions_with_one_cut_each_and_no_mark_twice() -> None:
    pointers = load()
    sessions = {pointer.session: pointer.cut for pointer in pointers}
    repositories = Counter(session.split("/")[0] for session in sessions)

    assert len(sessions) == 20
    assert max(repositories.values()) <= 9
    assert all(pointer.cut == sessions[pointer.session] for pointer in pointers)
    assert len(set(pointers)) == len(pointers)
    assert len({(pointer.session, pointer.note) for pointer in pointers}) == len(pointers)


def test_the_list_holds_places_digests_and_a_readers_note_but_no_words_of_a_session() -> None:
    for line in LIST.read_text(encoding="utf-8").splitlines():
        given = json.loads(line)
        spans = [one for field in ("tried", "reason", "said") for one in given.pop(field, [])]
        assert set(given) == {"session", "cut", "kind", "note"}
        assert all(set(one) == {"line", "start", "end", "digest"} for one in spans)


def test_the_check_says_which_session_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sessions", str(tmp_path)]) == 2
    assert load()[0].session in capsys.readouterr().err
