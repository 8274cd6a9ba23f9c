"""The store on a PostgreSQL server does what the ports promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.postgres.server import make_opener, needs_postgres
from tests.store.conformance import BEHAVIOURS, DURABLE, Behaviour

pytestmark = needs_postgres


@pytest.mark.parametrize("behaviour", [*BEHAVIOURS, *DURABLE], ids=lambda behaviour: behaviour.name)
def test_postgres_store(behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.run(make_opener(tmp_path))
