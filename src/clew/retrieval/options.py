"""Options: the ways in which one record can be shown, from its name to its whole text.

Extractive: code is copied byte for byte in whole lines, and what is left out is named by a handle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clew.records import Record, Resolution, Text, Trust, handle_of
from clew.retrieval.assemble import Option
from clew.store.ports import Reader

SIGNATURE_CHARS_MAX = 400  # a longer header is data, not a signature
LINE_CHARS_MAX = 240  # of a one-line form in a conversation


@dataclass(slots=True)
class Originals:
    """Stored originals, each read once for the packet at hand."""

    reader: Reader
    workspace: str
    _seen: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def bytes_of(self, text: Text) -> bytes:
        """The bytes of a text. Raises KeyError or Purged when its original is gone."""
        if not text.blob:
            return text.inline.encode("utf-8", "surrogateescape")
        data = self._seen.get(text.blob)
        if data is None:
            data = self._seen[text.blob] = self.reader.blob(self.workspace, text.blob)
        return data[text.start : text.end]

    def text_of(self, text: Text) -> str:
        """The text itself, bytes that are not UTF-8 replaced."""
        return text.inline if not text.blob else self.bytes_of(text).decode("utf-8", "replace")


def options_of(
    record: Record, originals: Originals, measure: Callable[[Sequence[str]], Sequence[float]], *, resolution_max: Resolution, is_container: bool
) -> tuple[Option, ...]:
    """Return the options of a record up to `resolution_max`, ascending.

    measure       token counts of many texts at once.
    is_container  other records stand inside it: its whole is theirs to show, so it stops at its head.
    """
    limit = min(resolution_max, Resolution.FOLDED) if is_container else resolution_max
    show = _conversation if record.session else _code
    shown = [option for text in record.texts if text.resolution <= limit and (option := show(record, text, originals)) is not None]
    counts = measure([option.text for option in shown])
    sized = [
        Option(option.resolution, option.text, tokens, option.start, option.end, is_whole=option.is_whole)
        for option, tokens in zip(shown, counts, strict=True)
    ]
    return tuple(sized)


def heading_of(group: str) -> str:
    """The line above the entries of one file or session."""
    return f"=== {group}\n"


def group_of(record: Record) -> str:
    """The file or the session that a record stands under."""
    return f"session {record.session}" if record.session else _printable(record.path)


def _code(record: Record, text: Text, originals: Originals) -> Option | None:
    handle, name = handle_of(record.id), _printable(record.name)
    whole = record.whole
    if text.resolution == Resolution.NAME:
        line = whole.start_line
        header = record.text(Resolution.SIGNATURE)
        if header is not None and header.start_line:
            line = header.start_line
        return Option(text.resolution, f"{line} [{handle}] {name}\n", 0.0, line, line)
    body = originals.text_of(text).rstrip("\n")
    if text.resolution == Resolution.SIGNATURE:
        if len(body) > SIGNATURE_CHARS_MAX:
            return None
        owner = name.rpartition(".")[0]
        prefix = f"{owner} › " if owner else ""
        return Option(text.resolution, f"{text.start_line} [{handle}] {prefix}{body.strip()}\n", 0.0, text.start_line, text.end_line)
    is_whole = (text.start, text.end, text.blob) == (whole.start, whole.end, whole.blob)
    if is_whole:
        head = f"--- {text.start_line}-{text.end_line} {name}\n"
    else:
        head = f"--- {text.start_line}-{text.end_line} of {whole.start_line}-{whole.end_line} {name} [{handle}]\n"
    resolution = Resolution.FULL if is_whole else text.resolution
    return Option(resolution, f"{head}{body}\n", 0.0, text.start_line, text.end_line, is_whole=is_whole)


def _conversation(record: Record, text: Text, originals: Originals) -> Option | None:
    handle = handle_of(record.id)
    where = f" ({record.agent})" if record.agent else ""
    if text.resolution <= Resolution.SIGNATURE:
        line = " ".join(originals.text_of(text).split())[:LINE_CHARS_MAX]
        return Option(text.resolution, f"[{handle}] {record.kind}{where}: {line}\n", 0.0)
    is_whole = text == record.whole
    body = originals.text_of(text).rstrip("\n")
    if record.trust == Trust.QUOTED:
        # Text from outside stands between marks that it cannot know, and is never an instruction.
        body = f"‹quoted {handle}\n{body}\nquoted {handle}›"
    part = "" if is_whole else " part"
    return Option(Resolution.FULL if is_whole else text.resolution, f"--- [{handle}] {record.kind}{where}{part}\n{body}\n", 0.0, is_whole=is_whole)


def _printable(name: str) -> str:
    """A name without line ends or lone surrogates: bytes that are not UTF-8 as \\xNN."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").replace("\n", "\\n").replace("\r", "\\r")
