"""Windows: what stands in the window after a cut, by clew, by the client's own summary, and by keeping the newest text.

Each takes a trial and a budget in tokens, and all are measured by the same counter. Windows of pieces show them in the order of
time, whole but for the last, which is cut by whole lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from clew.evaluation.trial import Trial
from clew.records.records import HANDLE_LENGTH
from clew.text.tokens import Counter

LONG_LINE_CHARS = 400  # a longer line is a file or a message in JSON: to leave it out whole would waste a budget
# Where clew prints a handle: in brackets at an entry, or as the word of a command.
_HANDLE = re.compile(rf"(?:\[|‹quoted |unfold )([0-9a-hjkmnp-tv-z]{{{HANDLE_LENGTH}}})(?![0-9A-Za-z_])")


@dataclass(frozen=True, slots=True)
class Window:
    """What stands in the window; `unfold` gives the text behind all `handles` that are printed in it."""

    text: str
    handles: tuple[str, ...] = ()
    unfold: Callable[[], str] | None = None


MakeWindow = Callable[[Trial, int], Window | None]
"""A trial and a budget in tokens → a window; None where there is none of this size."""


def clew(trial: Trial, budget_tokens: int) -> Window:
    """Return what `clew compact` puts there."""
    packet = trial.packet(budget_tokens)
    shown = [entry.handle for entry in packet.entries]
    history: list[str] = []

    def is_ours(handle: str) -> bool:
        # Words in brackets that the session itself had said are no handles of ours, whatever they look like.
        if not history:
            history.append("\n".join(trial.texts))
        return handle not in history[0]

    printed = [handle for handle in _HANDLE.findall(packet.text) if handle in shown or trial.behind(handle) is not None or is_ours(handle)]
    handles = tuple(dict.fromkeys([*(handle for handle in shown if handle in packet.text), *printed]))
    return Window(packet.text, handles, lambda: "\n".join((trial.behind(handle) or b"").decode("utf-8", "replace") for handle in handles))


def summary(trial: Trial, budget_tokens: int) -> Window | None:
    """Return the client's own summary, at its own size alone."""
    return Window(trial.case.summary) if 0 < trial.summary_tokens <= budget_tokens == trial.summary_tokens else None


def recency(trial: Trial, budget_tokens: int) -> Window:
    """Return the newest text."""
    return Window(filled(trial, range(len(trial.texts) - 1, -1, -1), budget_tokens, newest=True))


WINDOWS: Mapping[str, MakeWindow] = {"clew": clew, "summary": summary, "recency": recency}
"""By the name under which reports list them."""


def filled(trial: Trial, order: Iterable[int], budget_tokens: int, *, newest: bool = False) -> str:
    """Return the pieces that fit, taken in this order and shown in the order of time; the first that does not fit is cut and ends it."""
    left = float(budget_tokens)
    kept: dict[int, str] = {}
    for at in order:
        if trial.lengths[at] <= left:
            kept[at] = trial.texts[at]
            left -= trial.lengths[at]
            continue
        lines = lines_within(trial.texts[at].rstrip("\n").split("\n"), left, trial.counter, newest=newest)
        kept[at] = "".join(line + "\n" for line in lines)
        break
    return "".join(kept[at] for at in sorted(kept))


def lines_within(lines: Sequence[str], budget: float, counter: Counter, *, newest: bool = False) -> list[str]:
    """The first (or newest) of these lines that fit, whole; of one that alone is longer than LONG_LINE_CHARS, as much of it as fits."""
    order = list(reversed(lines)) if newest else list(lines)
    kept: list[str] = []
    for line, length in zip(order, counter.measure_many([line + "\n" for line in order]), strict=True):
        if length <= budget:
            kept.append(line)
            budget -= length
            continue
        if len(line) > LONG_LINE_CHARS and (part := _part(line, budget, counter, newest=newest)):
            kept.append(part)
        break
    return kept[::-1] if newest else kept


def _part(line: str, budget: float, counter: Counter, *, newest: bool) -> str:
    """As many characters of a line as fit, from its start or its end."""
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if counter.measure((line[-middle:] if newest else line[:middle]) + "\n") <= budget:
            low = middle
        else:
            high = middle - 1
    return line[len(line) - low :] if newest else line[:low]
