"""What the real client's tests share: which versions, a place for each test, and a skip that says what is missing."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.real_client.client import NEWEST, PINNED, VERSIONS, Place, installed, numbered


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    try:
        number = numbered(request.param)
        installed(number)
    except RuntimeError as missing:
        pytest.skip(f"MISSING: Claude Code {request.param}: {missing}")
    if request.param == NEWEST and number in PINNED:
        pytest.skip(f"the newest Claude Code is {number}, which is tested by its number")
    return number


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which release the newest was: what holds for it may not hold for the next."""
    with suppress(RuntimeError):
        terminalreporter.write_line(f"the newest Claude Code was {numbered(NEWEST)}")


@pytest.fixture(scope="module")
def places(version: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Place]]:
    """Append a place to have its daemon ended with the module, whatever state it is in."""
    made: list[Place] = []
    yield made
    for place in made:
        end_daemon(place)


@pytest.fixture
def place(version: str, tmp_path: Path, places: list[Place]) -> Place:
    places.append(Place(tmp_path / "place", version))
    return places[-1]


def end_daemon(place: Place, *, hard: bool = False) -> None:
    """End the daemon of a place: as `--stop` does, or as a power cut does."""
    known = place.daemon()
    if not hard:
        for pid in known.values():
            with suppress(OSError, TypeError):
                os.kill(pid, signal.SIGCONT)
        place.clew("serve", "--stop", check=False)
        return
    for name in ("pid", "worker"):
        with suppress(OSError):
            os.kill(known[name], signal.SIGKILL)


def settings_of(place: Place) -> dict[str, object]:
    return json.loads((place.home / ".claude" / "settings.json").read_text())
