"""A level is calibrated on the user's own sessions: numbers alone are stored, each session is measured once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clew.evaluation.keeping import FILE_NAME, KeepCalibration, measure_transcript
from tests.evaluation.conftest import work
from tests.transcript.conftest import FOLDER


@pytest.fixture
def sessions(tmp_path: Path) -> list[Path]:
    return [work(with_summary=number % 2 == 0).save(tmp_path / "sessions", f"s{number}.jsonl") for number in range(8)]


def test_a_thing_that_was_used_has_the_rate_of_a_line_that_shows_it(sessions: list[Path]) -> None:
    rates = [rate for _, found in measure_transcript(sessions[0]) for rate in found]

    assert rates
    assert all(rate > 0 for rate in rates)


def test_each_session_is_measured_once_and_a_grown_one_again(sessions: list[Path], tmp_path: Path) -> None:
    calibration = KeepCalibration(tmp_path / "home")
    seen: list[int] = []
    assert calibration.measure(sessions[:2], seconds=60) == (0, [])
    before = calibration.cut_count
    stored = (tmp_path / "home" / FILE_NAME).read_bytes()

    assert KeepCalibration(tmp_path / "home").measure(sessions[:2], seconds=0, progress=seen.append) == (0, [])
    assert seen == [0, 1]
    assert KeepCalibration(tmp_path / "home").cut_count == before
    sessions[0].write_bytes(sessions[0].read_bytes() + b"\n")
    assert KeepCalibration(tmp_path / "home").measure(sessions[:3], seconds=0)[0] == 2
    assert (tmp_path / "home" / FILE_NAME).read_bytes() == stored


def test_no_word_of_a_session_is_stored(sessions: list[Path], tmp_path: Path) -> None:
    KeepCalibration(tmp_path).measure(sessions, seconds=60)
    stored = (tmp_path / FILE_NAME).read_text()

    assert not any(word in stored for word in ("ledger", "XTAX", str(tmp_path), FOLDER, "s0"))


def test_rates_of_other_networks_and_a_broken_file_count_as_none(sessions: list[Path], tmp_path: Path) -> None:
    KeepCalibration(tmp_path).measure(sessions[:1], seconds=60)
    held = json.loads((tmp_path / FILE_NAME).read_text())
    (tmp_path / FILE_NAME).write_text(json.dumps({**held, "weights": "others"}))
    assert KeepCalibration(tmp_path).cut_count == 0
    (tmp_path / FILE_NAME).write_text("{")
    assert KeepCalibration(tmp_path).cut_count == 0


def test_a_file_that_cannot_be_read_is_named_and_the_rest_goes_on(sessions: list[Path], tmp_path: Path) -> None:
    calibration = KeepCalibration(tmp_path / "home")
    left, problems = calibration.measure([tmp_path / "gone.jsonl", sessions[0]], seconds=60)

    assert left == 0
    assert [problem.startswith(str(tmp_path / "gone.jsonl")) for problem in problems] == [True]
    assert calibration.cut_count
