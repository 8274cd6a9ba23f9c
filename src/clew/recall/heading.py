"""Heading: what stands above a turn that is recalled: its handle, when and on which branch it was said, and whether it still holds."""

from __future__ import annotations

from clew.recall.recall import Turn
from clew.recall.when import utc_date
from clew.records import Spans, Trust, clew_span, make_handle, outside_span
from clew.records.wording import describe_end


def make_turn_heading(turn: Turn) -> Spans:
    """Return the heading of a turn, without an end of line."""
    record, status = turn.record, turn.status
    kind = "from outside" if record.trust == Trust.QUOTED else record.kind
    day = f", {utc_date(record.at_ns).isoformat()}" if record.at_ns else ", of unknown date"
    branch = dict(record.lineage).get("branch", "")
    newer = turn.replaced_by or status.superseded_by
    if newer:
        state = f", replaced by [{make_handle(newer)}]"
    elif status.is_live:
        state = ""
    else:
        state = ", no longer true"
    why = describe_end(status.reason, is_doubt=status.is_live) if status.reason else ""
    doubt = f", SUSPECT: {why}" if status.is_suspect else f" ({why})" if why else ""
    return (
        clew_span(f"[{make_handle(record.id)}] {kind}{day}"),
        *((clew_span(" on "), outside_span(branch)) if branch else ()),
        clew_span(f"{'' if kind == 'remembered' else f', session {turn.session[:8]}'}{state}"),
        *((outside_span(doubt),) if doubt else ()),
    )
