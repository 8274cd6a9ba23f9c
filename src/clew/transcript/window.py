"""Window: a running conversation as it is sent, request by request, and what of it should stand there shorter.

Takes the messages of a request in the form of the Messages API, finds the outputs of tools in them, and says which should be folded
now; `schedule` decides when that pays. Sticky: what was folded once is handed in again, and stands in the same bytes in every later
request. Nothing but the text of old tool results is ever touched. Pure but for what it remembers: who calls gives the time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import xxhash

from clew.records import EndKind, EndReason, Resolution, ToolCall, ToolKind
from clew.records.wording import describe_end
from clew.task.cuts import cut_of, notices
from clew.transcript.dialects.claude_code import DIALECT
from clew.transcript.dialects.values import mapping_of
from clew.transcript.pricing import LONG_TTL_S, SHORT_TTL_S, Cache
from clew.transcript.reduce.lines import CHARS_PER_TOKEN
from clew.transcript.reduce.nouns import MARKER, Gap, OutputContext, marker
from clew.transcript.reduce.reduce import lines_within
from clew.transcript.schedule import RequestContext, Segment, calls_left, decide, may_stand, return_chance

SHORT_CHARS = 1_500  # a shorter output is left: its marker would cost as much. Guess
FOLDED_CHARS = 1_200  # what is left of one that is folded; as in hindsight's forms
_EDITING = (ToolKind.EDIT, ToolKind.WRITE)
_LOOKS = (ToolKind.READ, ToolKind.COMMAND, ToolKind.SEARCH, ToolKind.FETCH)
_OF_FILES = (ToolKind.READ, *_EDITING)


@dataclass(frozen=True, slots=True)
class Output:
    """A tool's output in the window.

    call     number of the assistant's message that asked for it; touched  of the last that touched its file.
    ended    why it is no longer true, None while it is.
    key      what a fold is kept under: the call and its text, so that a conversation that was rewound keeps what is still the same.
    """

    message: int
    block: int
    call_id: str
    tool: str
    kind: ToolKind
    asked: str
    path: str
    text: str
    call: int
    touched: int
    ended: EndKind | None
    key: str


class Fold(msgspec.Struct):
    """How an output stands from now on, and the handle of its original."""

    text: str
    handle: str


@dataclass(slots=True)
class FoldCandidate:
    """An output that should be folded now, and how; `{handle}` in the text is where its handle goes."""

    output: Output
    text: str


class Conversation(msgspec.Struct):
    """What is remembered of one conversation from request to request.

    folds   by the output's key. requests, ends  so far, and how often the cache was found cold among them.
    ahead   units that folding has saved so far, against sending everything as it came.
    """

    folds: dict[str, Fold] = {}
    requests: int = 0
    ends: int = 0
    ahead: float = 0.0
    waited: dict[str, int] = {}
    sent_at_ns: int = 0
    model: str = ""


_FormKey = tuple[str, Resolution, EndKind | None]


@dataclass(slots=True)
class Weighing:
    """What is worked out of one running conversation, anew with each daemon: prices, with folds and without, and short forms."""

    own: Cache = field(default_factory=Cache)
    plain: Cache = field(default_factory=Cache)
    forms: dict[_FormKey, str | None] = field(default_factory=dict[_FormKey, str | None])

    def shortened(self, output: Output, lowest: Resolution) -> str | None:
        """`shortened`, worked out once for each output."""
        name = (output.key, lowest, output.ended)
        if name not in self.forms:
            self.forms[name] = shortened(output, lowest)
        return self.forms[name]


@dataclass(frozen=True, slots=True)
class WindowMessage:
    """What matters here of one message: whose it is, the calls in it, and the outputs that are text alone, no error, and long enough.

    calls  without what they write; results  (place among the blocks, call id, text, key).
    """

    role: str
    calls: tuple[ToolCall, ...] = ()
    results: tuple[tuple[int, str, str, str], ...] = ()


def read_message(message: Mapping[str, Any]) -> WindowMessage:
    """Read one message of a request."""
    content = message.get("content")
    calls: list[ToolCall] = []
    results: list[tuple[int, str, str, str]] = []
    for place, block in enumerate(cast("list[Any]", content) if isinstance(content, list) else ()):
        told = mapping_of(block)
        if told.get("type") == "tool_use":
            call = DIALECT.tool_call(str(told.get("name")), mapping_of(told.get("input")))
            path = call.path if call.kind in _OF_FILES else ""
            known = ToolCall(call.tool, call.kind, str(told.get("id")), path=path, command=call.command, is_partial=call.is_partial)
            calls.append(known)
        elif told.get("type") == "tool_result" and not told.get("is_error"):
            text = text_of(told.get("content"))
            if text is not None and len(text) >= SHORT_CHARS:
                call_id = str(told.get("tool_use_id"))
                results.append((place, call_id, text, f"{call_id}:{xxhash.xxh3_64_hexdigest(text.encode('utf-8', 'replace'))}"))
    return WindowMessage(str(message.get("role")), tuple(calls), tuple(results))


def outputs_of(messages: Sequence[WindowMessage]) -> list[Output]:
    """Return the outputs of tools in a conversation, in order, each with what has become of it since."""
    calls: dict[str, tuple[int, ToolCall]] = {}
    later: dict[str, list[tuple[int, ToolCall]]] = {}
    last: dict[str, str] = {}
    number = 0
    for message in messages:
        number += message.role == "assistant"
        for call in message.calls:
            calls[call.id] = (number, call)
            if call.path:
                later.setdefault(call.path, []).append((number, call))
        for _, call_id, _, key in message.results:
            last[key.partition(":")[2]] = call_id
    return [_output(at, result, calls, later, last) for at, message in enumerate(messages) for result in message.results]


def _output(
    at: int,
    result: tuple[int, str, str, str],
    calls: Mapping[str, tuple[int, ToolCall]],
    later: Mapping[str, Sequence[tuple[int, ToolCall]]],
    last: Mapping[str, str],
) -> Output:
    place, call_id, text, key = result
    number, asked = calls.get(call_id, (0, ToolCall()))
    after = [each for each in later[asked.path] if each[0] > number] if asked.path else []
    ended = None
    if last[key.partition(":")[2]] != call_id:
        ended = EndKind.REPEATED
    elif asked.kind is ToolKind.READ and any(other.kind is ToolKind.READ and not other.is_partial for _, other in after):
        ended = EndKind.READ_AGAIN
    elif asked.kind is ToolKind.READ and any(other.kind in _EDITING for _, other in after):
        ended = EndKind.EDITED
    return Output(
        at,
        place,
        call_id,
        asked.tool,
        asked.kind,
        asked.command or f"{asked.tool} {asked.path}".strip(),
        asked.path,
        text,
        number,
        after[-1][0] if after else number,
        ended,
        key,
    )


def fold_candidates(
    outputs: Sequence[Output],
    chars: Sequence[int],
    state: Conversation,
    weighing: Weighing,
    *,
    calls: int,
    head_chars: int,
    is_warm: bool,
    ttl_s: int,
) -> list[FoldCandidate]:
    """Return the outputs that should be folded before this request; none while waiting is better.

    chars  of each message, as it stands now.
    calls  messages of the assistant in the conversation.
    """
    by_message: dict[int, list[Output]] = {}
    for output in outputs:
        by_message.setdefault(output.message, []).append(output)
    segments: list[Segment] = []
    forms: dict[str, str] = {}
    by_key: dict[str, Output] = {}
    for at, size in enumerate(chars):
        rest = size
        for output in by_message.get(at, ()):
            key = output.key
            if key in state.folds:
                continue
            idle = calls - output.touched
            kind = output.kind if output.kind in _LOOKS else ToolKind.OTHER
            lowest = may_stand(kind, idle, ended=output.ended, is_warm=is_warm)
            form = None if lowest is None else weighing.shortened(output, lowest)
            if form is None or len(form) >= len(output.text):
                continue
            rest -= len(output.text)
            forms[key], by_key[key] = form, output
            state.waited[key] = waited = state.waited.get(key, 0) + 1
            chance = return_chance(kind, idle, is_ended=output.ended is not None)
            tokens, short = int(len(output.text) / CHARS_PER_TOKEN), int(len(form) / CHARS_PER_TOKEN)
            segments.append(Segment(key, tokens, short, at >= len(chars) - 1, chance, waited))
        segments.append(Segment("", int(rest / CHARS_PER_TOKEN), int(rest / CHARS_PER_TOKEN), at >= len(chars) - 1))
    if not forms:
        return []
    context = RequestContext(
        is_warm,
        calls_left(state.requests, state.ends),
        head_tokens=int(head_chars / CHARS_PER_TOKEN),
        ttl_s=ttl_s,
        may_lose=max(0.0, state.ahead),
    )
    return [FoldCandidate(by_key[key], forms[key]) for key in decide(segments, context).evict]


def shortened(output: Output, lowest: Resolution) -> str | None:
    """An output as it may stand by now: its telling lines, or one line; `{handle}` is where its handle goes. None where it stays."""
    lines = output.text.split("\n")
    why = f"; {describe_end(EndReason(output.ended))}" if output.ended else ""
    if lowest is Resolution.NAME:
        asked = " ".join(output.asked.split())[:160]
        cut = ", cut by the client" if cut_of(output.text) is not None else ""
        return f"[output of {asked}, {len(lines)} lines{cut}, left out{why}; clew unfold {{handle}}]"
    ranges = _unmarked(lines_within(output.text, OutputContext(output.kind, path=output.path), FOLDED_CHARS), lines)
    ranges = _with_notices(ranges, notices(output.text)) if ranges else ranges
    kept: list[str] = []
    last = 0
    for start, end in ranges:
        if start > last + 1:
            kept.append(marker(Gap(last + 1, start - 1), 0 if kept else len(lines), "" if kept else "{handle}"))
        kept.extend(lines[start - 1 : end])
        last = end
    if last < len(lines):
        kept.append(marker(Gap(last + 1, len(lines)), 0 if kept and "{handle}" in "".join(kept) else len(lines), "{handle}"))
    return "\n".join(kept) if ranges else None


def _with_notices(ranges: Sequence[tuple[int, int]], told: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges, and the lines (0-based) on which the client says that it has cut the output: no fold hides that."""
    shown = sorted({at for first, last in (*ranges, *((first + 1, last + 1) for first, last in told)) for at in range(first, last + 1)})
    joined: list[tuple[int, int]] = []
    for at in shown:
        if joined and joined[-1][1] == at - 1:
            joined[-1] = (joined[-1][0], at)
        else:
            joined.append((at, at))
    return joined


def _unmarked(ranges: Sequence[tuple[int, int]], lines: Sequence[str]) -> list[tuple[int, int]]:
    """The ranges without lines that look like a marker of ours: whoever reads a fold can believe every marker in it."""
    kept: list[tuple[int, int]] = []
    for first, last in ranges:
        start = first
        for at in range(first, last + 2):
            if at > last or MARKER.match(lines[at - 1]):
                if at > start:
                    kept.append((start, at - 1))
                start = at + 1
    return kept


def weigh(
    weighing: Weighing,
    state: Conversation,
    *,
    own_chars: int,
    plain_chars: int,
    same_own: int,
    same_plain: int,
    model: str,
    ttl_s: int,
    at_ns: int,
) -> None:
    """Price this request with folds and without, and keep what that says of how far folding is ahead."""
    own = weighing.own.send(int(own_chars / CHARS_PER_TOKEN), same=int(same_own / CHARS_PER_TOKEN), at_ns=at_ns, model=model, ttl_s=ttl_s)
    plain = weighing.plain.send(
        int(plain_chars / CHARS_PER_TOKEN), same=int(same_plain / CHARS_PER_TOKEN), at_ns=at_ns, model=model, ttl_s=ttl_s
    )
    state.ahead += plain.units - own.units
    state.requests += 1
    state.sent_at_ns, state.model = at_ns, model


def is_warm(state: Conversation, *, at_ns: int, model: str, ttl_s: int) -> bool:
    """Whether the cache still holds what the last request left, by the clock."""
    return bool(state.sent_at_ns) and state.model == model and at_ns - state.sent_at_ns <= ttl_s * 1_000_000_000


def ttl_of(system: bytes) -> int:
    """How long the marks of a request's system prompt, as JSON, ask for its prefix to be kept."""
    return LONG_TTL_S if re.search(rb'"ttl":\s*"1h"', system) else SHORT_TTL_S


def text_of(content: object) -> str | None:
    """The text of a tool result; None where there is anything else in it."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts: list[str] = []
    for block in cast("list[Any]", content):
        if not isinstance(block, dict) or cast("dict[str, Any]", block).get("type") != "text":
            return None
        parts.append(str(cast("dict[str, Any]", block).get("text") or ""))
    return "\n".join(parts)
