"""Heading: what stands above a turn that is recalled: its handle, when and on which branch it was said, and whether it still holds."""

from __future__ import annotations

from clew.packet.options import describe_occasion, describe_status
from clew.recall.recall import Turn
from clew.records import Spans, Trust, clew_span, make_handle


def make_turn_heading(turn: Turn) -> Spans:
    """Return the heading of a turn, without an end of line."""
    record, status = turn.record, turn.status
    kind = "from outside" if record.trust == Trust.QUOTED else record.kind
    return (
        clew_span(f"[{make_handle(record.id)}] {kind}"),
        *describe_occasion(record, ", of unknown date"),
        clew_span("" if kind == "remembered" else f", session {turn.session[:8]}"),
        *describe_status(status, turn.replaced_by),
    )
