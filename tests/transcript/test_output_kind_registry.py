"""A kind of output is one file: nothing else has to know of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clew.transcript.reduce import kinds
from clew.transcript.reduce.reduce import reduce_output
from clew.transcript.reduce.reduction import OutputContext

WEATHER = '''
"""Weather: readings of stations; storms are what a reader asks for."""

from clew.transcript.reduce.output_kind import OutputKind


def score_lines(lines, scores):
    for at, line in enumerate(lines.plain):
        if "storm" in line:
            scores.raise_utility(at, 50.0, "storm")
        else:
            scores.mark_noise(at, "calm readings")


WEATHER = OutputKind(
    name="weather",
    rank=0,
    matches=lambda line: True if line.startswith("station ") else None,
    share_min=0.9,
    score_lines=score_lines,
    programs="barometer",
    budget=(1000, 0.1),
)
'''


@pytest.fixture
def weather(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One file more in the folder of kinds."""
    (tmp_path / "weather.py").write_text(WEATHER)
    with monkeypatch.context() as patch:
        patch.setattr(kinds, "__path__", [*kinds.__path__, str(tmp_path)])
        kinds.load_kinds()
        yield
    del sys.modules["clew.transcript.reduce.kinds.weather"]
    kinds.load_kinds()


@pytest.mark.usefixtures("weather")
@pytest.mark.parametrize("command", ["barometer --all", "./unheard-of"])
def test_a_kind_of_output_is_one_file(command: str) -> None:
    """It is recognised by its lines, with its command or without; its lines are shown by its scores within its budget."""
    lines = [f"station {number:04}: {'storm' if number % 90 == 45 else 'calm'}, {1000 + number} hPa" for number in range(900)]

    reduced = reduce_output("\n".join(lines), OutputContext(command=command))
    shown = reduced.render("3k7q2m9x")

    assert reduced.kind == "weather"
    assert not reduced.is_whole
    assert [line for line in lines if "storm" in line and line not in shown] == []
    assert "calm readings" in shown
