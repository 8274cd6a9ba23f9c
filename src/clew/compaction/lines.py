"""Lines: split a session's records into lines, and compute the features by which a line's later use is predicted.

Keeps the newest of equal lines, and measures each by what is known at that time: its age, its record, whether the current
work mentions it, how rare its words are. Pure over texts; decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clew.compaction.names import FOCUS, Floats, Ints, RareIdentifiers, rare_identifiers
from clew.records import EndKind, Record, Status, TaskState

LINE_CHARS_MIN = 4  # stripped: a shorter line is shown with its neighbours, never for itself
RECORD_CHARS_MAX = 200_000  # of one record's text; what is longer is a log, and its beginning is offered alone; guess
NEWEST_RECORDS, NEWEST_EDITS, NEWEST_QUERIES = 12, 8, 12  # whose words say what the work is about now; guesses
TALK_MAX = 60  # newest prompts, messages and reports in which a file may be named
EDIT_MARKS = frozenset({"<<<<<<< old", "=======", ">>>>>>> new"})  # how a record of an edit parts what was from what is
NEAR = 4  # lines on either side that speak for a line
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,60}|\d{3,20}")
_DEFINES = re.compile(
    r"(?:export |default |pub(?:\(\w+\))? |public |private |protected |internal |static |async |abstract |final )*"
    r"(?:def|class|func|fn|function|interface|type|struct|impl|trait|enum|module|const|var|let)\b|#{1,4} "
)
_COMMENT = re.compile(r"(?://|#(?!include)|/\*|\*|--|<!--|\"\"\")")
_IMPORT = re.compile(r"(?:import|from|use|using|require|#include|package)\b")
_POINTER = re.compile(r"([\w./-]{1,200}\.\w{1,8})(?::|#L|, lines? |:L)(\d{1,6})")
NUMBER = re.compile(r"[ \t]*(\d{1,9})(?:→|\t)")  # what a tool puts in front of a line of a file
NUMBERED = frozenset({"read", "search"})  # kinds whose lines may have their numbers in front
EDITS = frozenset({EndKind.EDITED, EndKind.UNSTASHED})  # what an agent's edits do to what was shown
CHANGES = frozenset({EndKind.CHANGED, EndKind.CHANGED_BY_COMMAND, EndKind.CHANGED_BY_GIT, EndKind.CHANGED_OUTSIDE, EndKind.CITED_CHANGED})
KINDS = ("read", "search", "command", "error", "check", "edit", "write", "prompt", "message", "agent", "todo", "plan")


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a session's records, one row for each.

    record    number of the record in the order of the input.
    at        number of the line within the record's text, 0-based.
    chars     length of the line, without its end and the number that a tool put in front.
    part      counts the lines of the record before it that an edit has replaced: lines of two parts are not adjacent any more.
    stripped  text of the line without surrounding and repeated blanks.
    features  (n, len(LINE_FEATURES)) float32.
    """

    record: Ints
    at: Ints
    chars: Ints
    part: Ints
    stripped: list[str]
    features: Floats
    names: RareIdentifiers


LINE_FEATURES: tuple[str, ...] = (
    "age_tokens", "age_share", "age_prompts", *(f"is_{kind}" for kind in KINDS),
    "path_rank", "path_touches", "path_edits", "path_reads", "path_is_edited_last", "path_said_ago", "path_in_prompt", "path_in_message",
    "path_in_plan",
    "record_lines", "place_in_record", "is_partial",
    *(f"{what}_{how}" for what in FOCUS for how in ("own", "near", "block", "most", "record")),
    "chars", "indent", "defines", "is_comment", "is_import",
    "idf_max", "idf_sum", "rare", "near_rare",
    "seen_times", "is_of_edit", "near_edit", "block_edit", "block_lines", "is_ended", "is_edited_since",
    "is_pointed_at", "block_pointed_at",
)  # fmt: skip


def line_features(records: Sequence[Record], texts: Sequence[str], statuses: Sequence[Status], state: TaskState) -> Lines:
    """Return the lines of `records` (oldest first) with their features, the newest of equal ones; `texts` are the records' whole texts."""
    rows = _Rows()
    replaced = _replaced(records, texts)
    for number in range(len(records) - 1, -1, -1):  # the newest first, so that the first of equal lines is the newest
        rows.add(number, records[number], texts[number], replaced, is_live=statuses[number].is_live)
    return rows.finish(records, texts, statuses, state)


@dataclass(slots=True)
class _Rows:
    record: list[int] = field(default_factory=list[int])
    at: list[int] = field(default_factory=list[int])
    chars: list[int] = field(default_factory=list[int])
    number: list[int] = field(default_factory=list[int])
    part: list[int] = field(default_factory=list[int])
    stripped: list[str] = field(default_factory=list[str])
    indent: list[int] = field(default_factory=list[int])
    seen: dict[str, int] = field(default_factory=dict[str, int])  # stripped line → its row
    times: list[int] = field(default_factory=list[int])
    last: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, number: int, record: Record, text: str, replaced: dict[str, dict[str, int]], *, is_live: bool) -> None:
        # A read that is true says itself what stands there: what an edit took away may have been brought back.
        gone = replaced.get(record.path, {}) if record.path and not (record.kind == "read" and is_live) else {}
        is_read = record.kind in NUMBERED
        part = 0
        for at, line in enumerate(text[:RECORD_CHARS_MAX].split("\n")):
            body, numbered = line, 0
            if is_read and (found := NUMBER.match(line)):
                body, numbered = line[found.end() :], int(found[1])
            stripped = " ".join(body.split())
            if len(stripped) < LINE_CHARS_MIN:
                continue
            if gone.get(stripped, -1) >= number or (record.kind == "edit" and stripped in EDIT_MARKS):
                part += 1  # an edit has replaced it, this one or a later one
                continue
            known = self.seen.get(stripped)
            if known is not None:
                if self.last.get(stripped) != number:
                    self.times[known] += 1
                    self.last[stripped] = number
                continue
            self.seen[stripped] = len(self.record)
            self.last[stripped] = number
            self.times.append(1)
            self.record.append(number)
            self.at.append(at)
            self.chars.append(len(body))
            self.number.append(numbered)
            self.part.append(part)
            self.stripped.append(stripped)
            self.indent.append(len(body) - len(body.lstrip()))

    def finish(self, records: Sequence[Record], texts: Sequence[str], statuses: Sequence[Status], state: TaskState) -> Lines:
        record = np.array(self.record, np.int64)
        at = np.array(self.at, np.int64)
        order = np.lexsort((at, record))
        self.stripped = [self.stripped[row] for row in order.tolist()]
        arrays = [
            np.array(column, np.int64)[order]
            for column in (self.record, self.at, self.chars, self.number, self.part, self.indent, self.times)
        ]
        record, at, chars, number, part, indent, times = arrays
        focus = _focus(records, texts, state)
        features = _features(records, texts, statuses, focus, record, at, self.stripped, indent, times, number)
        names = rare_identifiers(self.stripped, record, features, LINE_FEATURES, focus)
        return Lines(record, at, chars, part, self.stripped, features, names)


def _replaced(records: Sequence[Record], texts: Sequence[str]) -> dict[str, dict[str, int]]:
    """By path: stripped lines that an edit took away, with the number of the newest record that did, unless put there again."""
    gone: dict[str, dict[str, int]] = {}
    for number, record in enumerate(records):
        if record.kind != "edit" or not record.path:
            continue
        table = gone.setdefault(record.path, {})
        for old, new in _changes(texts[number]):
            put = {" ".join(line.split()) for line in new}
            for line in old:
                stripped = " ".join(line.split())
                if stripped not in put:
                    table[stripped] = number
            for stripped in put:
                table.pop(stripped, None)
    return gone


def _changes(text: str) -> list[tuple[list[str], list[str]]]:
    """The pairs (old lines, new lines) of an edit as its record tells them."""
    found: list[tuple[list[str], list[str]]] = []
    old: list[str] | None = None
    new: list[str] | None = None
    for line in text.split("\n"):
        if line == "<<<<<<< old":
            old, new = [], None
        elif line == "=======" and old is not None and new is None:
            new = []
        elif line == ">>>>>>> new" and old is not None and new is not None:
            found.append((old, new))
            old = new = None
        elif new is not None:
            new.append(line)
        elif old is not None:
            old.append(line)
    return found


def _features(
    records: Sequence[Record],
    texts: Sequence[str],
    statuses: Sequence[Status],
    focus: Mapping[str, str],
    record: Ints,
    at: Ints,
    stripped: list[str],
    indent: Ints,
    times: Ints,
    number: Ints,
) -> Floats:
    n, count = len(stripped), len(records)
    out = np.zeros((n, len(LINE_FEATURES)), np.float32)
    column = {name: at for at, name in enumerate(LINE_FEATURES)}
    if not n:
        return out

    def put(name: str, values: ArrayLike) -> None:
        out[:, column[name]] = values

    chars = np.array([len(text) for text in texts], np.float64)
    behind = chars[::-1].cumsum()[::-1] - chars
    put("age_tokens", np.log1p(behind[record] / 4000.0))
    put("age_share", (count - 1 - record) / max(count, 1))
    prompts = np.array([each.kind == "prompt" for each in records], np.float64)
    put("age_prompts", np.log1p((prompts[::-1].cumsum()[::-1] - prompts)[record]))
    kinds = [each.kind for each in records]
    for kind in KINDS:
        put(f"is_{kind}", np.array([each == kind for each in kinds], np.float32)[record])
    vocabulary, terms, owner, idf, df = _terms(stripped, record)
    sums = np.bincount(owner, idf[terms], n)
    put("idf_sum", np.log1p(sums))
    top = np.zeros(n)
    np.maximum.at(top, owner, idf[terms])
    put("idf_max", top)
    rare = np.bincount(owner, df[terms] <= 2, n)
    put("rare", np.log1p(rare))
    near = _Near(record)
    block = _blocks(record, at, indent)
    sizes = np.bincount(block)
    put("near_rare", np.log1p(near(rare)))
    for name, text in focus.items():
        own = np.bincount(owner, (idf * _in_focus(text, vocabulary))[terms], n)
        most = max(float(own.max(initial=0.0)), 1.0)
        put(f"{name}_own", np.log1p(own))
        put(f"{name}_near", np.log1p(near(own)))
        put(f"{name}_block", np.log1p(np.bincount(block, own))[block])
        put(f"{name}_most", own / most)
        put(f"{name}_record", np.log1p(np.bincount(record, own, count) / np.sqrt(np.bincount(record, minlength=count) + 1.0))[record])
    _put_paths(put, records, texts, record)
    ends = np.flatnonzero(np.r_[record[1:] != record[:-1], True])
    lengths = at[ends]
    total = np.zeros(count)
    total[record[ends]] = lengths + 1
    put("record_lines", np.log1p(total[record]))
    put("place_in_record", at / np.maximum(total[record], 1))
    put("is_partial", np.array([each.kind == "read" and each.full_text.start_line > 1 for each in records], np.float32)[record])
    put("chars", np.log1p([len(line) for line in stripped]))
    put("indent", np.minimum(indent, 40) / 8.0)
    put("defines", [_DEFINES.match(line) is not None for line in stripped])
    put("is_comment", [_COMMENT.match(line) is not None for line in stripped])
    put("is_import", [_IMPORT.match(line) is not None for line in stripped])
    put("seen_times", np.log1p(times))
    edited = _edited(records, texts)
    is_of_edit = np.array([line in edited for line in stripped], np.float64)
    put("is_of_edit", is_of_edit)
    put("near_edit", np.log1p(near(is_of_edit)))
    put("block_edit", np.log1p(np.bincount(block, is_of_edit))[block])
    put("block_lines", np.log1p(sizes)[block])
    pointed = _pointed_at(records, texts, record, number)
    put("is_pointed_at", pointed)
    put("block_pointed_at", np.log1p(np.bincount(block, pointed))[block])
    put("is_ended", np.array([not each.is_live for each in statuses], np.float32)[record])
    put("is_edited_since", np.array([has_ended_by(each, EDITS | CHANGES) for each in statuses], np.float32)[record])
    return out


def has_ended_by(status: Status, kinds: Collection[EndKind]) -> bool:
    """Return whether something of these kinds ended a record, or happened to what it cites."""
    return status.reason is not None and status.reason.kind in kinds


def _terms(stripped: list[str], record: Ints) -> tuple[dict[str, int], Ints, Ints, Floats, Floats]:
    """(vocabulary, term of each occurrence, line of each occurrence, idf by term, number of records by term)."""
    vocabulary: dict[str, int] = {}
    terms: list[int] = []
    counts: list[int] = []
    for line in stripped:
        found = {vocabulary.setdefault(word, len(vocabulary)) for word in _WORD.findall(line)}
        terms.extend(sorted(found))
        counts.append(len(found))
    owner = np.repeat(np.arange(len(stripped)), counts)
    term = np.array(terms, np.int64)
    pairs = np.unique(term * (int(record.max()) + 1) + record[owner])
    df = np.bincount(pairs // (int(record.max()) + 1), minlength=max(len(vocabulary), 1)).astype(np.float32)
    idf = np.log((len(np.unique(record)) + 1) / (df + 0.5)).astype(np.float32).clip(0)
    return vocabulary, term, owner, idf, df


def _in_focus(text: str, vocabulary: dict[str, int]) -> Floats:
    focus = np.zeros(max(len(vocabulary), 1), np.float32)
    for word in set(_WORD.findall(text)):
        if (known := vocabulary.get(word)) is not None:
            focus[known] = 1.0
    return focus


def _blocks(record: Ints, at: Ints, indent: Ints) -> Ints:
    """Number of the block of each line: a block begins where a line stands at the margin behind a blank line, or after a gap."""
    gap = np.r_[1, np.diff(at)]
    begins = np.r_[True, record[1:] != record[:-1]] | ((gap > 1) & (indent == 0)) | (gap > 8)
    return np.cumsum(begins) - 1


def _pointed_at(records: Sequence[Record], texts: Sequence[str], record: Ints, number: Ints) -> Floats:
    """1 where a recent text names this line of this file, as `path:line`, or one close by."""
    out = np.zeros(len(record), np.float32)
    told = [at for at, each in enumerate(records) if each.kind in ("prompt", "message", "agent", "error", "check", "tool", "command")]
    wanted: dict[str, set[int]] = {}
    for at in told[-20:]:
        for path, line in _POINTER.findall(texts[at][:20_000]):
            wanted.setdefault(path.rpartition("/")[2], set()).add(int(line))
    for at, each in enumerate(records):
        if each.kind == "read" and (lines := wanted.get(each.path.rpartition("/")[2])):
            mine = np.flatnonzero((record == at) & (number > 0))
            for line in sorted(lines):
                out[mine[np.abs(number[mine] - line) <= 6]] = 1.0
    return out


def _focus(records: Sequence[Record], texts: Sequence[str], state: TaskState) -> dict[str, str]:
    """The texts that say what the work is about now."""

    def newest(kinds: tuple[str, ...], most: int, chars: int = 6000) -> str:
        found = [at for at, each in enumerate(records) if each.kind in kinds][-most:]
        return "\n".join(texts[at][:chars] for at in found)

    last = range(max(0, len(records) - NEWEST_RECORDS), len(records))
    queries = [at for at, each in enumerate(records) if each.kind in ("search", "command", "check", "error")][-NEWEST_QUERIES:]
    return {
        "prompt": newest(("prompt",), 2),
        "message": newest(("message",), 3),
        "plan": newest(("plan",), 1, 20_000) + newest(("todo",), 1),
        "newest": "\n".join(texts[at][:3000] for at in last),
        "error": "\n".join(each.text for each in state.open_errors) + newest(("error",), 3, 2000),
        "edits": newest(("edit", "write"), NEWEST_EDITS, 4000),
        "queries": "\n".join(texts[at].partition("\n")[0] for at in queries),
        "first": "\n".join(texts[at][:6000] for at, each in enumerate(records) if each.kind == "prompt")[:12000],
    }


def _put_paths(put: Callable[[str, ArrayLike], None], records: Sequence[Record], texts: Sequence[str], record: Ints) -> None:
    paths = [each.path for each in records]
    touches: dict[str, list[int]] = {}
    for at, path in enumerate(paths):
        if path:
            touches.setdefault(path, []).append(at)
    order = sorted(touches, key=lambda path: -touches[path][-1])
    rank = {path: at for at, path in enumerate(order)}
    kinds = [each.kind for each in records]
    said = {
        "path_in_prompt": "\n".join(texts[at] for at, kind in enumerate(kinds) if kind == "prompt"),
        "path_in_message": "\n".join([texts[at] for at, kind in enumerate(kinds) if kind == "message"][-6:]),
        "path_in_plan": "\n".join([texts[at] for at, kind in enumerate(kinds) if kind in ("plan", "todo")][-3:]),
    }
    talk = [texts[at] for at, kind in enumerate(kinds) if kind in ("prompt", "message", "agent")][-TALK_MAX:]
    columns: dict[str, list[float]] = {
        name: [] for name in ("path_rank", "path_touches", "path_edits", "path_reads", "path_is_edited_last", "path_said_ago", *said)
    }
    known: dict[str, tuple[float, ...]] = {}
    for path in paths:
        if path not in known:
            if not path:
                known[path] = (5.0, *(0.0,) * 4, 5.0, *(0.0,) * 3)
            else:
                mine = touches[path]
                edits = sum(kinds[at] in ("edit", "write") for at in mine)
                reads = sum(kinds[at] == "read" for at in mine)
                name = path.rpartition("/")[2]
                known[path] = (
                    np.log1p(rank[path]), np.log1p(len(mine)), np.log1p(edits), np.log1p(reads),
                    float(kinds[mine[-1]] in ("edit", "write")), float(np.log1p(_said_ago(name, talk))),
                    *(float(name in text) for text in said.values()),
                )  # fmt: skip
        for name, value in zip(columns, known[path], strict=True):
            columns[name].append(value)
    for name, values in columns.items():
        put(name, np.array(values, np.float32)[record])


def _said_ago(name: str, talk: Sequence[str]) -> int:
    """How many words of the talk ago a file was last named; TALK_MAX where it was not."""
    return next((ago for ago, text in enumerate(reversed(talk)) if name in text), TALK_MAX)


class _Near:
    """Sums over the lines around each line, within its record."""

    def __init__(self, record: Ints) -> None:
        rows = np.arange(len(record))
        first = np.r_[True, record[1:] != record[:-1]]
        start = np.maximum.accumulate(np.where(first, rows, 0))
        last = np.r_[record[1:] != record[:-1], True]
        end = np.minimum.accumulate(np.where(last, rows, len(record))[::-1])[::-1]
        self._low = np.maximum(rows - NEAR, start)
        self._high = np.minimum(rows + NEAR, end) + 1
        self._rows = rows

    def __call__(self, values: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.float64]:
        given = values.astype(np.float64)
        total = np.concatenate([[0.0], np.cumsum(given)])
        return total[self._high] - total[self._low] - given


def _edited(records: Sequence[Record], texts: Sequence[str]) -> set[str]:
    """The lines that edits have put there."""
    return {
        " ".join(line.split()) for at, each in enumerate(records) if each.kind == "edit" for _, new in _changes(texts[at]) for line in new
    }
