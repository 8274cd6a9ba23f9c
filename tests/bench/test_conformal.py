"""Coverage of a level: each project by a threshold from the others, with a bound that holds for any values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.conformal.__main__ import CutRow, main, summarise, table
from bench.conformal.bounds import lower_bound
from tests.evaluation.conftest import work


def row(project: str, session: int, rates: list[float]) -> CutRow:
    return CutRow(project, f"{project}{session}", 1, rates, [1.0, 0.5, 0.1], [10.0, 20.0, 40.0], 100, 5.0, 2.0)


def test_a_project_is_judged_by_a_threshold_that_it_had_no_part_in() -> None:
    rows = [row("a", number, [1.0, 0.5]) for number in range(9)] + [row("b", number, [0.1]) for number in range(9)]
    found = {(each["level"], each["project"]): each for each in summarise(rows)}

    assert (found[0.9, "a"]["threshold"], found[0.9, "a"]["kept"], found[0.9, "a"]["share"]) == (0.1, 1.0, 0.4)
    assert (found[0.9, "b"]["threshold"], found[0.9, "b"]["kept"]) == (0.5, 0.0)
    assert found[0.98, "b"] == {"level": 0.98, "project": "b", "threshold": None, "cuts": 0}
    assert "| 98% | b | no threshold from the others |" in table({"levels": summarise(rows)})


def test_the_bound_holds_for_rare_great_losses_and_grows_with_the_number_of_values() -> None:
    draw = np.random.default_rng(1)
    losses = [draw.random(140) < 0.02 for _ in range(100)]

    assert np.mean([lower_bound((1 - each).tolist()) > 0.98 for each in losses]) <= 0.05
    assert 0.9 < lower_bound([1.0] * 60) < lower_bound([1.0] * 400) < 1
    assert lower_bound([]) == 0.0


def test_a_run_keeps_its_rows_and_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(2):
        work(with_summary=True).save(tmp_path / "data" / f"p{number}", f"s{number}.jsonl")
    words = ["--data", str(tmp_path / "data"), "--work", str(tmp_path / "work"), "--dry"]

    assert main(words) == 0
    first = capsys.readouterr().out
    assert main([*words, "--seconds", "0"]) == 0
    assert capsys.readouterr().out == first
    assert "| 80% | p0 |" in first
