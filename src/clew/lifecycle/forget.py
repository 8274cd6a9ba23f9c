"""Move records that were long not retrieved to cheaper tiers, and erase records on request.

A folded record is no longer shown in full, an archived one is found only when nothing
else matches; both keep their original, their words and their handle, and every move reads them back. Only purging erases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

from clew.compaction import compressed
from clew.errors import OriginalPurged
from clew.lifecycle import marks
from clew.lifecycle.packets import PACKET_KIND, find_citing, packets_source
from clew.lifecycle.redaction import PRODUCER, TRANSCRIPT_KIND, build_piece_delta, rebuild_progress, redact_records
from clew.ranking.importance import NEUTRAL, compute_importance
from clew.records import SEMANTIC_SOURCE, THOUGHT_KIND, Delta, Layer, Record, SourceState, Tier, make_handle
from clew.store.ports import LOCAL, PurgeResult, Reader, Snapshot, Writer
from clew.text.secrets import mask_text
from clew.transcript.redact import repeats_text, strip_user_text

DAY_NS = 86_400 * 1_000_000_000
AGELESS_KINDS = frozenset({"constraint", "decision", "plan", "pinned"})  # what the user wants does not age
LIFETIMES: Mapping[Layer, float] = MappingProxyType(
    {
        Layer.FACT: 1.0,  # what was learned: as the settings say
        Layer.ACTION: 1.0,  # what was done
        Layer.INTENT: 2.0,  # what was wanted is asked for longest; AGELESS_KINDS of it do not age at all
        Layer.STATE: 0.5,  # what was true at a moment: a check's verdict, an open error, a plan's step
    }
)
"""By layer: how many times the days of the settings a record of it keeps its tier. Guesses, but for the order; docs/forgetting.md."""
CONDENSED_BYTES = 4 << 20  # of originals in one transaction of a pass: about a quarter of a second; guess
PURGED_SESSIONS_MAX = 20  # in one pass: each purge has the search index built anew
DERIVED_KINDS = frozenset({"constraint", "decision", "claim", "dead_end"})  # kinds that repeat words of the record they were made of


@dataclass(slots=True)
class ForgetReport:
    """What forgetting did, or would do.

    folded, archived  ids of the records that were moved; `kept` is how many stayed.
    recalled, lost    how many of them were read back afterwards, and ids of those that could not be.
    shortened, packed, saved  texts and originals that were stored in fewer bytes, and by how many.
    expired           sessions that are older, or more, than the settings keep, and were purged.
    next_source       the source at which the next pass goes on; "" where this one came to the end.
    """

    folded: list[str] = field(default_factory=list[str])
    archived: list[str] = field(default_factory=list[str])
    kept: int = 0
    recalled: int = 0
    lost: list[str] = field(default_factory=list[str])
    shortened: int = 0
    packed: int = 0
    saved: int = 0
    expired: list[str] = field(default_factory=list[str])
    next_source: str = ""


@dataclass(frozen=True, slots=True)
class ForgetRules:
    """After how many days nobody retrieved a record it is folded and archived (times LIFETIMES), and what is kept at all; 0 keeps all."""

    folded_after_days: int
    archived_after_days: int
    keep_days: int = 0
    keep_megabytes: int = 0


def forget_idle(
    writer: Writer,
    workspace: str,
    rules: ForgetRules,
    *,
    now_ns: int,
    dry_run: bool = False,
    begin_at: str = "",
    may_go_on: Callable[[], bool] = lambda: True,
) -> ForgetReport:
    """Purge sessions that are not to be kept, move session records to the tier of their age, and store what is archived in fewer bytes.

    A record's age counts from when it was last retrieved, else from when it was observed. The days are those of a record of neutral
    importance: one that was used, or on which others rest, stays up to twice as long, one that has ended less long. Records of
    AGELESS_KINDS stay. A version of a file that has ended is archived as it is: no question finds it.
    dry_run    reports what would be done and does nothing.
    begin_at   the `next_source` of an earlier pass; may_go_on  is asked before each source.
    """
    report = ForgetReport()
    if not begin_at:
        _expire(writer, workspace, rules, report, now_ns=now_ns, dry_run=dry_run)
    with writer.snapshot(LOCAL, workspace) as snapshot:
        names = [state.source for prefix in ("file:", "session:") for state in snapshot.source_states(prefix)]
    for source in (name for name in names if name >= begin_at):  # one after the other: all of them may not fit into memory
        if not may_go_on():
            report.next_source = source
            break
        if source.startswith("session:"):
            _age(writer, workspace, source, rules, report, now_ns=now_ns, dry_run=dry_run)
        while not dry_run and (done := writer.condense(workspace, source, CONDENSED_BYTES)).size + done.texts:
            report.shortened += done.texts
            report.packed += done.originals
            report.saved += done.saved
            if not done.originals or not may_go_on():
                break
    return report


def _age(writer: Writer, workspace: str, source: str, rules: ForgetRules, report: ForgetReport, *, now_ns: int, dry_run: bool) -> None:
    """Move the records of one session to the tier of their age."""
    moved = ForgetReport()
    with writer.snapshot(LOCAL, workspace) as snapshot:
        records = snapshot.records_of_sources(source)
        statuses = snapshot.statuses([record.id for record in records])
        for record, status, importance in zip(records, statuses, compute_importance(snapshot, records, statuses), strict=True):
            idle_ns = now_ns - max(status.used_at_ns, record.at_ns or status.valid_from_ns)
            idle_days = idle_ns / DAY_NS * NEUTRAL / importance.value / LIFETIMES[record.layer]
            is_archived, is_folded = idle_days >= rules.archived_after_days, idle_days >= rules.folded_after_days
            tier = Tier.ARCHIVED if is_archived else Tier.FOLDED if is_folded else Tier.HOT
            if record.kind in AGELESS_KINDS or tier <= status.tier:
                report.kept += 1
            else:
                (moved.archived if tier == Tier.ARCHIVED else moved.folded).append(record.id)
    if not dry_run:
        _move(writer, workspace, moved)
    report.folded += moved.folded
    report.archived += moved.archived
    report.recalled += moved.recalled
    report.lost += moved.lost


def _expire(writer: Writer, workspace: str, rules: ForgetRules, report: ForgetReport, *, now_ns: int, dry_run: bool) -> None:
    """Purge the sessions, their subagents' included, that the settings do not keep: the oldest first. Notes and packets stay."""
    if not rules.keep_days and not rules.keep_megabytes:
        return
    sessions: dict[str, list[SourceState]] = {}
    with writer.snapshot(LOCAL, workspace) as snapshot:
        for state in snapshot.source_states("session:"):
            sessions.setdefault(state.source.partition("/")[0], []).append(state)
        held = [each for each in sessions.values() if all(state.mtime_ns for state in each)]
        newest_first = sorted(held, key=lambda each: (-max(state.mtime_ns for state in each), each[0].source))
        size, doomed = 0, list[list[SourceState]]()
        for each in newest_first:
            size += sum(state.size for state in each)
            age_days = (now_ns - max(state.mtime_ns for state in each)) / DAY_NS
            is_old = bool(rules.keep_days) and age_days > rules.keep_days
            is_beyond = bool(rules.keep_megabytes) and size > rules.keep_megabytes * 1_000_000 and age_days > 1
            if is_old or is_beyond:  # of a session that was purged and read again, lines without words are left
                records = snapshot.records_of_sources(*(state.source for state in each))
                doomed += [each] if any(record.kind != TRANSCRIPT_KIND for record in records) else []
    for each in doomed[::-1] if dry_run else doomed[::-1][:PURGED_SESSIONS_MAX]:
        report.expired.append(each[0].source.removeprefix("session:").partition("/")[0])
        for state in () if dry_run else each:
            purge_whole_source(writer, workspace, state.source, reason="older, or more, than the settings keep", now_ns=now_ns)


def move_records(writer: Writer, workspace: str, ids: Sequence[str], tier: Tier, *, dry_run: bool = False) -> ForgetReport:
    """Move these records to `tier`, also back to HOT, and check that each can still be read.

    dry_run  reports what would move and moves nothing.
    """
    report = ForgetReport(folded=list(ids) if tier == Tier.FOLDED else [], archived=list(ids) if tier == Tier.ARCHIVED else [])
    if dry_run:
        return report
    if tier == Tier.HOT:
        writer.move(workspace, ids, tier)
        _prove(writer, workspace, ids, report)
    else:
        _move(writer, workspace, report)
    return report


def purge_records(writer: Writer, workspace: str, ids: Sequence[str], *, reason: str, now_ns: int) -> PurgeResult:
    """Erase records, originals that nothing else needs, and their transcript lines; leave a tombstone of each.

    Texts that a model made of a session with these records go too, and the log of what was added to its prompts: their words may stand
    in them. So do the packets of other sessions that point at one of them, and what a person marked of them.
    """
    doomed = list(ids)
    changes: list[Delta] = []
    with writer.snapshot(LOCAL, workspace) as snapshot:
        told: dict[str, list[Record]] = {}
        for record in snapshot.records(ids):
            if not record.session:
                doomed += _thoughts_of(snapshot, lambda told, own=record.id: told.endswith(f" {own}"))
            if not record.session or record.kind == PACKET_KIND or record.kind in marks.MARK_KINDS:
                continue
            if record.kind != compressed.KIND:
                doomed += compressed.compressed_ids_containing(snapshot, record)
            if record.kind != TRANSCRIPT_KIND:
                doomed += _derived(snapshot, record)
                told.setdefault(record.source, []).append(record)
        for source, records in told.items():
            doomed += _redact_lines(snapshot, source, records, changes)
            _redact_note(snapshot, source, changes)
        sessions = {record.session for records in told.values() for record in records}
        doomed += find_citing(snapshot, sessions, list(map(make_handle, doomed)))
        gone = snapshot.records(list(dict.fromkeys(doomed)))
        doomed += marks.find_citing(snapshot, gone, [_text_of(snapshot, record) for records in told.values() for record in records])
    if changes:
        writer.apply(workspace, changes, now_ns)
    purged = writer.purge(workspace, list(dict.fromkeys(doomed)), mask_text(reason), now_ns)
    for source in told:
        rebuild_progress(writer, workspace, source)
    return purged


def purge_whole_source(writer: Writer, workspace: str, source: str, *, reason: str, now_ns: int) -> PurgeResult:
    """Erase a whole source, a session or a file, with all its records ever, texts that a model made of it, and packets that name it."""
    session, gone = source.removeprefix("session:").partition("/")[0], PurgeResult(0, 0, 0)
    beside: tuple[str, ...] = ()
    if source.startswith("session:"):
        beside = (compressed.compressed_source(session), packets_source(session), marks.marks_source(session))
    if source.startswith("file:"):
        path = source.removeprefix("file:")
        gone = purge_packets_naming(writer, workspace, path, reason=reason, now_ns=now_ns)
        with writer.snapshot(LOCAL, workspace) as snapshot:
            thoughts = _thoughts_of(snapshot, lambda told: told.startswith(f"{path}::"))
        if thoughts:
            writer.purge(workspace, thoughts, mask_text(reason), now_ns)
    with writer.snapshot(LOCAL, workspace) as snapshot:
        known = snapshot.states_of_sources(beside)
        others = marks.find_marks_of_session(snapshot, session) if beside else []
    if others:
        writer.purge(workspace, others, mask_text(reason), now_ns)
    for each in (*known, source):
        one = writer.purge_source(workspace, each, mask_text(reason), now_ns)
        gone = PurgeResult(gone.records + one.records, gone.blobs + one.blobs, gone.size + one.size)
    return gone


def purge_packets_naming(writer: Writer, workspace: str, path: str, *, reason: str, now_ns: int) -> PurgeResult:
    """Erase what the log says of prompts to which the file at `path` was added, and that it was noise in some."""
    with writer.snapshot(LOCAL, workspace) as snapshot:
        ids = [*find_citing(snapshot, (), [path]), *marks.find_citing(snapshot, (), paths=[path])]
    return writer.purge(workspace, ids, mask_text(reason), now_ns) if ids else PurgeResult(0, 0, 0)


def record_use(writer: Writer, workspace: str, ids: Sequence[str], *, now_ns: int) -> None:
    """Store that these records were retrieved at `now_ns`, so that their age counts from then."""
    writer.touch(workspace, ids, now_ns)


def _derived(snapshot: Snapshot, record: Record) -> list[str]:
    """What was made of a record and repeats its words: rules, decisions, claims, dead ends."""
    words = _text_of(snapshot, record)
    known = [other for other in snapshot.records_of_sources(record.source) if other.kind in DERIVED_KINDS]
    versions = {each.id: each for other in known for each in snapshot.of_subject(other.subject) if each.source == record.source}
    return [other.id for other in versions.values() if other.parent == record.id or repeats_text(_text_of(snapshot, other), words)]


def _thoughts_of(snapshot: Snapshot, is_of: Callable[[str], bool]) -> list[str]:
    """What a model ever said of a function: `is_of` is told of each, as path, name and id, what was thought of which functions."""
    keys = [state.source.removeprefix(SEMANTIC_SOURCE) for state in snapshot.source_states(SEMANTIC_SOURCE)]
    thoughts = [record for key in keys for record in snapshot.of_subject(f"{THOUGHT_KIND}:{key}")]
    return [record.id for record in thoughts if any(is_of(told) for _, told in record.lineage)]


def _text_of(snapshot: Snapshot, record: Record) -> str:
    whole = record.full_text
    data = snapshot.original(whole.blob)[whole.start : whole.end] if whole.blob else whole.inline.encode("utf-8", "surrogateescape")
    return data.decode("utf-8", "replace")


def _redact_note(snapshot: Snapshot, source: str, changes: list[Delta]) -> None:
    """Let go of the words that a session's source keeps for what comes next."""
    state = snapshot.source_state(source)
    if state is not None and (note := strip_user_text(state.note)) != state.note:
        changes.append(Delta(PRODUCER, source, is_whole=False, state=replace(state, note=note)))


def _redact_lines(snapshot: Snapshot, source: str, records: Sequence[Record], changes: list[Delta]) -> list[str]:
    """Put pieces of a transcript without the lines of these records in the place of those that have them; return the ids of the latter."""
    state, replaced = snapshot.source_state(source), list[str]()
    for piece in snapshot.records_of_sources(source):
        if piece.kind != TRANSCRIPT_KIND:
            continue
        before = snapshot.original(piece.full_text.blob)
        rest = redact_records(before, records, partial(_text_of, snapshot))
        if rest != before:
            changes.append(build_piece_delta(piece, rest, Delta(PRODUCER, source, is_whole=False, state=state)))
            replaced.append(piece.id)
    return replaced


def _move(writer: Writer, workspace: str, report: ForgetReport) -> None:
    for ids, tier in ((report.folded, Tier.FOLDED), (report.archived, Tier.ARCHIVED)):
        if ids:
            writer.move(workspace, ids, tier)
            _prove(writer, workspace, ids, report)


def _prove(writer: Reader, workspace: str, ids: Sequence[str], report: ForgetReport) -> None:
    """Read every original back and find every record by its handle."""
    with writer.snapshot(LOCAL, workspace) as snapshot:
        for record in snapshot.records(ids):
            if _is_recalled(snapshot, record):
                report.recalled += 1
            else:
                report.lost.append(record.id)


def _is_recalled(snapshot: Snapshot, record: Record) -> bool:
    whole = record.full_text
    try:
        is_there = not whole.blob or len(snapshot.original(whole.blob)) >= whole.end
    except (KeyError, OriginalPurged):
        return False
    return is_there and record.id in snapshot.find(record.id)
