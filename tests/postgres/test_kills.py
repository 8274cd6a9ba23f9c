"""Kill −9 of a client and of the server under load: no acknowledged write is lost, none is there twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.postgres.server import needs_postgres

pytestmark = needs_postgres
pytest.importorskip("psycopg", reason="./check-postgres installs it")

from bench.store.kills import DrillResult, drill_clients, drill_server  # noqa: E402  # psycopg may be missing
from bench.store.servers import Server  # noqa: E402

KILLS = 4  # bench.store does a hundred of each


@pytest.mark.slow
@pytest.mark.parametrize("drill", [drill_clients, drill_server])
def test_no_acknowledged_write_is_lost_or_doubled(drill: Callable[[Server, Path, int], DrillResult], tmp_path: Path) -> None:
    server = Server()
    result = drill(server, tmp_path / "cache", KILLS)
    server.stop()

    assert (result.lost, result.doubled, result.kills) == (0, 0, KILLS)
    assert result.acknowledged > KILLS
