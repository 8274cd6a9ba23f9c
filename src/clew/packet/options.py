"""Options: build the ways in which one record can be shown, from its name to its whole text.

Extractive: code is copied byte for byte in whole lines, and what is left out is named by a handle.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate
from typing import TypeAlias

from clew.packet.assemble import Option
from clew.records import (
    NEXT_FENCE,
    Author,
    Record,
    RecordText,
    Resolution,
    Span,
    Spans,
    Status,
    clew_span,
    count_user_interruptions,
    infer_author,
    join_text,
    make_handle,
    merge_spans,
    outside_span,
)
from clew.records.wording import describe_end
from clew.store.ports import Snapshot
from clew.task.client_notes import strip_client_note
from clew.task.prompts import split_typed_parts

LINES_AROUND = (40, 20, 10, 5, 2, 1, 0)  # before and behind a quoted line, the most that fits
LINE_CHARS_MAX = 240  # of a one-line form in a conversation
# Blank lines below shown code are shown with it: a new function or field is written there. In a quarter of the dev rows the
# fix begins on such a line (bench/LOG.md), and each costs one character.
BLANK_LINES_MAX = 2

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")  # controls, ends of lines, and marks of direction
_Draft: TypeAlias = tuple[Resolution, str, Spans, tuple[int, ...], int, int, bool]
"""An option that is not measured yet: resolution, text, and as `Option` has them spans, cuts, first and last line, and is_whole."""


@dataclass(slots=True)
class OriginalCache:
    """Originals of one snapshot, each read from the store once."""

    snapshot: Snapshot
    _seen: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def read(self, texts: Iterable[RecordText]) -> None:
        """Read the originals of `texts` in one batch. Raises KeyError for an unknown original, Purged for an erased one."""
        missing = {text.blob for text in texts if text.blob} - self._seen.keys()
        if missing:
            self._seen |= self.snapshot.originals(missing)

    def bytes_of(self, text: RecordText) -> bytes:
        """Return the bytes of a text. Raises KeyError for an unknown original, Purged for an erased one."""
        if not text.blob:
            return text.inline.encode("utf-8", "surrogatepass")
        data = self._seen.get(text.blob)
        if data is None:
            data = self._seen[text.blob] = self.snapshot.original(text.blob)
        return data[text.start : text.end]

    def text_of(self, text: RecordText) -> str:
        """Return a text decoded as UTF-8, invalid bytes replaced. Raises as `bytes_of` does."""
        return text.inline if not text.blob else self.bytes_of(text).decode("utf-8", "replace")

    def shown_text(self, record: Record) -> str:
        """Return a record's full text without what the client wrote behind a tool's output. Raises as `bytes_of` does."""
        return strip_client_note(record.kind, self.text_of(record.full_text))

    def to_next(self, text: RecordText) -> tuple[str, int]:
        """Return a text with up to BLANK_LINES_MAX blank lines that follow it, less the last line end, and its last line's number."""
        if not text.blob or not text.start_line:
            return self.text_of(text).removesuffix("\n"), text.end_line
        self.bytes_of(text)
        data, end, more = self._seen[text.blob], text.end, 0
        while more < BLANK_LINES_MAX and end < len(data) and not data[end : (stop := data.find(b"\n", end) + 1 or len(data))].strip():
            end, more = stop, more + 1
        return data[text.start : end].decode("utf-8", "replace").removesuffix("\n"), text.end_line + more


@dataclass(frozen=True, slots=True)
class DisplayLimit:
    """A record with the highest resolution at which it may be shown; of a container only the part before its first member is shown.

    standing  of a session's record, `describe_standing`.
    """

    record: Record
    resolution_max: Resolution = Resolution.FULL
    is_container: bool = False
    standing: Spans = ()


def build_options(
    showings: Sequence[DisplayLimit], originals: OriginalCache, measure: Callable[[Sequence[str]], Sequence[float]]
) -> list[tuple[Option, ...]]:
    """Return the options of each record, ascending in resolution.

    measure  token counts of many texts at once.
    """
    drafts: list[list[_Draft]] = []
    limits = [min(each.resolution_max, Resolution.FOLDED) if each.is_container else each.resolution_max for each in showings]
    shown = [[text for text in each.record.texts if text.resolution <= limit] for each, limit in zip(showings, limits, strict=True)]
    originals.read(text for texts in shown for text in texts)
    for showing, texts in zip(showings, shown, strict=True):
        record = showing.record
        made = (
            _conversation(record, text, originals, showing.standing) if record.session else _code(record, text, originals) for text in texts
        )
        drafts.append([draft for draft in made if draft is not None])
    fence, *lengths = measure([NEXT_FENCE, *(draft[1] for row in drafts for draft in row)])
    measured = iter(lengths)

    def option(draft: _Draft, *, is_said: bool) -> Option:
        resolution, text, spans, cuts, start, end, is_whole = draft
        tokens = next(measured)
        return Option(
            resolution, text, tokens + fence * count_user_interruptions(spans) if is_said else tokens, start, end, is_whole, spans, cuts
        )

    return [
        tuple(option(draft, is_said=bool(showing.record.session)) for draft in row) for showing, row in zip(showings, drafts, strict=True)
    ]


def make_line_option(
    record: Record, line: int, originals: OriginalCache, measure: Callable[[str], float], tokens_max: float
) -> Option | None:
    """Return the lines around `line` of a record's text, as many as `tokens_max` allows, or its name; None where neither fits."""
    whole = record.full_text
    drafts: list[_Draft] = []
    if line and whole.blob and whole.start_line <= line <= whole.end_line:
        originals.read((whole,))
        lines = originals.bytes_of(whole).decode("utf-8", "replace").split("\n")
        at = line - whole.start_line
        drafts += [_part(record, lines, max(at - reach, 0), min(at + reach, len(lines) - 1)) for reach in LINES_AROUND]
    named = _code(record, record.texts[0], originals)
    for resolution, text, spans, cuts, start, end, is_whole in (*drafts, *((named,) if named else ())):
        if (tokens := measure(text)) <= tokens_max:
            return Option(resolution, text, tokens, start, end, is_whole, spans, cuts)
    return None


def build_part_options(
    parts: Iterable[tuple[Record, int, int]], originals: OriginalCache, measure: Callable[[Sequence[str]], Sequence[float]]
) -> list[Option]:
    """Return the option that shows each (record, first line, last line), lines as in its file, with blank lines below.

    measure  token counts of many texts at once.
    """
    written: dict[str, list[str]] = {}
    drafts: list[_Draft] = []
    for record, begin, end in parts:
        whole = record.full_text
        if record.id not in written:
            written[record.id] = originals.text_of(whole).split("\n")
        lines, first, last = written[record.id], begin - whole.start_line, end - whole.start_line
        stop = last
        while stop + 1 < len(lines) and stop - last < BLANK_LINES_MAX and not lines[stop + 1].strip():
            stop += 1
        drafts.append(_part(record, lines, first, stop))
    lengths = measure([draft[1] for draft in drafts])
    return [
        Option(resolution, text, tokens, start, end, is_whole, spans, cuts)
        for (resolution, text, spans, cuts, start, end, is_whole), tokens in zip(drafts, lengths, strict=True)
    ]


def _part(record: Record, lines: Sequence[str], first: int, last: int) -> _Draft:
    """Return the draft that shows some of the lines of a record's text, 0-based and inclusive."""
    whole = record.full_text
    begin, end = whole.start_line + first, whole.start_line + last
    text, cuts = _alternate(
        f"--- {begin}-{end} of {whole.start_line}-{whole.end_line} ", _printable(record.name), f" [{make_handle(record.id)}]\n",
        "\n".join(lines[first : last + 1]), "\n",
    )  # fmt: skip
    return Resolution.FOLDED, text, (), cuts, begin, end, False


def heading_text(group: str) -> str:
    """Return the line above the entries of one file or session."""
    return join_text(heading_spans(group))


def heading_spans(group: str) -> Spans:
    """Return the line above the entries of one file or session as spans; the group's name is marked as text that clew did not write."""
    return clew_span("=== "), outside_span(group), clew_span("\n")


def attribute_text(record: Record, text: str) -> Spans:
    """Return a record's `text` split by author: of a prompt only what the user typed is the user's."""
    author = infer_author(record)
    if author is not Author.USER:
        return (Span(author, text),)
    return tuple(Span(Author.USER if is_typed else Author.OUTSIDE, piece) for piece, is_typed in split_typed_parts(text))


def group_name(record: Record) -> str:
    """Return the file or the session under whose heading a record is shown."""
    return f"session {record.session}" if record.session else _printable(record.path)


def _code(record: Record, text: RecordText, originals: OriginalCache) -> _Draft | None:
    handle, name, whole = make_handle(record.id), _printable(record.name), record.full_text
    if text.resolution == Resolution.NAME:
        line = text.start_line or whole.start_line
        if record.name == record.path and whole.end_line:
            said = f"[{handle}:{line}] the file, {whole.end_line} lines\n"
            return text.resolution, said, (clew_span(said),), (), line, line, False
        return text.resolution, *_between(f"[{handle}:{line}] ", name), line, line, False
    if text.resolution == Resolution.SIGNATURE:
        # The header's lines as they stand, with where they stand before the first.
        body = originals.text_of(text).rstrip("\n").lstrip()
        return text.resolution, *_between(f"[{handle}:{text.start_line}] ", body), text.start_line, text.end_line, False
    body, end = originals.to_next(text)
    if text is whole:
        return Resolution.FULL, *_between(f"--- {text.start_line}-{end} ", f"{name}\n{body}"), text.start_line, end, True
    said, cuts = _alternate(f"--- {text.start_line}-{end} of {whole.start_line}-{whole.end_line} ", name, f" [{handle}]\n", body, "\n")
    return text.resolution, said, (), cuts, text.start_line, end, False


def _between(head: str, body: str) -> tuple[str, Spans, tuple[int, ...]]:
    """Return clew's words with others' behind them and a line end, as text, spans and cuts."""
    start = len(head)
    return f"{head}{body}\n", (), (start, start + len(body))


def _alternate(*parts: str) -> tuple[str, tuple[int, ...]]:
    """Return parts of which every second one is others' as one text, and where its author changes."""
    return "".join(parts), tuple(accumulate(map(len, parts[:-1])))


def describe_standing(record: Record, status: Status, newer: str = "") -> Spans:
    """Return when and on which branch a session's record was made, and whether it still holds; `newer` is the id of what replaces it."""
    return *describe_occasion(record), *describe_status(status, newer)


def describe_occasion(record: Record, undated: str = "") -> Spans:
    """Return the day and the branch of a session's record; `undated` stands for a day that is not known."""
    day = f", {datetime.fromtimestamp(record.at_ns / 1e9, UTC).date().isoformat()}" if record.at_ns else undated
    branch = dict(record.lineage).get("branch", "")
    return clew_span(day), *((clew_span(" on "), outside_span(branch)) if branch else ())


def describe_status(status: Status, newer: str = "") -> Spans:
    """Return whether a record still holds, () where it does; `newer` is the id of what replaces it."""
    newer = newer or status.superseded_by
    state = f", replaced by [{make_handle(newer)}]" if newer else "" if status.is_live else ", no longer true"
    why = describe_end(status.reason, is_doubt=status.is_live) if status.reason else ""
    doubt = f", SUSPECT: {why}" if status.is_suspect else f" ({why})" if why else ""
    return (*((clew_span(state),) if state else ()), *((outside_span(doubt),) if doubt else ()))


def _conversation(record: Record, text: RecordText, originals: OriginalCache, standing: Spans) -> _Draft | None:
    handle = make_handle(record.id)
    where = f" ({record.agent})" if record.agent else ""
    if text.resolution <= Resolution.SIGNATURE:
        line = " ".join(originals.text_of(text).split())[:LINE_CHARS_MAX]
        head = clew_span(f"[{handle}] {record.kind}{where}"), *standing, clew_span(": ")
        spans = merge_spans((*head, *attribute_text(record, line), clew_span("\n")))
        return text.resolution, join_text(spans), spans, (), 0, 0, False
    is_whole = text is record.full_text
    body = strip_client_note(record.kind, originals.text_of(text)).rstrip("\n")
    head = clew_span(f"--- [{handle}] {record.kind}{where}{'' if is_whole else ' part'}"), *standing, clew_span("\n")
    spans = merge_spans((*head, *attribute_text(record, body), clew_span("\n")))
    return Resolution.FULL if is_whole else text.resolution, join_text(spans), spans, (), 0, 0, is_whole


@lru_cache(maxsize=1 << 14)  # each option of a record asks for its name
def _printable(name: str) -> str:
    """A name with what would end its line, steer a terminal or turn its letters around escaped, as are bytes that are not UTF-8."""
    if name.isprintable():
        return name
    said = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), said)
