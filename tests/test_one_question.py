"""A question costs one look at the store and one look at its own words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import apsw

import clew
from clew.settings import Settings
from clew.text.words import extract_words


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL of connections that are opened from now on, as it is run."""
    run: list[str] = []

    def trace(connection: apsw.Connection) -> None:
        connection.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: run.append(event["sql"]))

    apsw.connection_hooks.append(trace)
    try:
        yield run
    finally:
        apsw.connection_hooks.remove(trace)


@contextmanager
def split_texts() -> Iterator[list[str]]:
    """The texts that are split into words."""
    texts: list[str] = []

    def look(frame: FrameType, event: str, arg: object) -> None:
        if event == "call" and frame.f_code is extract_words.__code__:
            texts.append(frame.f_locals["text"])

    sys.setprofile(look)
    try:
        yield texts
    finally:
        sys.setprofile(None)


def test_a_question_takes_one_read_transaction_and_its_text_is_split_once(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "knots.py").write_text("def tie_bowline(metres):\n    return hitch(metres)\n\n\ndef hitch(metres):\n    return metres\n")
    question = "where does tie_bowline hitch the rope?\nIt fails in knots.py"
    with statements() as run, clew.open(settings=Settings(tmp_path / "home", jobs=1)) as engine:
        engine.index(repo)
        engine.retrieve(repo, "hitch", budget_tokens=500, tokenizer="chars4")
        run.clear()
        with split_texts() as texts:
            packet = engine.retrieve(repo, question, budget_tokens=500, tokenizer="chars4")

    assert packet.entries
    assert [sql for sql in run if sql.startswith(("BEGIN", "SAVEPOINT"))] == ["BEGIN DEFERRED"]
    assert sorted(text for text in texts if text in question and " " in text) == sorted(question.split("\n"))
