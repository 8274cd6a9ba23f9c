"""Additions to prompts: files that the prompt and the session point at, or nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import clew
from clew.augment.evidence import FEATURES, collect_candidates
from clew.augment.model import load_model
from clew.engine import Engine
from clew.errors import UsageError
from clew.ranking.deadline import Deadline
from clew.ranking.question import Question
from clew.records import AgentMessage, FileState, FileStatus, TaskState, WorkingFile
from clew.settings import Settings, find_workspace
from clew.store.ports import LOCAL
from clew.usecases.inputs import FileTest
from tests.transcript.conftest import ClaudeScript

FILES = {
    "shop/cart.py": "def total(lines):\n    return sum(line.price for line in lines)\n",
    "shop/tax.py": "def tax_of(country):\n    return {'DE': 19}.get(country, 0)\n",
    "shop/mail.py": "def send_receipt(address):\n    return address\n",
    "tests/test_cart.py": "from shop.cart import total\n\n\ndef test_total():\n    assert total([]) == 0\n",
    "README.md": "# Shop\n\nA shop.\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / ".git").mkdir()
    return folder


@pytest.fixture
def engine(tmp_path: Path, tree: Path) -> Engine:
    engine = clew.open(settings=Settings(tmp_path / "home", jobs=1), is_in_memory=True)
    engine.index(tree)
    return engine


def numbers(engine: Engine, tree: Path, prompt: str, task: TaskState) -> dict[str, dict[str, float]]:
    """The numbers of each candidate file."""
    with engine.store.snapshot(LOCAL, find_workspace(tree)[0]) as snapshot:
        found = collect_candidates(snapshot, Question.of(prompt), task, is_file=FileTest(tree), deadline=Deadline(None), embedder=None)
    assert {name for one in found for name in one.values} <= set(FEATURES)
    return {one.path: one.values for one in found}


def test_a_plan_that_names_files_gets_those_files(engine: Engine, tree: Path) -> None:
    plan = "Implement the following plan:\n\n1. `shop/cart.py`: add the tax of `shop/tax.py` to the total\n2. extend `tests/test_cart.py`\n"

    packet = engine.augment_prompt(tree, plan, budget_tokens=500, tokenizer="chars4")

    assert {"shop/cart.py", "shop/tax.py"} <= {entry.path for entry in packet.entries}
    assert all(load_model().threshold <= entry.weight <= 1 for entry in packet.entries)
    assert packet.tokens <= 500


@pytest.mark.parametrize("prompt", ["thanks!", "ok", "/clear", "<command-name>/cost</command-name>", "", "   "])
def test_a_prompt_that_needs_no_file_gets_nothing(engine: Engine, tree: Path, prompt: str) -> None:
    assert engine.augment_prompt(tree, prompt, budget_tokens=500, tokenizer="chars4").entries == ()


def test_nothing_is_added_twice_to_one_window(engine: Engine, tree: Path) -> None:
    plan = "Implement: change `shop/cart.py` and `shop/tax.py` so that the total holds the tax"
    first = engine.augment_prompt(tree, plan, budget_tokens=500, tokenizer="chars4")

    again = engine.augment_prompt(tree, plan, budget_tokens=500, tokenizer="chars4", seen=[entry.handle for entry in first.entries])

    assert first.entries
    assert again.entries == ()


def test_what_the_session_did_is_among_the_numbers_of_a_file(engine: Engine, tree: Path) -> None:
    task = TaskState(
        working_set=(WorkingFile("/home/ada/shop/shop/tax.py", "read", 3), WorkingFile("/home/ada/shop/shop/cart.py", "edit", 9, 2)),
        files=(FileState("shop/cart.py", FileStatus.EDITED, seq=9),),
        messages=(AgentMessage("The total is still wrong in shop/mail.py. Shall I mend it?"),),
        prompts=(1, 7),
    )

    found = numbers(engine, tree, "yes, do it", task)

    assert (found["shop/cart.py"]["edited_last_turn"], found["shop/cart.py"]["unchecked"]) == (1, 1)
    assert (found["shop/tax.py"]["turn_before"], found["shop/tax.py"]["last_turn"]) == (1, 0)
    assert (found["shop/mail.py"]["said"], found["shop/mail.py"]["said_last"]) == (1, 1)
    assert found["shop/mail.py"]["said_asks"] == 1


def test_the_state_before_the_prompt_counts_and_what_came_after_does_not(engine: Engine, tree: Path, tmp_path: Path) -> None:
    claude = ClaudeScript()
    claude.prompt("Look at `shop/tax.py`.")
    claude.answer(claude.call("Read", file_path=str(tree / "shop/tax.py")), FILES["shop/tax.py"])
    claude.tell("The rate of DE is 19.")
    asked = claude.prompt("Change `shop/cart.py` so that its total adds the tax.")
    claude.answer(claude.call("Read", file_path=str(tree / "shop/mail.py")), FILES["shop/mail.py"])
    transcript = tmp_path / "5f0c1d2e-0000-4000-8000-000000000001.jsonl"
    transcript.write_bytes(claude.bytes())
    lines = [json.loads(line) for line in transcript.read_text().splitlines()]
    number = next(at for at, line in enumerate(lines) if "adds the tax" in json.dumps(line))

    by_line = engine.augment_transcript(str(transcript), at=str(number), path=tree, budget_tokens=500, tokenizer="chars4")
    last = engine.augment_transcript(str(transcript), at=None, path=tree, budget_tokens=500, tokenizer="chars4")

    assert by_line == last
    assert by_line.line == number
    assert lines[number]["uuid"] == by_line.uuid
    assert by_line.state_at == lines[number - 1]["uuid"]
    assert "shop/mail.py" not in {entry.path for entry in by_line.packet.entries}
    with pytest.raises(UsageError):
        engine.augment_transcript(str(transcript), at=str(number + 1), path=tree, budget_tokens=500, tokenizer="chars4")
    _ = asked


def test_the_weights_are_those_of_the_features() -> None:
    model = load_model()

    assert model.network.mean.shape == (len(FEATURES),)
    assert model.estimate([]) == []
    assert 0 <= model.estimate([np.zeros(len(FEATURES)).tolist()])[0] <= 1


def test_each_entry_says_what_it_costs_and_what_it_rests_on(engine: Engine, tree: Path) -> None:
    packet = engine.augment_prompt(tree, "# Plan\n\nChange `shop/cart.py` and `shop/tax.py`.", budget_tokens=500, tokenizer="chars4")

    assert packet.entries
    assert all(0 < entry.tokens <= packet.tokens and entry.why for entry in packet.entries)


def test_a_file_that_was_read_long_ago_is_not_called_just_touched(engine: Engine, tree: Path) -> None:
    task = TaskState(working_set=(WorkingFile("shop/cart.py", "read", 1),), prompts=(0, 5, 9, 14))

    packet = engine.augment_prompt(tree, "Change `shop/cart.py`: add the tax", budget_tokens=500, tokenizer="chars4", task=task)

    assert "just touched" not in packet.text
