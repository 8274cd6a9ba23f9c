"""Folding: a request's body in, the same or a shorter one out. What `transcript.window` wishes is made durable before it is sent.

Where anything is not understood, or cannot be stored, the request goes out as it came; what was folded before stays folded.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import xxhash

from clew import usecases
from clew.adapters.serving import Serving
from clew.errors import ClewError
from clew.records import Observation, ObservationKind
from clew.transcript import window
from clew.transcript.window import Conversation, Fold, Output, Said, Weighing

QUICK_S = 0.02  # of one conversation's last request; a thread costs it 3 to 5 ms at 1 MB (bench/inside)
KEPT_MAX = 64  # conversations in memory; guess
_SUMMARY = (b"CRITICAL: Respond with TEXT ONLY", b"create a detailed summary of")
_FOLDER = re.compile(r"[Ww]orking directory: ([^\n\"\\]{1,1000})")
_MARK = re.compile(rb',?\s*"cache_control":\s*\{[^{}]{0,200}\}')
_TOP = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_MESSAGE = msgspec.json.Decoder(dict[str, Any])
_PLAIN = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(slots=True)
class _Held:
    state: Conversation
    weighing: Weighing = field(default_factory=Weighing)
    sent: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    plain: list[int] = field(default_factory=list[int])
    known: dict[int, Said] = field(default_factory=dict[int, Said])
    folded: dict[tuple[int, tuple[str, ...]], bytes] = field(default_factory=dict[tuple[int, tuple[str, ...]], bytes])
    took_s: float = 1.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Folding:
    """The folds of all conversations that pass. Safe with threads."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.folder = serving.places.run / "folds"
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._lock = threading.Lock()

    def folded(self, data: bytes, *, session: str, agent: str, is_counting: bool) -> bytes:
        """Return the body to send in place of `data`: the very same bytes where nothing is to be folded.

        is_counting  the client only counts tokens: it sees what was folded before, and nothing new.
        """
        if not session:
            return data
        held = self._of(f"{session}{'-' + agent if agent else ''}")
        started = time.perf_counter()
        with held.lock:
            request = _read(data, held)
            sent = data if request is None else self._folded(data, request, held, session, agent, is_counting=is_counting)
        held.took_s = time.perf_counter() - started
        return sent

    def is_quick(self, *, session: str, agent: str) -> bool:
        """Whether the next request of a conversation will probably take less time than handing it to a thread is worth."""
        return self._of(f"{session}{'-' + agent if agent else ''}").took_s < QUICK_S

    def _folded(self, data: bytes, request: _Request, held: _Held, session: str, agent: str, *, is_counting: bool) -> bytes:
        state, outputs = held.state, window.outputs_of(request.said)
        request.fold([(output, fold) for output in outputs if (fold := state.folds.get(output.key))])
        if is_counting:
            return request.written(data)
        ttl_s, model, now = window.ttl_of(bytes(request.top.get("system", b""))), request.model, time.time_ns()
        is_warm = window.is_warm(state, at_ns=now, model=model, ttl_s=ttl_s)
        state.ends += not is_warm
        head = sum(len(bytes(request.top.get(name, b""))) for name in ("system", "tools"))
        if not request.is_summary:
            calls = sum(each.role == "assistant" for each in request.said)
            chars = [len(each) for each in request.now]
            wished = window.wishes(outputs, chars, state, held.weighing, calls=calls, head_chars=head, is_warm=is_warm, ttl_s=ttl_s)
            request.fold(self._kept(wished, held, request, session, agent))
        self._weigh(held, request, head, model=model, ttl_s=ttl_s, now=now)
        return request.written(data)

    def _kept(self, wished: list[window.Wish], held: _Held, request: _Request, session: str, agent: str) -> list[tuple[Output, Fold]]:
        """What is wished, as far as originals and folds are durable now; nothing where that failed."""
        if not wished:
            return []
        here = self._folder(request, session)
        try:
            arrivals = [
                usecases.write.Arrival(_observed(wish.output, session, agent), shorter=wish.text, asked=wish.output.asked)
                for wish in wished
            ]
            shown = self.serving.engine().write(here, arrivals).outputs
            made = [(wish.output, Fold(each.text, each.handle)) for wish, each in zip(wished, shown, strict=True)]
            folds = {**held.state.folds, **{output.key: fold for output, fold in made}}
            self._write(session, agent, msgspec.structs.replace(held.state, folds=folds))
        except (ClewError, OSError) as error:
            self.serving.problem("gateway", error)
            return []
        held.state.folds = folds
        for output, _ in made:
            held.state.waited.pop(output.key, None)
        return made

    def _weigh(self, held: _Held, request: _Request, head: int, *, model: str, ttl_s: int, now: int) -> None:
        """Tell the prices how much of this request stands as it stood in the last one, with folds and without."""
        chars = [len(each) for each in request.now]
        own = list(zip(request.names, chars, strict=True))  # a fold makes a message shorter, so it is another one
        alike = next((at for at, (old, new) in enumerate(zip(held.sent, own, strict=False)) if old != new), min(len(held.sent), len(own)))
        plain = [len(each) for each in request.raw]
        window.weigh(
            held.weighing, held.state, own_chars=head + sum(chars), plain_chars=head + sum(plain),
            same_own=head + sum(chars[:alike]), same_plain=head + sum(held.plain), model=model, ttl_s=ttl_s, at_ns=now,
        )  # fmt: skip
        held.sent, held.plain = own, plain

    def _of(self, name: str) -> _Held:
        name = _PLAIN.sub("_", name)[:120]
        with self._lock:
            held = self._held.pop(name, None)
            if held is None:
                held = _Held(self._read(name))
            self._held[name] = held
            while len(self._held) > KEPT_MAX:
                self._held.popitem(last=False)
            return held

    def _read(self, name: str) -> Conversation:
        try:
            return msgspec.json.decode((self.folder / f"{name}.json").read_bytes(), type=Conversation)
        except FileNotFoundError:
            return Conversation()
        except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
            self.serving.problem("gateway", f"the folds of {name} cannot be read ({error}); that conversation goes on without them")
            return Conversation()

    def _write(self, session: str, agent: str, state: Conversation) -> None:
        name = _PLAIN.sub("_", f"{session}{'-' + agent if agent else ''}")[:120]
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self.folder / f"{name}.new"
        with beside.open("wb") as stream:
            stream.write(msgspec.json.encode(state))
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(self.folder / f"{name}.json")

    def _folder(self, request: _Request, session: str) -> Path:
        """The folder of a session: what its hooks said, else what the client tells the model, else the user's own."""
        with suppress(OSError, msgspec.DecodeError):
            told = msgspec.json.decode((self.serving.places.run / "sessions" / f"{session}.json").read_bytes())
            if told.get("cwd") and Path(told["cwd"]).is_dir():
                return Path(told["cwd"])
        for raw in request.raw[:4]:
            found = _FOLDER.search(raw.decode("utf-8", "replace").replace("\\n", "\n"))
            if found and Path(found[1].strip()).is_dir():
                return Path(found[1].strip())
        return Path.home()


@dataclass(slots=True)
class _Request:
    """A request's body as it came and as it will go: nothing but the messages that hold a fold is written anew.

    top    its fields; raw  the messages as they came, now  as they will go, names  what tells each from another, said  what is in them.
    known  messages with a fold in them as they were written for the request before: (message, handles) → message.
    """

    top: dict[str, msgspec.Raw]
    raw: list[bytes]
    now: list[bytes]
    names: list[int]
    said: list[Said]
    known: dict[tuple[int, tuple[str, ...]], bytes]

    @property
    def model(self) -> str:
        """Whom the client asks."""
        return bytes(self.top.get("model", b"")).decode("utf-8", "replace").strip('"')

    @property
    def is_summary(self) -> bool:
        """Whether the client asks for the summary of a compaction: then nothing new is folded."""
        last = next((raw for raw, said in zip(reversed(self.raw), reversed(self.said), strict=True) if said.role == "user"), b"")
        return any(mark in last[-20_000:] for mark in _SUMMARY)

    def fold(self, folds: Sequence[tuple[Output, Fold]]) -> None:
        """Put texts in place of outputs, in the form in which these came; marks stay."""
        by_message: dict[int, list[tuple[int, Fold]]] = {}
        for output, fold in folds:
            by_message.setdefault(output.message, []).append((output.block, fold))
        for at, parts in by_message.items():
            name = (self.names[at], tuple(fold.handle for _, fold in parts))
            is_plain = self.now[at] is self.raw[at] and b'"cache_control"' not in self.raw[at]
            if is_plain and name in self.known:
                self.now[at] = self.known[name]
                continue
            self.now[at] = _with_folds(self.now[at], parts)
            if is_plain:
                self.known[name] = self.now[at]

    def written(self, data: bytes) -> bytes:
        """The body to send; the very same bytes where nothing is folded."""
        if self.now == self.raw:
            return data
        return msgspec.json.encode({**self.top, "messages": msgspec.Raw(b"[" + b",".join(self.now) + b"]")})


def _with_folds(raw: bytes, parts: Sequence[tuple[int, Fold]]) -> bytes:
    message = msgspec.json.decode(raw)
    for place, fold in parts:
        block = message["content"][place]
        if isinstance(block["content"], str):
            block["content"] = fold.text
        else:
            marks = [each["cache_control"] for each in block["content"] if "cache_control" in each]
            block["content"] = [{"type": "text", "text": fold.text, **({"cache_control": marks[-1]} if marks else {})}]
    return msgspec.json.encode(message)


def _read(data: bytes, held: _Held) -> _Request | None:
    """Read a body; None for what is no conversation. Messages that were read for the request before are not read again."""
    try:
        top = _TOP.decode(data)
        raw = [bytes(each) for each in _LIST.decode(top["messages"])]
        names = [_alike(each) for each in raw]
        known = held.known
        said = [known.get(name) or window.said_in(_MESSAGE.decode(each)) for name, each in zip(names, raw, strict=True)]
    except (msgspec.DecodeError, KeyError):  # the API will say what is wrong with it
        return None
    held.known = dict(zip(names, said, strict=True))
    held.folded = {name: message for name, message in held.folded.items() if name[0] in held.known}
    return _Request(top, raw, list(raw), names, said, held.folded)


def _alike(message: bytes) -> int:
    """What a message is told by: its bytes without its cache marks, which move on with every request."""
    return xxhash.xxh3_64_intdigest(_MARK.sub(b"", message) if b'"cache_control"' in message else message)


def _observed(output: Output, session: str, agent: str) -> Observation:
    return Observation(
        session, output.call, output.message, f"{output.call_id}:result", ObservationKind.RESULT, output.text, tool=output.tool,
        call_id=output.call_id, agent=agent, at_ns=time.time_ns(),
    )  # fmt: skip
