"""Prompts: what was added to each prompt of a session, why, at what cost, and what the session did with it since."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response

from clew.adapters.page.render import link
from clew.adapters.page.views.view import Form, Query, Viewer, load_page, page
from clew.augment.noise import NOISE_DAYS
from clew.lifecycle.packets import LoggedEntry
from clew.records import make_handle
from clew.records.wording import describe_reason
from clew.usecases.marks import BY_PAGE
from clew.usecases.packets import PacketExplanation

ROWS = 20


@dataclass(frozen=True, slots=True)
class Addition:
    """One thing that was added to a prompt. became  "read", "edited" or "written" since, "" for nothing.

    number  in its packet, from 0; noise  handle of the user's mark that it was noise, "" for none.
    """

    entry: LoggedEntry
    became: str
    why: str
    number: int
    noise: str

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
    handles = {each.record.id: make_handle(each.record.id) for each in rows.rows}
    named = [each for _, additions in shown for each in additions if each.entry.path]
    return page(
        "prompts.html", "/", "Prompts",
        is_withheld=viewer.context.withholds(found.session, "prompts"),
        session=found.row, head=viewer.catalogue.read_head(found.row), tab="prompts", rows=rows, shown=shown, handles=handles,
        named=len(named), used=sum(bool(each.became) for each in named),
        tokens=sum(each.entry.tokens for each in named), used_tokens=sum(each.entry.tokens for each in named if each.became),
        given=sum(bool(additions) for _, additions in shown), marks=len(viewer.engine.list_noise(found.path)), days=NOISE_DAYS,
        noise=sum(bool(each.noise) for _, additions in shown for each in additions), added=sum(len(additions) for _, additions in shown),
    )  # fmt: skip


def mark_noise(viewer: Viewer, query: Query, form: Form) -> str:
    """Store that an addition was noise, or take back one such mark or all of the repository; return to the prompts."""
    found = viewer.catalogue.find(query.path["session"])
    back = link(f"/sessions/{quote(found.row.id, safe='')}/prompts", page=form.get("page"))
    if form.get("undo"):
        viewer.engine.take_back(found.path, [form.get("undo")], by=BY_PAGE)
    elif form.get("all") == "yes":
        viewer.engine.take_back(found.path, [each.handle for each in viewer.engine.list_noise(found.path)], by=BY_PAGE)
    else:
        if found.row.file is not None:  # the words of the prompt are needed
            viewer.engine.ingest([found.row.file], repo=found.path)
        number = Query({"number": form.get("number")}).number("number", 0, low=0, high=1000)
        viewer.engine.mark_noise(found.path, found.session, form.get("packet"), number, by=BY_PAGE)
    return f"{back}#p{form.get('packet')}" if form.get("packet") else back


def _additions(each: PacketExplanation) -> list[Addition]:
    return [
        Addition(entry, became, "; ".join(map(describe_reason, entry.reasons)), number, noise)
        for number, (entry, became, noise) in enumerate(zip(each.packet.entries, each.became, each.noise, strict=True))
    ]
