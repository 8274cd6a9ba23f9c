"""Read the header of a GGUF file: what the model is called, how long its context may be, and how much memory it takes.

Only the key-value pairs at the file's beginning are read, never its tensors.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from clew.errors import BadModelFile

MAGIC = b"GGUF"
KEYS_MAX = 4096  # of a header; real ones have below a hundred
TEXT_BYTES_MAX = 1 << 24  # of one text of a header: chat templates have some thousands
ARRAY_LENGTH_MAX = 1 << 24  # entries of one array: vocabularies have some hundred thousand
CACHE_BYTES = 2  # of one number in the cache of keys and values, which are halves
RUN_MB = 150  # of the program and its buffers, beside file and cache: 124 with the 270M and 1,024 tokens in one batch
_SIZES = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_TEXT, _ARRAY = 8, 9


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a GGUF file says of itself; numbers are 0 where it does not say.

    context      tokens that the model was made for.
    cache_bytes  of one token's keys and values, in all layers.
    reasons      whether its template knows a model's thoughts.
    is_chat      whether it has a template at all: a model without one continues texts and answers nothing.
    """

    name: str
    architecture: str
    context: int
    cache_bytes: int
    file_bytes: int
    reasons: bool = False
    is_chat: bool = False

    def memory_mb(self, context: int) -> int:
        """Estimate the memory in megabytes that a run with this context takes."""
        return round((self.file_bytes + self.cache_bytes * context) / 1e6) + RUN_MB


def read_gguf_header(path: Path) -> GgufHeader:
    """Read a GGUF file's header. Raises BadModelFile where the file is missing, cannot be read, or is none."""
    try:
        with path.open("rb") as stream:
            values = _read_values(path, stream)
        size = path.stat().st_size
    except OSError as error:
        raise BadModelFile(str(path), (error.strerror or str(error)).lower()) from None
    except (struct.error, UnicodeDecodeError, KeyError, ValueError, OverflowError, MemoryError):
        raise BadModelFile(str(path), "its header is cut short or broken", "fetch the file again") from None
    architecture = str(values.get("general.architecture", ""))

    def number(key: str) -> int:
        value = values.get(f"{architecture}.{key}", 0)
        return int(value) if isinstance(value, int | float) else 0

    heads = number("attention.head_count")
    width = number("embedding_length") // heads if heads else 0
    per_layer = (number("attention.key_length") or width) + (number("attention.value_length") or width)
    cache = number("block_count") * (number("attention.head_count_kv") or heads) * per_layer * CACHE_BYTES
    template = str(values.get("tokenizer.chat_template", ""))
    return GgufHeader(
        str(values.get("general.name", "")) or path.stem,
        architecture,
        number("context_length"),
        cache,
        size,
        "<think>" in template,
        bool(template),
    )


def _read_values(path: Path, stream: BinaryIO) -> Mapping[str, Any]:
    if stream.read(4) != MAGIC:
        raise BadModelFile(str(path), "is no GGUF file", "name a model's file that ends in .gguf")
    version, _, count = _unpack(stream, "<IQQ")
    if version not in (2, 3):
        raise BadModelFile(str(path), f"is of GGUF version {version}", "versions 2 and 3 are known")
    if count > KEYS_MAX:
        raise ValueError(count)
    return dict(_read_pair(stream) for _ in range(count))


def _read_pair(stream: BinaryIO) -> tuple[str, Any]:
    key = _read_text(stream)
    [kind] = _unpack(stream, "<I")
    return key, _read_value(stream, kind)


def _read_value(stream: BinaryIO, kind: int) -> Any:
    """One value; None for an array, which is passed over."""
    if kind == _TEXT:
        return _read_text(stream)
    if kind != _ARRAY:
        return _unpack(stream, _SIZES[kind])[0]
    inner, length = _unpack(stream, "<IQ")
    if length > ARRAY_LENGTH_MAX:
        raise ValueError(length)
    if inner in _SIZES:
        stream.seek(struct.calcsize(_SIZES[inner]) * length, 1)
    else:
        for _ in range(length):
            _read_value(stream, inner)
    return None


def _read_text(stream: BinaryIO) -> str:
    [length] = _unpack(stream, "<Q")
    if length > TEXT_BYTES_MAX:
        raise ValueError(length)
    return stream.read(length).decode()


def _unpack(stream: BinaryIO, form: str) -> tuple[int, ...]:
    return cast("tuple[int, ...]", struct.unpack(form, stream.read(struct.calcsize(form))))
