"""Embed texts as vectors by a model on this machine. Nothing is ever downloaded.

The setting `embedder` says which: `builtin` is the table that this package ships (made by `train/embedding`), a folder is a
static model in Model2Vec's form, which the extra `clew[vectors]` can read, and "" is none; everything works without one.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh64_intdigest

from clew.errors import NotReadable
from clew.text.words import WORD_CHARS_MAX, extract_words, split_word

WEIGHTS_NAME = "model.safetensors"
BUILTIN = "builtin"
TABLE_PATH = Path(__file__).with_name("static.bin")
_MAGIC = b"clewemb1"
_TERMS_A_BLOCK = 256  # their rows take 256 kB as float32: 37 µs a text of 60 terms, 62 with eight times as many
_WORDS_MAX = 1 << 17


class Embedder(Protocol):
    """An embedding model. `name` identifies its weights: vectors of two models are never compared."""

    name: str

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of these texts, (len(texts), dims) float32; a text without a known word gives zeros."""
        ...


class Model2VecEmbedder:
    """An embedding model in Model2Vec's format: a text is the mean of its tokens' vectors."""

    def __init__(self, folder: Path, model: Any) -> None:
        self._model = model
        self.name = f"model2vec:{blake2b((folder / WEIGHTS_NAME).read_bytes(), digest_size=8).hexdigest()}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of these texts, (len(texts), dims) float32; a text without a known token gives zeros."""
        rows: Any = self._model.encode(list(texts), use_multiprocessing=False, show_progress_bar=False)
        return np.nan_to_num(np.asarray(rows, np.float32))


class _Rows(dict[str, tuple[int, ...]]):
    """The rows of a raw word's search terms, found once per word."""

    def __init__(self, row_of: dict[int, int]) -> None:
        super().__init__()
        self._row_of = row_of

    def __missing__(self, word: str) -> tuple[int, ...]:
        if len(self) >= _WORDS_MAX:
            self.clear()
        hashes = (xxh64_intdigest(term.encode("utf-8", "surrogatepass")) for term in split_word(word))
        rows = tuple(self._row_of[key] for key in hashes if key in self._row_of)
        self[word[:WORD_CHARS_MAX]] = rows
        return rows


class TableEmbedder:
    """The embedding model that clew ships: one row per search term.

    A text is the sum of its terms' rows, each times 1 + log of its count, normalised to length 1.
    """

    def __init__(self, data: bytes | mmap.mmap) -> None:
        if data[:8] != _MAGIC:
            raise ValueError("not a table of embeddings, or one of another version")
        self.terms, self.dims = struct.unpack_from("<2I", data, 8)
        digest = data[16:24].hex()
        self.name = f"clew:{digest}"
        at = 24
        hashes = np.frombuffer(data, "<u8", self.terms, at)
        self._scales = np.frombuffer(data, "<f4", self.terms, at + 8 * self.terms)
        self._table = np.frombuffer(data, "i1", self.terms * self.dims, at + 12 * self.terms).reshape(self.terms, self.dims)
        self.row_of = dict(zip(hashes.tolist(), range(self.terms), strict=True))
        self._rows = _Rows(self.row_of)

    def table(self) -> NDArray[np.float32]:
        """Return the dequantised rows of all terms, (terms, dims) float32."""
        return self._table * self._scales[:, None]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of these texts, (len(texts), dims) float32; a text without a known term gives zeros.

        Each vector depends on its text alone, to the last bit: sums run in the order of the rows.
        """
        found = [list(chain.from_iterable(map(self._rows.__getitem__, extract_words(text)))) for text in texts]
        sizes = np.fromiter(map(len, found), np.int64, len(found))
        vectors = np.zeros((len(texts), self.dims), np.float32)
        keys = np.repeat(np.arange(len(found)) * self.terms, sizes) + np.fromiter(chain.from_iterable(found), np.int64, int(sizes.sum()))
        keys.sort()
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        times = np.diff(first, append=len(keys))
        owner, rows = np.divmod(keys[first], self.terms)
        weights = (1 + np.log(times)).astype(np.float32) * self._scales[rows]
        starts = np.flatnonzero(np.diff(owner, prepend=-1))
        edges = [*_blocks(starts, len(owner)), len(owner)]
        for low, high in pairwise(edges):
            inside = starts[np.searchsorted(starts, low) : np.searchsorted(starts, high)]
            gathered = self._table[rows[low:high]] * weights[low:high, None]
            vectors[owner[inside]] = np.add.reduceat(gathered, inside - low, axis=0)
        lengths = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
        return vectors / np.maximum(lengths, np.float32(1e-12))


def _blocks(starts: NDArray[np.int64], size: int) -> list[int]:
    """Where to cut, at the start of a text each time, so that blocks hold about _TERMS_A_BLOCK terms."""
    if not size:
        return []
    wanted = np.searchsorted(starts, np.arange(0, size, _TERMS_A_BLOCK), side="right") - 1
    return np.unique(starts[wanted]).tolist()


def pack_table(hashes: NDArray[np.uint64], rows: NDArray[np.float32]) -> bytes:
    """Return the bytes that `TableEmbedder` reads: rows in int8 with a scale each, in the order of their terms' hashes."""
    order = np.argsort(hashes)
    scales = np.maximum(np.abs(rows).max(axis=1) / 127, 1e-12).astype("<f4")
    quantised = np.rint(rows / scales[:, None]).astype("i1")
    body = hashes[order].astype("<u8").tobytes() + scales[order].tobytes() + quantised[order].tobytes()
    head = struct.pack("<2I", *rows.shape)
    return _MAGIC + head + blake2b(head + body, digest_size=8).digest() + body


@cache
def load_builtin_embedder() -> Embedder:
    """Return the embedding model that clew ships, mapped from disk once per process. Raises NotReadable if it is missing or damaged."""
    try:
        with TABLE_PATH.open("rb") as file:
            return TableEmbedder(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as problem:
        raise NotReadable(
            str(TABLE_PATH), f"is no model: {problem}", "install clew again, or leave the setting `embedder` out"
        ) from problem


@cache
def load_embedder(folder: str) -> Embedder:
    """Return the embedding model that the setting `embedder` names, loaded once per process.

    folder  `builtin`, or a folder in Model2Vec's format.
    Raises NotReadable if the folder holds no model, the model is damaged, or `model2vec` is not installed.
    """
    if folder == BUILTIN:
        return load_builtin_embedder()
    path = Path(folder).expanduser()
    if not (path / WEIGHTS_NAME).is_file():
        hint = f"the setting `embedder` is `{BUILTIN}`, or names a folder in Model2Vec's form; leave it out for none"
        raise NotReadable(folder, f"holds no {WEIGHTS_NAME}", hint)
    try:
        from model2vec import StaticModel  # lazy: an extra, which only those install who have a model
    except ImportError as missing:
        raise NotReadable(folder, "cannot be read without model2vec", "pip install 'clew[vectors]'") from missing
    try:
        model: Any = StaticModel.from_pretrained(path, force_download=False)  # pyright: ignore[reportUnknownMemberType]
        return Model2VecEmbedder(path, model)
    except (OSError, ValueError, KeyError) as problem:
        raise NotReadable(folder, f"is no model: {problem}") from problem
