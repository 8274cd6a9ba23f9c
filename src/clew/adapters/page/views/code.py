"""Code: what a file or symbol is linked to, two steps far at most, with the kind of each link, and what will have to change with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

from clew.adapters.page.views.places import find_root, list_roots
from clew.adapters.page.views.view import Form, Query, Viewer, page
from clew.errors import ClewError, UnknownHandle, UnknownPath
from clew.impact.impact import ImpactedFile
from clew.records import Record, make_handle
from clew.records.wording import describe_reason
from clew.store.ports import LOCAL
from clew.usecases.places import find_code

SECOND_MAX = 8  # neighbours whose own links are shown
IMPACT_MAX = 20
BEARERS_MAX = 20
_WITHIN = frozenset(("contains", "stands in"))


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A record that another one is linked to, and how. second  its own links, for the nearest ones."""

    how: str
    name: str
    handle: str
    weight: float
    second: tuple[tuple[str, str, str, float], ...] = ()


def show_code(viewer: Viewer, query: Query, _: Form) -> Response:
    """Show the neighbourhood of a name, and the files that change with its file."""
    roots, asked = list_roots(viewer), query.get("name")
    key = query.get("w") or next((key for key, _ in roots), "")
    values: dict[str, object] = {"record": None, "near": [], "impact": [], "bearers": [], "problem": "", "place": ""}
    if asked and key:
        root = find_root(viewer, key)
        bearers = _find(viewer, root, asked)
        values["bearers"] = [(make_handle(each.id), each) for each in bearers]
        if len(bearers) == 1:
            values |= _describe(viewer, root, bearers[0])
        elif not bearers:
            values["problem"] = f"Nothing in the index is called {asked}."
    return page("code.html", "/code", "Code", roots=roots, w=key, name=asked, **values)


def _explain(each: ImpactedFile) -> str:
    """Return why a file is expected to change: its reasons, or else the kinds of coupling that speak for it."""
    shares = sorted(each.shares.items(), key=lambda pair: (-pair[1], pair[0]))
    return "; ".join(map(describe_reason, each.reasons)) or ", ".join(f"{kind} {share:.2f}" for kind, share in shares)


def _find(viewer: Viewer, root: Path, name: str) -> list[Record]:
    """Return the records that a handle, a path, `path::symbol` or a symbol's name means."""
    try:
        return [viewer.engine.explain(root, name).record]
    except (UnknownHandle, UnknownPath):
        pass  # it is a symbol's name, or nothing
    with viewer.engine.store.snapshot(LOCAL, find_code(viewer.engine.store, root)[0]) as snapshot:
        path, _, symbol = name.partition("::")
        docs, _ = snapshot.names.bearers(symbol or path)
        records = snapshot.records(snapshot.documents.ids_of(docs.tolist()[:BEARERS_MAX]))
    return [each for each in records if not symbol or each.path == path]


def _describe(viewer: Viewer, root: Path, record: Record) -> dict[str, object]:
    explained = viewer.engine.explain(root, make_handle(record.id))
    near = [Neighbour(how, name, handle, weight) for how, name, handle, weight in explained.links]
    shown: list[Neighbour] = []
    own = {make_handle(record.id), *(each.handle for each in near)}
    for each in near:
        is_asked = each.how not in _WITHIN and sum(bool(one.second) for one in shown) < SECOND_MAX
        links = viewer.engine.explain(root, each.handle).links if is_asked else ()
        second = tuple(link for link in links if link[2] not in own and link[0] not in _WITHIN)[:SECOND_MAX]
        shown.append(Neighbour(each.how, each.name, each.handle, each.weight, second))
    where = record.full_text
    place = f"{record.path}:{where.start_line}-{where.end_line}" if record.path and where.start_line else record.path
    impact: list[tuple[ImpactedFile, str]] = []
    problem = ""
    try:
        _, files = viewer.engine.find_impact(root, [make_handle(record.id)], limit=IMPACT_MAX)
        impact = [(each, _explain(each)) for each in files]
    except ClewError as error:  # the neighbourhood is shown all the same
        problem = str(error).partition("\n")[0]
    return {"record": record, "near": shown, "impact": impact, "problem": problem, "place": place}
