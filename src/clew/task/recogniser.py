"""Score the sentences of a prompt: the probability that each one is a rule, a request, a question, a report, an assent or a withdrawal.

One multinomial regression over hashed character and word n-grams, and over a few counts, in any language; fitted and calibrated by
`train/recogniser`. Knows nothing about tasks: `clew.task.rules` decides what a probability is enough for. Deterministic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from clew.task.vocabulary import matches_any

CLASSES = ("rule", "request", "question", "report", "assent", "withdrawal")
BUCKETS = 1 << 17
GRAM_CHARS_MAX = 5
OPENING_WORDS = 3  # the words that a sentence opens with, the first one, two and three, count by their place
OPENING_SHARE = 0.35
SENTENCE_CHARS_MAX = 500  # what is longer is read to here
CUES = ("binding", "wanted", "order_at_start", "order", "report")  # English patterns of patterns.toml: features, no verdicts
COUNTS = 26 + len(CUES)
WEIGHTS = Path(__file__).with_name("recogniser_weights.npz")

_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
_MIX = np.uint64(0xD6E8FEB86659FD93)
_SHIFT = np.uint64(64 - 17)
_WORD_SALT = np.uint64(0xA0761D6478BD642F)
_OPENING_SALT = np.uint64(0xE7037ED1A0B428DB)
_CODE_MARKS = frozenset("{}()[];=<>|&$\\/_")

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PromptContext:
    """Where a sentence stands: the characters, lines and headings of its prompt, its number and the number of sentences there."""

    chars: int = 0
    lines: int = 1
    headings: int = 0
    place: int = 0
    sentences: int = 1


@dataclass(frozen=True, slots=True)
class Grams:
    """The n-grams of n sentences: `buckets` (m,) with their `shares` (m,) of a sentence's sum, `starts` (n,) of each sentence."""

    buckets: NDArray[np.int64]
    shares: Floats
    starts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SentenceRecogniser:
    """A fitted regression.

    table      (BUCKETS, classes) int8, times `scale` (classes,).  counts (COUNTS, classes), bias (classes,) float32.
    slope, shift  (classes,) float32: a class's probability is the logistic of slope · log-odds + shift, fitted on unseen sentences.
    thresholds (classes,) float32: what is at least this likely may be claimed.
    """

    table: NDArray[np.int8]
    scale: Floats
    counts: Floats
    bias: Floats
    slope: Floats
    shift: Floats
    thresholds: Floats

    def score(self, sentences: Sequence[str], contexts: Sequence[PromptContext]) -> Floats:
        """Return (n, classes) float32: the calibrated probability of each class, each by itself, so that a row need not sum to 1."""
        if not sentences:
            return np.zeros((0, len(CLASSES)), np.float32)
        odds = compute_log_odds(self.compute_scores(sentences, contexts))
        return (1 / (1 + np.exp(-(odds * self.slope + self.shift)))).astype(np.float32)

    def compute_scores(self, sentences: Sequence[str], contexts: Sequence[PromptContext]) -> Floats:
        """Return (n, classes): the scores before calibration."""
        plain = [simplify(sentence) for sentence in sentences]
        grams = compute_grams(plain)
        sums = np.add.reduceat(self.table[grams.buckets] * grams.shares[:, None], grams.starts, axis=0) * self.scale
        return (sums + compute_counts(sentences, contexts) @ self.counts + self.bias).astype(np.float32)

    def is_claimed(self, probabilities: Floats, name: str) -> NDArray[np.bool_]:
        """Return (n,) whether each row's class `name` reaches its threshold."""
        at = CLASSES.index(name)
        return probabilities[:, at] >= self.thresholds[at]


def simplify(sentence: str) -> str:
    """Return what is hashed: compatibility forms folded, lower case, the beginning of a long sentence, no stop at its end."""
    return normalize("NFKC", sentence[:SENTENCE_CHARS_MAX]).lower().replace("’", "'").replace("\n", " ").rstrip(" .!。！…")


def compute_log_odds(scores: Floats) -> Floats:
    """Return (n, classes): the log-odds of each class against all others."""
    top = scores.max(axis=1, keepdims=True)
    shares = np.exp(scores - top)
    shares /= shares.sum(axis=1, keepdims=True)
    return np.log(np.maximum(shares, 1e-9)) - np.log(np.maximum(1 - shares, 1e-9))


def compute_grams(sentences: Sequence[str]) -> Grams:
    """Return the character 1- to 5-grams and the word 1- and 2-grams of each sentence. Cost: about 10 µs for one of 100 characters."""
    text = " " + " ".join(sentences) + " " * (GRAM_CHARS_MAX + 1)
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32).astype(np.uint64)
    size = len(codes)
    digits = (codes >= 48) & (codes <= 57)
    codes = np.where(digits, np.uint64(48), codes) + np.uint64(1)
    powers = np.cumprod(np.concatenate((np.ones(1, np.uint64), np.full(size, _BASE, np.uint64))))
    inverses = np.cumprod(np.concatenate((np.ones(1, np.uint64), np.full(size, _INVERSE, np.uint64))))
    sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(codes * powers[:size])))
    lengths = np.fromiter((len(sentence) for sentence in sentences), np.int64, len(sentences))
    firsts = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths + 1)[:-1]))  # the blank before each sentence
    at = np.arange(int(firsts[-1] + lengths[-1] + 1))
    owner = np.repeat(np.arange(len(sentences)), lengths + 1)
    last = (firsts + lengths + 2)[owner]  # past the blank behind it
    found: list[NDArray[np.uint64]] = []
    owners: list[NDArray[np.int64]] = []
    weights: list[Floats] = []
    for width in range(1, GRAM_CHARS_MAX + 1):
        kept = at[at + width <= last]
        found.append((sums[kept + width] - sums[kept]) * inverses[kept] * _MIX)
        owners.append(owner[kept])
    chars = np.concatenate(owners)
    per = np.bincount(chars, minlength=len(sentences)).astype(np.float32)
    weights.append((1 / np.sqrt(per))[chars].astype(np.float32))
    is_word = np.fromiter((char.isalnum() or char in "'_" for char in text), np.bool_, size)
    edges = np.flatnonzero(is_word[1:] != is_word[:-1]) + 1
    begins, ends = edges[::2], edges[1::2]
    if len(begins):
        hashes = (sums[ends] - sums[begins]) * inverses[begins] ^ _WORD_SALT
        of = owner[np.minimum(begins, len(owner) - 1)]
        same = of[1:] == of[:-1]
        pairs = (hashes[:-1] * _BASE + hashes[1:])[same]
        words = np.concatenate((of, of[1:][same]))
        counts = np.bincount(words, minlength=len(sentences)).astype(np.float32)
        found.extend((hashes * _MIX, pairs * _MIX))
        owners.append(words)
        weights.append((1 / np.sqrt(np.maximum(counts, 1)))[words].astype(np.float32))
        opens = np.flatnonzero(np.concatenate((np.ones(1, np.bool_), ~same)))  # the first word of each sentence that has any
        closes = np.append(opens[1:], len(hashes)) - 1
        for width in range(1, OPENING_WORDS + 1):
            kept = opens[opens + width - 1 <= closes]
            grown = hashes[kept]
            for step in range(1, width):
                grown = grown * _BASE + hashes[kept + step]
            found.append((grown ^ _OPENING_SALT) * _MIX)
            owners.append(of[kept])
            weights.append(np.full(len(kept), OPENING_SHARE, np.float32))
    everything = np.concatenate(owners)
    order = np.argsort(everything, kind="stable")
    buckets = (np.concatenate(found) >> _SHIFT).astype(np.int64)[order]
    starts = np.searchsorted(everything[order], np.arange(len(sentences)))
    return Grams(buckets, np.concatenate(weights)[order].astype(np.float32), starts)


def compute_counts(sentences: Sequence[str], contexts: Sequence[PromptContext]) -> Floats:
    """Return (n, COUNTS) float32: length, script, punctuation and place of each sentence, about 0 to 1 each."""
    rows = [list(_counts_of(sentence, context)) for sentence, context in zip(sentences, contexts, strict=True)]
    return np.array(rows, np.float32).reshape(len(sentences), COUNTS)


def _counts_of(sentence: str, context: PromptContext) -> Iterator[float]:
    bare = sentence[:SENTENCE_CHARS_MAX].strip().rstrip("\"')*_`”»」")
    end = bare[-1:]
    size = max(len(bare), 1)
    yield from (end in "?？" and end != "", end in ":：" and end != "", end in ".。" and end != "", end in "!！" and end != "")
    yield from (bare[:1] in "-*•", bare[:1].isdigit(), bare[:1].isupper(), bare[:1] == "/", "`" in bare)
    yield np.log1p(size) / 5
    yield np.log1p(bare.count(" ")) / 3
    yield sum(char.isdigit() for char in bare) / size
    yield sum(char.isupper() for char in bare) / size
    yield 3 * sum(char in _CODE_MARKS for char in bare) / size
    yield not bare.isascii() and any("\u0400" <= char <= "\u04ff" for char in bare)
    yield not bare.isascii() and any("\u3400" <= char <= "\u9fff" for char in bare)
    yield not bare.isascii() and any("\u3040" <= char <= "\u30ff" for char in bare)
    yield np.log1p(context.chars) / 8
    yield np.log1p(context.lines) / 4
    yield from (context.chars > 600, context.chars > 3_000, context.headings >= 2)
    yield from (context.place == 0, context.place == context.sentences - 1, context.sentences == 1)
    yield context.place / max(context.sentences, 1)
    plain = bare.replace("’", "'")
    yield from (matches_any(plain, cue) for cue in CUES)


@cache
def load_recogniser() -> SentenceRecogniser:
    """Return the recogniser of the release."""
    with np.load(WEIGHTS) as stored:
        return SentenceRecogniser(**{name: stored[name] for name in SentenceRecogniser.__slots__})
