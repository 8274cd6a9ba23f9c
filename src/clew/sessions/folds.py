"""Folds: replace old tool outputs of a conversation by shorter texts, and keep them replaced in every later request.

A fold (the shorter text with a handle to the original) is stored before it is first sent. Where it cannot be stored, nothing new is
folded. Folds survive a restart: each conversation has one file under `run/folds/`.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from clew import usecases
from clew.errors import ClewError
from clew.files import replace_file
from clew.records import Observation, ObservationKind
from clew.sessions.context import DaemonContext
from clew.transcript import window
from clew.transcript.window import ConversationPricing, ConversationState, FoldedOutput, WindowOutput

_CONVERSATIONS_MAX = 64  # conversations in memory; guess
_PLAIN = re.compile(r"[^A-Za-z0-9_-]")


class ShortenedOutputs:
    """The tool outputs of one conversation that its requests carry in a shorter form ("folded"), for requests through the gateway.

    A conversation is a session, or one of its subagents.

    lock    held by the caller for the length of a request.
    took_s  seconds that the caller's last folding took; this class only stores it.
    """

    def __init__(self, context: DaemonContext, file: Path, session: str, agent: str) -> None:
        self.context, self.file, self.session, self.agent = context, file, session, agent
        self.lock = threading.Lock()
        self.took_s = 1.0
        self._state = self._read()
        self._weighing = ConversationPricing()
        self._sent: list[tuple[int, int]] = []
        self._plain: list[int] = []

    def find_existing(self, outputs: Sequence[WindowOutput]) -> list[tuple[WindowOutput, FoldedOutput]]:
        """Return the outputs that were folded in an earlier request, each with its fold."""
        return [(output, fold) for output in outputs if (fold := self._state.folds.get(output.key))]

    def begin_request(self, *, model: str, ttl_s: int) -> bool:
        """Record that a request to `model` begins now; return whether the prompt cache, with this lifetime, still holds the last one."""
        is_warm = window.is_cache_warm(self._state, at_ns=time.time_ns(), model=model, ttl_s=ttl_s)
        self._state.ends += not is_warm
        return is_warm

    def fold_outputs(
        self, outputs: Sequence[WindowOutput], chars: Sequence[int], *, calls: int, head_chars: int, is_warm: bool, ttl_s: int,
        find_cwd: Callable[[], Path],
    ) -> list[tuple[WindowOutput, FoldedOutput]]:  # fmt: skip
        """Choose outputs to fold from now on, store their originals and folds, and return them; [] when that fails or none pays.

        chars       characters of each message as it would be sent; head_chars  characters of the request before the first message.
        calls       number of assistant messages.
        is_warm     the prompt cache holds the last request; ttl_s  lifetime of the cache in seconds.
        find_cwd    returns the session's working folder, whose repository keeps the originals.
        """
        wished = window.choose_folds(
            outputs, chars, self._state, self._weighing, calls=calls, head_chars=head_chars, is_warm=is_warm, ttl_s=ttl_s
        )  # fmt: skip
        if not wished:
            return []
        try:
            arrivals = [
                usecases.write.IncomingOutput(self._observed(each.output), shorter=each.text, call_text=each.output.call_text)
                for each in wished
            ]
            shown = self.context.get_engine().write(find_cwd(), arrivals).outputs
            made = [(wish.output, FoldedOutput(each.text, each.handle)) for wish, each in zip(wished, shown, strict=True)]
            folds = {**self._state.folds, **{output.key: fold for output, fold in made}}
            replace_file(self.file, msgspec.json.encode(msgspec.structs.replace(self._state, folds=folds)), is_durable=True)
        except (ClewError, OSError) as error:
            self.context.record_error("gateway", error)
            return []
        self._state.folds = folds
        for output, _ in made:
            self._state.waited.pop(output.key, None)
        return made

    def record_request(self, sent: list[tuple[int, int]], unfolded: list[int], *, head_chars: int, model: str, ttl_s: int) -> None:
        """Record for the cost model how many characters of this request repeat the last one's prefix, with folds and without.

        sent      (name, characters) of each message as sent; a newly folded message differs from its last form.
        unfolded  characters of each message as the client sent it.
        """
        alike = next(
            (at for at, (old, new) in enumerate(zip(self._sent, sent, strict=False)) if old != new), min(len(self._sent), len(sent))
        )
        chars = [length for _, length in sent]
        window.record_request_cost(
            self._weighing, self._state, folded_chars=head_chars + sum(chars), unfolded_chars=head_chars + sum(unfolded),
            folded_unchanged_chars=head_chars + sum(chars[:alike]), unfolded_unchanged_chars=head_chars + sum(self._plain),
            model=model, ttl_s=ttl_s, at_ns=time.time_ns(),
        )  # fmt: skip
        self._sent, self._plain = sent, unfolded

    def _observed(self, output: WindowOutput) -> Observation:
        return Observation(
            self.session, output.call_number, output.message_index, f"{output.call_id}:result", ObservationKind.RESULT, output.text,
            tool=output.tool, call_id=output.call_id, agent=self.agent, at_ns=time.time_ns(),
        )  # fmt: skip

    def _read(self) -> ConversationState:
        try:
            return msgspec.json.decode(self.file.read_bytes(), type=ConversationState)
        except FileNotFoundError:
            return ConversationState()
        except (OSError, msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
            self.context.record_error(
                "gateway", f"the folds of {self.file.stem} cannot be read ({error}); that conversation goes on without them"
            )
            return ConversationState()


class ShortenedOutputRegistry:
    """The ShortenedOutputs of every conversation, created or read when asked for; those used last are held in memory. Thread-safe."""

    def __init__(self, context: DaemonContext) -> None:
        self.context = context
        self.folder = context.settings.data_dir / "run" / "folds"
        self._known: OrderedDict[str, ShortenedOutputs] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, session: str, agent: str) -> ShortenedOutputs:
        """Return the shortened outputs of a session, or of its subagent `agent` ("": the session itself), from memory or their file."""
        name = _PLAIN.sub("_", f"{session}{'-' + agent if agent else ''}")[:120]
        with self._lock:
            found = self._known.pop(name, None) or ShortenedOutputs(self.context, self.folder / f"{name}.json", session, agent)
            self._known[name] = found
            while len(self._known) > _CONVERSATIONS_MAX:
                self._known.popitem(last=False)
            return found
