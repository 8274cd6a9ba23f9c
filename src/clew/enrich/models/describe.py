"""Describe a model: what it is, how fast it is on this machine, how much memory it takes, and whether that is free now."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil

from clew.enrich.models.gguf import GgufModel
from clew.enrich.models.known import KnownModels, Measured
from clew.enrich.models.model import Model, ModelRequest
from clew.enrich.models.naming import ModelKind

MEASURE_WORDS = 300  # of the long request, about as many tokens
MEASURE_TOKENS = 48  # of the answer to the short request


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What is known of a model. Numbers are None where nobody has measured or said them.

    sha256   of a file's bytes, "" for a server's model.
    context  tokens that one request and its answer may take together.
    fits     whether the memory that it takes is free now; None for a server's model.
    """

    name: str
    kind: ModelKind
    place: str
    sha256: str = ""
    context: int | None = None
    prefill_tokens_per_s: float | None = None
    generate_tokens_per_s: float | None = None
    memory_mb: int | None = None
    fits: bool | None = None


def describe_model(model: Model, kind: ModelKind, known: KnownModels) -> ModelDescription:
    """Describe a model from its file and from what was measured before. Starts nothing and sends nothing but the question for a name."""
    measured = known.measured(model.name)
    prefill, generate = measured.prefill_tokens_per_s or None, measured.generate_tokens_per_s or None
    if not isinstance(model, GgufModel):
        return ModelDescription(model.name, kind, model.place, prefill_tokens_per_s=prefill, generate_tokens_per_s=generate)
    memory = measured.memory_mb or model.header.memory_mb(model.context)
    return ModelDescription(
        model.name, kind, model.place, model.sha256, model.context, prefill, generate, memory,
        memory * 1e6 <= psutil.virtual_memory().available,
    )  # fmt: skip


def measure_model(model: Model, known: KnownModels) -> Measured:
    """Time a long request with an answer of one token and a short one with a long answer, and remember the speeds.

    Raises ModelError. Cost  about 350 tokens read and 50 written: some seconds to a minute on two cores.
    """
    warm = ModelRequest("You count.", "Say one.", 1, choices=1)
    model.complete(warm)  # loads the file
    words = " ".join(f"w{number * 7919 % 1000}" for number in range(MEASURE_WORDS))
    long_s, read = _timed(model, ModelRequest("You count words.", f"How many words are these: {words}", 1, choices=1))
    short_s, written = _timed(
        model, ModelRequest("You count.", "Count from one to fifty, in words.", MEASURE_TOKENS, choices=1), of_answer=True
    )
    prefill = read / long_s if read else 0.0
    generate = written / short_s if written > 1 else 0.0
    memory = model.memory_mb if isinstance(model, GgufModel) else 0
    measured = Measured(round(prefill, 1), round(generate, 1), memory)
    known.remember(model.name, measured)
    return measured


def _timed(model: Model, request: ModelRequest, *, of_answer: bool = False) -> tuple[float, int]:
    """Seconds of a request, and the tokens that were read or written for it."""
    started = time.perf_counter()
    answer = model.complete(request)
    seconds = max(time.perf_counter() - started, 1e-6)
    return seconds, answer.output_tokens if of_answer else answer.input_tokens
