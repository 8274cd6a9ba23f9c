"""A packet as a machine reads it, and as a person does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from clew.cli import output
from clew.records import Entry, Packet

WHY_SHOWN = 3
QUESTION_SHOWN = 400  # characters: an issue on standard input may have thousands


def show(packet: Packet, *, workspace: str, root: Path, is_json: bool, is_quiet: bool, shows_table: bool | None) -> None:
    """Write a packet: JSON, or what was chosen and why above the text, or the text alone with its certificate beside it."""
    if is_json:
        output.write_json(as_json(packet, workspace=workspace, root=root))
    elif shows_table or (shows_table is None and output.is_terminal(sys.stdout)):
        output.write_text(_table(packet) + "\n" + output.visible(packet.text))
    else:
        output.write_text(packet.text)
        if not is_quiet:
            output.say(f"clew: {certificate(packet)}")


def as_json(packet: Packet, *, workspace: str, root: Path) -> dict[str, Any]:
    """The packet with fixed keys and no times: the same contents give the same bytes."""
    return {
        "question": packet.question,
        "workspace": workspace,
        "root": str(root),
        "tokenizer": packet.tokenizer,
        "tokens": packet.tokens,
        "budget": packet.budget_tokens,
        "shadow_price": packet.shadow_price,
        "gap": packet.gap,
        "skipped": list(packet.skipped),
        "entries": [_entry_json(entry) for entry in packet.entries],
        "text": packet.text,
    }


def certificate(packet: Packet) -> str:
    """One line that says how well the budget was used."""
    parts = [
        f"{packet.tokens:,} of {packet.budget_tokens:,} tokens ({packet.tokenizer})",
        f"{len(packet.entries):,} {'entry' if len(packet.entries) == 1 else 'entries'}",
        f"shadow price {packet.shadow_price:.3g}",
        f"{packet.gap:.1%} below the LP bound",
    ]
    if packet.skipped:
        parts.append("left out: " + ", ".join(packet.skipped))
    return " · ".join(parts)


def _entry_json(entry: Entry) -> dict[str, Any]:
    value: dict[str, Any] = {
        "id": entry.id,
        "handle": entry.handle,
        "layer": entry.layer.value,
        "kind": entry.kind,
        "name": entry.name,
        "resolution": entry.resolution.label,
        "tokens": entry.tokens,
        "weight": entry.weight,
        "why": list(entry.why),
        "is_whole": entry.is_whole,
    }
    if entry.session:
        value |= {"session": entry.session, "uuid": entry.uuid}
        if entry.path:
            value["path"] = entry.path
    else:
        value |= {"path": entry.path, "start": entry.start, "end": entry.end}
    return value


def _what(entry: Entry) -> str:
    if entry.session:
        return f"{entry.kind}: {entry.name}"
    lines = f":{entry.start}-{entry.end}" if entry.start else ""
    return f"{entry.path}{lines} {entry.name}" if entry.name != entry.path else f"{entry.path}{lines}"


def _table(packet: Packet) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = output.is_terminal(sys.stdout)
    # Rendered into a string, so that it reaches standard output through the same door as everything else.
    console = Console(force_terminal=is_terminal, width=None if is_terminal else 120, markup=False, highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", justify="right", style="dim")
    table.add_column("chosen", overflow="fold", ratio=5)
    table.add_column("handle", no_wrap=True, style="cyan")
    table.add_column("shown", no_wrap=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold", ratio=5)
    for rank, entry in enumerate(packet.entries, 1):
        shown = entry.resolution.label if not entry.is_whole else "whole"
        why = "; ".join(entry.why[:WHY_SHOWN])
        cells = (str(rank), _what(entry), entry.handle, shown, f"{entry.tokens:,}", why)
        table.add_row(*(Text(output.visible(cell)) for cell in cells))
    with console.capture() as captured:
        console.print(Text(output.visible(packet.question.strip()[:QUESTION_SHOWN]), style="bold"), soft_wrap=True)
        console.print(Text(certificate(packet)), soft_wrap=True)
        if packet.entries:
            console.print(table)
    return captured.get()
