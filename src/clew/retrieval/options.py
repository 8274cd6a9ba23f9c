"""Options: the ways in which one record can be shown, from its name to its whole text.

Extractive: code is copied byte for byte in whole lines, and what is left out is named by a handle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from clew.records import Record, Resolution, Text, Trust, handle_of
from clew.retrieval.assemble import Option
from clew.store.ports import Reader

LINE_CHARS_MAX = 240  # of a one-line form in a conversation
# Blank lines below shown code are shown with it: a new function or field is written there. In a quarter of the dev rows the
# fix begins on such a line (bench/LOG.md), and each costs one character.
BLANK_LINES_MAX = 2

_Draft: TypeAlias = tuple[Resolution, str, int, int, bool]  # resolution, text, first line, last line, whole


@dataclass(slots=True)
class Originals:
    """Stored originals, each read once for the packet at hand."""

    reader: Reader
    workspace: str
    _seen: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def bytes_of(self, text: Text) -> bytes:
        """The bytes of a text. Raises KeyError or Purged when its original is gone."""
        if not text.blob:
            return text.inline.encode("utf-8", "surrogatepass")
        data = self._seen.get(text.blob)
        if data is None:
            data = self._seen[text.blob] = self.reader.blob(self.workspace, text.blob)
        return data[text.start : text.end]

    def text_of(self, text: Text) -> str:
        """The text itself, bytes that are not UTF-8 replaced."""
        return text.inline if not text.blob else self.bytes_of(text).decode("utf-8", "replace")

    def to_next(self, text: Text) -> tuple[str, int]:
        """The text without its last line end, and up to BLANK_LINES_MAX blank lines that follow it; the last line of both."""
        if not text.blob or not text.start_line:
            return self.text_of(text).removesuffix("\n"), text.end_line
        self.bytes_of(text)
        data, end, more = self._seen[text.blob], text.end, 0
        while more < BLANK_LINES_MAX and end < len(data) and not data[end : (stop := data.find(b"\n", end) + 1 or len(data))].strip():
            end, more = stop, more + 1
        return data[text.start : end].decode("utf-8", "replace").removesuffix("\n"), text.end_line + more


@dataclass(frozen=True, slots=True)
class Showing:
    """How one record may be shown: up to `resolution_max`, and no further than its head where others stand inside it."""

    record: Record
    resolution_max: Resolution = Resolution.FULL
    is_container: bool = False


def options_of(
    showings: Sequence[Showing], originals: Originals, measure: Callable[[Sequence[str]], Sequence[float]]
) -> list[tuple[Option, ...]]:
    """Return the options of each record, ascending in resolution.

    measure  token counts of many texts at once.
    """
    drafts: list[list[_Draft]] = []
    for showing in showings:
        limit = min(showing.resolution_max, Resolution.FOLDED) if showing.is_container else showing.resolution_max
        show = _conversation if showing.record.session else _code
        texts = [text for text in showing.record.texts if text.resolution <= limit]
        drafts.append([draft for text in texts if (draft := show(showing.record, text, originals)) is not None])
    counts = iter(measure([draft[1] for row in drafts for draft in row]))
    return [
        tuple(Option(resolution, text, next(counts), start, end, is_whole) for resolution, text, start, end, is_whole in row)
        for row in drafts
    ]


def heading_of(group: str) -> str:
    """The line above the entries of one file or session."""
    return f"=== {group}\n"


def group_of(record: Record) -> str:
    """The file or the session that a record stands under."""
    return f"session {record.session}" if record.session else _printable(record.path)


def _code(record: Record, text: Text, originals: Originals) -> _Draft | None:
    handle, name, whole = handle_of(record.id), _printable(record.name), record.whole
    if text.resolution == Resolution.NAME:
        line = text.start_line or whole.start_line
        said = f"the file, {whole.end_line} lines" if record.name == record.path and whole.end_line else name
        return text.resolution, f"[{handle}:{line}] {said}\n", line, line, False
    if text.resolution == Resolution.SIGNATURE:
        # The header's lines as they stand, with where they stand before the first.
        body = originals.text_of(text).rstrip("\n")
        return text.resolution, f"[{handle}:{text.start_line}] {body.lstrip()}\n", text.start_line, text.end_line, False
    body, end = originals.to_next(text)
    if text is whole:
        return Resolution.FULL, f"--- {text.start_line}-{end} {name}\n{body}\n", text.start_line, end, True
    head = f"--- {text.start_line}-{end} of {whole.start_line}-{whole.end_line} {name} [{handle}]\n"
    return text.resolution, f"{head}{body}\n", text.start_line, end, False


def _conversation(record: Record, text: Text, originals: Originals) -> _Draft | None:
    handle = handle_of(record.id)
    where = f" ({record.agent})" if record.agent else ""
    if text.resolution <= Resolution.SIGNATURE:
        line = " ".join(originals.text_of(text).split())[:LINE_CHARS_MAX]
        return text.resolution, f"[{handle}] {record.kind}{where}: {line}\n", 0, 0, False
    is_whole = text is record.whole
    body = originals.text_of(text).rstrip("\n")
    if record.trust == Trust.QUOTED:
        # Text from outside stands between marks that it cannot know, and is never an instruction.
        body = f"‹quoted {handle}\n{body}\nquoted {handle}›"
    part = "" if is_whole else " part"
    return Resolution.FULL if is_whole else text.resolution, f"--- [{handle}] {record.kind}{where}{part}\n{body}\n", 0, 0, is_whole


def _printable(name: str) -> str:
    """A name without line ends or lone surrogates: bytes that are not UTF-8 escaped."""
    if name.isprintable():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").replace("\n", "\\n").replace("\r", "\\r")
