"""Store what a person decided by hand (`clew.records.marks`): one record for each mark, trusted as the user's word, with its provenance.

The marks of a session, and those of a repository, are each a source of their own, which no search finds. A later mark of the same
thing replaces the earlier one; taking one back ends it. Marks are read as of a time, so a state at a cut is what it was then. Pure:
returns Deltas for `apply_deltas`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import msgspec

from clew.records import (
    ClaimPart,
    Correction,
    Delta,
    EndKind,
    EndReason,
    Layer,
    Mark,
    Noise,
    Pin,
    Record,
    RecordText,
    Resolution,
    SourceState,
    Supersession,
    Trust,
    make_handle,
    make_id,
)
from clew.store.originals import digest_of
from clew.store.ports import Snapshot
from clew.text.secrets import mask_text
from clew.transcript.redact import repeats_text

PRODUCER = "marks/1"  # name and version of this producer in its Deltas
MARKS_PREFIX = "marks:"  # of the sources that hold them, one for each session; without a session's id, of the repository
KINDS: dict[type[Mark], str] = {Pin: "pin", Correction: "correction", Noise: "noise"}
UNDONE_KIND = "undone"  # of the record that stands in the place of a mark that was taken back
MARK_KINDS = frozenset((*KINDS.values(), UNDONE_KIND))
NAME_CHARS_MAX = 120

M = TypeVar("M", Pin, Correction, Noise)


@dataclass(frozen=True, slots=True)
class StoredMark(Generic[M]):
    """A mark that holds, and its record."""

    record: Record
    mark: M

    @property
    def handle(self) -> str:
        """The handle by which it is taken back."""
        return make_handle(self.record.id)


def marks_source(session: str = "") -> str:
    """Return the name of the source that holds the marks of a session, or of the repository."""
    return f"{MARKS_PREFIX}{session}"


def build_mark(
    snapshot: Snapshot, mark: Mark, *, session: str, uuid: str, name: str, by: str, at_ns: int, is_of_repository: bool = False
) -> tuple[Delta, Record]:
    """Return the Delta that stores a mark in place of the one of the same thing, and its record.

    session, uuid     where the thing stands; name  what the mark says, in one line; by  who made it, and where.
    is_of_repository  it concerns other sessions too.
    """
    mark = _masked(mark)
    kind, source = KINDS[type(mark)], marks_source("" if is_of_repository else session)
    text, name = msgspec.json.encode(mark).decode(), mask_text(" ".join(name.split()))[:NAME_CHARS_MAX]
    state = snapshot.source_state(source)
    count = state.size if state else 0
    subject = f"{kind}:{session}/{make_id(*_identity(mark))}"
    record = Record(
        id=make_id("mark", subject, text, str(at_ns)),
        layer=Layer.INTENT,
        kind=kind,
        subject=subject,
        source=source,
        digest=digest_of(text.encode()),
        name=name,
        texts=(RecordText(Resolution.NAME, len(name), inline=name), RecordText(Resolution.FULL, len(text), inline=text)),
        seq=count,
        session=session,
        uuid=uuid,
        trust=Trust.USER,
        at_ns=at_ns,
        lineage=(("by", by),),
    )
    before = [each for each in snapshot.records_of_sources(source) if each.subject == subject and each.id != record.id]
    ended = tuple(Supersession(each.id, record.id, EndReason(EndKind.REPLACED), count, at_ns) for each in before)
    state = SourceState(source, size=count + 1, mtime_ns=at_ns)
    return Delta(PRODUCER, source, is_whole=False, records=(record,), superseded=ended, state=state), record


def build_undo(snapshot: Snapshot, records: Sequence[Record], *, by: str, at_ns: int) -> list[Delta]:
    """Return the Deltas that take these marks back from now on: of each a record that holds in its place and says so."""
    deltas: list[Delta] = []
    for source in dict.fromkeys(record.source for record in records):
        state = snapshot.source_state(source)
        first, text = state.size if state else 0, "taken back"
        undone = tuple(
            replace(
                each, id=make_id("mark undone", each.id, str(at_ns)), kind=UNDONE_KIND, name=text, digest=digest_of(text.encode()),
                texts=(RecordText(Resolution.FULL, len(text), inline=text),), seq=first + at, at_ns=at_ns, lineage=(("by", by),),
            )
            for at, each in enumerate(record for record in records if record.source == source)
        )  # fmt: skip
        reason, old = EndReason(EndKind.TAKEN_BACK), [record for record in records if record.source == source]
        ended = tuple(Supersession(each.id, new.id, reason, new.seq, at_ns) for each, new in zip(old, undone, strict=True))
        state = SourceState(source, size=first + len(undone), mtime_ns=at_ns)
        deltas.append(Delta(PRODUCER, source, is_whole=False, records=undone, superseded=ended, state=state))
    return deltas


def read_marks(snapshot: Snapshot, kind: type[M], *sessions: str) -> list[StoredMark[M]]:
    """Return the marks of one kind of these sessions ("" for those of the repository) that hold, or held as of the snapshot's time."""
    known = snapshot.states_of_sources([marks_source(session) for session in sessions])
    records = snapshot.records_of_sources(*known) if known else []
    return [StoredMark(each, _decode(each, kind)) for each in records if each.kind == KINDS[kind]]


def find_rule_records(snapshot: Snapshot, correction: Correction, session: str) -> list[Record]:
    """Return the records of the rule that a correction ends or replaces: of its session, or of all that had it before."""
    if correction.part is not ClaimPart.RULE:
        return []
    versions = snapshot.of_subject(f"constraint:{' '.join(correction.words.lower().split())}")
    if correction.is_everywhere:
        return [each for each in versions if not each.at_ns or each.at_ns <= correction.at_ns]
    return [each for each in versions if each.session == session and each.uuid == correction.uuid]


def find_citing(snapshot: Snapshot, records: Sequence[Record], texts: Sequence[str] = (), paths: Collection[str] = ()) -> list[str]:
    """Return the ids of the marks that point at one of these records, or repeat one of the texts, or name one of the paths."""
    ids, uuids = {record.id for record in records}, {(record.session, record.uuid) for record in records if record.uuid}
    handles = {make_handle(record_id) for record_id in ids}
    found: list[str] = []
    for state in snapshot.source_states(MARKS_PREFIX):
        for each in snapshot.records_of_sources(state.source):
            cites = (each.session, each.uuid) in uuids
            for version in snapshot.of_subject(each.subject):
                mark = _decode_any(version) if version.kind != UNDONE_KIND else None
                said = (mark.words, mark.now) if isinstance(mark, Correction) else ()
                if (
                    cites
                    or (isinstance(mark, Pin) and mark.record_id in ids)
                    or (isinstance(mark, Noise) and (mark.prompt_id in ids or mark.path in paths or mark.handle in handles))
                    or any(word and repeats_text(word, text) for word in said for text in texts)
                ):
                    found.append(version.id)
    return found


def find_marks_of_session(snapshot: Snapshot, session: str) -> list[str]:
    """Return the ids of the marks of the repository that a session gave rise to."""
    records = snapshot.records_of_sources(marks_source())
    return [version.id for each in records if each.session == session for version in snapshot.of_subject(each.subject)]


def _identity(mark: Mark) -> tuple[str, ...]:
    match mark:
        case Pin():
            return mark.record_id, str(mark.first), str(mark.last)
        case Correction():
            return mark.part, mark.uuid, mark.words
        case Noise():
            return mark.path, mark.handle, mark.prompt_id


def _masked(mark: Mark) -> Mark:
    if isinstance(mark, Correction):
        return replace(mark, words=mask_text(mark.words), now=mask_text(mark.now))
    return replace(mark, words=tuple(map(mask_text, mark.words))) if isinstance(mark, Noise) else mark


def _decode(record: Record, kind: type[M]) -> M:
    return msgspec.json.decode(record.full_text.inline, type=kind)


def _decode_any(record: Record) -> Mark:
    kind = next(each for each, name in KINDS.items() if name == record.kind)
    return msgspec.json.decode(record.full_text.inline, type=kind)
