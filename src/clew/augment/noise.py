"""Noise: leave out what the user called noise in a prompt like this one.

A mark counts for prompts of which at least half of the words, taken together, are the same, for NOISE_DAYS days, and not against a file
that the prompt names where the marked prompt did not. Nothing else is learned from it: what was used, and what was not, told nothing of
other prompts (bench/LOG.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clew.ranking.question import STOP_WORDS, Question
from clew.records import Noise, Withheld
from clew.text.words import split_word

SIMILARITY_MIN = 0.5  # words that two prompts share, of all of both; guess
NOISE_DAYS = 90  # guess
_DAY_NS = 86_400 * 10**9


def find_prompt_words(question: Question) -> tuple[str, ...]:
    """Return the distinct word stems of a prompt that say what it is about, sorted."""
    return tuple(sorted({term for word in question.word_set - STOP_WORDS for term in split_word(word)}))


@dataclass(frozen=True, slots=True)
class NoiseFilter:
    """The marks, by their handles, that count for one prompt."""

    marks: Sequence[tuple[str, Noise]]

    @staticmethod
    def of(marks: Sequence[tuple[str, Noise]], question: Question, now_ns: int) -> NoiseFilter:
        """Return the filter of a prompt that is asked at `now_ns`."""
        words = set(find_prompt_words(question)) if marks else set[str]()
        return NoiseFilter(
            [
                (handle, noise)
                for handle, noise in marks
                if noise.words
                and now_ns - noise.at_ns <= NOISE_DAYS * _DAY_NS
                and len(words.intersection(noise.words)) >= SIMILARITY_MIN * len(words.union(noise.words))
            ]
        )

    def find(self, path: str, handle: str, *, is_named: bool = False) -> Withheld | None:
        """Return why a file, or a turn by its handle where `path` is "", is left out; None where nothing speaks against it.

        is_named  the prompt names the file.
        """
        return next(
            (
                Withheld(path, handle, mark, noise.at_ns)
                for mark, noise in reversed(self.marks)
                if noise.path == path and (path or noise.handle == handle) and (not is_named or _names(noise))
            ),
            None,
        )


def _names(noise: Noise) -> bool:
    """Whether the marked prompt held the words of the file's name."""
    stem = noise.path.rpartition("/")[2].partition(".")[0]
    return set(split_word(stem)) <= set(noise.words)
