"""Prompts: what was added to each prompt of a session, why, at what cost, and what the session did with it since."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from clew.adapters.page.views.view import Form, Query, Viewer, load_page, page
from clew.lifecycle.packets import LoggedEntry
from clew.records.wording import describe_reason
from clew.usecases.packets import PacketExplanation

ROWS = 20


@dataclass(frozen=True, slots=True)
class Addition:
    """One thing that was added to a prompt. became  "read", "edited" or "written" since, "" for nothing."""

    entry: LoggedEntry
    became: str
    why: str

    @property
    def place(self) -> str:
        """The file with its lines, or the name of a turn of an earlier session."""
        where = f":{self.entry.start}-{self.entry.end}" if self.entry.start else ""
        return f"{self.entry.path}{where}" if self.entry.path else self.entry.name or f"a turn of an earlier session [{self.entry.handle}]"


def show_prompts(viewer: Viewer, query: Query, _: Form) -> Response:
    """Show the additions to the prompts of a session, the latest first."""
    found = viewer.catalogue.find(query.path["session"])
    rows = load_page(lambda first, count: viewer.engine.list_packets(found.path, found.row.id, first=first, count=count), query, ROWS)
    shown = [(each, _additions(each)) for each in rows.rows]
    named = [each for _, additions in shown for each in additions if each.entry.path]
    return page(
        "prompts.html", "/", "Prompts",
        session=found.row, head=viewer.catalogue.read_head(found.row), tab="prompts", rows=rows, shown=shown,
        named=len(named), used=sum(bool(each.became) for each in named),
        tokens=sum(each.entry.tokens for each in named), used_tokens=sum(each.entry.tokens for each in named if each.became),
        given=sum(bool(additions) for _, additions in shown),
    )  # fmt: skip


def _additions(each: PacketExplanation) -> list[Addition]:
    return [
        Addition(entry, became, "; ".join(map(describe_reason, entry.reasons)))
        for entry, became in zip(each.packet.entries, each.became, strict=True)
    ]
