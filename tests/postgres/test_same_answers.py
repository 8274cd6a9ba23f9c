"""What a server's store answers is what the embedded one answers, to the byte, and everything moves from one to the other and back."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

import clew
from clew.engine import Engine
from clew.records import AsOf
from clew.settings import Settings
from clew.store.rows import StoredRow
from tests.golden.test_golden import SHOP
from tests.postgres.server import address, needs_postgres, new_tenant

pytestmark = needs_postgres
QUESTIONS = ("where is the total rounded?", "reserve", "what is left of an article, and who raises OutOfStock?", "tests/test_cart.py", "")


def make_repository(folder: Path) -> Path:
    for name, text in SHOP.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        os.utime(folder / name, (1_700_000_000, 1_700_000_000))  # a file that was just written counts as one that may still change
    return folder


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Engine, Engine]]:
    """An engine over the embedded store and one over a server's, both filled with a repository and a session."""
    repository = make_repository(tmp_path / "shop")
    session = tmp_path / "session.jsonl"
    with resources.as_file(resources.files("clew.samples") / "ties.jsonl") as sample:
        shutil.copyfile(sample, session)
    engines = (
        clew.open(settings=Settings(tmp_path / "one", jobs=1)),
        clew.open(settings=Settings(tmp_path / "two", jobs=1, store=address(), tenant=new_tenant())),
    )
    for engine in engines:
        engine.index(repository)
        engine.ingest([session], repo=repository)
    yield engines
    for engine in engines:
        engine.close()


def answers(engine: Engine, repository: Path, session: Path) -> dict[str, str]:
    """All that an engine answers, as text."""
    found: dict[str, str] = {}
    for question in QUESTIONS:
        for budget in (200, 2000):
            packet = engine.retrieve(repository, question, budget_tokens=budget, tokenizer="claude")
            found[f"retrieve {budget} {question}"] = repr(packet)
        found[f"files {question}"] = repr(engine.rank_files(repository, question, limit=10))
        found[f"prompt {question}"] = repr(engine.augment_prompt(repository, question, budget_tokens=800, tokenizer="claude"))
    for question in ("which knot was tied?", "what failed in the tests?", "bowline"):
        found[f"recall {question}"] = repr(engine.recall(repository, question, asked_ns=1, confidence_min=0.0))
    found["status"] = repr(engine.read_status(repository).kinds)
    return {question: without_clock(answer) for question, answer in found.items()}


def without_clock(text: str) -> str:
    """What the clock said, or chance, when two stores were filled one after the other: when it was stored and used, and by whom."""
    return re.sub(r"(used_at_ns|recorded_at_ns|generation)=\d+|writer='\w*', seq=\d+, at_ns=\d+|link='\w*'", "", text)


def rows_of(engine: Engine) -> list[str]:
    rows: list[StoredRow] = list(engine.store.export_rows([key for key, _ in engine.store.roots()]))
    return sorted(map(repr, rows))


def test_both_stores_answer_the_same_to_the_byte(both: tuple[Engine, Engine], tmp_path: Path) -> None:
    embedded, server = both
    asked = (tmp_path / "shop", tmp_path / "session.jsonl")
    first, second = answers(embedded, *asked), answers(server, *asked)

    for question, answer in first.items():
        assert second[question].encode() == answer.encode(), question
    assert any("shop/money.py" in answer for answer in first.values())
    assert any("recall" in question and "Turn" in answer for question, answer in first.items())


def test_both_stores_answer_the_same_as_of_a_time(both: tuple[Engine, Engine], tmp_path: Path) -> None:
    repository, then = tmp_path / "shop", AsOf(at_ns=time.time_ns())

    def ask(as_of: AsOf | None) -> list[object]:
        recalled = [engine.recall(repository, "which knot was tied?", asked_ns=1, confidence_min=0.0, as_of=as_of) for engine in both]
        packets = [engine.retrieve(repository, QUESTIONS[0], budget_tokens=2000, tokenizer="claude", as_of=as_of) for engine in both]
        assert packets[0] == packets[1]
        assert without_clock(repr(recalled[0].turns)) == without_clock(repr(recalled[1].turns))
        return [packets[0], [turn.record for turn in recalled[0].turns]]

    before = ask(None)
    (repository / "shop/money.py").write_text("def nothing() -> None: ...\n")
    for engine in both:
        engine.index(repository)

    assert ask(then) == before
    assert ask(None) != before


def test_both_stores_hold_the_same_rows(both: tuple[Engine, Engine]) -> None:
    embedded, server = both

    assert sorted(map(without_clock, rows_of(server))) == sorted(map(without_clock, rows_of(embedded)))


def test_an_export_goes_to_the_server_and_back_without_loss(both: tuple[Engine, Engine], tmp_path: Path) -> None:
    embedded, _ = both
    before = rows_of(embedded)
    there = clew.open(settings=Settings(tmp_path / "three", store=address(), tenant=new_tenant()))
    back = clew.open(settings=Settings(tmp_path / "four"))
    embedded.export(None, tmp_path / "all.clew")
    there.import_file(tmp_path / "all.clew")
    there.export(None, tmp_path / "again.clew")
    back.import_file(tmp_path / "again.clew")

    assert rows_of(there) == before
    assert rows_of(back) == before
    asked = (tmp_path / "shop", tmp_path / "session.jsonl")
    wanted = answers(embedded, *asked)
    assert answers(there, *asked) == wanted
    assert answers(back, *asked) == wanted
    there.close()
    back.close()
