"""Heading: what stands above a turn that is recalled: its handle, when and on which branch it was said, and whether it still holds."""

from __future__ import annotations

from clew.packet.options import describe_status
from clew.recall.recall import Turn
from clew.recall.when import utc_date
from clew.records import Spans, Trust, clew_span, make_handle, outside_span


def make_turn_heading(turn: Turn) -> Spans:
    """Return the heading of a turn, without an end of line."""
    record, status = turn.record, turn.status
    kind = "from outside" if record.trust == Trust.QUOTED else record.kind
    day = f", {utc_date(record.at_ns).isoformat()}" if record.at_ns else ", of unknown date"
    branch = dict(record.lineage).get("branch", "")
    return (
        clew_span(f"[{make_handle(record.id)}] {kind}{day}"),
        *((clew_span(" on "), outside_span(branch)) if branch else ()),
        clew_span("" if kind == "remembered" else f", session {turn.session[:8]}"),
        *describe_status(status, turn.replaced_by),
    )
