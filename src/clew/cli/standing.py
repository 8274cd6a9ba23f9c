"""Records and their standing, as machines and people read them."""

from __future__ import annotations

from typing import Any

from clew.records import Record, Standing, handle_of


def record_json(record: Record) -> dict[str, Any]:
    """Who a record is and where it comes from; not its text."""
    return {
        "id": record.id,
        "handle": handle_of(record.id),
        "layer": record.layer.value,
        "kind": record.kind,
        "name": record.name,
        "subject": record.subject,
        "source": record.source,
        "path": record.path,
        "language": record.language,
        "start": record.whole.start_line,
        "end": record.whole.end_line,
        "session": record.session,
        "uuid": record.uuid,
        "agent": record.agent,
        "digest": record.digest,
        "trust": record.trust.name.lower(),
        "importance": record.importance,
        "lineage": dict(record.lineage),
    }


def standing_json(standing: Standing) -> dict[str, Any]:
    """Whether a record is still true, and where it lives."""
    return {
        "is_live": standing.is_live,
        "is_suspect": standing.is_suspect,
        "superseded_by": standing.superseded_by,
        "reason": standing.reason,
        "tier": standing.tier.name.lower(),
        "uses": standing.uses,
    }


def standing_text(standing: Standing) -> str:
    """The standing in words: `true now, hot tier`."""
    by = f" by [{handle_of(standing.superseded_by)}]" if standing.superseded_by else ""
    if standing.is_live:
        state = f"suspect: {standing.reason}{by}" if standing.is_suspect else "true now"
    else:
        state = f"no longer true: {standing.reason or 'superseded'}{by}"
    used = f", retrieved {standing.uses} times" if standing.uses else ""
    return f"{state}, {standing.tier.name.lower()} tier{used}"
