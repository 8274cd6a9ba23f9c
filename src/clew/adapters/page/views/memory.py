"""Memory: what earlier sessions say about a question, the life of one record, and notes to keep, to move to a cheaper tier or to erase."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

from clew.adapters.page.render import link
from clew.adapters.page.views.places import find_root, list_roots
from clew.adapters.page.views.view import Form, Query, Viewer, page, turn_to
from clew.errors import NothingStored, UnknownMoment, UsageError
from clew.packet.options import OriginalCache
from clew.records import Record, Status, Tier, make_handle
from clew.records.wording import describe_end, describe_reason
from clew.store.ports import LOCAL
from clew.usecases.write import NewNote

TURNS_MAX = 60  # of one repository
ROWS = 20
TEXT_CHARS_MAX = 60_000
NOTE_KINDS = ("fact", "decision", "constraint", "dead end", "state")
TIERS = {"hot": Tier.HOT, "folded": Tier.FOLDED, "archived": Tier.ARCHIVED}
NOTES = "session:remembered/notes"


@dataclass(frozen=True, slots=True)
class FoundTurn:
    """A turn of an earlier session, or a note, with its text, its repository and what became of it."""

    workspace: str
    root: str
    record: Record
    text: str
    status: str
    is_live: bool
    score: float
    why: str = ""

    @property
    def handle(self) -> str:
        """The record's handle."""
        return make_handle(self.record.id)

    @property
    def branch(self) -> str:
        """The branch that it was said on, "" when unknown."""
        return dict(self.record.lineage).get("branch", "")


def show_memory(viewer: Viewer, query: Query, _: Form) -> Response:
    """Show what all stored sessions say about a question, or without one the notes that are kept."""
    asked, chosen, roots, as_of = query.get("q"), query.get("w"), list_roots(viewer), query.get("as_of")
    among = [(key, root) for key, root in roots if not chosen or key == chosen]
    found = [
        turn
        for key, root in among
        for turn in (_recall(viewer, key, root, asked, as_of, is_alone=len(among) == 1) if asked else _list_notes(viewer, key, root))
    ]
    found.sort(key=lambda turn: (-turn.score, -turn.record.at_ns, turn.record.id))
    rows = turn_to(found, query, ROWS)
    every = viewer.catalogue.list_all()
    return page(
        "memory.html", "/memory", "Memory",
        q=asked, w=chosen, as_of=as_of, roots=roots, rows=rows, kinds=NOTE_KINDS,
        stored=sum(bool(row.workspace) for row in every), total=len(every), gone=query.get("gone"),
    )  # fmt: skip


def show_record(viewer: Viewer, query: Query, _: Form) -> Response:
    """Show the life of one record: what it says, where it comes from, whether it is still true, its versions and its links."""
    key, handle = query.path["workspace"], query.path["handle"]
    root = find_root(viewer, key)
    explained = viewer.engine.explain(root, handle)
    record = explained.record
    with viewer.engine.store.snapshot(LOCAL, key) as snapshot:
        try:
            text = OriginalCache(snapshot).text_of(record.full_text)
        except KeyError:  # of the code's workspace, or moved: the rest of the record stands here all the same
            text = ""
    return page(
        "record.html", "/memory", record.name,
        workspace=key, root=str(root), record=record, handle=make_handle(record.id), text=text[:TEXT_CHARS_MAX],
        left=max(0, len(text) - TEXT_CHARS_MAX), status=explained.status, stands=describe_status(explained.status),
        versions=[(make_handle(each.id), each, describe_status(status)) for each, status in explained.versions],
        links=explained.links, tiers=tuple(TIERS), successor=make_handle(explained.status.superseded_by),
    )  # fmt: skip


def remember(viewer: Viewer, _: Query, form: Form) -> str:
    """Keep a note, and return its address."""
    root, text, kind = find_root(viewer, form.get("w")), form.get("text"), form.get("kind", "fact")
    if not text or kind not in NOTE_KINDS:
        raise UsageError("there is nothing to keep\nhint: write the note, and choose what it is")
    about = tuple(line.strip() for line in form.get("about").splitlines() if line.strip())
    [handle] = viewer.engine.write(root, [NewNote(text, kind, about)]).handles
    return f"/records/{form.get('w')}/{handle}"


def forget(viewer: Viewer, query: Query, form: Form) -> str:
    """Move a record to a tier, and return its address. Nothing is lost by that."""
    key, handle, tier = query.path["workspace"], query.path["handle"], TIERS.get(form.get("tier"))
    if tier is None:
        raise UsageError(f"there is no such tier\nhint: {', '.join(TIERS)}")
    viewer.engine.forget(find_root(viewer, key), handles=[handle], tier=tier)
    return f"/records/{key}/{handle}"


def purge(viewer: Viewer, query: Query, form: Form) -> str:
    """Erase a record for good once its handle was typed and a reason given, and return to the memory."""
    key, handle, reason = query.path["workspace"], query.path["handle"], form.get("reason")
    if form.get("sure") != handle or not reason:
        raise UsageError(f"nothing was erased\nhint: give a reason, and type {handle} to say that you are sure")
    purged = viewer.engine.purge(find_root(viewer, key), handles=[handle], reason=reason)
    return link("/memory", gone=purged.records)


def describe_truth(status: Status) -> str:
    """Return in words whether a record is still true."""
    if not status.is_live:
        return f"no longer true: {describe_end(status.reason) or 'superseded'}"
    return f"suspect: {describe_end(status.reason, is_doubt=True)}" if status.is_suspect else "true now"


def describe_status(status: Status) -> str:
    """Return in words whether a record is still true, and its tier."""
    return f"{describe_truth(status)}; {status.tier.name.lower()} tier"


def _recall(viewer: Viewer, key: str, root: str, question: str, as_of: str, *, is_alone: bool) -> list[FoundTurn]:
    try:
        when = viewer.engine.find_as_of(Path(root), as_of) if as_of else None
        recalled = viewer.engine.recall(Path(root), question, turns_max=TURNS_MAX, as_of=when)
    except (NothingStored, UnknownMoment):  # of this repository; others may have answers
        if is_alone:
            raise
        return []
    if not recalled.turns:
        return []
    with viewer.engine.store.snapshot(LOCAL, key) as snapshot:
        originals = OriginalCache(snapshot)
        return [
            FoundTurn(
                key, root, turn.record, originals.text_of(turn.record.full_text)[:2_000],
                "said anew later" if turn.replaced_by else describe_truth(turn.status), turn.status.is_live and not turn.replaced_by,
                turn.score, "; ".join(dict.fromkeys(map(describe_reason, turn.why))),
            )
            for turn in recalled.turns
        ]  # fmt: skip


def _list_notes(viewer: Viewer, key: str, root: str) -> list[FoundTurn]:
    with viewer.engine.store.snapshot(LOCAL, key) as snapshot:
        records = snapshot.records_of_sources(NOTES)
        statuses = snapshot.statuses([record.id for record in records])
        originals = OriginalCache(snapshot)
        return [
            FoundTurn(key, root, record, originals.text_of(record.full_text)[:2_000], describe_truth(status), status.is_live, 0.0)
            for record, status in zip(records, statuses, strict=True)
        ]
