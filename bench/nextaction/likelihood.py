"""Likelihood: how probable a GGUF model finds a given text behind a given context, token by token.

The door that clew has for models answers requests and tells no probabilities of a text that is given, nor does any server of llama.cpp.
So this calls llama.cpp's C functions in the library that `xllamacpp` brings. Structures are handed on as opaque bytes, larger than they
are; the few fields that are set are checked against their defaults first.
"""

from __future__ import annotations

import ctypes as c
import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

BATCH = 512  # tokens that are evaluated together
_WORDS = 64  # of 8 bytes, more than any structure of parameters has


class _Opaque(c.Structure):
    _fields_ = (("words", c.c_uint64 * _WORDS),)


class _Batch(c.Structure):
    _fields_ = (
        ("n_tokens", c.c_int32),
        ("token", c.POINTER(c.c_int32)),
        ("embd", c.POINTER(c.c_float)),
        ("pos", c.POINTER(c.c_int32)),
        ("n_seq_id", c.POINTER(c.c_int32)),
        ("seq_id", c.POINTER(c.POINTER(c.c_int32))),
        ("logits", c.POINTER(c.c_int8)),
    )


class UnknownLibrary(RuntimeError):
    """The installed llama.cpp lays out its parameters otherwise than this module knows."""


class LikelihoodModel:
    """A GGUF file in this process; `context` is the most tokens that context and text may have together. Free it with `close` or `with`."""

    def __init__(self, path: Path, *, context: int, threads: int) -> None:
        if not path.is_file():
            raise FileNotFoundError(path)
        self._library = library = _library()
        self.context = context
        self._model = library.llama_model_load_from_file(os.fsencode(path), library.llama_model_default_params())
        if not self._model:
            raise ValueError(f"{path}: is no model that llama.cpp reads")
        self._vocabulary = library.llama_model_get_vocab(self._model)
        self._size = library.llama_vocab_n_tokens(self._vocabulary)
        params = library.llama_context_default_params()
        fields = c.cast(c.pointer(params), c.POINTER(c.c_uint32))
        if (
            list(fields[0:4]) != [512, 2048, 512, 1] or fields[7] != fields[8]
        ):  # n_ctx, n_batch, n_ubatch, n_seq_max; both numbers of threads
            raise UnknownLibrary(f"llama_context_params begins with {list(fields[0:9])}")
        fields[0], fields[1], fields[2], fields[7], fields[8] = context, BATCH, BATCH, threads, threads
        self._context = library.llama_init_from_model(self._model, params)
        if not self._context:
            raise ValueError(f"{path}: no context of {context} tokens could be made")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Free the model."""
        self.close()

    def close(self) -> None:
        """Free the model. A second call does nothing."""
        if self._context:
            self._library.llama_free(self._context)
            self._library.llama_model_free(self._model)
            self._context = self._model = None

    def tokens(self, text: str, *, at_start: bool = False) -> list[int]:
        """Return the tokens of a text, in which no word is a control token; `at_start` puts the token of a beginning in front."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        found = (c.c_int32 * room)()
        count = self._library.llama_tokenize(self._vocabulary, data, len(data), found, room, at_start, False)
        if count < 0:
            raise ValueError(f"a text of {len(data)} bytes has more than {room} tokens")
        return list(found[:count])

    def log_probabilities(self, before: Sequence[int], then: Sequence[int]) -> NDArray[np.float64]:
        """Return (len(then),) the natural logarithm of each token's probability behind all that come before it.

        Raises ValueError where both do not fit the context. Cost: one evaluation of all tokens.
        """
        whole = [*before, *then]
        if not before or len(whole) > self.context:
            raise ValueError(f"{len(before)} and {len(then)} tokens in a context of {self.context}")
        library = self._library
        library.llama_memory_clear(library.llama_get_memory(self._context), True)
        out = np.zeros(len(then))
        batch = library.llama_batch_init(BATCH, 0, 1)
        try:
            for start in range(0, len(whole) - 1, BATCH):
                part = range(start, min(start + BATCH, len(whole) - 1))
                wanted = [at for at in part if at + 1 >= len(before)]  # the token behind it is one of `then`
                batch.n_tokens = len(part)
                for slot, at in enumerate(part):
                    batch.token[slot], batch.pos[slot], batch.n_seq_id[slot], batch.seq_id[slot][0] = whole[at], at, 1, 0
                    batch.logits[slot] = at + 1 >= len(before)
                if code := library.llama_decode(self._context, batch):
                    raise ValueError(f"llama_decode returned {code}")
                for at in wanted:
                    logits = np.ctypeslib.as_array(library.llama_get_logits_ith(self._context, at - start), (self._size,)).astype(
                        np.float64
                    )
                    top = logits.max()
                    out[at + 1 - len(before)] = logits[whole[at + 1]] - top - np.log(np.exp(logits - top).sum())
        finally:
            library.llama_batch_free(batch)
        return out


def _library() -> c.CDLL:
    """The library of the installed extra, with the types of the functions that are called."""
    extra: Any = importlib.import_module("xllamacpp")  # has no types, and only runs with a model need it
    library = c.CDLL(extra.xllamacpp.__file__)
    types: dict[str, tuple[object, list[object]]] = {
        "llama_model_default_params": (_Opaque, []),
        "llama_context_default_params": (_Opaque, []),
        "llama_model_load_from_file": (c.c_void_p, [c.c_char_p, _Opaque]),
        "llama_model_get_vocab": (c.c_void_p, [c.c_void_p]),
        "llama_vocab_n_tokens": (c.c_int32, [c.c_void_p]),
        "llama_init_from_model": (c.c_void_p, [c.c_void_p, _Opaque]),
        "llama_free": (None, [c.c_void_p]),
        "llama_model_free": (None, [c.c_void_p]),
        "llama_tokenize": (c.c_int32, [c.c_void_p, c.c_char_p, c.c_int32, c.POINTER(c.c_int32), c.c_int32, c.c_bool, c.c_bool]),
        "llama_get_memory": (c.c_void_p, [c.c_void_p]),
        "llama_memory_clear": (None, [c.c_void_p, c.c_bool]),
        "llama_batch_init": (_Batch, [c.c_int32, c.c_int32, c.c_int32]),
        "llama_batch_free": (None, [_Batch]),
        "llama_decode": (c.c_int32, [c.c_void_p, _Batch]),
        "llama_get_logits_ith": (c.POINTER(c.c_float), [c.c_void_p, c.c_int32]),
    }
    for name, (result, arguments) in types.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
