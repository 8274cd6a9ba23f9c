"""Seeds: compute the first weights of the records that a search found, before links between records count."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.ranking.question import Question, Terms
from clew.ranking.weights import DEFAULT, SHORT, Weights
from clew.store.documents import Documents
from clew.store.search import CODE, ChannelScores

Floats: TypeAlias = NDArray[np.float32]

# The weights of short questions were fitted to the order of files alone. Times this, the weights of records fall off with rank as those of
# longer questions do, so that turns of sessions keep their share of a packet; NDCG@10 on seven repositories .896 without, .893 with.
SHORT_SHARPNESS = 1.8
FULL_SHARE = 0.6  # of the sum of its terms' idf: what a text that holds all of a question scores, since counts saturate; guess
SESSION_NAME_WEIGHT = 0.9  # of a name that a session's record bears, against its words
SESSION_VECTOR_WEIGHT = 0.5  # likewise of its vector; guess


def score_code(hits: ChannelScores, question: Question, weights: Weights | None = None) -> Floats:
    """Return the weights (n,) of hits in code: exp(weighted sum of the channels), scaled so that the best is 1.

    weights  None takes those for a question of this length.
    """
    score = _add_channels(hits, question, weights or (SHORT if question.is_short else DEFAULT))
    if weights is None and question.is_short:
        score *= np.float32(SHORT_SHARPNESS)
    return np.exp(score - score.max()) if len(score) else score


def compute_strength(hits: ChannelScores, question: Question, weights: Weights | None = None) -> float:
    """Return the weighted sum of the channels of the best hit in code, in nats: what `score_code` scales away. 0 without hits.

    On one scale for questions of any length, so with the weights of long ones.
    """
    return float(_add_channels(hits, question, weights or DEFAULT).max()) if len(hits.docs) else 0.0


def compute_role_shares(documents: Documents, question: Question, docs: NDArray[np.int32]) -> Floats:
    """Return (n,) for each of `docs` how likely a record is to be meant for what its file is for alone: 1 for source code.

    As the channels of roles count in `score_code`; 1 for tests and documents too where the question asks for those.
    """
    chosen = SHORT if question.is_short else DEFAULT
    nats = np.zeros(len(docs), np.float32)
    for is_so, weight, is_asked in (
        (documents.is_test[docs], chosen.is_test, question.asks_for_tests),
        (documents.is_prose[docs], chosen.is_prose, question.asks_for_prose),
    ):
        nats += np.where(is_so, np.float32(0.0 if is_asked else weight), np.float32(0))
    is_code = documents.search_scope(CODE).mask[docs]
    return np.where(is_code, np.exp(nats * np.float32(SHORT_SHARPNESS if question.is_short else 1.0)), np.float32(1))


def _add_channels(hits: ChannelScores, question: Question, weights: Weights) -> Floats:
    score = np.zeros(len(hits.docs), np.float32)
    left_out = {name for name, is_asked in (("is_test", question.asks_for_tests), ("is_prose", question.asks_for_prose)) if is_asked}
    for name, values in hits.channels.items():
        if name not in left_out:
            score += np.float32(getattr(weights, name)) * values
    return score


def score_sessions(hits: ChannelScores, question: Question) -> Floats:
    """Return the weights (n,) of hits in sessions: the share of the question that each of them contains, 0 to 1."""
    if not len(hits.docs):
        return np.zeros(0, np.float32)
    found = _covered(hits, question.terms)
    for channel, weight in (("name", SESSION_NAME_WEIGHT), ("vector", SESSION_VECTOR_WEIGHT)):
        if channel in hits.channels:
            found = found + np.float32(weight) * hits.channels[channel]
    return np.minimum(found, np.float32(1))


def _covered(hits: ChannelScores, terms: Terms) -> Floats:
    """How much of the question each hit holds, 0 to 1: a single word of a long question says little, however rare it is."""
    weights, scores = dict(terms), hits.channels["word"]
    known = sum(weights[term] for term, _, _ in hits.words.used)
    if not known:
        return scores
    bound = sum(weights[term] * idf for term, idf, _ in hits.words.used) * sum(weights.values()) / known
    return np.minimum(scores * np.float32(1 / (FULL_SHARE * bound)), np.float32(1))
