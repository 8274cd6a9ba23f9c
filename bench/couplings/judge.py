"""Judge: does a model tell which of a function's three candidates change with it later? Asked through the door that clew has for models.

Functions of which one candidate came true and another did not are asked about, in an order that their hashes give, so that a longer run
holds every shorter one. Each answer is a line of a file, keyed by model, prompt and text: a run that was stopped goes on, and nothing is
asked twice. What counts is the order within a function: models say yes to nearly all pairs.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from bench.couplings.measure import Repository, choose
from bench.couplings.replay import Replayed
from clew.enrich.function_pairs import Floats, PairWeights
from clew.enrich.models import Model, ModelRequest

TEXT_CHARS_MAX = 700  # shown of each function, from its beginning; about 190 tokens
CHOICES = 20  # of the first token, among which yes and no are looked for
TURNS = 1000
SYSTEM = "You know how code bases change."
# The question stands behind both functions: what a model has read of them need not be read again for another one.
PAIR = "Function A, in {a_path}:\n{a}\n\nFunction B, in {b_path}:\n{b}\n\n"
PROMPTS = {
    "review": "Function A is about to be changed. Must function B be reviewed for the same change? Answer with yes or no.",
    "together": "Would one commit change both functions? Answer with yes or no.",
    "agreement": "Do both functions rely on one agreement that is written in neither, such as a format, a name, an order or a default, so "
    "that a change of it in A must be made in B as well? Answer with yes or no.",
    "forgotten": "A commit changes function A and leaves function B as it is. Did its author probably forget B? Answer with yes or no.",
    "twins": "Do A and B do the same for two cases, so that a mistake found in A is to be mended in B too? Answer with yes or no.",
}


class Answer(msgspec.Struct):
    """A model's log-odds of yes for one pair; `key` identifies model, prompt and text."""

    key: str
    log_odds: float
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Question:
    """A function with its candidates: the texts of the requests, what came true, and the fitted chances."""

    texts: tuple[str, ...]
    is_later: tuple[bool, ...]
    chances: tuple[float, ...]


def find_questions(repositories: Sequence[tuple[Replayed, Repository]], weights: PairWeights, prompt: str) -> list[Question]:
    """Return the functions to ask about, in the order in which they are asked."""
    found: list[tuple[str, Question]] = []
    for replayed, repository in repositories:
        candidates, is_later = repository.candidates, repository.is_later
        chances = weights.chances(candidates.rows)
        chosen = choose(candidates, chances)
        ones = candidates.pairs[chosen, 0]
        for one in np.unique(ones).tolist():
            rows = chosen[ones == one]
            if 0 < is_later[rows].sum() < len(rows):
                others = candidates.pairs[rows, 1].tolist()
                texts = tuple(_text(replayed, one, other, prompt) for other in others)
                key = hashlib.sha256("\0".join((replayed.repo, *texts)).encode()).hexdigest()
                found.append((key, Question(texts, tuple(is_later[rows] > 0), tuple(chances[rows].tolist()))))
    return [question for _, question in sorted(found, key=lambda pair: pair[0])]


def _text(replayed: Replayed, one: int, other: int, prompt: str) -> str:
    a, b = replayed.functions[one], replayed.functions[other]
    pair = PAIR.format(a_path=a.path, a=a.text[:TEXT_CHARS_MAX], b_path=b.path, b=b.text[:TEXT_CHARS_MAX])
    return pair + PROMPTS[prompt]


def ask(model: Model, questions: Sequence[Question], work: Path, seconds: float) -> list[list[float]]:
    """Ask until the time is spent, and return the log-odds of the candidates of each question that was answered whole, in order."""
    ends = time.monotonic() + seconds
    known = {answer.key: answer.log_odds for answer in _read(work)}
    done: list[list[float]] = []
    work.parent.mkdir(parents=True, exist_ok=True)
    with work.open("ab") as stream:
        for question in questions:
            row: list[float] = []
            for text in question.texts:
                key = hashlib.sha256(f"{model.name}\0{SYSTEM}\0{text}".encode()).hexdigest()
                if key not in known:
                    if time.monotonic() >= ends:
                        return done
                    started = time.monotonic()
                    answer = model.complete(ModelRequest(SYSTEM, text, 1, choices=CHOICES))
                    known[key] = log_odds(answer.choices)
                    line = Answer(key, known[key], answer.input_tokens, round(time.monotonic() - started, 2))
                    stream.write(msgspec.json.encode(line) + b"\n")
                    stream.flush()
                row.append(known[key])
            done.append(row)
    return done


def log_odds(choices: Sequence[tuple[str, float]]) -> float:
    """Return the log-odds of yes against no by a first token's alternatives; a word that is not among them counts as the least of them."""
    least = min((value for _, value in choices), default=0.0)
    sums: list[float] = []
    for word in ("yes", "no"):
        held = [math.exp(value) for token, value in choices if token.strip().lower() == word]
        sums.append(math.log(sum(held)) if held else least)
    return sums[0] - sums[1]


def _read(work: Path) -> Iterator[Answer]:
    if work.is_file():
        for line in work.read_bytes().splitlines():
            try:
                yield msgspec.json.decode(line, type=Answer)
            except msgspec.DecodeError:  # a run was killed while it wrote
                continue


def judge(questions: Sequence[Question], answers: Sequence[Sequence[float]]) -> dict[str, object]:
    """Return how well chances, model and both order the candidates within a function: share of pairs in the right order, 95 % interval."""
    asked = list(zip(questions, answers, strict=False))
    orders: dict[str, list[Floats]] = {"fitted": [], "model": [], "both": []}
    for question, row in asked:
        fitted, model = np.log(np.array(question.chances)), np.array(row)
        orders["fitted"].append(fitted)
        orders["model"].append(model)
        orders["both"].append(_standard(fitted) + _standard(model))
    shares = {
        name: [_share(score, question.is_later) for score, (question, _) in zip(rows, asked, strict=True)] for name, rows in orders.items()
    }
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, max(len(asked), 1), (TURNS, len(asked)))
    told: dict[str, object] = {"functions": len(asked), "pairs": sum(map(len, answers))}
    for name, values in shares.items():
        each = np.array(values)
        told[name] = (
            [round(float(value), 3) for value in (each.mean(), *np.percentile(each[drawn].mean(1), [2.5, 97.5]))] if asked else None
        )
    if asked:
        gain = np.array(shares["both"]) - np.array(shares["fitted"])
        told["both_less_fitted"] = [round(float(v), 3) for v in (gain.mean(), *np.percentile(gain[drawn].mean(1), [2.5, 97.5]))]
    return told


def _standard(values: Floats) -> Floats:
    return (values - values.mean()) / (values.std() or 1.0)


def _share(score: Floats, is_later: Sequence[bool]) -> float:
    """The share of (later, not later) that stand in the right order; a tie counts half."""
    later = np.array(is_later)
    above = score[later][:, None] - score[~later][None, :]
    return float(((above > 0) + 0.5 * (above == 0)).mean())
