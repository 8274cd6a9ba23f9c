"""Sessions: which there are, where the work of one stands, and the lines of its transcript."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from clew.adapters.page.sessions import SAMPLE
from clew.adapters.page.views.compactions import prepare_preview
from clew.adapters.page.views.view import Form, Query, Viewer, page, turn_to
from clew.errors import UsageError
from clew.records import BINDING_MIN, ClaimPart, Correction, Observation, ObservationKind
from clew.usecases.marks import BY_PAGE
from clew.usecases.progress import find_line_of_file

ROWS = 40
LINES = 40  # of a transcript on one page
TEXT_CHARS_MAX = 6_000  # of one line of it; the rest is a click away
SECONDS_MAX = 20.0  # for what is not ingested yet; what is left is said


def list_sessions(viewer: Viewer, query: Query, _: Form) -> Response:
    """Show the sessions of this user, the latest first, or those whose title, folder or id hold some words."""
    asked = query.get("q").lower()
    every = viewer.catalogue.list_all()
    rows = every
    if asked:
        heads = ((row, viewer.catalogue.read_head(row)) for row in every)
        rows = [row for row, head in heads if asked in f"{row.id}\n{head.title}\n{head.folder}\n{head.branch}\n{row.workspace}".lower()]
    shown = turn_to(rows, query, ROWS)
    return page(
        "sessions.html", "/", "Sessions",
        rows=shown, shown=[(row, viewer.catalogue.read_head(row)) for row in shown.rows], q=query.get("q"), total=len(every), sample=SAMPLE,
    )  # fmt: skip


def show_state(viewer: Viewer, query: Query, _: Form) -> Response:
    """Show where the work of a session stands, each claim with the line that it rests on."""
    found = viewer.catalogue.find(query.path["session"])
    at = query.get("at") or None
    state = viewer.engine.describe_state(found.path, found.name, at=at, seconds_max=SECONDS_MAX)
    prepare_preview(viewer, found)
    return page(
        "state.html", "/", "State of the work",
        session=found.row, head=viewer.catalogue.read_head(found.row), state=state, at=at or "", tab="state", sections=_sections(state),
        original={(each["uuid"], each["text"]): each["was"] for each in state["corrections"] if each["text"]},
    )  # fmt: skip


def correct(viewer: Viewer, query: Query, form: Form) -> str:
    """Store what the user says of a claim, or take that back, and return to the state."""
    found = viewer.catalogue.find(query.path["session"])
    here = f"/sessions/{quote(found.row.id, safe='')}"
    if form.get("undo"):
        viewer.engine.take_back(found.path, [form.get("undo")], by=BY_PAGE)
        return f"{here}#corrected"
    part, how = next((part for part in ClaimPart if part.value == form.get("part")), None), form.get("how")
    now = form.get("now")
    if part is None or how not in ("end", "everywhere", "done", "reword") or (how == "reword" and not now):
        raise UsageError("nothing was corrected\nhint: write the words that are right, or say that the claim does not hold")
    said = Correction(
        part, form.get("uuid"), form.fields.get("was", "").replace("\r\n", "\n"), now if how == "reword" else "",
        is_done=how == "done", is_everywhere=how == "everywhere",
    )  # fmt: skip
    viewer.engine.correct(found.path, found.session, said, by=BY_PAGE)
    return f"{here}#corrected"


def show_lines(viewer: Viewer, query: Query, _: Form) -> Response:
    """Show some lines of a session's transcript, around the one that is asked for by its number or its record's uuid."""
    found = viewer.catalogue.find(query.path["session"])
    asked = query.get("at") or "0"
    if asked.isdecimal():
        line = int(asked[:12])
    elif found.row.file is not None:
        line = find_line_of_file(found.row.file, asked)
    else:
        line = 0
    first = max(0, line - LINES // 4) if not query.get("from") else query.number("from", 0, low=0, high=10**9)
    seen, total = viewer.catalogue.read_observations(found, first, LINES)
    whole = query.get("whole") == "yes"
    texts = [(number, each, _read_text(each)) for number, each in seen]
    shown = [
        (number, each, text if whole else text[:TEXT_CHARS_MAX], 0 if whole else max(0, len(text) - TEXT_CHARS_MAX))
        for number, each, text in texts
    ]
    return page(
        "lines.html", "/", f"Line {line}",
        session=found.row, head=viewer.catalogue.read_head(found.row), line=line, first=first, size=LINES, total=total, shown=shown,
        tab="lines",
    )  # fmt: skip


def _read_text(each: Observation) -> str:
    """Return what a line says; a tool call as one line for each argument, and long ones as they are."""
    if each.kind is not ObservationKind.CALL:
        return each.text
    try:
        told: object = msgspec.json.decode(each.text)
    except (msgspec.DecodeError, RecursionError):
        return each.text
    if not isinstance(told, dict):
        return each.text
    values = {str(name): value if isinstance(value, str) else _as_json(value) for name, value in cast("dict[object, object]", told).items()}
    return "\n".join(f"{name}:\n{value}" if "\n" in value else f"{name}: {value}" for name, value in values.items())


def _as_json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _sections(state: dict[str, Any]) -> list[tuple[str, str, list[dict[str, Any]], str]]:
    """(name, title, claims, what is said where there are none) of the parts of a state, in the order in which they are read."""
    binding = [rule for rule in state["constraints"] if rule["probability"] >= BINDING_MIN]
    remarks = [rule for rule in state["constraints"] if rule not in binding]
    return [
        ("constraints", "Constraints, in the user's words", binding, "The user said nothing that surely binds."),
        ("remarks", "Also said by the user", remarks, "The user said nothing else that may bind."),
        ("checks", "Checks", state["checks"], "No test, build or lint run was seen."),
        ("files", "Files changed", state["files"], "No file was changed."),
        ("errors", "Open errors", state["errors"], "Nothing that failed is still open."),
        ("dead_ends", "Dead ends", state["dead_ends"], "No attempt was refused, taken back or impossible here."),
        ("decisions", "What the user decided", state["decisions"], "The agent asked nothing that the user answered."),
    ]
