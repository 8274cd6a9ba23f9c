"""Forms: how short could each tool output of a window stand, from when on, and what would be missed in each form?

An output stands in full, in the form in which a reducer let it in, folded, or as its handle alone. It may be folded once it
is exploration long past; it may shrink to its handle once the ledger says that it is no longer true. Missed in a form is
what a later call used (the text that an edit replaces, a rare identifier) where no other part of the window shows it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from clew.evaluation.bills import Bills
from clew.evaluation.needs import list_input_strings, list_replaced_texts
from clew.records import EndReason, Observation, ObservationKind, Record, Resolution, ToolCall, make_handle
from clew.records.wording import describe_end
from clew.transcript.reduce.reduce import reduce_output
from clew.transcript.reduce.reduction import build_context
from clew.transcript.schedule import find_lowest_resolution
from clew.transcript.vocabulary import split_words

Shrink = Callable[[Observation, Observation | None, str], str]
"""A tool's output, its call and the handle behind which it stands → the text as it enters the window."""

REPLACED_CHARS_MIN = 12  # a shorter text stands everywhere and is evidence of nothing
TERM_PLACES_MAX = 4  # outputs that hold an identifier; one that stands in more is met again on the way
_KEPT = split_words("answer plan rejection todo")
_NUMBERED = re.compile(r"^[ \t]*\d{1,9}(?:[→\t]|[ \t]*[│|][ \t])", re.MULTILINE)
_TERM = re.compile(r"[A-Za-z_]\w*(?:-\w+)*(?:\.(?:[a-z]{1,4}|json|yaml|toml|html)\b(?!\())?")
_TELLING = re.compile(r"\d|\w_\w|[a-z][A-Z]|\w-\w|\.[a-z]+$")
TERM_CHARS_MIN = 6


class Form(IntEnum):
    """How an output stands in the window; a higher one shows less."""

    FULL = 0
    SHRUNK = 1
    FOLDED = 2
    HANDLE = 3


@dataclass(slots=True)
class Part:
    """Something that a request added to the window.

    request   number of the first request that held it.
    tokens    of each form that it can take; FULL is always there. Only a tool's output has others.
    ended_at  number of the first request before which the ledger knew that it is no longer true; -1 for never. `reason` says why.
    touched   numbers of requests before which its file was touched, ascending; empty for an output of no file.
    kind      of the record that it belongs to; "call" and "thinking" for what the agent wrote.
    """

    request: int
    tokens: dict[Form, int]
    seen: Observation | None = None
    ended_at: int = -1
    reason: EndReason | None = None
    touched: Sequence[int] = ()
    kind: str = ""

    def idle(self, request: int) -> int:
        """Requests since it came, or since its file was last touched."""
        last = bisect_right(self.touched, request)
        return request - max(self.request, self.touched[last - 1] if last else 0)

    def form_at(self, request: int, *, is_warm: bool) -> Form | None:
        """The shortest form that it may take before this request; None while it has to stand as it came."""
        ended = self.reason.kind if self.reason and 0 <= self.ended_at <= request else None
        lowest = find_lowest_resolution(self.kind, self.idle(request), end_reason=ended, is_warm=is_warm)
        return None if lowest is None else _FORMS[lowest]


_FORMS = {Resolution.FOLDED: Form.FOLDED, Resolution.NAME: Form.HANDLE}
Holder = tuple[int, frozenset[Form]]
"""An output that showed what was needed, and the forms in which it still does."""


@dataclass(slots=True)
class History:
    """The parts of a session in the order in which they entered its window.

    first   of each request, the number of the first part that it added.
    needs   of each request, what its reply used of what only tool outputs had shown: for each use, who showed it.
    """

    parts: list[Part] = field(default_factory=list[Part])
    first: list[int] = field(default_factory=list[int])
    needs: list[list[tuple[Holder, ...]]] = field(default_factory=list[list[tuple[Holder, ...]]])


def history_of(bills: Bills, shrink: Shrink) -> History:
    """Return the parts of a session's window, their forms, and what was needed of them."""
    history = History()
    calls: dict[str, Observation] = {}
    for number, request in enumerate(bills.requests):
        history.first.append(len(history.parts))
        for said in request.added:
            if said.seen is not None and said.seen.kind is ObservationKind.CALL:
                calls[said.seen.call_id] = said.seen
            history.parts.append(Part(number, {Form.FULL: said.tokens}, said.seen))
    _name_ended(history, bills)
    seqs = {part.seen.seq: part.seen.call_id for part in history.parts if part.seen is not None}
    by_call = {call_id: record for seq, record in bills.records.items() if (call_id := seqs.get(seq, ""))}
    texts: dict[int, dict[Form, str]] = {}
    for at, part in enumerate(history.parts):
        record = bills.records.get(part.seen.seq) if part.seen is not None else None
        if part.seen is None or bills.requests[part.request].is_restart:
            continue
        if part.seen.kind is ObservationKind.RESULT and record is not None:
            call = calls.get(part.seen.call_id)
            texts[at] = _forms(part.seen, call, record, bills.folds.get(part.seen.seq, ""), part, shrink)
        elif part.seen.kind is ObservationKind.CALL and (record := by_call.get(part.seen.call_id)) is not None:
            if record.kind in _KEPT:
                continue
            part.kind = "call"
            texts[at] = {Form.FULL: part.seen.text, Form.FOLDED: f"[{make_handle(record.id)}] {record.name}\n"}
        elif part.seen.kind is ObservationKind.THINKING:
            part.kind = "thinking"
            texts[at] = {Form.FULL: part.seen.text, Form.FOLDED: ""}
        else:
            continue
        _measure(part, texts[at], bills)
    history.needs = list(_needs(history, bills, texts))
    return history


def shrunk(result: Observation, call: Observation | None, handle: str) -> str:
    """The text that `Engine.write` lets in, but that it knows the task state too."""
    return reduce_output(result.text, build_context(result, call)).render(handle)


def _name_ended(history: History, bills: Bills) -> None:
    """Note when each output ceased to be true, and when its file was touched."""
    by_seq = {part.seen.seq: at for at, part in enumerate(history.parts) if part.seen is not None}
    touched: dict[str, list[int]] = {}
    places = {record.id: seq for seq, record in bills.records.items()}
    for seq, record in sorted(bills.records.items()):
        if record.path and seq in by_seq:
            touched.setdefault(record.path, []).append(history.parts[by_seq[seq]].request)
    for seq, record in bills.records.items():
        if seq in by_seq:
            part = history.parts[by_seq[seq]]
            part.kind = record.kind
            part.touched = touched.get(record.path, ())
    for item in bills.ended:
        at, then = by_seq.get(places.get(item.old, -1), -1), by_seq.get(item.seq, -1)
        if at >= 0 and then >= 0 and history.parts[at].ended_at < 0:
            history.parts[at].ended_at, history.parts[at].reason = history.parts[then].request, item.reason


def _forms(result: Observation, call: Observation | None, record: Record, fold: str, part: Part, shrink: Shrink) -> dict[Form, str]:
    lines = result.text.count("\n") + 1
    handle = f"[{make_handle(record.id)}: {describe_end(part.reason) or 'earlier'}, {lines} lines]\n"
    folded = f"{fold}\n{handle}" if fold else handle
    return {Form.FULL: result.text, Form.SHRUNK: shrink(result, call, make_handle(record.id)), Form.FOLDED: folded, Form.HANDLE: handle}


def _measure(part: Part, texts: Mapping[Form, str], bills: Bills) -> None:
    """Tokens of each form, on the scale on which the whole text has its real length, and never more than it."""
    whole = part.tokens[Form.FULL]
    counts = bills.counter.count_many([texts[form] for form in texts])
    scale = min(1.0, whole / counts[0]) if counts[0] else 1.0
    for form, count in zip(texts, counts, strict=True):
        if form is not Form.FULL:
            part.tokens[form] = whole if form is Form.SHRUNK and texts[form] == texts[Form.FULL] else min(whole, round(count * scale))


def _needs(history: History, bills: Bills, texts: Mapping[int, Mapping[Form, str]]) -> Iterator[list[tuple[Holder, ...]]]:
    places: dict[str, list[int]] = {}  # term → parts that hold it, ascending
    squeezed: list[str] = []
    fixed: set[int] = set()
    for at, part in enumerate(history.parts):
        text = _bare(part.seen.text) if part.seen is not None else ""
        squeezed.append(_squeezed(text))
        for term in _terms(text):
            places.setdefault(term, []).append(at)
        if at not in texts:
            fixed.add(at)  # nobody takes it away
    blocks_in = {
        at: {form: squeezed[at] if text is forms[Form.FULL] else _squeezed(_bare(text)) for form, text in forms.items()}
        for at, forms in texts.items()
    }
    start = 0
    for number, request in enumerate(bills.requests):
        start = history.first[number] if request.is_restart else start
        end = history.first[number + 1] if number + 1 < len(history.first) else len(history.parts)
        uses: list[tuple[Holder, ...]] = []
        for call in request.reply:
            if call.kind is not ObservationKind.CALL:
                continue
            asked = call.call or ToolCall()
            for block in _blocks(asked):
                found = [at for at in range(start, end) if block in squeezed[at]]
                if found and fixed.isdisjoint(found):
                    uses.append(tuple((at, frozenset(form for form, text in blocks_in[at].items() if block in text)) for at in found))
            for term in sorted(_terms("\n".join(list_input_strings(asked)))):
                found = [at for at in places.get(term, ()) if start <= at < end]
                if 0 < len(found) <= TERM_PLACES_MAX and fixed.isdisjoint(found):
                    uses.append(tuple((at, frozenset(form for form, text in blocks_in[at].items() if term in text)) for at in found))
        yield list(dict.fromkeys(uses))


def _blocks(call: ToolCall) -> Iterator[str]:
    """The texts that an edit replaces, squeezed, where they are long enough to be evidence."""
    squeezed = (_squeezed(old.strip("\n")) for old in list_replaced_texts(call))
    return (block for block in squeezed if len(block) >= REPLACED_CHARS_MIN)


def _terms(text: str) -> set[str]:
    """The names of files and the identifiers of a text that no prose has, each by itself: `strings.Contains` is none, as it is
    made of two plain words, and `a/b/NewSession.go:12` is `NewSession.go`.
    """
    return {word for word in set(_TERM.findall(text)) if len(word) >= TERM_CHARS_MIN and _TELLING.search(word)}


def _bare(text: str) -> str:
    """A tool's output without the line numbers that it put in front of its lines."""
    return _NUMBERED.sub("", text) if _NUMBERED.match(text.lstrip("\n")) else text


def _squeezed(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.split("\n"))
