"""Preview: what a compaction of a session would keep, record by record, with why. Nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from clew.compaction.compact import main_thread_records
from clew.lifecycle.marks import StoredMark
from clew.packet.options import OriginalCache
from clew.records import MatchReason, Packet, Pin, Record, Status
from clew.store.ports import LOCAL, Writer
from clew.transcript.follow import ARCHIVES, transcript_source
from clew.transcript.parse import open_transcript
from clew.transcript.session_files import SessionFiles
from clew.usecases import ingest
from clew.usecases.compact import CompactionInput, load_compaction_input, load_stored_input
from clew.usecases.inputs import check_budget, get_source_state, is_there
from clew.usecases.marks import SessionMarks
from clew.usecases.places import find_memory
from clew.usecases.progress import find_line


class Fate(StrEnum):
    """What becomes of a record at a compaction."""

    KEPT = "kept whole"
    SHORTENED = "some lines kept"
    HANDED_OFF = "in the hand-off"  # every line of it stands in the text that comes first
    FOLDED = "left out"  # true still; its handle unfolds it
    ENDED = "left out, no longer true"


@dataclass(frozen=True, slots=True)
class PreviewedRecord:
    """One record of the window before a compaction, and its fate.

    shown   spans of lines of `text` that stay, 0-based, inclusive; tokens_after  of those.
    why     reasons for what is shown, strongest first; of what is left out the record's status says why, or the budget is the reason.
    is_in_window  it was in the window since the last compaction; an older one is only in clew's memory of the session.
    pins    what a person decided by hand about lines of it.
    """

    record: Record
    status: Status
    text: str
    fate: Fate
    shown: tuple[tuple[int, int], ...]
    tokens_before: int
    tokens_after: int
    why: tuple[MatchReason, ...] = ()
    is_in_window: bool = True
    pins: tuple[StoredMark[Pin], ...] = ()

    @property
    def is_pinned(self) -> bool:
        """Whether a person pinned it or lines of it."""
        return any(not each.mark.is_dropped for each in self.pins)


@dataclass(frozen=True, slots=True)
class CompactionPreview:
    """The window that a compaction would leave, and the fate of each record, oldest first.

    cuts  (uuid, time in ns) of what the client wrote of its own compactions, oldest first.
    """

    packet: Packet
    records: tuple[PreviewedRecord, ...]
    cuts: tuple[tuple[str, int], ...] = ()

    @property
    def tokens_before(self) -> int:
        """Tokens of the records that stand in the window now."""
        return sum(each.tokens_before for each in self.records if each.is_in_window)

    @property
    def unfitting(self) -> int:
        """Number of pinned records of which no line fits into the budget."""
        return sum(each.is_pinned and not each.shown for each in self.records)


def preview_compaction(
    store: Writer, session: str, *, at: str | None, budget_tokens: int, tokenizer: str, path: Path
) -> CompactionPreview:  # fmt: skip
    """Return what compacting a session before the record `at` (None: at its end) would keep within the budget.

    session  path of a transcript, which is read and not ingested; or the id of an ingested session.
    Raises UnknownRecord for `at`, UnknownHandle for a session that is not stored, NotReadable for a file that is no transcript.
    Cost     about 0.1 s for each megabyte of a transcript that is not ingested.
    """
    made = _load_input(store, session, at, tokenizer, path)
    packet, shown = made.select_lines(check_budget(budget_tokens))
    why = {entry.id: entry.why for entry in packet.entries}
    tokens = {entry.id: entry.tokens for entry in packet.entries}
    said = "\n".join(" ".join(line.split()) for line in packet.text.split("\n"))
    with made.store.snapshot(LOCAL, made.workspace, made.as_of_ns) as snapshot:
        records, statuses = main_thread_records(snapshot, made.source, made.seq_end)
        every = snapshot.records_of_sources(made.source)
        originals = OriginalCache(snapshot)
        originals.read(record.full_text for record in records)
        texts = [originals.shown_text(record) for record in records]
    begun = max((record.seq for record in every if record.kind == "boundary"), default=-1)
    cuts = tuple((record.uuid, record.at_ns) for record in every if record.kind in ("boundary", "summary") and not record.agent)
    pins: dict[str, list[StoredMark[Pin]]] = {}
    marks = SessionMarks(store, made.workspace, made.source.removeprefix("session:"))
    for each in marks.list_pins(until_ns=0 if at is None else made.at_ns):
        pins.setdefault(each.mark.record_id, []).append(each)
    found: list[PreviewedRecord] = []
    for record, status, text in zip(records, statuses, texts, strict=True):
        spans = tuple(sorted(shown.get(record.id, ())))
        found.append(
            PreviewedRecord(
                record, status, text, _fate(status, text, spans, said), spans, made.counter.count(text), tokens.get(record.id, 0),
                why.get(record.id, ()), record.seq > begun, tuple(pins.get(record.id, ())),
            )
        )  # fmt: skip
    return CompactionPreview(packet, tuple(found), cuts)


def _load_input(store: Writer, session: str, at: str | None, tokenizer: str, path: Path) -> CompactionInput:
    file, key = Path(session), find_memory(store, path)[0]
    if not is_there(file):
        stored = ingest.find_stored_session(store, key, session)
        if at is None and (made := load_stored_input(store, key, stored, tokenizer)):
            return made
        found, lines = ingest.load_stored_transcript(store, key, session)
    else:
        found = ingest.identify_session(file)
        if at is None and _is_whole(store, key, found) and (made := load_stored_input(store, key, found, tokenizer)):
            return made
        with open_transcript(file) as stream:
            lines = stream.readlines()
    return load_compaction_input(store, found, lines[: find_line(lines, at)], tokenizer=tokenizer, path=path, is_end=at is None)


def _is_whole(store: Writer, key: str, session: SessionFiles) -> bool:
    """Return whether all that a transcript holds now is stored."""
    state, about = get_source_state(store, key, transcript_source(session)), session.path.stat()
    is_grown = session.path.suffix not in ARCHIVES and state is not None and state.size != about.st_size
    return state is not None and state.mtime_ns == about.st_mtime_ns and not is_grown


def _fate(status: Status, text: str, spans: Sequence[tuple[int, int]], said: str) -> Fate:
    if spans:
        return Fate.KEPT if list(spans) == [(0, text.count("\n"))] else Fate.SHORTENED
    lines = [" ".join(line.split()) for line in text.split("\n")]
    if any(lines) and all(line in said for line in lines):
        return Fate.HANDED_OFF
    return Fate.FOLDED if status.is_live else Fate.ENDED
