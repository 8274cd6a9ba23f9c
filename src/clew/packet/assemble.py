"""Assembly: select at which resolution each candidate is shown, within a token budget.

A multiple-choice knapsack: every candidate has options of growing length and utility, and at most one is shown.
The options on a candidate's upper convex hull are steps of falling utility per token; the steps of all candidates
are added in that order. A step that does not fit is skipped and the next is tried. Knows nothing of files or
sessions: its inputs are texts, utilities and groups that share a heading.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clew.records import Resolution, Spans, clew_span, outside_span

# What a resolution is worth as a share of the whole: a name tells where, a signature what, the body how. Chosen with the
# two constants below on 62 dev rows (bench/LOG.md); lower shares show more bodies and fewer names.
UTILITY: dict[Resolution, float] = {Resolution.NAME: 0.03, Resolution.SIGNATURE: 0.25, Resolution.FOLDED: 0.35, Resolution.FULL: 1.0}
# What is looked for stands in a long text more often than in a short one: utility grows with this power of its length.
LENGTH_EXPONENT = 0.45
LENGTH_UNIT_TOKENS = 80.0  # about the median function's
GROUP_DISCOUNT = 0.95  # each further record of one file or session is worth this much less: a second file beats a tenth symbol
GROUP_DISCOUNT_MIN = 0.25


@dataclass(frozen=True, slots=True)
class Option:
    """One way to show a candidate: `text` ends with a newline, `tokens` is its length including the fences that it may need.

    start, end  lines shown, 1-based inclusive, 0 where lines mean nothing.
    is_whole    nothing of the record is left out.
    spans       the text split by author; () where all of it comes from outside, or where `cuts` say it.
    cuts        where the author of the text changes, of a text that clew begins and others alternate with.
    """

    resolution: Resolution
    text: str
    tokens: float
    start: int = 0
    end: int = 0
    is_whole: bool = False
    spans: Spans = ()
    cuts: tuple[int, ...] = ()

    @property
    def attributed_spans(self) -> Spans:
        """Return the text split by author."""
        if not self.cuts:
            return self.spans or (outside_span(self.text),)
        parts = (self.text[start:end] for start, end in zip((0, *self.cuts), (*self.cuts, len(self.text)), strict=True))
        return tuple(outside_span(part) if at % 2 else clew_span(part) for at, part in enumerate(parts))


@dataclass(frozen=True, slots=True)
class Candidate:
    """One record, or a part of one, that may be shown. `options` ascend in resolution; `group` names its heading.

    utility    of each resolution as a share of the weight; None takes UTILITY.
    utilities  of each option, where the caller has computed them: then neither the weight nor the length counts.
    """

    id: str
    weight: float
    group: str
    options: tuple[Option, ...]
    utility: dict[Resolution, float] | None = None
    utilities: tuple[float, ...] = ()

    @property
    def utility_by_option(self) -> tuple[float, ...]:
        """Return what each option is worth."""
        share = self.utility or UTILITY
        return self.utilities or tuple(self.weight * share[option.resolution] * length_factor(option) for option in self.options)


@dataclass(slots=True)
class Selection:
    """The selected options: `picks` maps candidate number to option number; and how good the selection is.

    utility       sum over the selected options.
    shadow_price  utility per token of the last step added, when another one was refused; else 0.
    gap           (LP bound − utility) / LP bound; the LP bound is the optimum of the linear relaxation.
    """

    picks: dict[int, int] = field(default_factory=dict[int, int])
    tokens: float = 0.0
    utility: float = 0.0
    shadow_price: float = 0.0
    gap: float = 0.0


@dataclass(frozen=True, slots=True)
class _Step:
    efficiency: float
    candidate: int
    option: int
    tokens: float  # more than the option before it on the hull, the group's heading included in an anchor's first
    utility: float
    heading: float  # how much of `tokens` is the heading


def assemble(
    candidates: Sequence[Candidate], *, budget_tokens: float, heading: Callable[[str], float], price_min: float = 0.0
) -> Selection:
    """Select options of most total utility within the budget.

    candidates     in order of rank; ties between equal steps go to the better rank.
    budget_tokens  for texts and headings together.
    heading        tokens of a group's heading, paid with the first of its candidates.
    price_min      a step of less utility per token than this is not added even if it fits: the shadow price to stop at.
    Returns        a Selection; its utility is within `gap` of what the linear relaxation could reach.
    The relaxation charges a heading to the group's first candidate alone. Whatever fits with its headings fits there
    as well, so its optimum is an upper bound.
    Cost           O(options · log options).
    Source         Kellerer, Pferschy, Pisinger 2004, ch. 11.2; Sinha, Zoltners 1979.
    """
    steps = _steps(candidates, heading)
    selection = Selection()
    opened: set[str] = set()
    blocked: set[int] = set()
    bound, room, is_tight = 0.0, budget_tokens, False
    for step in steps:
        if step.efficiency < price_min:
            selection.shadow_price = selection.shadow_price or price_min
            break
        taken = min(1.0, room / step.tokens) if step.tokens > 0 else 1.0
        bound, room = bound + taken * step.utility, room - taken * step.tokens
        if step.candidate in blocked:
            continue
        group = candidates[step.candidate].group
        cost = step.tokens - step.heading + (0.0 if group in opened else heading(group))
        if selection.tokens + cost > budget_tokens:
            blocked.add(step.candidate)
            is_tight = True
            continue
        opened.add(group)
        selection.picks[step.candidate] = step.option
        selection.tokens += cost
        selection.utility += step.utility
        last = step.efficiency
        selection.shadow_price = last
    if not is_tight and selection.shadow_price > price_min:
        selection.shadow_price = 0.0
    selection.gap = max(0.0, (bound - selection.utility) / bound) if bound > 0 else 0.0
    return selection


def discount_by_group(weights: Sequence[float], groups: Sequence[str]) -> list[float]:
    """Return `weights` (in order of rank) times a discount that grows with each further one of the same group."""
    seen: dict[str, int] = {}
    out: list[float] = []
    for weight, group in zip(weights, groups, strict=True):
        rank = seen.get(group, 0)
        seen[group] = rank + 1
        out.append(weight * max(GROUP_DISCOUNT**rank, GROUP_DISCOUNT_MIN))
    return out


def _steps(candidates: Sequence[Candidate], heading: Callable[[str], float]) -> list[_Step]:
    steps: list[_Step] = []
    anchored: set[str] = set()
    for number, candidate in enumerate(candidates):
        extra = 0.0
        if candidate.group not in anchored:
            anchored.add(candidate.group)
            extra = heading(candidate.group)
        utilities = candidate.utility_by_option
        points = [(option.tokens + extra, utilities[at], at) for at, option in enumerate(candidate.options)]
        tokens, gained = 0.0, 0.0
        for point in _hull(points):
            more, gain = point[0] - tokens, point[1] - gained
            steps.append(_Step(gain / max(more, 1e-9), number, point[2], more, gain, extra if not gained else 0.0))
            tokens, gained = point[0], point[1]
    steps.sort(key=lambda step: (-step.efficiency, step.candidate, step.option))
    return steps


def length_factor(option: Option) -> float:
    """Return the factor by which an option's utility grows with its length; 1 for options that show no body."""
    return (option.tokens / LENGTH_UNIT_TOKENS) ** LENGTH_EXPONENT if option.resolution >= Resolution.FOLDED else 1.0


def _hull(points: list[tuple[float, float, int]]) -> list[tuple[float, float, int]]:
    """The points on the upper convex hull from (0, 0): growing in tokens and in utility, falling in utility per token."""
    hull: list[tuple[float, float, int]] = [(0.0, 0.0, -1)]
    for point in sorted(points):
        if point[1] <= hull[-1][1]:
            continue
        while len(hull) > 1 and _slope(hull[-2], hull[-1]) <= _slope(hull[-2], point):
            hull.pop()
        hull.append(point)
    return hull[1:]


def _slope(left: tuple[float, float, int], right: tuple[float, float, int]) -> float:
    return (right[1] - left[1]) / max(right[0] - left[0], 1e-9)
