"""Weights: the factor of each search channel in a record's score.

A record's score is the sum over the channels of weight × value, where a channel's best record has the value 1 (or, for a
property of the record, 1 where it holds). Scores are in nats: a record that scores 1 less is e times less likely to be
relevant, so the exponential of a score is a utility. The figures were fitted to issues of 25 repositories so that the changed
symbols and files are likely among all candidates, and hold for repositories that they were not fitted to (bench/LOG.md). A question of
one line has weights of its own.
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
    spelled     its whole name is a plain word of the first line.
    stem        share of its file's own name that words of the first line spell; `stem_whole` all of it.
    folder      words of the first line in its file's folders.
    path        the question quotes its path.
    frame       a stack trace leads to it.
    vector      cosine of the embeddings, where a model is at hand.
    history     words of commits that changed its file.
    lines       natural logarithm of 1 + its length in lines.
    is_file     it stands for a file as a whole.
    is_test     it checks other code, and the question does not ask for tests.
    is_prose    it is a document or configuration, and the question does not ask for those.
    is_demo     it shows how other code is used; `is_benchmark` measures it, `is_declaration` only declares its types, and
                `is_generated` was made from it by a program.
    """

    word: float = 3.2
    title: float = 2.5
    code: float = 1.3
    title_file: float = 2.2
    parent: float = 1.85
    top5_sum: float = 0.8
    name: float = 0.8
    spelled: float = 0.0
    stem: float = 0.0
    stem_whole: float = 0.0
    folder: float = 0.0
    path: float = 0.44
    frame: float = 0.47
    vector: float = 0.5
    history: float = 0.8
    lines: float = 0.24
    is_file: float = -1.57
    is_test: float = -4.24
    is_prose: float = -3.96
    is_demo: float = -1.0
    is_benchmark: float = -0.8
    is_declaration: float = -1.5
    is_generated: float = -1.0


DEFAULT = Weights()
# For a question of one line. Fitted to 334 questions about 18 repositories, as folders, as whole trees and with their history, and held
# close to the weights above: there what a file and a symbol are called says more, and how long a record is says less.
SHORT = Weights(
    word=2.76,
    title=2.05,
    title_file=1.26,
    parent=0.0,
    top5_sum=0.1,
    name=0.9,
    spelled=0.7,
    stem=1.5,
    stem_whole=0.67,
    folder=0.4,
    history=1.28,
    lines=0.2,
    is_file=0.0,
    is_test=-4.3,
    is_prose=-4.4,
)
CHANNELS: tuple[str, ...] = tuple(field.name for field in fields(Weights))
