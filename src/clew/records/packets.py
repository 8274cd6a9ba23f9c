"""Packet: the answer to a question, within a token budget, as text and as the entries that make it up."""

from __future__ import annotations

from dataclasses import dataclass, field

from clew.records.as_of import AsOf
from clew.records.reasons import MatchReason, Remark
from clew.records.records import Layer, Resolution
from clew.records.spans import Spans, join_text


@dataclass(frozen=True, slots=True)
class PacketEntry:
    """One record as a packet shows it, and why.
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
class Withheld:
    """What was not added to a prompt, because the user called it noise in one like it: the handle of that mark, and its time.

    path  the file, "" for a turn of an earlier session, whose record is `handle`.
    """

    path: str
    handle: str
    mark: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Packet:
    """Records chosen for a question within a token budget, rendered as text for a model.

    entries       in order of rank.
    spans         the text, split by author; `tokens` long by `tokenizer`, fences not counted.
    fence_tokens  what `render_fenced` adds to that; both together never exceed `budget_tokens`.
    shadow_price  weight per token of the last text that was added, 0 when everything fitted.
    gap           (bound − weight shown) / bound, 0 to 1, where no choice within the budget could exceed the bound (of a linear program).
    skipped       names of the stages that were left out: for want of time, or because no embedding model is chosen.
    withheld      what would have been added to a prompt, and was called noise.
    remarks       what is to be said of the question itself: names that are nowhere, frames that lie outside; the text begins with them.
    as_of         what it was computed at; equal packets may be of different generations.
    """

    question: str
    entries: tuple[PacketEntry, ...]
    spans: Spans
    tokens: int
    budget_tokens: int
    tokenizer: str
    shadow_price: float
    gap: float
    skipped: tuple[str, ...] = ()
    fence_tokens: int = 0
    remarks: tuple[Remark, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    as_of: AsOf = field(default_factory=AsOf, compare=False)

    @property
    def text(self) -> str:
        """The packet's text, without fences."""
        return join_text(self.spans)
