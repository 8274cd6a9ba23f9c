"""Choose which tool outputs of a running conversation are sent shortened from now on.

Takes the messages of a request in the form of the Messages API, finds the outputs of tools in them, and chooses which to fold
now; `schedule` decides when that pays. What was folded once has the same bytes in every later request. Nothing but the text of
old tool results is ever changed. Reads no clock: the caller passes the time.
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
from clew.task.client_notes import strip_client_note
from clew.task.truncation import find_notice_lines, parse_truncation_notice
from clew.transcript.dialects.claude_code import DIALECT
from clew.transcript.dialects.values import mapping_or_empty
from clew.transcript.pricing import LONG_TTL_S, SHORT_TTL_S, PromptCacheModel
from clew.transcript.reduce.lines import CHARS_PER_TOKEN
from clew.transcript.reduce.reduce import reduce_lines, select_lines
from clew.transcript.reduce.reduction import MARKER_PATTERN, OmittedLines, OutputContext, format_omission_marker
from clew.transcript.schedule import (
    RequestContext,
    WindowSegment,
    choose_evictions,
    estimate_calls_left,
    estimate_return_chance,
    find_lowest_resolution,
)

SHORT_OUTPUT_CHARS = 1_500  # a shorter output is left: its marker would cost as much. Guess
FOLDED_CHARS = 1_200  # what is left of one that is folded; as in hindsight's forms
NAMES_CHARS_MAX = 4_000  # what names of failed tests may add to it; guess: 70 of them
_EDITING = (ToolKind.EDIT, ToolKind.WRITE)
_LOOKS = (ToolKind.READ, ToolKind.COMMAND, ToolKind.SEARCH, ToolKind.FETCH)
_OF_FILES = (ToolKind.READ, *_EDITING)


@dataclass(frozen=True, slots=True)
class WindowOutput:
    """A tool's output in the messages of a request.

    message_index, block_index  where it is, 0-based.
    call_number        number of the assistant's message that made the call; last_touch_number  of the last that touched its file.
    end_reason         why it is no longer true; None while it is.
    key                identifies a fold by the call and its text, so that a rewound conversation keeps the folds of unchanged outputs.
    """

    message_index: int
    block_index: int
    call_id: str
    tool: str
    kind: ToolKind
    call_text: str
    path: str
    text: str
    call_number: int
    last_touch_number: int
    end_reason: EndKind | None
    key: str


class FoldedOutput(msgspec.Struct):
    """The short text that is sent in place of a tool's output from now on, and the handle of its original."""

    text: str
    handle: str


@dataclass(slots=True)
class FoldCandidate:
    """A tool's output that should be sent shortened from now on, with its short text; `{handle}` in it is replaced by its handle."""

    output: WindowOutput
    text: str


class ConversationState(msgspec.Struct):
    """What is stored of one conversation from request to request, to decide which outputs are sent shortened ("folded").

    folds     the shortened outputs, by `WindowOutput.key`.
    requests  number so far; ends  how many of them found the provider's cache cold.
    ahead     units (tokens of plain input) that folding has saved so far, against sending everything as it came.
    waited    by key, number of requests since an output could have been folded.
    """

    folds: dict[str, FoldedOutput] = {}
    requests: int = 0
    ends: int = 0
    ahead: float = 0.0
    waited: dict[str, int] = {}
    sent_at_ns: int = 0
    model: str = ""


_FormKey = tuple[str, Resolution, EndKind | None]


@dataclass(slots=True)
class ConversationPricing:
    """Simulated provider caches of one conversation with and without shortened outputs, and its short texts; not stored."""

    folded_cache: PromptCacheModel = field(default_factory=PromptCacheModel)
    unfolded_cache: PromptCacheModel = field(default_factory=PromptCacheModel)
    short_forms: dict[_FormKey, str | None] = field(default_factory=dict[_FormKey, str | None])

    def shorten(self, output: WindowOutput, lowest: Resolution) -> str | None:
        """Return `shorten_output` of an output, computed once for each output and form."""
        name = (output.key, lowest, output.end_reason)
        if name not in self.short_forms:
            self.short_forms[name] = shorten_output(output, lowest)
        return self.short_forms[name]


@dataclass(frozen=True, slots=True)
class WindowMessage:
    """One message of a request as folding needs it: its role, its tool calls, and its long text results without errors.

    calls    without the text that they write.
    results  (block index, call id, text, key) of each.
    """

    role: str
    calls: tuple[ToolCall, ...] = ()
    results: tuple[tuple[int, str, str, str], ...] = ()


def parse_message(message: Mapping[str, Any]) -> WindowMessage:
    """Parse one message of a request in the form of the Messages API."""
    content = message.get("content")
    calls: list[ToolCall] = []
    results: list[tuple[int, str, str, str]] = []
    for place, item in enumerate(cast("list[Any]", content) if isinstance(content, list) else ()):
        block = mapping_or_empty(item)
        if block.get("type") == "tool_use":
            call = DIALECT.build_tool_call(str(block.get("name")), mapping_or_empty(block.get("input")))
            path = call.path if call.kind in _OF_FILES else ""
            known = ToolCall(call.tool, call.kind, str(block.get("id")), path=path, command=call.command, is_partial=call.is_partial)
            calls.append(known)
        elif block.get("type") == "tool_result" and not block.get("is_error"):
            text = parse_result_text(block.get("content"))
            if text is not None and len(text) >= SHORT_OUTPUT_CHARS:
                call_id = str(block.get("tool_use_id"))
                results.append((place, call_id, text, f"{call_id}:{xxhash.xxh3_64_hexdigest(text.encode('utf-8', 'replace'))}"))
    return WindowMessage(str(message.get("role")), tuple(calls), tuple(results))


def find_outputs(messages: Sequence[WindowMessage]) -> list[WindowOutput]:
    """Return the tool outputs of a conversation in order, each with why it is no longer true, if so."""
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
) -> WindowOutput:
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
    return WindowOutput(
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


def choose_folds(
    outputs: Sequence[WindowOutput],
    chars: Sequence[int],
    state: ConversationState,
    pricing: ConversationPricing,
    *,
    calls: int,
    head_chars: int,
    is_warm: bool,
    ttl_s: int,
) -> list[FoldCandidate]:
    """Return the tool outputs to send shortened from this request on; none while waiting is cheaper.

    chars       of each message, as it is now.
    calls       number of the assistant's messages in the conversation.
    head_chars  of what precedes the messages: system prompt and tools.
    ttl_s       seconds for which the provider caches the window.
    """
    by_message: dict[int, list[WindowOutput]] = {}
    for output in outputs:
        by_message.setdefault(output.message_index, []).append(output)
    segments: list[WindowSegment] = []
    forms: dict[str, str] = {}
    by_key: dict[str, WindowOutput] = {}
    for at, size in enumerate(chars):
        rest = size
        for output in by_message.get(at, ()):
            key = output.key
            if key in state.folds:
                continue
            idle = calls - output.last_touch_number
            kind = output.kind if output.kind in _LOOKS else ToolKind.OTHER
            lowest = find_lowest_resolution(kind, idle, end_reason=output.end_reason, is_warm=is_warm)
            form = None if lowest is None else pricing.shorten(output, lowest)
            if form is None or len(form) >= len(output.text):
                continue
            rest -= len(output.text)
            forms[key], by_key[key] = form, output
            state.waited[key] = waited = state.waited.get(key, 0) + 1
            chance = estimate_return_chance(kind, idle, is_ended=output.end_reason is not None)
            tokens, short = int(len(output.text) / CHARS_PER_TOKEN), int(len(form) / CHARS_PER_TOKEN)
            segments.append(WindowSegment(key, tokens, short, at >= len(chars) - 1, chance, waited))
        segments.append(WindowSegment("", int(rest / CHARS_PER_TOKEN), int(rest / CHARS_PER_TOKEN), at >= len(chars) - 1))
    if not forms:
        return []
    context = RequestContext(
        is_warm,
        estimate_calls_left(state.requests, state.ends),
        head_tokens=int(head_chars / CHARS_PER_TOKEN),
        ttl_s=ttl_s,
        loss_max=max(0.0, state.ahead),
    )
    return [FoldCandidate(by_key[key], forms[key]) for key in choose_evictions(segments, context).evict]


def shorten_output(output: WindowOutput, lowest: Resolution) -> str | None:
    """Return an output's short text: its most informative lines, or one line; None when it stays whole.

    In the text, `{handle}` stands where the caller puts the short id by which the agent can ask for the original.
    lowest  the shortest form that is allowed; NAME allows a single line.
    """
    lines = output.text.split("\n")
    why = f"; {describe_end(EndReason(output.end_reason))}" if output.end_reason else ""
    if lowest is Resolution.NAME:
        asked = " ".join(output.call_text.split())[:160]
        cut = ", cut by the client" if parse_truncation_notice(output.text) is not None else ""
        return f"[output of {asked}, {len(lines)} lines{cut}, left out{why}; clew unfold {{handle}}]"
    said = strip_client_note(output.kind.value, output.text)
    ranges = _unmarked(select_lines(said, OutputContext(output.kind, path=output.path), FOLDED_CHARS, name_chars=NAMES_CHARS_MAX), lines)
    ranges = _with_notices(ranges, find_notice_lines(output.text)) if ranges else ranges
    kept: list[str] = []
    last = 0
    for start, end in ranges:
        if start > last + 1:
            kept.append(format_omission_marker(OmittedLines(last + 1, start - 1), 0 if kept else len(lines), "" if kept else "{handle}"))
        kept.extend(lines[start - 1 : end])
        last = end
    if last < len(lines):
        kept.append(
            format_omission_marker(
                OmittedLines(last + 1, len(lines)), 0 if kept and "{handle}" in "".join(kept) else len(lines), "{handle}"
            )
        )
    if ranges:
        return "\n".join(kept)
    shortened = reduce_lines(output.text, OutputContext(output.kind, path=output.path), budget_chars=FOLDED_CHARS)
    return shortened.render("{handle}") if shortened.counts_chars else None


def _with_notices(ranges: Sequence[tuple[int, int]], notices: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges, and the lines (0-based) on which the client says that it has cut the output: no fold hides that."""
    shown = sorted({at for first, last in (*ranges, *((first + 1, last + 1) for first, last in notices)) for at in range(first, last + 1)})
    joined: list[tuple[int, int]] = []
    for at in shown:
        if joined and joined[-1][1] == at - 1:
            joined[-1] = (joined[-1][0], at)
        else:
            joined.append((at, at))
    return joined


def _unmarked(ranges: Sequence[tuple[int, int]], lines: Sequence[str]) -> list[tuple[int, int]]:
    """Return the ranges without lines that look like a marker, so that every marker in a short text is true."""
    kept: list[tuple[int, int]] = []
    for first, last in ranges:
        start = first
        for at in range(first, last + 2):
            if at > last or MARKER_PATTERN.match(lines[at - 1]):
                if at > start:
                    kept.append((start, at - 1))
                start = at + 1
    return kept


def record_request_cost(
    pricing: ConversationPricing,
    state: ConversationState,
    *,
    folded_chars: int,
    unfolded_chars: int,
    folded_unchanged_chars: int,
    unfolded_unchanged_chars: int,
    model: str,
    ttl_s: int,
    at_ns: int,
) -> None:
    """Price this request with and without shortened outputs, and add the difference to `state.ahead`.

    folded_chars, unfolded_chars  of the window as sent and as it came; `…_unchanged_chars` of these, those equal to the last request.
    """
    own = pricing.folded_cache.bill_request(
        int(folded_chars / CHARS_PER_TOKEN),
        unchanged_tokens=int(folded_unchanged_chars / CHARS_PER_TOKEN),
        at_ns=at_ns,
        model=model,
        ttl_s=ttl_s,
    )
    plain = pricing.unfolded_cache.bill_request(
        int(unfolded_chars / CHARS_PER_TOKEN),
        unchanged_tokens=int(unfolded_unchanged_chars / CHARS_PER_TOKEN),
        at_ns=at_ns,
        model=model,
        ttl_s=ttl_s,
    )
    state.ahead += plain.units - own.units
    state.requests += 1
    state.sent_at_ns, state.model = at_ns, model


def is_cache_warm(state: ConversationState, *, at_ns: int, model: str, ttl_s: int) -> bool:
    """Return whether the provider's cache still holds the last request's window, by the time since then."""
    return bool(state.sent_at_ns) and state.model == model and at_ns - state.sent_at_ns <= ttl_s * 1_000_000_000


def parse_cache_ttl_s(system: bytes) -> int:
    """Return the seconds for which a request's system prompt, as JSON, asks the provider to cache its prefix."""
    return LONG_TTL_S if re.search(rb'"ttl":\s*"1h"', system) else SHORT_TTL_S


def parse_result_text(content: object) -> str | None:
    """Return the text of a tool result; None when it holds anything but text."""
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
