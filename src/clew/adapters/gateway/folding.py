"""Folding: a request's body in, the same or a shorter one out. What is folded, `clew.sessions.folds` decides.

Where anything is not understood the request goes out as it came.
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
from clew.sessions.folds import ConversationFolds, Folds
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
    """What was read of a conversation's last request: its messages, and those with a fold in them as they were written."""

    messages: dict[int, WindowMessage] = field(default_factory=dict[int, WindowMessage])
    rewritten: dict[tuple[int, tuple[str, ...]], bytes] = field(default_factory=dict[tuple[int, tuple[str, ...]], bytes])


class RequestRewriter:
    """The requests of all conversations that pass. Safe with threads."""

    def __init__(self, context: DaemonContext, sessions: LiveSessions) -> None:
        self.sessions, self.folds = sessions, Folds(context)
        self._last: WeakKeyDictionary[ConversationFolds, _ConversationCache] = WeakKeyDictionary()

    def rewrite(self, data: bytes, *, session: str, agent: str, is_counting: bool) -> bytes:
        """Return the body to send in place of `data`: the very same bytes where nothing is to be folded.

        is_counting  the client only counts tokens: it sees what was folded before, and nothing new.
        """
        if not session:
            return data
        folds = self.folds.of(session, agent)
        started = time.perf_counter()
        with folds.lock:
            request = _parse_request(data, self._last.setdefault(folds, _ConversationCache()))
            sent = data if request is None else self._rewrite(data, request, folds, is_counting=is_counting)
        folds.took_s = time.perf_counter() - started
        return sent

    def is_fast(self, *, session: str, agent: str) -> bool:
        """Return whether the next request of a conversation will probably take less time than handing it to a thread is worth."""
        return self.folds.of(session, agent).took_s < FAST_S

    def _rewrite(self, data: bytes, request: _ApiRequest, folds: ConversationFolds, *, is_counting: bool) -> bytes:
        outputs = window.find_outputs(request.messages)
        request.fold(folds.standing(outputs))
        if is_counting:
            return request.encode(data)
        ttl_s, model, head = window.parse_cache_ttl_s(bytes(request.top.get("system", b""))), request.model, request.head_chars
        is_warm = folds.begin(model=model, ttl_s=ttl_s)
        if not request.is_summary:
            calls = sum(each.role == "assistant" for each in request.messages)
            chars, folder = [len(each) for each in request.sent], partial(self._folder, request, folds.session)
            request.fold(folds.chosen(outputs, chars, calls=calls, head_chars=head, is_warm=is_warm, ttl_s=ttl_s, folder=folder))
        own = list(zip(request.keys, map(len, request.sent), strict=True))
        folds.weigh(own, [len(each) for each in request.raw], head_chars=head, model=model, ttl_s=ttl_s)
        return request.encode(data)

    def _folder(self, request: _ApiRequest, session: str) -> Path:
        """The folder of a session: what its hooks said, else what the client tells the model, else the user's own."""
        live = self.sessions.known(session)
        if live is not None and live.cwd and Path(live.cwd).is_dir():
            return Path(live.cwd)
        for raw in request.raw[:4]:
            found = _FOLDER.search(raw.decode("utf-8", "replace").replace("\\n", "\n"))
            if found and Path(found[1].strip()).is_dir():
                return Path(found[1].strip())
        return Path.home()


@dataclass(slots=True)
class _ApiRequest:
    """A request's body as it came and as it will go: nothing but the messages that hold a fold is written anew.

    top    its fields; raw  the messages as they came, now  as they will go, names  what tells each from another, said  what is in them.
    known  messages with a fold in them as they were written for the request before: (message, handles) → message.
    """

    top: dict[str, msgspec.Raw]
    raw: list[bytes]
    sent: list[bytes]
    keys: list[int]
    messages: list[WindowMessage]
    rewritten: dict[tuple[int, tuple[str, ...]], bytes]

    @property
    def model(self) -> str:
        """Whom the client asks."""
        return bytes(self.top.get("model", b"")).decode("utf-8", "replace").strip('"')

    @property
    def head_chars(self) -> int:
        """Characters before the first message."""
        return sum(len(bytes(self.top.get(name, b""))) for name in ("system", "tools"))

    @property
    def is_summary(self) -> bool:
        """Whether the client asks for the summary of a compaction: then nothing new is folded."""
        last = next((raw for raw, said in zip(reversed(self.raw), reversed(self.messages), strict=True) if said.role == "user"), b"")
        return any(mark in last[-20_000:] for mark in _SUMMARY)

    def fold(self, folds: Sequence[tuple[WindowOutput, FoldedOutput]]) -> None:
        """Put texts in place of outputs, in the form in which these came; marks stay."""
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
        """The body to send; the very same bytes where nothing is folded."""
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
    """Read a body; None for what is no conversation. Messages that were read for the request before are not read again."""
    try:
        top = _TOP.decode(data)
        raw = [bytes(each) for each in _LIST.decode(top["messages"])]
        names = [_message_key(each) for each in raw]
        known = held.messages
        said = [known.get(name) or window.parse_message(_MESSAGE.decode(each)) for name, each in zip(names, raw, strict=True)]
    except (msgspec.DecodeError, KeyError):  # the API will say what is wrong with it
        return None
    held.messages = dict(zip(names, said, strict=True))
    held.rewritten = {name: message for name, message in held.rewritten.items() if name[0] in held.messages}
    return _ApiRequest(top, raw, list(raw), names, said, held.rewritten)


def _message_key(message: bytes) -> int:
    """What a message is told by: its bytes without its cache marks, which move on with every request."""
    return xxhash.xxh3_64_intdigest(_MARK.sub(b"", message) if b'"cache_control"' in message else message)
