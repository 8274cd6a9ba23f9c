"""Have a model judge which of a function's candidates changes with it, and say in one sentence why.

Models say yes to nearly every pair, so only what they say of one candidate beside the others of the same function counts: it moves the
fitted chance up or down. The likeliest one is asked about once more, for the sentence. What comes back is quoted as what a model thinks: an
edge of its own kind, and a record with provenance, trust and the texts' hashes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from clew.enrich.function_edges import CoreFunction
from clew.enrich.models.model import Model, ModelRequest
from clew.records import (
    SEMANTIC_SOURCE,
    THOUGHT_KIND,
    Blob,
    Delta,
    Edge,
    EdgeKind,
    Layer,
    Record,
    RecordText,
    Resolution,
    SourceState,
    Trust,
    make_id,
)
from clew.store.originals import digest_of
from clew.text.secrets import mask_text

PRODUCER = "semantic/1"  # name and version of this producer in its Deltas, and of its prompts
TEXT_CHARS_MAX = 700  # sent of each function, from its beginning; about 190 tokens
CHOICES = 20  # of the first token, among which yes and no are looked for
REASON_TOKENS = 40
REASON_CHARS_MAX = 240
MODEL_SHARE = 0.5  # of the model's log-odds, less their mean over the function's candidates, in those of the chance; guess
SYSTEM = "You know how code bases change."
# The strongest of six on repositories that were not judged: bench/LOG.md.
ASKS = "Function A is about to be changed. Must function B be reviewed for the same change? Answer with yes or no."
ASKS_WHY = "A change of A may need the same change in B. Say in one short sentence what they have in common that would need it."


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a model made of a function's candidates.

    chances  of each candidate, in their order.
    reason   the model's sentence about the likeliest one; "" where it said nothing.
    tokens   sent and answered.
    """

    chances: tuple[float, ...]
    reason: str
    tokens: int


def estimate_tokens(function: CoreFunction) -> tuple[int, int]:
    """Return about how many tokens a model reads and writes to judge a function's candidates."""
    own = min(len(function.text), TEXT_CHARS_MAX)
    others = [min(len(text), TEXT_CHARS_MAX) for _, text, _ in function.others]
    chars = sum(own + other + len(SYSTEM) + len(ASKS) + 100 for other in others) + own + max(others, default=0) + len(ASKS_WHY)
    return chars * 10 // 36, len(others) + REASON_TOKENS  # 3.6 characters a token: of code, by local vocabularies


def judge_function(function: CoreFunction, model: Model) -> Judgement:
    """Ask about each candidate of a function, then for the sentence. Raises ModelError."""
    tokens = 0
    odds: list[float] = []
    for other, text, _ in function.others:
        answer = model.complete(ModelRequest(SYSTEM, _pair(function, other, text) + ASKS, 1, choices=CHOICES))
        tokens += answer.input_tokens + answer.output_tokens
        odds.append(_log_odds(answer.choices, answer.text))
    middle = sum(odds) / (len(odds) or 1)
    chances = [_moved(chance, MODEL_SHARE * (each - middle)) for each, (_, _, chance) in zip(odds, function.others, strict=True)]
    best = max(range(len(chances)), key=lambda at: (chances[at], -at))
    other, text, _ = function.others[best]
    answer = model.complete(ModelRequest(SYSTEM, _pair(function, other, text) + ASKS_WHY, REASON_TOKENS, reasoning_tokens=0))
    tokens += answer.input_tokens + answer.output_tokens
    return Judgement(tuple(chances), _first_sentence(answer.text), tokens)


def build_judgement_delta(function: CoreFunction, model: str, judged: Judgement, digest: str, at_ns: int) -> Delta:
    """Build the Delta that stores a judgement in place of an earlier one of the same function. `digest` is of what it was made from."""
    source = SEMANTIC_SOURCE + function.key
    best = max(range(len(judged.chances)), key=lambda at: (judged.chances[at], -at))
    other = function.others[best][0]
    because = f": {judged.reason}" if judged.reason else ""
    said = f"{model} thinks that {function.record.name} and {other.name} ({other.path}) change together{because}"
    data = said.encode("utf-8", "replace")
    inputs = [function.record, *(each for each, _, _ in function.others)]
    record = Record(
        make_id(THOUGHT_KIND, PRODUCER, model, digest),
        Layer.FACT,
        THOUGHT_KIND,
        f"{THOUGHT_KIND}:{function.key}",
        source,
        digest,
        said,
        (RecordText(Resolution.NAME, len(said), said), RecordText(Resolution.FULL, len(data), blob=digest_of(data), end=len(data))),
        path=function.record.path,
        trust=min(Trust.OBSERVED, *(each.trust for each in inputs)),
        at_ns=at_ns,
        lineage=tuple((f"function {'ABCD'[at]}", f"{each.path}::{each.name} {each.id}") for at, each in enumerate(inputs)),
    )
    by = f"{PRODUCER} {model}"
    edges = [
        Edge(EdgeKind.SEMANTIC, function.record.id, each.id, round(chance, 4), function.record.digest, each.digest, by)
        for (each, _, _), chance in zip(function.others, judged.chances, strict=True)
    ]
    edges += [Edge(EdgeKind.DERIVED_FROM, record.id, each.id, 1.0, record.digest, each.digest, by) for each in inputs]
    state = SourceState(source, digest, len(function.others))
    return Delta(
        PRODUCER, source, is_whole=True, records=(record,), edges=tuple(edges), blobs=(Blob(record.full_text.blob, data),), state=state
    )


def _pair(function: CoreFunction, other: Record, text: str) -> str:
    """Return the two functions as they are shown. A stands first: what a model has read of it need not be read again for the next B."""
    a, b = (mask_text(each[:TEXT_CHARS_MAX].encode("utf-8", "replace").decode()) for each in (function.text, text))
    return f"Function A, in {function.record.path}:\n{a}\n\nFunction B, in {other.path}:\n{b}\n\n"


def _log_odds(choices: Sequence[tuple[str, float]], text: str) -> float:
    """Return the log-odds of yes against no by the first token's alternatives; by the answer itself where a server reports none."""
    if not choices:
        word = text.strip().lower()
        return 2.0 if word.startswith("yes") else -2.0 if word.startswith("no") else 0.0
    least = min(value for _, value in choices)
    sums: list[float] = []
    for word in ("yes", "no"):
        held = [math.exp(value) for token, value in choices if token.strip().lower() == word]
        sums.append(math.log(sum(held)) if held else least)
    return sums[0] - sums[1]


def _moved(chance: float, by: float) -> float:
    """Return a chance whose log-odds are moved by so much."""
    kept = min(max(chance, 1e-6), 1 - 1e-6)
    return 1.0 / (1.0 + math.exp(-(math.log(kept / (1.0 - kept)) + by)))


def _first_sentence(text: str) -> str:
    """Return the first sentence of an answer, on one line, cut where it is too long."""
    line = " ".join(text.split())
    end = next((at + 1 for at, sign in enumerate(line) if sign == "." and line[at + 1 : at + 2] in ("", " ")), len(line))
    line = line[:end]
    return line if len(line) <= REASON_CHARS_MAX else line[: REASON_CHARS_MAX - 1] + "…"
