"""Ways to fill a window that only the benchmark runs, beside those of `clew eval`."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from bench.hindsight.arms import ARMS
from bench.hindsight.trial import JudgedTrial
from clew.compaction.keep import ScoringNetwork
from clew.evaluation.cases import find_cases
from clew.evaluation.evaluate import compute_budgets, score_windows
from clew.text.tokens import make_counter
from tests.evaluation.conftest import work


@pytest.fixture
def trial(tmp_path: Path) -> JudgedTrial:
    """The cut where the client compacted."""
    [case] = find_cases(work(with_summary=True).save(tmp_path / "sessions"))
    return JudgedTrial(case, make_counter("claude"))


@pytest.mark.parametrize("name", ARMS)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 1.0])
def test_no_window_is_longer_than_its_budget(trial: JudgedTrial, name: str, share: float) -> None:
    budget = int(trial.history_tokens * share)
    window = ARMS[name](trial, budget)

    assert window is None or trial.counter.count(window.text) <= budget


@pytest.mark.parametrize("budget", ["5 %", "10 %", "25 %"])
def test_the_oracle_wins_by_every_measure_and_hoarding_names_loses(trial: JudgedTrial, budget: str) -> None:
    judged = score_windows(trial, ARMS, compute_budgets(trial, (0.05, 0.1, 0.25)))
    rows = {row.arm: row.values for row in judged.rows if row.budget == budget}

    for measure in ("files", "verbatim", "terms", "named", "repeats", "constraints"):
        best = max(row[measure] or 0.0 for row in rows.values())
        assert rows["oracle"][measure] == best == 1.0, measure
    assert (rows["hoard"]["named"] or 0.0) > (rows["recency"]["named"] or 0.0)
    assert all((rows["hoard"]["terms"] or 0.0) < (rows[arm]["terms"] or 0.0) for arm in ("oracle", "clew"))


def test_random_does_not_depend_on_the_run(trial: JudgedTrial) -> None:
    first, again = (ARMS["random"](trial, 500) for _ in range(2))

    assert first == again


def test_talk_comes_before_tool_results_and_the_newest_results_before_older_ones(trial: JudgedTrial) -> None:
    talk = sum(length for length, piece in zip(trial.text_tokens, trial.case.pieces, strict=True) if piece.kind != "result")
    window = ARMS["results"](trial, int(talk + trial.text_tokens[-2] + 2))

    assert window is not None
    assert "Settle the ledger." in window.text
    assert "folder of noise number 59" in window.text
    assert "from the ministry" not in window.text


def test_clews_window_is_made_with_the_networks_that_it_is_given(trial: JudgedTrial) -> None:
    """Those of the release may have seen the session."""

    class Unused(Exception):
        pass

    class Network:
        def __call__(self, _features: object) -> object:
            raise Unused

    trial.using = cast("tuple[ScoringNetwork, ScoringNetwork]", (Network(), Network()))

    with pytest.raises(Unused):
        ARMS["clew"](trial, trial.history_tokens // 4)
