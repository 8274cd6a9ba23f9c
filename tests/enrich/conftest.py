"""An engine over either store, a model's server, and a client that does not wait between its tries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import clew
from clew.engine import Engine
from clew.enrich.models import ChatModel, Model
from clew.settings import Settings
from tests.enrich.model_server import Server, served


@pytest.fixture
def server() -> Iterator[Server]:
    with served() as running:
        yield running


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    (root / ".git").mkdir(parents=True)
    return root


@pytest.fixture
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Over the store in memory, or over the one that a test names."""
    values = Settings(tmp_path / "home", jobs=1)
    with clew.open(settings=values, is_in_memory=getattr(request, "param", "") != "sqlite") as engine:
        yield engine


@pytest.fixture
def waits() -> list[float]:
    """The seconds that a client would have waited between its tries."""
    return []


@pytest.fixture
def model(server: Server, waits: list[float]) -> Model:
    return ChatModel(server.url, "small-model", timeout_s=20, wait=waits.append)
