"""State: what the agent of a session is working on at one point, each claim with the record that it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

from clew.errors import UsageError
from clew.lifecycle.marks import StoredMark
from clew.records import AsOf, CheckResult, Correction, EndedRequest, FileState, TaskState, Trust, UserStatement, make_handle
from clew.records.wording import as_of_to_json
from clew.store.ports import Reader
from clew.transcript.follow import transcript_source
from clew.usecases.as_of import open_as_of
from clew.usecases.inputs import is_there
from clew.usecases.places import find_memory
from clew.usecases.progress import read_progress

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class SessionState:
    """The task state of a session before one line of its transcript.

    line     0-based line before which the state holds: the number of lines that were read; `unread_bytes` follow it that were not.
    uuid     of the last observation before it, "" for none; `at_ns` its time, 0 when unknown.
    lines    0-based line of the transcript by uuid, of the records that the state rests on.
    handles  handle of a stored record by uuid; empty where the session is not ingested.
    corrections  what the user corrected by hand, the earliest first.
    """

    session: str
    line: int
    unread_bytes: int
    uuid: str
    at_ns: int
    state: TaskState
    lines: Mapping[str, int]
    handles: Mapping[str, str]
    corrections: Sequence[StoredMark[Correction]] = ()
    as_of: AsOf = field(default_factory=AsOf)


def read_state(
    store: Reader, session: str, *, at: str | None, path: Path, seconds_max: float = inf, as_of: AsOf | None = None
) -> SessionState:
    """Return a session's state before the record `at` (its uuid or 0-based line), or at its end.

    session  path of a transcript, which is read and not ingested; or the id of an ingested session.
    path     the repository that it belongs to; `seconds_max`, `as_of` as in `read_progress`.
    Raises UsageError for `at` with `as_of`, NothingStored and NothingSaid for a time before anything, UnknownRecord for `at`,
    UnknownHandle for a session that is not stored, NotReadable for a file that is no transcript.
    """
    if at is not None and as_of:
        raise UsageError("a record and a time cannot both say where the state holds\nhint: --at names the record, --as-of the time")
    key, _ = find_memory(store, path)
    snapshot, _ = open_as_of(store, key, as_of or AsOf(), is_needed=not is_there(session))
    snapshot.close()  # a transcript takes seconds to read, and an open snapshot keeps the database's log from being cut back
    read = read_progress(store, session, path=path, at=at, seconds_max=seconds_max, as_of=as_of)
    snapshot, answered = open_as_of(store, key, as_of or AsOf(), is_needed=not is_there(session))
    with snapshot:
        records = [record for record in snapshot.records_of_sources(transcript_source(read.session)) if record.uuid]
    # Several records may rest on one line, such as a prompt and the rule in it: the longest holds the others.
    handles = {record.uuid: make_handle(record.id) for record in sorted(records, key=lambda record: (record.full_text.chars, record.id))}
    progress = read.progress
    lines = {uuid: line for uuid, (line, _) in progress.places.items()}
    return SessionState(
        read.session.id, read.line, read.unread_bytes, progress.uuid, progress.at_ns, read.state(), lines, handles, read.corrections,
        answered,
    )  # fmt: skip


def describe_state(found: SessionState) -> dict[str, Any]:
    """Return a state as a JSON object of the documented schema (docs/state.md), without what is not known."""
    state, claim = found.state, _Claims(found)
    ended = {each.request.uuid for each in state.ended}
    open_goals = [goal for goal in state.goals if goal.uuid not in ended]
    request = open_goals[-1] if open_goals else None
    return {
        "schema_version": SCHEMA_VERSION,
        "session": found.session,
        "line": found.line,
        "unread_bytes": found.unread_bytes,
        "uuid": found.uuid,
        "at_ns": found.at_ns,
        "as_of": as_of_to_json(found.as_of),
        "goal": claim.said(open_goals[0]) if open_goals else None,
        "request": claim.said(request) if request else None,
        "done": [claim.ended(each) for each in state.ended if not each.is_cancelled],
        "cancelled": [claim.ended(each) for each in state.ended if each.is_cancelled],
        "remaining": [step.text for step in state.plan if step.status in ("pending", "in_progress")],
        "constraints": [{**claim.said(rule), "probability": rule.probability} for rule in state.constraints],
        "checks": [claim.check(check) for check in state.checks],
        "files": [claim.file(file) for file in state.files],
        "errors": [claim.of(error.uuid, Trust.OBSERVED, subject=error.subject, text=error.text) for error in state.open_errors],
        "dead_ends": [claim.of(end.uuid, Trust.OBSERVED, text=end.text, reason=end.reason, sign=end.sign) for end in state.dead_ends],
        "plan": [{"text": step.text, "status": step.status} for step in state.plan],
        "decisions": [
            claim.of(reply.uuid, Trust.USER, question=reply.asked, text=reply.text, chosen=reply.chosen) for reply in state.replies
        ],
        "corrections": [claim.corrected(each) for each in found.corrections],
        "said": [claim.of(message.uuid, Trust.OBSERVED, text=message.text) for message in state.messages[-1:]],
    }


class _Claims:
    """Makes claims of one state, each with the record that it rests on."""

    def __init__(self, found: SessionState) -> None:
        self._found = found

    def of(self, uuid: str, trust: Trust, **fields: Any) -> dict[str, Any]:
        """A claim with its evidence: the record's uuid, its line in the transcript, and a handle where the session is ingested."""
        place = uuid.partition(":")[0] if uuid not in self._found.lines else uuid
        return {
            **fields,
            "uuid": uuid,
            "line": self._found.lines.get(place),
            "handle": self._found.handles.get(place, ""),
            "trust": trust.name.lower(),
        }

    def said(self, statement: UserStatement) -> dict[str, Any]:
        return self.of(statement.uuid, Trust.USER, text=statement.text, is_typed=statement.is_typed)

    def corrected(self, each: StoredMark[Correction]) -> dict[str, Any]:
        """A correction by hand: `mark` is the handle by which it is taken back."""
        mark = each.mark
        return self.of(
            mark.uuid, Trust.USER,
            part=mark.part.value, was=mark.words, text=mark.now, is_done=mark.is_done, is_everywhere=mark.is_everywhere,
            at_ns=mark.at_ns, by=dict(each.record.lineage).get("by", ""), mark=each.handle, session=each.record.session,
        )  # fmt: skip

    def ended(self, each: EndedRequest) -> dict[str, Any]:
        check = each.check and {"command": each.check.command, "verdict": each.check.verdict.value, "evidence": each.check.evidence}
        return self.of(
            each.evidence_uuid, Trust.USER if each.is_cancelled else Trust.OBSERVED,
            text=each.request.text, request_uuid=each.request.uuid, evidence=each.evidence, check=check,
        )  # fmt: skip

    def check(self, check: CheckResult) -> dict[str, Any]:
        return self.of(
            check.uuid, Trust.OBSERVED,
            command=check.command, verdict=check.verdict.value, evidence=check.evidence, is_stale=check.is_stale,
        )  # fmt: skip

    def file(self, file: FileState) -> dict[str, Any]:
        checks = [
            {"command": check.command, "kind": check.kind, "verdict": check.verdict.value, "evidence": check.evidence, "uuid": check.uuid}
            for check in file.checked_by
        ]
        return self.of(
            file.uuid, Trust.OBSERVED,
            path=file.path, state=file.state.value, moved_from=file.moved_from, moved_to=file.moved_to, checked_by=checks,
            is_committed=file.is_committed, commit=file.commit,
        )  # fmt: skip
