"""Packet: an assembled window, with its certificate."""

from __future__ import annotations

from dataclasses import dataclass

from clew.records.reasons import MatchReason
from clew.records.records import Layer, Resolution
from clew.records.spans import Spans, text_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as a packet shows it.

    start, end  1-based lines actually shown, inclusive; 0 for what has no lines. A span is never cut:
                what stands between them is shown byte for byte.
    tokens      of this entry's own text, its heading included.
    why         reasons, strongest first.
    is_whole    the record is shown from first to last line.
    """

    id: str
    handle: str
    layer: Layer
    kind: str
    name: str
    resolution: Resolution
    tokens: int
    weight: float
    why: tuple[MatchReason, ...]
    text: str
    is_whole: bool
    path: str = ""
    start: int = 0
    end: int = 0
    session: str = ""
    uuid: str = ""


@dataclass(frozen=True, slots=True)
class Packet:
    """An assembled window.

    entries       in order of rank.
    spans         what the reader gets, each piece with whose words it is; without a fence it is `tokens` long in `tokenizer`'s count.
    fence_tokens  what `fenced` adds to that at a door; `tokens` and it together are never above `budget_tokens`.
    shadow_price  λ: weight per token of the last step that was bought, 0 when everything fitted.
    gap           (LP bound − weight shown) / LP bound, 0 to 1: how far from the best possible choice.
    skipped       stages that the deadline made it skip, and what a missing model leaves out, by name.
    """

    question: str
    entries: tuple[Entry, ...]
    spans: Spans
    tokens: int
    budget_tokens: int
    tokenizer: str
    shadow_price: float
    gap: float
    skipped: tuple[str, ...] = ()
    fence_tokens: int = 0

    @property
    def text(self) -> str:
        """What the reader gets, without a fence."""
        return text_of(self.spans)
