"""A repository of the files that a test module lists as SOURCES, and an engine that has indexed it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import clew
from clew.engine import Engine
from clew.settings import Settings


@pytest.fixture
def repo(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    root = tmp_path / "repo"
    for path, text in request.module.SOURCES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.fixture
def engine(tmp_path: Path, repo: Path) -> Iterator[Engine]:
    with clew.open(settings=Settings(tmp_path / "home", jobs=1), is_in_memory=True) as engine:
        engine.index(repo)
        yield engine
