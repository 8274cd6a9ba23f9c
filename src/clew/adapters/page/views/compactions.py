"""Compactions: what the next one would keep of a session and why, and what earlier ones stood before, with Claude's own summary."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response

from clew.adapters.page.render import link
from clew.adapters.page.sessions import FoundSession, NotFound
from clew.adapters.page.views.view import Form, Query, Viewer, page, turn_to
from clew.errors import ClewError, UnknownRecord, UsageError
from clew.records import MatchKind, make_handle
from clew.records.wording import describe_end, describe_reason
from clew.usecases.marks import BY_PAGE
from clew.usecases.preview import CompactionPreview, Fate, PreviewedRecord
from clew.usecases.progress import find_line_of_file

ROWS = 40
BUDGETS = (4_000, 8_000, 16_000, 32_000)
SAME_CUT_LINES = 2  # between a compaction and the summary that belongs to it
LINES_UNFOLDED_MAX = 1_500  # of one record in one answer
PREPARED_BYTES_MIN = 2_000_000  # of a transcript: a shorter one is previewed within .2 s of a core (bench/LOG.md)
_KEPT_PREVIEWS_MAX = 6  # held in memory, so that turning pages costs nothing
_kept: OrderedDict[tuple[object, ...], Future[CompactionPreview]] = OrderedDict()
_lock, _preparing = threading.Lock(), threading.Lock()


@dataclass(frozen=True, slots=True)
class LineRun:
    """Consecutive lines of a record with one fate. first  1-based."""

    is_kept: bool
    first: int
    lines: list[str]

    @property
    def where(self) -> str:
        """The numbers of its lines, in words."""
        last = self.first + len(self.lines) - 1
        return f"line {self.first}" if last == self.first else f"lines {self.first}–{last}"


def show_preview(viewer: Viewer, query: Query, _: Form) -> Response:
    """Show the fate of each record at a compaction here (or before the line `at`), and the window that is left."""
    found = viewer.catalogue.find(query.path["session"])
    at, budget = query.get("at"), _budget(viewer, query)
    preview = load_preview(viewer, found, at, budget)
    cuts, summary = _find_cuts(viewer, found, preview, at)
    fate = query.get("fate")
    wanted = [each for each in preview.records if not fate or each.fate.name.lower() == fate]
    rows = turn_to(wanted, query, ROWS)
    counts = Counter(each.fate for each in preview.records)
    tokens = Counter({name: sum(each.tokens_before for each in preview.records if each.fate is name) for name in Fate})
    return page(
        "compactions.html", "/", "What a compaction keeps",
        session=found.row, head=viewer.catalogue.read_head(found.row), tab="compactions", at=at, budget=budget, budgets=BUDGETS,
        preview=preview, rows=rows, shown=[(each, make_handle(each.record.id), explain_fate(each)) for each in rows.rows],
        lost=counts[Fate.FOLDED] + counts[Fate.ENDED],
        counts=[(each, counts[each], tokens[each]) for each in Fate], fate=fate, cuts=cuts, summary=summary,
        before=sum(each.tokens_before for each in preview.records),
        pinned=[(each, make_handle(each.record.id)) for each in preview.records if each.pins],
    )  # fmt: skip


def show_record(viewer: Viewer, query: Query, _: Form) -> Response:
    """Show all lines of one record, those that stay and those that go told apart."""
    found = viewer.catalogue.find(query.path["session"])
    preview = load_preview(viewer, found, query.get("at"), _budget(viewer, query))
    handle = query.get("handle")
    each = next((each for each in preview.records if handle and make_handle(each.record.id) == handle), None)
    if each is None:
        raise NotFound(f"this session has no record [{handle}]")
    runs, left = line_runs(each)
    return page(
        "record_lines.html", "/", each.record.name,
        session=found.row, head=viewer.catalogue.read_head(found.row), tab="compactions", each=each, handle=handle, runs=runs, left=left,
        why=explain_fate(each), at=query.get("at"), budget=_budget(viewer, query), fate=query.get("fate"), number=query.get("page"),
        is_part=query.get("part") == "yes",
    )  # fmt: skip


def explain_fate(each: PreviewedRecord) -> str:
    """Return why a record is kept or left out, in words."""
    if told := _explain_pins(each):
        return told
    if each.shown:
        return "; ".join(describe_reason(reason) for reason in each.why if reason.kind is not MatchKind.OF_KIND)
    if each.fate is Fate.HANDED_OFF:
        return "its words stand in the hand-off"
    if each.fate is Fate.ENDED:
        return describe_end(each.status.reason) or "something newer replaced it"
    return "other lines were likelier to be needed again, for their tokens"


def _explain_pins(each: PreviewedRecord) -> str:
    """Return what a person's pins did to a record, "" where they decided nothing."""
    if each.is_pinned:
        return "pinned by you" if each.shown else "pinned by you, but it does not fit into this budget: only its handle stands there"
    if any(not pin.mark.first for pin in each.pins):
        return "dropped by you"
    return "lines of it dropped by you" if each.pins and not each.shown else ""


def mark(viewer: Viewer, query: Query, form: Form) -> str:
    """Pin or drop a record or lines of it for the next compaction, or take that back; return to the compactions."""
    found = viewer.catalogue.find(query.path["session"])
    here = f"/sessions/{quote(found.row.id, safe='')}/compactions"
    back = link(here, budget=form.get("budget"), fate=form.get("fate"), page=form.get("page"))
    if form.get("undo"):
        viewer.engine.take_back(found.path, [form.get("undo")], by=BY_PAGE)
        return f"{back}#fates"
    if form.get("what") not in ("pin", "drop"):
        raise UsageError("nothing was marked\nhint: pin or drop")
    handle, budget = form.get("handle"), viewer.engine.settings.compact_budget_tokens
    preview = load_preview(viewer, found, "", Query({"budget": form.get("budget")}).number("budget", budget, low=200, high=400_000))
    each = next((each for each in preview.records if handle and make_handle(each.record.id) == handle), None)
    if each is None:
        raise NotFound(f"this session has no record [{handle}]")
    lines = Query({"first": form.get("first"), "last": form.get("last")})
    most = each.text.count("\n") + 1
    first = lines.number("first", 0, low=1, high=most)
    last = lines.number("last", most if first else 0, low=1, high=most)
    viewer.engine.pin(found.path, each.record, first=first or min(last, 1), last=last, is_dropped=form.get("what") == "drop", by=BY_PAGE)
    return f"{back}#r{handle}"


def line_runs(each: PreviewedRecord) -> tuple[list[LineRun], int]:
    """Return the lines of a record by fate, and how many are left out because there are too many."""
    lines = each.text.split("\n")
    kept = {at for first, last in each.shown for at in range(first, last + 1)}
    runs: list[LineRun] = []
    for at, line in enumerate(lines[:LINES_UNFOLDED_MAX]):
        if runs and runs[-1].is_kept is (at in kept):
            runs[-1].lines.append(line)
        else:
            runs.append(LineRun(at in kept, at + 1, [line]))
    return runs, max(0, len(lines) - LINES_UNFOLDED_MAX)


def _budget(viewer: Viewer, query: Query) -> int:
    return query.number("budget", viewer.engine.settings.compact_budget_tokens, low=200, high=400_000)


def load_preview(viewer: Viewer, found: FoundSession, at: str, budget: int) -> CompactionPreview:
    """Return the preview of a compaction before the line `at` ("" for the end), made once for each state of the transcript."""
    key = (*viewer.catalogue.stamp(found), at, budget)
    with _lock:
        made = _kept.pop(key, None)
        is_new = made is None
        _kept[key] = made = made or Future()
        while len(_kept) > _KEPT_PREVIEWS_MAX:
            _kept.popitem(last=False)
    if is_new:
        try:
            settings = viewer.engine.settings
            made.set_result(
                viewer.engine.preview_compaction(
                    found.name, at=at or None, budget_tokens=budget, tokenizer=settings.tokenizer, path=found.path
                )
            )
        except BaseException as error:  # noqa: BLE001 - who asked for it and who waits for it see it
            with _lock:
                _kept.pop(key, None)
            made.set_exception(error)
    return made.result()


def prepare_preview(viewer: Viewer, found: FoundSession) -> None:
    """Begin the preview of a long session in a thread of its own, one at a time: its reader is likely to ask for it next."""
    if found.row.bytes < PREPARED_BYTES_MIN or not _preparing.acquire(blocking=False):
        return

    def prepare() -> None:
        try:
            with suppress(ClewError, OSError):  # the view itself says so when it is asked for
                load_preview(viewer, found, "", viewer.engine.settings.compact_budget_tokens)
        finally:
            _preparing.release()

    threading.Thread(target=prepare, daemon=True).start()


def _find_cuts(viewer: Viewer, found: FoundSession, preview: CompactionPreview, at: str) -> tuple[Sequence[tuple[int, int]], str]:
    """Return (line, time in ns) of each compaction that the client made, and its own summary at the line `at`, "" for none."""
    if not at:
        told = _locate_cuts(found, preview)
        if told is not None:
            return told, ""
    cuts: list[tuple[int, int]] = []
    summary, wanted = "", int(at) if at.isdecimal() else -1
    for line, at_ns, text in viewer.catalogue.read_compactions(found):
        if not cuts or line - cuts[-1][0] > SAME_CUT_LINES:
            cuts.append((line, at_ns))
        if cuts[-1][0] == wanted:
            summary = summary or text
    return cuts, summary


def _locate_cuts(found: FoundSession, preview: CompactionPreview) -> Sequence[tuple[int, int]] | None:
    """The same from what is stored, so that the transcript is not parsed once more; None where that cannot tell the lines."""
    file = found.row.file
    if preview.cuts and (file is None or not all(uuid for uuid, _ in preview.cuts)):
        return None
    try:
        lines = sorted((find_line_of_file(file, uuid), at_ns) for uuid, at_ns in preview.cuts) if file else []
    except UnknownRecord:
        return None
    return [each for number, each in enumerate(lines) if not number or each[0] - lines[number - 1][0] > SAME_CUT_LINES]
