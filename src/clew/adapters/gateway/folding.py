"""Folding: a request's body in, the same or a shorter one out. What `transcript.window` wishes is made durable before it is sent.

Where anything is not understood, or cannot be stored, the request goes out as it came; what was folded before stays folded.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec
import xxhash

from clew.adapters.serving import Serving
from clew.errors import ClewError
from clew.records import Observation, ObservationKind
from clew.text.secrets import mask_text
from clew.transcript import window
from clew.transcript.window import Conversation, Fold, Output, Weighing

KEPT_MAX = 64  # conversations in memory; guess
_SUMMARY = ("CRITICAL: Respond with TEXT ONLY", "create a detailed summary of")
_FOLDER = re.compile(r"[Ww]orking directory: ([^\n\"\\]{1,1000})")
_PLAIN = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(slots=True)
class _Held:
    state: Conversation
    weighing: Weighing = field(default_factory=Weighing)
    hashes: tuple[list[int], list[int], list[int]] = field(default_factory=lambda: ([], [], []))
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
        try:
            body = msgspec.json.decode(data)
        except msgspec.DecodeError:  # the API will say what is wrong with it
            return data
        if not isinstance(body, dict):
            return data
        told = cast("dict[str, Any]", body)
        messages = told.get("messages")
        if not isinstance(messages, list) or not all(isinstance(each, dict) for each in cast("list[Any]", messages)):
            return data
        held = self._of(f"{session}{'-' + agent if agent else ''}")
        with held.lock:
            return self._folded(data, told, cast("list[dict[str, Any]]", messages), held, session, agent, is_counting=is_counting)

    def _folded(
        self, data: bytes, body: dict[str, Any], messages: list[dict[str, Any]], held: _Held, session: str, agent: str, *, is_counting: bool
    ) -> bytes:
        state = held.state
        outputs = window.outputs_of(messages)
        plain = [len(msgspec.json.encode(message)) for message in messages]
        chars = list(plain)
        for output in outputs:
            if fold := state.folds.get(output.key):
                _replace(messages, output, fold.text)
                chars[output.message] -= len(output.text) - len(fold.text)
        if is_counting:
            return data if chars == plain else msgspec.json.encode(body)
        ttl_s, model, now = window.ttl_of(body), str(body.get("model")), time.time_ns()
        is_warm = window.is_warm(state, at_ns=now, model=model, ttl_s=ttl_s)
        state.ends += not is_warm
        head = len(msgspec.json.encode([body.get("system"), body.get("tools")]))
        if not _is_summary(messages):
            calls = sum(message.get("role") == "assistant" for message in messages)
            wished = window.wishes(outputs, chars, state, calls=calls, head_chars=head, is_warm=is_warm, ttl_s=ttl_s)
            for wish, fold in self._kept(wished, held, messages, session, agent):
                _replace(messages, wish.output, fold.text)
                chars[wish.output.message] -= len(wish.output.text) - len(fold.text)
        self._weigh(held, messages, chars, plain, head, model=model, ttl_s=ttl_s, now=now)
        return data if chars == plain else msgspec.json.encode(body)

    def _kept(
        self, wished: list[window.Wish], held: _Held, messages: list[dict[str, Any]], session: str, agent: str
    ) -> list[tuple[window.Wish, Fold]]:
        """The wishes whose originals and folds are durable now; none where that failed."""
        if not wished:
            return []
        here = self._folder(messages, session)
        made: list[tuple[window.Wish, Fold]] = []
        try:
            engine = self.serving.engine()
            for wish in wished:
                seen = _observed(wish.output, session, agent)
                handle = engine.keep_original(here, seen, asked=wish.output.asked)
                made.append((wish, Fold(mask_text(wish.text.replace("{handle}", handle)), handle)))
            folds = {**held.state.folds, **{wish.output.key: fold for wish, fold in made}}
            self._write(session, agent, msgspec.structs.replace(held.state, folds=folds))
        except (ClewError, OSError) as error:
            self.serving.problem("gateway", error)
            return []
        held.state.folds = folds
        for wish, _ in made:
            held.state.waited.pop(wish.output.key, None)
        return made

    def _weigh(
        self,
        held: _Held,
        messages: list[dict[str, Any]],
        chars: list[int],
        plain: list[int],
        head: int,
        *,
        model: str,
        ttl_s: int,
        now: int,
    ) -> None:
        """Tell the prices how much of this request stands as it stood in the last one, with folds and without."""
        own = [xxhash.xxh3_64_intdigest(msgspec.json.encode(_unmarked(message))) for message in messages]
        before, sizes_own, sizes_plain = held.hashes
        alike = next((at for at, (old, new) in enumerate(zip(before, own, strict=False)) if old != new), min(len(before), len(own)))
        window.weigh(
            held.weighing, held.state, own_chars=head + sum(chars), plain_chars=head + sum(plain),
            same_own=head + sum(sizes_own[:alike]), same_plain=head + sum(sizes_plain), model=model, ttl_s=ttl_s, at_ns=now,
        )  # fmt: skip
        held.hashes = (own, chars, plain)

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

    def _folder(self, messages: list[dict[str, Any]], session: str) -> Path:
        """The folder of a session: what its hooks said, else what the client tells the model, else the user's own."""
        with suppress(OSError, msgspec.DecodeError):
            told = msgspec.json.decode((self.serving.places.run / "sessions" / f"{session}.json").read_bytes())
            if told.get("cwd") and Path(told["cwd"]).is_dir():
                return Path(told["cwd"])
        for message in messages[:4]:
            found = _FOLDER.search(msgspec.json.encode(message).decode().replace("\\n", "\n"))
            if found and Path(found[1].strip()).is_dir():
                return Path(found[1].strip())
        return Path.home()


def _replace(messages: list[dict[str, Any]], output: Output, text: str) -> None:
    """Put a text in place of an output's, in the form in which it came; its marks stay."""
    block = messages[output.message]["content"][output.block]
    content = block["content"]
    if isinstance(content, str):
        block["content"] = text
    else:
        first = cast("list[dict[str, Any]]", content)
        marks = [each["cache_control"] for each in first if "cache_control" in each]
        block["content"] = [{"type": "text", "text": text, **({"cache_control": marks[-1]} if marks else {})}]


def _unmarked(message: dict[str, Any]) -> dict[str, Any]:
    """A message without its cache marks, which move on with every request and change nothing of what is cached."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    blocks = [
        {name: value for name, value in cast("dict[str, Any]", block).items() if name != "cache_control"}
        if isinstance(block, dict)
        else block
        for block in cast("list[Any]", content)
    ]
    return {**message, "content": blocks}


def _is_summary(messages: list[dict[str, Any]]) -> bool:
    """Whether the client asks for the summary of a compaction: then nothing new is folded."""
    last = next((message for message in reversed(messages) if message.get("role") == "user"), None)
    text = msgspec.json.encode(last).decode() if last else ""
    return any(mark in text[-20_000:] for mark in _SUMMARY)


def _observed(output: Output, session: str, agent: str) -> Observation:
    return Observation(
        session, output.call, output.message, f"{output.call_id}:result", ObservationKind.RESULT, output.text, tool=output.tool,
        call_id=output.call_id, agent=agent, at_ns=time.time_ns(),
    )  # fmt: skip
