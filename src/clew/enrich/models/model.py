"""Define the request to a model, its answer, and the protocol that clients implement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from clew.errors import NoModel

REASONING_TOKENS_MAX = 4096  # allowed for a model that reasons before it answers; unused ones are not billed; guess


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A request to a model.

    system         instructions, the same for every request.
    text           what they are to be applied to, with its marks.
    answer_tokens  about how long the answer should be at most.
    tokens         about how long system and text are in the o200k vocabulary, which local ones are near to; 0 when not counted.
    reasoning_tokens  room for a model that reasons before it answers.
    choices        how many alternatives of the answer's first token are wanted, with their log probabilities; the answer then ends at
                   `answer_tokens`, without room for reasoning.
    """

    system: str
    text: str
    answer_tokens: int
    tokens: int = 0
    reasoning_tokens: int = REASONING_TOKENS_MAX
    choices: int = 0

    @property
    def answer_tokens_max(self) -> int:
        """Token limit that the server should stop the model at: twice the asked length, and room for reasoning."""
        return self.answer_tokens if self.choices else 2 * self.answer_tokens + self.reasoning_tokens


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """A model's answer.

    is_cut   the server stopped the model at its limit.
    choices  (token, log probability) of the first token, likeliest first; empty where the server reports none.
    Tokens are as the server counted them, 0 where it reports none.
    """

    text: str
    is_cut: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    choices: tuple[tuple[str, float], ...] = ()


class Model(Protocol):
    """Protocol of a model's client, which answers requests one at a time. What it holds is freed by `close`."""

    @property
    def name(self) -> str:
        """The model's name, stored with what it made; of a file it holds the hash of its bytes."""
        ...

    @property
    def place(self) -> str:
        """Address that requests are sent to, or the file that is run, for people to read."""
        ...

    def complete(self, request: ModelRequest) -> ModelAnswer:
        """Send one request and return the model's answer. Raises ModelError when the model fails or refuses."""
        ...

    def close(self) -> None:
        """End what was started for it. A second call does nothing."""
        ...


class DisabledModel:
    """The model in use while none is named: every request raises NoModel."""

    name = "off"
    place = "nobody"

    def complete(self, request: ModelRequest) -> ModelAnswer:  # noqa: ARG002  it never answers
        """Raise NoModel."""
        raise NoModel

    def close(self) -> None:
        """Do nothing."""
