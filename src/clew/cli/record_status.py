"""Record status: convert records and their status to JSON and to words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clew.records import Record, Status, make_handle
from clew.records.wording import describe_end

if TYPE_CHECKING:
    from clew.ranking.importance import Importance


def record_to_json(record: Record) -> dict[str, Any]:
    """Return a record's identity, origin and properties as JSON, without its text."""
    return {
        "id": record.id,
        "handle": make_handle(record.id),
        "layer": record.layer.value,
        "kind": record.kind,
        "name": record.name,
        "subject": record.subject,
        "source": record.source,
        "path": record.path,
        "language": record.language,
        "start": record.full_text.start_line,
        "end": record.full_text.end_line,
        "session": record.session,
        "uuid": record.uuid,
        "agent": record.agent,
        "digest": record.digest,
        "trust": record.trust.name.lower(),
        "lineage": dict(record.lineage),
    }


def status_to_json(status: Status) -> dict[str, Any]:
    """Return a status as JSON: whether the record is still true, what replaced it, its tier and uses."""
    return {
        "is_live": status.is_live,
        "is_suspect": status.is_suspect,
        "superseded_by": status.superseded_by,
        "reason": describe_end(status.reason, is_doubt=status.is_live),
        "tier": status.tier.name.lower(),
        "uses": status.uses,
    }


def format_status(status: Status) -> str:
    """Return a status in words, such as `true now, hot tier`."""
    by = f" by [{make_handle(status.superseded_by)}]" if status.superseded_by else ""
    if status.is_live:
        state = f"suspect: {describe_end(status.reason, is_doubt=True)}{by}" if status.is_suspect else "true now"
    else:
        state = f"no longer true: {describe_end(status.reason) or 'superseded'}{by}"
    used = f", retrieved {status.uses} times" if status.uses else ""
    return f"{state}, {status.tier.name.lower()} tier{used}"


def importance_to_json(importance: Importance) -> dict[str, Any]:
    """Return a record's importance and the parts that it was computed from."""
    return {
        "value": round(importance.value, 3),
        "uses": importance.uses,
        "dependents": round(importance.dependents, 1),
        "outcome": importance.outcome,
    }


def format_importance(importance: Importance, status: Status) -> str:
    """Return the importance in words: `0.62: used once, 3 records rest on it, true now`."""
    rest = round(importance.dependents)
    outcome = "no longer true" if not status.is_live else "suspect" if status.is_suspect else "true now"
    used = "never used" if not importance.uses else "used once" if importance.uses == 1 else f"used {importance.uses} times"
    resting = "nothing rests" if not rest else "1 record rests" if rest == 1 else f"{rest} records rest"
    return f"{importance.value:.2f}: {used}, {resting} on it, {outcome}"
