"""Earlier: render turns of other sessions as a section of a compaction's packet.

Shows the turns that `recall` found, best first, whole as long as they fit, else by their first line.
"""

from __future__ import annotations

from collections.abc import Sequence

from clew.packet.options import LINE_CHARS_MAX, OriginalCache, attribute_text, heading_spans
from clew.recall.heading import make_turn_heading
from clew.recall.recall import Turn
from clew.records import (
    PLACEHOLDER_NONCE,
    Layer,
    PacketEntry,
    Resolution,
    Spans,
    clew_span,
    join_text,
    make_handle,
    merge_spans,
    render_fenced,
)
from clew.text.tokens import TokenCounter

GROUP = "said in earlier sessions, the most relevant first"
TURN_SHARE_MAX = 0.4  # of the section, for one turn; a longer one is shown by its first line; guess


def build_section(
    turns: Sequence[Turn], originals: OriginalCache, *, budget_tokens: int, counter: TokenCounter
) -> tuple[Spans, tuple[PacketEntry, ...]]:
    """Return the section's text and its entries, at most `budget_tokens` with its fences; ((), ()) for no turn or no room."""
    spans = heading_spans(GROUP)
    entries: list[PacketEntry] = []
    for turn in turns:
        record = turn.record
        whole = originals.text_of(record.full_text).strip("\n")
        for resolution, body in ((Resolution.FULL, whole), (Resolution.SIGNATURE, " ".join(whole.split())[:LINE_CHARS_MAX])):
            part = _shown(turn, body)
            tokens = counter.count(join_text(part))
            is_short = resolution is not Resolution.FULL or tokens <= TURN_SHARE_MAX * budget_tokens
            if is_short and counter.count(render_fenced((*spans, *part), PLACEHOLDER_NONCE)) <= budget_tokens:
                spans = (*spans, *part)
                entries.append(_entry(turn, resolution, join_text(part), tokens))
                break
    return (merge_spans(spans), tuple(entries)) if entries else ((), ())


def _entry(turn: Turn, resolution: Resolution, part: str, tokens: int) -> PacketEntry:
    record = turn.record
    return PacketEntry(
        record.id, make_handle(record.id), Layer(record.layer), record.kind, record.name, resolution, tokens, round(turn.score, 6),
        turn.why, part, resolution is Resolution.FULL, record.path, session=record.session, uuid=record.uuid,
    )  # fmt: skip


def _shown(turn: Turn, body: str) -> Spans:
    return *make_turn_heading(turn), clew_span("\n"), *attribute_text(turn.record, body), clew_span("\n")
