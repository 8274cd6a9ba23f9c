"""Packets: print a packet as JSON, as text, or as text with a table of its entries."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from clew.cli import output
from clew.cli.options import DisplayOptions
from clew.cli.tables import Column, format_table
from clew.records import AsOf, Packet, PacketEntry, Remark, Spans, join_text
from clew.records.wording import as_of_to_json, describe_as_of, describe_reason, describe_remark
from clew.sessions.fencing import render_for_model

REASONS_SHOWN = 3
QUESTION_CHARS_SHOWN = 400  # characters: an issue on standard input may have thousands


def show_packet(packet: Packet, *, workspace: str, root: Path, home: Path, display: DisplayOptions, title: str = "") -> None:
    """Print a packet: JSON, its text under a table of its entries, or its text with a line about the budget on standard error.

    home   the data folder, whose key makes the fences of text that is piped to a model; on a terminal there are no fences.
    title  printed above the table; "" for the question.
    """
    if display.is_json:
        output.write_json(packet_to_json(packet, workspace=workspace, root=root))
    elif display.shows_table or (display.shows_table is None and output.is_terminal(sys.stdout)):
        output.write_text(
            _table(packet, title or packet.question)
            + "\n"
            + output.escape_control(render_for_stdout(packet.spans, home=home, workspace=workspace))
        )
    else:
        output.write_text(render_for_stdout(packet.spans, home=home, workspace=workspace))
        if not display.is_quiet:
            output.write_message(f"clew: {format_budget_use(packet)}")


def render_for_stdout(spans: Spans, *, home: Path, workspace: str) -> str:
    """Return the text of `spans` for standard output: fenced for a model that reads a pipe, without fences on a terminal."""
    return join_text(spans) if output.is_terminal(sys.stdout) else render_for_model(spans, home=home, session=workspace)


def packet_to_json(packet: Packet, *, workspace: str, root: Path) -> dict[str, Any]:
    """Return a packet as JSON with fixed keys and no times: the same contents give the same bytes."""
    return {
        "question": packet.question,
        "workspace": workspace,
        "root": str(root),
        "tokenizer": packet.tokenizer,
        "tokens": packet.tokens,
        "fence_tokens": packet.fence_tokens,
        "budget": packet.budget_tokens,
        "shadow_price": packet.shadow_price,
        "gap": packet.gap,
        "skipped": list(packet.skipped),
        "remarks": [remark_to_json(remark) for remark in packet.remarks],
        "entries": [_entry_json(entry) for entry in packet.entries],
        "text": packet.text,
        "spans": [{"author": span.author.value, "text": span.text} for span in packet.spans],
        **({"as_of": as_of_to_json(packet.as_of)} if packet.as_of.generation else {}),
    }


def remark_to_json(remark: Remark) -> dict[str, Any]:
    """Return a remark as JSON: its kind, its values, and the sentence."""
    return {"kind": remark.kind.value, "values": list(remark.values), "text": describe_remark(remark)}


def format_budget_use(packet: Packet) -> str:
    """Return one line about a packet: tokens of the budget, entries, shadow price, gap to the LP bound, stages left out."""
    parts = [
        f"{packet.tokens + packet.fence_tokens:,} of {packet.budget_tokens:,} tokens ({packet.tokenizer})",
        f"{len(packet.entries):,} {'entry' if len(packet.entries) == 1 else 'entries'}",
        f"shadow price {packet.shadow_price:.3g}",
        f"{packet.gap:.1%} below the LP bound",
    ]
    if packet.skipped:
        parts.append("left out: " + ", ".join(packet.skipped))
    return " · ".join(parts + format_as_of(packet.as_of))


def format_as_of(as_of: AsOf) -> list[str]:
    """Return in words what an answer was computed at, and what is missing of it; nothing where it was not computed from a store."""
    missing = [output.escape_control(f"missing: {sentence}") for sentence in as_of.missing]
    return [describe_as_of(as_of), *missing] if as_of.generation else []


def _entry_json(entry: PacketEntry) -> dict[str, Any]:
    value: dict[str, Any] = {
        "id": entry.id,
        "handle": entry.handle,
        "layer": entry.layer.value,
        "kind": entry.kind,
        "name": entry.name,
        "resolution": entry.resolution.label,
        "tokens": entry.tokens,
        "weight": entry.weight,
        "why": [describe_reason(reason) for reason in entry.why],
        "is_whole": entry.is_whole,
    }
    if entry.session:
        value |= {"session": entry.session, "uuid": entry.uuid}
        if entry.path:
            value["path"] = entry.path
    else:
        value |= {"path": entry.path, "start": entry.start, "end": entry.end}
    return value


def _what(entry: PacketEntry) -> str:
    if entry.session:
        return f"{entry.kind}: {entry.name}"
    lines = f":{entry.start}-{entry.end}" if entry.start else ""
    return f"{entry.path}{lines} {entry.name}" if entry.name != entry.path else f"{entry.path}{lines}"


def _table(packet: Packet, title: str) -> str:
    columns = (
        Column("", is_number=True, style="dim"),
        Column("chosen", ratio=5),
        Column("handle", style="cyan"),
        Column("shown"),
        Column("tokens", is_number=True),
        Column("why", ratio=5),
    )
    rows = [
        (str(rank), _what(entry), entry.handle, "whole" if entry.is_whole else entry.resolution.label, f"{entry.tokens:,}", _why(entry))
        for rank, entry in enumerate(packet.entries, 1)
    ]
    return format_table([title.strip()[:QUESTION_CHARS_SHOWN], format_budget_use(packet)], columns, rows)


def _why(entry: PacketEntry) -> str:
    return "; ".join(map(describe_reason, entry.why[:REASONS_SHOWN]))
