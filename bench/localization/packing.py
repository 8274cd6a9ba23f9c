"""Packing: what an answer shows and what it costs, the same for every system.

One token is four characters. A ranked list is packed greedily by `pack`; any answer is measured by `measure`, on the
text that a reader would get: the system's own packet, or the shown lines with one header line for each run of them.
Lines shown twice are paid once and counted once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bench.localization.source import Tree, runs_of
from bench.localization.systems import Answer, Span

CHARS_PER_TOKEN = 4  # the measure that published comparisons at 8,192 tokens use
MISSES_MAX = 200  # guess: after so many spans in a row that do not fit, a packet counts as full


class OverBudget(Exception):
    """An answer is larger than what was asked for; it is rejected, not cut."""

    def __init__(self, tokens: int, budget_tokens: int) -> None:
        self.tokens, self.budget_tokens = tokens, budget_tokens
        super().__init__(f"the answer has {tokens} tokens, the budget is {budget_tokens}")


@dataclass(frozen=True, slots=True)
class Shown:
    """The lines of each file that stand in the packet, its tokens, and how many claims its text did not bear out."""

    lines: dict[str, frozenset[int]]
    tokens: int
    unfounded: int = 0


def tokens_of(chars: int) -> int:
    """Return the tokens of a text with `chars` characters, rounded up."""
    return -(-chars // CHARS_PER_TOKEN)


def render(tree: Tree, path: str, lines: Iterable[int]) -> str:
    """Return the runs of `lines` of one file, each under a header line; every line ends in a line feed."""
    text = tree.lines(path)
    return "".join(
        f"{path}:{start}-{end}\n" + "".join(line + "\n" for line in text[start - 1 : end]) for start, end in runs_of(sorted(lines))
    )


def pack(ranked: Sequence[Span], tree: Tree, budget_tokens: int) -> Answer:
    """Return `ranked` with the spans that fit marked as shown, taken greedily in order; the others stay, unshown.

    A span that does not fit is left out whole and the next is tried, up to MISSES_MAX in a row.
    Cost   O(lines of the touched files) for each span tried.
    """
    shown: dict[str, set[int]] = {}
    costs: dict[str, int] = {}
    chars_left, misses = budget_tokens * CHARS_PER_TOKEN, 0
    packed: list[Span] = []
    for span in ranked:
        is_shown = False
        if misses < MISSES_MAX:
            already = shown.get(span.path, set[int]())
            wanted = already | set(_clipped(span, tree))
            cost = _chars(tree, span.path, wanted, chars_left + costs.get(span.path, 0))
            is_shown = bool(wanted) and cost - costs.get(span.path, 0) <= chars_left
            if is_shown:
                chars_left -= cost - costs.get(span.path, 0)
                shown[span.path], costs[span.path] = wanted, cost
            misses = 0 if is_shown else misses + 1
        packed.append(replace(span, is_text_shown=is_shown))
    return Answer(tuple(packed))


def measure(answer: Answer, tree: Tree, budget_tokens: int) -> Shown:
    """Return what `answer` shows. Raises OverBudget.

    In an answer with its own text, a shown span counts only if its lines stand there in their order, whatever stands
    before each of them (a line number, say): a claim that the text does not bear out is counted as unfounded.
    """
    packet = None if answer.text is None else [line.rstrip() for line in answer.text.split("\n")]
    lines: dict[str, set[int]] = {}
    unfounded = 0
    for span in answer.spans:
        numbers = _clipped(span, tree) if span.is_text_shown else range(0)
        if not numbers:
            continue
        if packet is not None and not _stands_in(packet, [tree.lines(span.path)[n - 1].rstrip() for n in numbers]):
            unfounded += 1
            continue
        lines.setdefault(span.path, set()).update(numbers)
    chars = sum(len(render(tree, path, numbers)) for path, numbers in lines.items()) if answer.text is None else len(answer.text)
    if tokens_of(chars) > budget_tokens:
        raise OverBudget(tokens_of(chars), budget_tokens)
    return Shown({path: frozenset(numbers) for path, numbers in sorted(lines.items())}, tokens_of(chars), unfounded)


def _clipped(span: Span, tree: Tree) -> range:
    return range(max(span.start, 1), min(span.end, len(tree.lines(span.path))) + 1)


def _chars(tree: Tree, path: str, numbers: set[int], limit: int) -> int:
    """Return the characters that `render` would write, or any number above `limit` as soon as that is sure."""
    text = tree.lines(path)
    chars = sum(len(text[number - 1]) + 1 for number in numbers)
    if chars > limit:
        return chars
    return chars + sum(len(f"{path}:{start}-{end}\n") for start, end in runs_of(sorted(numbers)))


def _stands_in(packet: Sequence[str], wanted: Sequence[str]) -> bool:
    """Say whether `wanted` follow one another in `packet`, each at the end of a line; blank lines around them need not.

    Of the first line the indent may be missing: a symbol begins behind it.
    """
    filled = [offset for offset, line in enumerate(wanted) if line]
    if not filled:
        return True  # nothing to prove, and nothing gained by the claim
    first, *rest = wanted[filled[0] : filled[-1] + 1]
    return any(
        line.endswith(first.lstrip())
        and len(packet) - at > len(rest)
        and all(packet[at + offset].endswith(expected) for offset, expected in enumerate(rest, start=1))
        for at, line in enumerate(packet)
    )
