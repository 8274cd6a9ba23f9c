"""Weights: the factor of each search channel in a record's score.

A record's score is the sum over the channels of weight × value, where a channel's best record has the value 1 (or, for a
property of the record, 1 where it holds). Scores are in nats: a record that scores 1 less is e times less likely to be
relevant, so the exponential of a score is a utility. The figures were fitted to issues of 25 repositories so that the changed
symbols and files are likely among all candidates, and hold for repositories that they were not fitted to (bench/LOG.md).
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Weights:
    """Factor of each search channel (one cheap measure of how well a record fits a question) in a record's score.

    word        words of the question in the record, BM25F over its fields.
    title       words of the question's first line, likewise.
    code        words in backticks and in the last error lines, likewise.
    title_file  words of the first line in the record's whole file.
    parent      `word` of the record that contains it.
    top5_sum    the five best of `word` in its file, added up.
    name        the question spells out a name of the record.
    path        the question quotes its path.
    frame       a stack trace leads to it.
    vector      cosine of the embeddings, where a model is at hand.
    history     words of commits that changed its file.
    lines       natural logarithm of 1 + its length in lines.
    is_file     it stands for a file as a whole.
    is_test     it checks other code, and the question does not ask for tests.
    is_prose    it is a document or configuration, and the question does not ask for those.
    """

    word: float = 3.2
    title: float = 2.5
    code: float = 1.3
    title_file: float = 2.2
    parent: float = 1.85
    top5_sum: float = 0.8
    name: float = 0.8
    path: float = 0.44
    frame: float = 0.47
    vector: float = 0.5
    history: float = 0.8
    lines: float = 0.24
    is_file: float = -1.57
    is_test: float = -4.24
    is_prose: float = -3.96


DEFAULT = Weights()
CHANNELS: tuple[str, ...] = tuple(field.name for field in fields(Weights))
