"""Shorten old tool outputs in the body of an API request. Which ones, `clew.sessions.folds` decides.

A request that cannot be parsed is sent unchanged.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import xxhash

from clew.sessions.context import DaemonContext
from clew.sessions.folds import ShortenedOutputRegistry, ShortenedOutputs
from clew.sessions.live import LiveSessions
from clew.transcript import window
from clew.transcript.window import FoldedOutput, WindowMessage, WindowOutput

FAST_S = 0.02  # of one conversation's last request; a thread costs it 3 to 5 ms at 1 MB (bench/inside)
_SUMMARY = (b"CRITICAL: Respond with TEXT ONLY", b"create a detailed summary of")
_FOLDER = re.compile(r"[Ww]orking directory: ([^\n\"\\]{1,1000})")
_MARK = re.compile(rb',?\s*"cache_control":\s*\{[^{}]{0,200}\}')
_TOP = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_MESSAGE = msgspec.json.Decoder(dict[str, Any])


@dataclass(slots=True)
class _ConversationCache:
    """Parsed messages of a conversation's last request, and the bytes of those in which outputs were replaced."""

    messages: dict[int, WindowMessage] = field(default_factory=dict[int, WindowMessage])
    rewritten: dict[tuple[int, tuple[str, ...]], bytes] = field(default_factory=dict[tuple[int, tuple[str, ...]], bytes])


class RequestRewriter:
    """Rewriter of API requests that replaces old tool outputs by shorter forms, the same ones in each request of a conversation.
    Thread-safe.
    """

    def __init__(self, context: DaemonContext, sessions: LiveSessions) -> None:
        self.sessions, self.folds = sessions, ShortenedOutputRegistry(context)
        self._last: WeakKeyDictionary[ShortenedOutputs, _ConversationCache] = WeakKeyDictionary()

    def rewrite(self, data: bytes, *, session: str, agent: str, is_counting: bool) -> bytes:
        """Return the body to send in place of `data`: the same bytes where nothing is shortened.

        session, agent  ids that the client sends with its request; without a session nothing is shortened.
        is_counting     the request only counts tokens: outputs shortened before stay so, no new one is.
        """
        if not session:
            return data
        folds = self.folds.get(session, agent)
        started = time.perf_counter()
        with folds.lock:
            request = _parse_request(data, self._last.setdefault(folds, _ConversationCache()))
            sent = data if request is None else self._rewrite(data, request, folds, is_counting=is_counting)
        folds.took_s = time.perf_counter() - started
        return sent

    def is_fast(self, *, session: str, agent: str) -> bool:
        """Return whether the conversation's last request took so little time that a thread for the next would cost more."""
        return self.folds.get(session, agent).took_s < FAST_S

    def _rewrite(self, data: bytes, request: _ApiRequest, folds: ShortenedOutputs, *, is_counting: bool) -> bytes:
        outputs = window.find_outputs(request.messages)
        request.fold(folds.find_existing(outputs))
        if is_counting:
            return request.encode(data)
        ttl_s, model, head = window.parse_cache_ttl_s(bytes(request.top.get("system", b""))), request.model, request.head_chars
        is_warm = folds.begin_request(model=model, ttl_s=ttl_s)
        if not request.is_summary and not folds.context.withholds(folds.session, "reduction"):
            calls = sum(each.role == "assistant" for each in request.messages)
            chars, folder = [len(each) for each in request.sent], partial(self._folder, request, folds.session)
            request.fold(folds.fold_outputs(outputs, chars, calls=calls, head_chars=head, is_warm=is_warm, ttl_s=ttl_s, find_cwd=folder))
        own = list(zip(request.keys, map(len, request.sent), strict=True))
        folds.record_request(own, [len(each) for each in request.raw], head_chars=head, model=model, ttl_s=ttl_s)
        return request.encode(data)

    def _folder(self, request: _ApiRequest, session: str) -> Path:
        """Return the working directory of a session: as its hooks or its messages name it, else the user's home."""
        live = self.sessions.find(session)
        if live is not None and live.cwd and Path(live.cwd).is_dir():
            return Path(live.cwd)
        for raw in request.raw[:4]:
            found = _FOLDER.search(raw.decode("utf-8", "replace").replace("\\n", "\n"))
            if found and Path(found[1].strip()).is_dir():
                return Path(found[1].strip())
        return Path.home()


@dataclass(slots=True)
class _ApiRequest:
    """API request as received and as it will be sent: only messages with a replaced output are encoded again.

    top       its top-level fields; raw  the messages received, sent  those to send, keys  their identities, messages  their contents.
    rewritten messages as encoded for an earlier request: (message key, handles) → bytes.
    """

    top: dict[str, msgspec.Raw]
    raw: list[bytes]
    sent: list[bytes]
    keys: list[int]
    messages: list[WindowMessage]
    rewritten: dict[tuple[int, tuple[str, ...]], bytes]

    @property
    def model(self) -> str:
        """Name of the model that the request asks for."""
        return bytes(self.top.get("model", b"")).decode("utf-8", "replace").strip('"')

    @property
    def head_chars(self) -> int:
        """Number of characters before the first message: system prompt and tools."""
        return sum(len(bytes(self.top.get(name, b""))) for name in ("system", "tools"))

    @property
    def is_summary(self) -> bool:
        """Whether the client asks for the summary of a compaction, in which nothing new is shortened."""
        last = next((raw for raw, said in zip(reversed(self.raw), reversed(self.messages), strict=True) if said.role == "user"), b"")
        return any(mark in last[-20_000:] for mark in _SUMMARY)

    def fold(self, folds: Sequence[tuple[WindowOutput, FoldedOutput]]) -> None:
        """Replace outputs by their shorter texts, in the form (string or blocks) they came in; cache marks stay."""
        by_message: dict[int, list[tuple[int, FoldedOutput]]] = {}
        for output, fold in folds:
            by_message.setdefault(output.message_index, []).append((output.block_index, fold))
        for at, parts in by_message.items():
            name = (self.keys[at], tuple(fold.handle for _, fold in parts))
            is_plain = self.sent[at] is self.raw[at] and b'"cache_control"' not in self.raw[at]
            if is_plain and name in self.rewritten:
                self.sent[at] = self.rewritten[name]
                continue
            self.sent[at] = _replace_outputs(self.sent[at], parts)
            if is_plain:
                self.rewritten[name] = self.sent[at]

    def encode(self, data: bytes) -> bytes:
        """Return the body to send: `data` itself where no output was replaced."""
        if self.sent == self.raw:
            return data
        return msgspec.json.encode({**self.top, "messages": msgspec.Raw(b"[" + b",".join(self.sent) + b"]")})


def _replace_outputs(raw: bytes, parts: Sequence[tuple[int, FoldedOutput]]) -> bytes:
    message = msgspec.json.decode(raw)
    for place, fold in parts:
        block = message["content"][place]
        if isinstance(block["content"], str):
            block["content"] = fold.text
        else:
            marks = [each["cache_control"] for each in block["content"] if "cache_control" in each]
            block["content"] = [{"type": "text", "text": fold.text, **({"cache_control": marks[-1]} if marks else {})}]
    return msgspec.json.encode(message)


def _parse_request(data: bytes, held: _ConversationCache) -> _ApiRequest | None:
    """Return the parsed body; None where it is no conversation. Messages of the last request are taken from the cache."""
    try:
        top = _TOP.decode(data)
        raw = [bytes(each) for each in _LIST.decode(top["messages"])]
        names = [_message_key(each) for each in raw]
        known = held.messages
        said = [known.get(name) or window.parse_message(_MESSAGE.decode(each)) for name, each in zip(names, raw, strict=True)]
    except (msgspec.DecodeError, KeyError, RecursionError):  # the API will say what is wrong with it
        return None
    held.messages = dict(zip(names, said, strict=True))
    held.rewritten = {name: message for name, message in held.rewritten.items() if name[0] in held.messages}
    return _ApiRequest(top, raw, list(raw), names, said, held.rewritten)


def _message_key(message: bytes) -> int:
    """Return a hash of a message without its cache marks, which move with every request."""
    return xxhash.xxh3_64_intdigest(_MARK.sub(b"", message) if b'"cache_control"' in message else message)
