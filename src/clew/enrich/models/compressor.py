"""Define the request to a model that compresses, its answer, and the protocol that clients implement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from clew.errors import NoCompressionModel

REASONING_TOKENS_MAX = 4096  # allowed for a model that reasons before it answers; unused ones are not billed; guess


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A request to a model.

    system         instructions, the same for every request.
    text           the text to compress, with its marks.
    answer_tokens  about how long the answer should be at most.
    tokens         about how long system and text are in the o200k vocabulary, which local ones are near to; 0 when not counted.
    """

    system: str
    text: str
    answer_tokens: int
    tokens: int = 0

    @property
    def answer_tokens_max(self) -> int:
        """Token limit that the server should stop the model at: twice the asked length, and room for reasoning."""
        return 2 * self.answer_tokens + REASONING_TOKENS_MAX


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """A model's answer. `is_cut`: the server stopped the model at its limit. Tokens as the server counted them, 0 where it reports none."""

    text: str
    is_cut: bool = False
    input_tokens: int = 0
    output_tokens: int = 0


class Compressor(Protocol):
    """Protocol of a model client that answers compression requests, one at a time."""

    @property
    def name(self) -> str:
        """The model's name, stored with what it made."""
        ...

    @property
    def place(self) -> str:
        """Address that requests are sent to, for people to read."""
        ...

    def complete(self, request: ModelRequest) -> ModelAnswer:
        """Send one request and return the model's answer. Raises ModelError when the server fails or refuses."""
        ...


class DisabledCompressor:
    """Compressor in use while no model is set: every request raises CompressionOff."""

    name = "off"
    place = "nobody"

    def complete(self, request: ModelRequest) -> ModelAnswer:  # noqa: ARG002  it never answers
        """Raise CompressionOff."""
        raise NoCompressionModel
