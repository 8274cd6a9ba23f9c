"""Scores of sentences: probabilities, the same whatever stands beside them, in time, and better than chance on sentences by others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.task.recogniser import CLASSES, WEIGHTS, PromptContext, compute_grams, load_recogniser

TESTS = Path(__file__).parents[2] / "bench" / "state" / "sentences"
ALONE = PromptContext()


@given(st.lists(st.text(max_size=80), max_size=6))
@settings(deadline=None)
def test_each_sentence_is_scored_by_itself(sentences: list[str]) -> None:
    """What stands beside a sentence in the same call changes nothing."""
    together = load_recogniser().score(sentences, [ALONE] * len(sentences))

    assert together.shape == (len(sentences), len(CLASSES))
    assert np.isfinite(together).all()
    for at, sentence in enumerate(sentences):
        assert np.allclose(load_recogniser().score([sentence], [ALONE])[0], together[at], atol=1e-3)


def test_no_n_gram_reaches_into_the_next_sentence() -> None:
    apart, together = [compute_grams([text]) for text in ("never", "push it")], compute_grams(["never", "push it"])

    assert sorted(together.buckets) == sorted(np.concatenate([grams.buckets for grams in apart]))


def test_the_weights_are_small() -> None:
    assert WEIGHTS.stat().st_size <= 1 << 20


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "zh", "ja", "ru", "pt", "it", "ko", "pl", "nl", "tr", "uk"])
def test_rules_that_no_fit_saw_are_found(language: str) -> None:
    """A floor far below the figures of the model card: it fails where a language is broken, not where a figure moves."""
    rows = [line.split("\t")[:2] for line in (TESTS / f"test.{language}.tsv").read_text("utf-8").splitlines()]
    recogniser = load_recogniser()
    chances = recogniser.score([text for _, text in rows], [PromptContext(len(text)) for _, text in rows])
    claimed = recogniser.is_claimed(chances, "rule")
    is_rule = np.array([label == "rule" for label, _ in rows])

    assert (claimed & is_rule).sum() >= 0.5 * is_rule.sum()
    assert (claimed & is_rule).sum() >= 0.6 * claimed.sum()
