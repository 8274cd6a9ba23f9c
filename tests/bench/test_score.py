"""The scoreboard tells a change from noise, and names what could not be measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.score.__main__ import changes, figures, main
from bench.score.compare import compare, table
from bench.score.figure import Value


def rows(*numbers: float) -> Value:
    names = {f"row {at}": number for at, number in enumerate(numbers)}
    return Value.of_rows(dict(names), {name: name for name in names})


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        (rows(*[0.5] * 20), rows(*[0.4] * 20), "worse"),
        (rows(*[0.5] * 20), rows(*[0.6] * 20), "better"),
        (rows(*[0.5] * 20), rows(0.4, *[0.5] * 19), "same"),
        (Value.of_repeats([1.0, 1.1, 1.2], unit="×"), Value.of_repeats([1.1, 1.15, 1.3], unit="×"), "same"),
        (Value.of_repeats([1.0, 1.1, 1.2], unit="×"), Value.of_repeats([1.3, 1.4, 1.5], unit="×"), "worse"),
        (Value(100, "", "lower"), Value(99, "", "lower"), "better"),
        (None, Value(1, "", "lower"), "new"),
        (Value(1, "", "lower"), None, "gone"),
    ],
)
def test_a_change_is_one_where_it_is_larger_than_noise(before: Value | None, now: Value | None, verdict: str) -> None:
    assert compare("a value", before, now).verdict == verdict


def test_a_value_is_read_back_from_its_result() -> None:
    for value in (rows(0.0, 1.0), Value.of_repeats([2.0, 1.0, 3.0], unit="×"), Value(4, "", "lower")):
        assert Value.from_json(json.loads(json.dumps(value.as_json()))) == value


def test_every_claim_is_a_module_with_a_figure_of_its_own_name() -> None:
    names = [figure.name for figure in figures()]

    assert names[0] == "speed"
    assert len(set(names)) == len(names) >= 10
    assert all(figure.claim.endswith(".") for figure in figures())


def test_what_cannot_be_measured_is_named_and_is_no_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--only", "recall,masking", "--quick", "--dry", "--data", str(tmp_path), "--results", str(tmp_path)])

    said = capsys.readouterr().out
    assert code == 0
    assert "not measured: recall: needs --data with a folder memory/" in said
    assert "credentials that pass, of 150" in said


def test_the_table_names_what_fell_and_what_is_gone() -> None:
    before = {"figures": {"sizes": {"values": {"lines": Value(1, "", "lower").as_json(), "left": Value(1, "", "lower").as_json()}}}}

    said = table(changes(before, {"sizes": {"lines": Value(2, "", "lower")}}, {}), {})

    assert "Worse beyond noise: sizes: lines" in said
    assert "No longer measured: sizes: left" in said
