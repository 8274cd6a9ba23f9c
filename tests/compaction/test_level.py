"""A level: the threshold that own sessions give, and the window that holds all lines above it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clew.compaction.level import UNREACHED, compute_loss, count_needed_cuts, find_threshold
from clew.evaluation.cases import find_cases
from clew.evaluation.prepared import PreparedCase
from clew.text.tokens import make_counter
from tests.evaluation.conftest import work


def test_a_level_needs_as_many_cuts_as_one_lost_cut_more_allows() -> None:
    assert [count_needed_cuts(level) for level in (0.5, 0.9, 0.95, 0.98)] == [1, 9, 19, 49]
    assert find_threshold([[1.0]] * 48, 0.98) is None
    assert find_threshold([[1.0]] * 49, 0.98) == 1.0


def test_the_threshold_is_the_largest_that_keeps_the_level_with_one_lost_cut_more() -> None:
    cuts = [[1.0, 0.5]] * 10 + [[1.0, 0.1]] * 10
    threshold = find_threshold(cuts, 0.7)

    assert threshold == 0.5  # of 21 cuts, ten lose a half and one all: .286; at 1.0 it would be .52
    assert sum(compute_loss(cut, threshold) for cut in cuts) == 5


def test_what_no_line_shows_is_lost_at_every_threshold() -> None:
    assert find_threshold([[1.0, UNREACHED]] * 100, 0.9) is None
    assert find_threshold([[1.0, 1.0, 1.0, UNREACHED]] * 100, 0.7) == 1.0


def test_new_cuts_keep_the_level_in_the_mean_whatever_the_rates_are() -> None:
    draw = np.random.default_rng(3)
    kept: list[float] = []
    for _ in range(200):
        cuts = [draw.random(draw.integers(1, 9)).tolist() for _ in range(41)]
        threshold = find_threshold(cuts[:40], 0.9)
        assert threshold is not None
        kept.append(1 - compute_loss(cuts[40], threshold))

    assert 0.89 < np.mean(kept) < 0.96


@pytest.fixture
def case(tmp_path: Path) -> PreparedCase:
    [found] = find_cases(work(with_summary=True).save(tmp_path / "sessions"))
    return PreparedCase(found, make_counter("claude"))


def test_a_lower_threshold_shows_all_that_a_higher_one_shows_and_the_lowest_every_line(case: PreparedCase) -> None:
    packets = [case.compaction_input.build_packet(2000, rate_min=rate) for rate in (1e9, 1e-3, 0.0)]
    texts = [set(packet.text.split("\n")) for packet in packets]

    assert [packet.tokens for packet in packets] == sorted(packet.tokens for packet in packets)
    assert "for entry in entries:" in packets[2].text
    assert "OTHER_RATE = 0.07" in packets[2].text
    assert all(packet.budget_tokens == packet.tokens + packet.fence_tokens for packet in packets)
    assert {line for line in texts[1] if "drwx" in line} <= texts[2]
