"""Embedding: text to vectors by a model that lies in a folder on this machine. Nothing is ever fetched.

There is no model by default; everything works without one. Who has a static model in Model2Vec's form names its
folder in the setting `embedder`, and installs the extra `clew[vectors]` that can read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clew.errors import NotReadable

WEIGHTS = "model.safetensors"


class Embedder(Protocol):
    """A model that turns texts into vectors in microseconds each.

    name  identifies the weights: vectors of two models are never compared.
    """

    name: str

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(len(texts), dims) float32; a text without a known word gives zeros."""
        ...


class StaticEmbedder:
    """A Model2Vec folder: one vector per token, averaged."""

    def __init__(self, folder: Path, model: Any) -> None:
        self._model = model
        self.name = f"model2vec:{blake2b((folder / WEIGHTS).read_bytes(), digest_size=8).hexdigest()}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder`."""
        rows: Any = self._model.encode(list(texts), use_multiprocessing=False, show_progress_bar=False)
        return np.nan_to_num(np.asarray(rows, np.float32))


@cache
def load(folder: str) -> Embedder:
    """Return the model in a folder; once per process. Raises NotReadable if there is none, or if nothing can read it."""
    path = Path(folder).expanduser()
    if not (path / WEIGHTS).is_file():
        raise NotReadable(folder, f"holds no {WEIGHTS}", "the setting `embedder` names a folder in Model2Vec's form; leave it out for none")
    try:
        from model2vec import StaticModel  # lazy: an extra, which only those install who have a model
    except ImportError as missing:
        raise NotReadable(folder, "cannot be read without model2vec", "pip install 'clew[vectors]'") from missing
    try:
        model: Any = StaticModel.from_pretrained(path, force_download=False)  # pyright: ignore[reportUnknownMemberType]
        return StaticEmbedder(path, model)
    except (OSError, ValueError, KeyError) as problem:
        raise NotReadable(folder, f"is no model: {problem}") from problem
