"""Both stores do what the ports promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from clew.store.memory import MemoryStore
from clew.store.sqlite import SqliteStore
from tests.store.conformance import BEHAVIOURS, DURABLE, Behaviour


def name_of(behaviour: Behaviour) -> str:
    return behaviour.name


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=name_of)
def test_memory_store(behaviour: Behaviour) -> None:
    behaviour.run(MemoryStore)


@pytest.mark.parametrize("behaviour", [*BEHAVIOURS, *DURABLE], ids=name_of)
def test_sqlite_store(behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.run(lambda: SqliteStore(tmp_path / "clew.db"))


def test_every_behaviour_has_a_name_of_its_own_and_a_sentence() -> None:
    behaviours = [*BEHAVIOURS, *DURABLE]

    assert len({behaviour.name for behaviour in behaviours}) == len(behaviours)
    assert all(behaviour.about.endswith(".") for behaviour in behaviours)
