"""The port: what is asked of a model that compresses, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from clew.errors import CompressionOff

REASONING_TOKENS_MAX = 4096  # guess: room for a model that thinks before it answers; what is not used is not billed


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request.

    system         what is wanted, the same for every request.
    text           what it is about.
    answer_tokens  about how long the answer should be at most.
    tokens         about how long system and text are in o200k, which local vocabularies are near to; 0 when nobody counted.
    """

    system: str
    text: str
    answer_tokens: int
    tokens: int = 0

    @property
    def answer_tokens_max(self) -> int:
        """Where the server should stop a model that does not stop by itself."""
        return 2 * self.answer_tokens + REASONING_TOKENS_MAX


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What came back. `is_cut`: the server stopped the model. Tokens as the server counted them, 0 where it does not tell."""

    text: str
    is_cut: bool = False
    input_tokens: int = 0
    output_tokens: int = 0


class Compressor(Protocol):
    """Answers one request at a time."""

    @property
    def name(self) -> str:
        """The model, as it stands in the provenance of what it made."""
        ...

    @property
    def place(self) -> str:
        """Where texts are sent to, as a person reads it."""
        ...

    def complete(self, request: ModelRequest) -> ModelAnswer:
        """Return the answer. Raises ModelError; then nothing is known of what the server did."""
        ...


class DisabledCompressor:
    """Nobody: what holds until somebody chooses a model."""

    name = "off"
    place = "nobody"

    def complete(self, request: ModelRequest) -> ModelAnswer:  # noqa: ARG002  it answers nobody
        """Raises CompressionOff."""
        raise CompressionOff
