"""Count the tokens of a text for the model that will read it.
The vocabularies of Claude's models are not public, and an exact tokenizer is slow and large, so a count is an estimate: a sum
over the text's bytes, each costing what its class costs after the class before it, in one of four contexts. The weights were
fitted to reference counts (`train/tokens`), the error on projects never seen in the fit is stated beside them (`error`,
`bench/tokens`). The estimate is the same on every machine, whatever is installed, so packets are too. `chars4` is no
estimate but a definition: characters / 4.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clew.errors import UnknownTokenizer

TOKENIZER_FAMILIES: tuple[str, ...] = ("claude-4.7", "claude-3", "o200k", "chars4")
NEWEST_FAMILY = "claude-4.7"  # what a Claude without a version means

_ALIASES = ("claude", "opus", "sonnet", "haiku", "fable", "opusplan")
_OPENAI = re.compile(r"gpt-4o|gpt-4\.[1-9]|gpt-(?:[5-9]|[1-9]\d)(?!\d)|gpt-oss|chatgpt-4o|o[1-9](?!\w)|codex")
_VERSION = re.compile(r"(?<![\d.])v?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")

_WEIGHTS = Path(__file__).with_name("token_weights.bin")
_STATED = Path(__file__).with_name("token_weights.json")
_CLASSES, _CONTEXTS = 64, 4
_BLOCK_BYTES = 32_768  # its indices (8 bytes each) stay in the second-level cache; int32 sums cannot overflow
_START = b"\n\n"  # a text begins as if it stood at the start of a line


@dataclass(frozen=True, slots=True)
class _Table:
    """One family's weights in integer units of 1/per_token tokens, and the most that a seam can add."""

    weights: NDArray[np.int32]  # (16384,) by class of the byte · 256 + context · 64 + class of the byte before
    per_token: int
    seam: int


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """Estimates how many tokens a text has for models of one tokenizer family; made by `make_counter`.

    Counts add up, so a window can be planned from its pieces. With m = `count_unrounded` and s the `seam` of the weights, for all texts
    a, b:

        m(a) <= m(a + b) <= m(a) + m(b) + s, and m(a + b) == m(a) + m(b) when a is empty or ends in a newline.

    Counts are sums of integers: the order of additions changes nothing.
    """

    name: str

    def count_unrounded(self, text: str) -> float:
        """Return the number of tokens of a text, not rounded; 0.0 for "". Lone surrogates count as three bytes."""
        if self.name == "chars4":
            return len(text) / 4
        return self._tokens(_total(_encoded(text), _table(self.name)))

    def count_unrounded_many(self, texts: Sequence[str]) -> list[float]:
        """Return the number of tokens of each text, not rounded; several times as fast as one by one for short texts."""
        if self.name == "chars4":
            return [len(text) / 4 for text in texts]
        return [self._tokens(total) for total in _totals(texts, _table(self.name))]

    def count(self, text: str) -> int:
        """Return the number of tokens of a text, rounded up."""
        if self.name == "chars4":
            return -(-len(text) // 4)
        return self._whole(_total(_encoded(text), _table(self.name)))

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, rounded up; several times as fast as one by one for short texts."""
        if self.name == "chars4":
            return [-(-len(text) // 4) for text in texts]
        return [self._whole(total) for total in _totals(texts, _table(self.name))]

    def _tokens(self, total: int) -> float:
        return total / _table(self.name).per_token

    def _whole(self, total: int) -> int:
        return -(-total // _table(self.name).per_token)


def make_counter(name: str) -> TokenCounter:
    """Return the token counter for a tokenizer family, an alias or a model's name. Raises UnknownTokenizer for other names."""
    return TokenCounter(resolve_family(name))


def resolve_family(name: str) -> str:
    """Return the tokenizer family, one of TOKENIZER_FAMILIES, that a name stands for.

    name    a family; a model's name in any form (`claude-opus-4-5-20251101`, `us.anthropic.claude-sonnet-4-6-v1:0`,
            `claude-3-5-haiku-latest`, `gpt-5-codex`); or an alias (`claude`, `opus`), which means the newest family.
    Claude 3 to 4.6 share a vocabulary, and all from 4.7 on share another.
    Raises  UnknownTokenizer, also for models older than Claude 3 or GPT-4o: their vocabularies were not fitted.
    """
    plain = name.strip().lower()
    if plain in TOKENIZER_FAMILIES:
        return plain
    base = plain.split("[", 1)[0].rsplit("/", 1)[-1]
    if base in _ALIASES:
        return NEWEST_FAMILY
    at = base.find("claude-")
    if at >= 0:
        version = _VERSION.search(base, at + len("claude-"))
        if version is None:
            return NEWEST_FAMILY
        major, minor = int(version[1]), int(version[2] or 0)
        if major >= 3:
            return NEWEST_FAMILY if (major, minor) >= (4, 7) else "claude-3"
    elif _OPENAI.match(base):
        return "o200k"
    raise UnknownTokenizer(name, (*TOKENIZER_FAMILIES, "claude"))


def _encoded(text: str) -> bytes:
    """UTF-8; transcripts hold lone surrogates, which must not stop a count."""
    return text.encode("utf-8", "surrogatepass")


def _total(data: bytes, table: _Table) -> int:
    """Sum of weights over a text, block by block; each block begins with the two bytes before it."""
    if len(data) <= _BLOCK_BYTES:
        return int(np.add.reduce(_costs(_START + data, table), dtype=np.int32))
    total = int(np.add.reduce(_costs(_START + data[:_BLOCK_BYTES], table), dtype=np.int32))
    for at in range(_BLOCK_BYTES, len(data), _BLOCK_BYTES):
        total += int(np.add.reduce(_costs(data[at - 2 : at + _BLOCK_BYTES], table), dtype=np.int32))
    return total


def _totals(texts: Sequence[str], table: _Table) -> list[int]:
    """`_total` of each text. Short ones are joined, two newlines before each, and summed from a running total."""
    encoded = [_encoded(text) for text in texts]
    found: list[int] = []
    at = 0
    while at < len(encoded):
        end, size = at, 0
        while end < len(encoded) and (end == at or size + len(encoded[end]) <= _BLOCK_BYTES):
            size += len(encoded[end])
            end += 1
        if end - at == 1:
            found.append(_total(encoded[at], table))
        else:
            sizes = np.fromiter(map(len, encoded[at:end]), np.int64, end - at)
            running = np.zeros(size + 2 * (end - at) - 1, np.int64)
            np.cumsum(_costs(_START + _START.join(encoded[at:end]), table), out=running[1:])
            stops = np.cumsum(sizes + len(_START)) - len(_START)
            found += [int(total) for total in running[stops] - running[stops - sizes]]
        at = end
    return found


def _costs(data: bytes, table: _Table) -> NDArray[np.int32]:
    """The weight of each byte from the third on; the two before only set its class before and its context."""
    classes, contexts = _byte_tables()
    kind = np.frombuffer(data.translate(classes), np.uint8)
    context = np.frombuffer(data.translate(contexts), np.uint8)
    place = kind[2:].astype(np.intp)
    place <<= 8
    place |= kind[1:-1] | context[:-2]
    return table.weights.take(place, mode="clip")  # places are below 16,384 by construction; "clip" skips the check


@cache
def _byte_tables() -> tuple[bytes, bytes]:
    """The class (0 to 63) and the context (0, 64, 128 or 192) of each byte, as tables for `bytes.translate`."""
    raw = _raw()
    return raw[:256], bytes(context << 6 for context in raw[256:512])


@cache
def _table(family: str) -> _Table:
    """The weights of a family, as they stand in the file: little-endian 16-bit integers, families in the stated order."""
    stated = _stated()
    size = _CLASSES * _CONTEXTS * _CLASSES
    start = 512 + 2 * size * stated["families"].index(family)
    weights = np.frombuffer(_raw(), "<u2", size, start).astype(np.int32)
    # A second piece is counted as if after a newline: its first byte may cost more after another class, its second in
    # another context. Both together bound what a seam adds.
    cube = weights.reshape(_CLASSES, _CONTEXTS, _CLASSES)
    first = int((cube.max(axis=(1, 2)) - cube[:, 0, 0]).max())
    second = int((cube.max(axis=1) - cube[:, 0, :]).max())
    return _Table(weights, int(stated["per_token"]), first + second)


@cache
def _raw() -> bytes:
    return zlib.decompress(_WEIGHTS.read_bytes())


@cache
def _stated() -> dict[str, Any]:
    return json.loads(_STATED.read_text(encoding="utf-8"))
