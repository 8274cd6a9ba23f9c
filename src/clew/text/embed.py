"""Embed texts as vectors by a model of the user's own on this machine. Nothing is ever downloaded; without a model there are no vectors.

The setting `embedder` names the folder of a static model in Model2Vec's form, which the extra `clew[vectors]` can read.
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

WEIGHTS_NAME = "model.safetensors"


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


@cache
def load_embedder(folder: str) -> Embedder:
    """Return the embedding model in a folder, in Model2Vec's format, loaded once per process.

    Raises NotReadable if the folder holds no model, the model is damaged, or `model2vec` is not installed.
    """
    path = Path(folder).expanduser()
    if not (path / WEIGHTS_NAME).is_file():
        hint = "the setting `embedder` names a folder in Model2Vec's form; leave it out for none"
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
