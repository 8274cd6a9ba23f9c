"""Build the windows that an evaluation compares: clew's, the client's own summary, and the newest text of the history."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from clew.evaluation.prepared import PreparedCase
from clew.records.records import HANDLE_CHARS
from clew.text.tokens import TokenCounter

LONG_LINE_CHARS = 400  # a longer line is a file or a message in JSON: to leave it out whole would waste a budget
# Where clew prints a handle: in brackets at an entry, or as the word of a command.
_HANDLE = re.compile(rf"(?:\[|‹quoted |unfold )([0-9a-hjkmnp-tv-z]{{{HANDLE_CHARS}}})(?![0-9A-Za-z_])")


@dataclass(frozen=True, slots=True)
class CandidateWindow:
    """The text that one method puts into the context window after a cut; `unfold` returns the text behind all its `handles`."""

    text: str
    handles: tuple[str, ...] = ()
    unfold: Callable[[], str] | None = None


WindowBuilder = Callable[[PreparedCase, int], CandidateWindow | None]
"""Function that builds a window for a prepared and a budget in tokens; None where there is none of this size."""


def build_clew_window(prepared: PreparedCase, budget_tokens: int) -> CandidateWindow:
    """Return the window that `clew compact` makes of the history, at most `budget_tokens` long."""
    packet = prepared.build_packet(budget_tokens)
    shown = [entry.handle for entry in packet.entries]
    history: list[str] = []

    def is_ours(handle: str) -> bool:
        # Words in brackets that the session itself had said are no handles of ours, whatever they look like.
        if not history:
            history.append("\n".join(prepared.texts))
        return handle not in history[0]

    printed = [
        handle for handle in _HANDLE.findall(packet.text) if handle in shown or prepared.unfold(handle) is not None or is_ours(handle)
    ]
    handles = tuple(dict.fromkeys([*(handle for handle in shown if handle in packet.text), *printed]))
    return CandidateWindow(
        packet.text, handles, lambda: "\n".join((prepared.unfold(handle) or b"").decode("utf-8", "replace") for handle in handles)
    )


def build_summary_window(prepared: PreparedCase, budget_tokens: int) -> CandidateWindow | None:
    """Return the client's own summary as a window; None unless the budget is the summary's size."""
    return CandidateWindow(prepared.case.summary) if 0 < prepared.summary_tokens <= budget_tokens == prepared.summary_tokens else None


def build_recent_window(prepared: PreparedCase, budget_tokens: int) -> CandidateWindow:
    """Return a window of the newest text of the history, at most `budget_tokens` long."""
    return CandidateWindow(take_pieces_within(prepared, range(len(prepared.texts) - 1, -1, -1), budget_tokens, newest=True))


WINDOW_BUILDERS: Mapping[str, WindowBuilder] = {"clew": build_clew_window, "summary": build_summary_window, "recency": build_recent_window}
"""The compared windows by the name under which reports list them."""


def take_pieces_within(prepared: PreparedCase, order: Iterable[int], budget_tokens: int, *, newest: bool = False) -> str:
    """Return the pieces of the history, taken in this order, that fit the budget, joined in the order of time.

    The first that does not fit is cut at a line and ends the selection.
    """
    left = float(budget_tokens)
    kept: dict[int, str] = {}
    for at in order:
        if prepared.text_tokens[at] <= left:
            kept[at] = prepared.texts[at]
            left -= prepared.text_tokens[at]
            continue
        lines = take_lines_within(prepared.texts[at].rstrip("\n").split("\n"), left, prepared.counter, newest=newest)
        kept[at] = "".join(line + "\n" for line in lines)
        break
    return "".join(kept[at] for at in sorted(kept))


def take_lines_within(lines: Sequence[str], budget: float, counter: TokenCounter, *, newest: bool = False) -> list[str]:
    """Return the first (or newest) of these lines that fit a budget in tokens; of a line above LONG_LINE_CHARS as much as fits."""
    order = list(reversed(lines)) if newest else list(lines)
    kept: list[str] = []
    for line, length in zip(order, counter.count_unrounded_many([line + "\n" for line in order]), strict=True):
        if length <= budget:
            kept.append(line)
            budget -= length
            continue
        if len(line) > LONG_LINE_CHARS and (part := _part(line, budget, counter, newest=newest)):
            kept.append(part)
        break
    return kept[::-1] if newest else kept


def _part(line: str, budget: float, counter: TokenCounter, *, newest: bool) -> str:
    """As many characters of a line as fit, from its start or its end."""
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if counter.count_unrounded((line[-middle:] if newest else line[:middle]) + "\n") <= budget:
            low = middle
        else:
            high = middle - 1
    return line[len(line) - low :] if newest else line[:low]
