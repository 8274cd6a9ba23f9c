"""Now: what stands in the window of each running session, by source, layer and turn, and how much of it is dead weight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response

from clew.adapters.page.sessions import FoundSession, SessionHead
from clew.adapters.page.views.compactions import load_preview
from clew.adapters.page.views.view import Form, Query, Viewer, page
from clew.errors import ClewError
from clew.records.wording import describe_end
from clew.sessions.live import LiveSession
from clew.usecases.preview import PreviewedRecord

SESSIONS_MAX = 4  # drawn; the others are named
TURNS_MAX = 24  # of one window, the latest
DEAD_MAX = 8
BAR_WIDTH = 600.0
READ_BYTES_MAX = 1_000_000  # a longer transcript is shown as it is stored: reading it at each change would take a core
SOURCES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("user", ("prompt", "answer", "rejection")),
    ("agent", ("message", "plan", "todo", "agent", "claim")),
    ("files read", ("read",)),
    ("edits", ("edit", "write")),
    ("commands", ("command", "check", "error")),
    ("searches", ("search", "fetch")),
)
OTHER = "other"
DEAD = "dead weight"
NAMES = (*(name for name, _ in SOURCES), OTHER, DEAD)
_SOURCE_OF = {kind: name for name, kinds in SOURCES for kind in kinds}


@dataclass(frozen=True, slots=True)
class Bar:
    """One stacked bar: (number of the source in NAMES, left end, width, name, tokens) of each part; what the bar stands for; its tokens."""

    label: str
    parts: tuple[tuple[int, float, float, str, int], ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class SessionWindow:
    """The window of one session as clew's records tell it.

    is_behind  it is shown as it was last stored, which may be some turns ago.
    dead  (what, why, tokens) of what is no longer true in it, the heaviest first; layers  tokens by layer.
    """

    found: FoundSession
    head: SessionHead
    live: LiveSession | None
    tokens: int
    whole: Bar
    turns: tuple[Bar, ...]
    layers: tuple[tuple[str, int], ...]
    files: tuple[tuple[str, int, int], ...]
    dead: tuple[tuple[str, str, int], ...]
    problem: str = ""
    is_behind: bool = False


def show_now(viewer: Viewer, query: Query, _: Form) -> Response:  # noqa: ARG001 - every view takes a query
    """Show the windows of the sessions that run, the last used first; without any that of the session that was written last."""
    live = [each for each in viewer.live.list_recent() if not each.ended and each.has_transcript]
    rows = viewer.catalogue.list_all()
    known = {row.id: row for row in rows}
    windows = [_window(viewer, viewer.catalogue.locate(known[each.id]), each) for each in live[:SESSIONS_MAX] if each.id in known]
    is_past = not windows
    if is_past and rows:
        windows = [_window(viewer, viewer.catalogue.locate(rows[0]), None)]
    return page("now.html", "/now", "Now", windows=windows, others=live[SESSIONS_MAX:], is_past=is_past, width=BAR_WIDTH)


def _window(viewer: Viewer, found: FoundSession, live: LiveSession | None) -> SessionWindow:
    head = viewer.catalogue.read_head(found.row)
    try:
        is_behind = bool(found.row.workspace) and found.row.bytes > READ_BYTES_MAX
        asked = replace(found, name=found.row.id) if is_behind else found
        preview = load_preview(viewer, asked, "", viewer.engine.settings.compact_budget_tokens)
    except (ClewError, OSError) as error:  # the others are shown, and this one says what is wrong
        return SessionWindow(found, head, live, 0, Bar("", (), 0), (), (), (), (), str(error).partition("\n")[0])
    records = [each for each in preview.records if each.is_in_window]
    turns = _split_turns(records)
    widest = max((sum(each.tokens_before for each in turn) for _, turn in turns), default=0)
    layers = Counter(dict.fromkeys(("intent", "action", "fact", "state"), 0))
    files: Counter[str] = Counter()
    stale: Counter[str] = Counter()
    for each in records:
        layers[each.record.layer.value] += each.tokens_before
        if each.record.path:
            files[each.record.path] += each.tokens_before
            stale[each.record.path] += 0 if each.status.is_live else each.tokens_before
    dead = sorted((each for each in records if not each.status.is_live), key=lambda each: (-each.tokens_before, each.record.id))
    return SessionWindow(
        found, head, live, preview.tokens_before, _bar("the whole window", records, preview.tokens_before),
        tuple(_bar(label, turn, widest) for label, turn in turns[-TURNS_MAX:]), tuple(layers.most_common()),
        tuple((path, tokens, stale[path]) for path, tokens in files.most_common(DEAD_MAX)),
        tuple((each.record.name, describe_end(each.status.reason) or "superseded", each.tokens_before) for each in dead[:DEAD_MAX]),
        is_behind=is_behind,
    )  # fmt: skip


def _split_turns(records: Sequence[PreviewedRecord]) -> list[tuple[str, list[PreviewedRecord]]]:
    """The records of each turn, which a prompt begins, with the prompt's words."""
    turns: list[tuple[str, list[PreviewedRecord]]] = []
    for each in records:
        if not turns or each.record.kind == "prompt":
            turns.append((each.text if each.record.kind == "prompt" else "before the first prompt", []))
        turns[-1][1].append(each)
    return turns


def _bar(label: str, records: Sequence[PreviewedRecord], scale: int) -> Bar:
    sums = Counter(dict.fromkeys(NAMES, 0))
    for each in records:
        sums[_SOURCE_OF.get(each.record.kind, OTHER) if each.status.is_live else DEAD] += each.tokens_before
    parts: list[tuple[int, float, float, str, int]] = []
    left = 0.0
    for number, name in enumerate(NAMES):
        width = sums[name] / scale * BAR_WIDTH if scale else 0.0
        if width:
            parts.append((number, round(left, 1), round(width, 1), name, sums[name]))
        left += width
    return Bar(label, tuple(parts), sum(sums.values()))
