"""Choose which lines of an output are shown within a budget, so that its tail alone would never have shown more.

Every kind scores lines, `evidence` marks those that must stay, and this module chooses what fits. What is guaranteed:

- Whole lines, in order, their bytes copied; what is left out is counted and named. Only where very long lines are most of the
  output it is shortened within them: by records, elements, words.
- Errors and failures are whole. Only where they alone are more than FAILURE_CHARS_MAX, the names of what failed go first,
  then the blocks in the order from both ends.
- Never less evidence than the same size of tail, or of head and tail: whatever those would show of errors, failures,
  summaries, places (`path:line`) and names that the task is about is shown as well. Noise (a passed test) and quoted lines
  (of a file, a search, a diff) are no evidence; of a search and of a listing as many files, hits and folders are shown.
- An output that shows a file being edited stays whole, and so does whatever would save less than it costs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush, heapreplace
from itertools import accumulate, pairwise, takewhile

from clew.task.truncation import find_notice_lines
from clew.transcript.reduce.evidence import mark_evidence, mark_runner_failures
from clew.transcript.reduce.kinds import KINDS
from clew.transcript.reduce.kinds.reads import READ
from clew.transcript.reduce.kinds.unknown import UNKNOWN
from clew.transcript.reduce.lines import CHARS_PER_TOKEN, LINE_CHARS_MAX, OutputLines
from clew.transcript.reduce.odd import find_odd_lines, mark_odd_lines
from clew.transcript.reduce.output_kind import OutputKind
from clew.transcript.reduce.pieces import split_long_lines
from clew.transcript.reduce.recognise import recognise_kind
from clew.transcript.reduce.reduction import (
    MARKER_PATTERN,
    TASK_NAME_CHARS_MIN,
    TASK_NAMES_MAX,
    KeptLines,
    OmittedLines,
    OutputContext,
    ReducedOutput,
)
from clew.transcript.reduce.scores import NAME_GRADE, NAMED_UTILITY, LineScores
from clew.transcript.schedule import is_cheaper_shortened

WHOLE_CHARS_MAX = 4000  # shorter output stays: folding it would save less than a later unfold costs; guess
SAVED_CHARS_MIN = 600  # guess: a marker, and the chance that the agent calls for the rest: a call of 100 tokens
SAVED_SHARE_MIN = 0.2  # guess: likewise; every fifth reduction unfolded would cost as much as it saved
FAILURE_CHARS_MAX = 24_000  # guess: above it nobody reads failure after failure
MARKER_CHARS = 26  # of a usual marker with its line end
NAMED_LINES_MAX = 12  # guess: lines that one name lifts; more of them and it names nothing
RECENT_NAME_FACTOR = 1.5  # what a line that names something recent is worth more; as GUIDED it costs recall, but in reads (bench/LOG.md)
ENTRY_NAMES_CHARS_MAX = 1200  # of names of files in the markers of a search; guess
COVER_ROUNDS_MAX = 6  # of growing until the tail of the same size shows nothing that is missing

READ_CHARS_MAX = 100_000  # a read or a report beyond it is no page that somebody reads; clients cut at about this
BUDGET_CHARS_MAX = 16_000  # guess: beyond it an output is studied piece by piece anyway

_PLACE = re.compile(r"(?<![\w./\\@+-])[\w./\\@+-]{1,200}\.\w{1,8}[:(]\d{1,7}")
BASE_GAIN = 1.0  # worth of a line that names nothing new, in names; 2 is as good (bench/LOG.md)
LINE_COST_MIN = 4  # characters; a line that joins two shown ones saves a marker, and is never for nothing
ISOLATED_LINE_COST = (
    100  # characters that a line without a shown neighbour costs beside its own: a marker, and a reader's patience (bench/LOG.md)
)
_NAME = re.compile(r"[A-Za-z_$][\w$]{3,80}")
_NO_FACTS: set[str] = set()


def reduce_output(text: str, context: OutputContext | None = None) -> ReducedOutput:
    """Return a tool's output as it enters the context window: shortened when that is expected to save money, else whole.

    A shorter output is cheaper in every later request, until the agent asks for what was left out: that takes one request more and
    brings all of it back. So it is shortened only when the saving exceeds that cost times its probability. The form depends on the output
    and on its context alone. Cost: linear; 30,000 characters take about 3 ms, 30 MB some seconds.
    """
    reduced = reduce_lines(text, context)
    if reduced.is_whole:
        return reduced
    whole, shown = len(text) / CHARS_PER_TOKEN, len(reduced.render("00000000")) / CHARS_PER_TOKEN
    if is_cheaper_shortened(whole, shown, return_chance=KINDS[reduced.kind].return_chance):
        return reduced
    return ReducedOutput(text, reduced.kind, reduced.line_count, (KeptLines(1, reduced.line_count, ""),), (), (text,))


def reduce_lines(text: str, context: OutputContext | None = None, *, budget_chars: int | None = None) -> ReducedOutput:
    """Return an output shortened for its arrival, whatever that costs later.

    budget_chars   what is shown beside errors and failures fits in it; None takes the kind's budget and the output's length.
    """
    context = context or OutputContext()
    lines = OutputLines(text)
    if len(text) <= WHOLE_CHARS_MAX and budget_chars is None:
        return _whole(lines, UNKNOWN)
    kind = recognise_kind(lines, context)
    if _is_edited(context) and kind is READ:
        return _whole(lines, kind)
    is_arriving = budget_chars is None
    if budget_chars is None:
        if (kind.budget is None and len(text) <= READ_CHARS_MAX) or ("[" in text and MARKER_PATTERN.search(text)):
            return _whole(lines, kind)
        least, share = kind.budget or (READ_CHARS_MAX // 2, 0.0)
        budget_chars = max(least, min(int(share * len(text)), BUDGET_CHARS_MAX))
    is_readable = is_arriving and len(text) <= READ_CHARS_MAX  # shortened by records it misses .02 more of what is used next (bench/reduce)
    split = None if is_readable else split_long_lines(lines, budget_chars, needs_records=is_arriving)
    if split:
        kept = _shortened_within(lines, split, context, budget_chars)
    else:
        kept = _kept(lines, kind, context, budget_chars, must_chars=max(budget_chars, FAILURE_CHARS_MAX))
    return kept if kept and len(kept.render()) <= len(text) - max(SAVED_CHARS_MIN, SAVED_SHARE_MIN * len(text)) else _whole(lines, kind)


def select_lines(
    text: str, context: OutputContext | None = None, budget_chars: int = 1200, *, name_chars: int = 0
) -> list[tuple[int, int]]:
    """Return the most informative lines of `text` within `budget_chars`, failures first, as 1-based inclusive ranges.

    The budget holds whatever is in the text, markers between the ranges included; [] when no line fits.

    name_chars  what names may take beyond the budget: those of failed tests, and a sample of a list.
    """
    context = context or OutputContext()
    lines = OutputLines(text)
    kind = recognise_kind(lines, context) if len(text) > budget_chars else UNKNOWN
    if len(text) <= budget_chars or (_is_edited(context) and kind is READ):
        return [(1, len(lines))] if len(lines) else []
    kept = _kept(lines, kind, context, budget_chars, must_chars=budget_chars, name_chars=name_chars)
    return list(kept.kept_ranges) if kept else []


def _whole(lines: OutputLines, kind: OutputKind) -> ReducedOutput:
    parts = (KeptLines(1, len(lines), ""),) if len(lines) else ()
    return ReducedOutput(lines.text, kind.name, len(lines), parts, (), (lines.text,) if parts else ())


def _is_edited(context: OutputContext) -> bool:
    """The output shows a file that is being edited."""
    shown = {context.path} if context.path else set[str]()
    words = context.command.split() if context.command else []
    return any(
        path == name or path.endswith(f"/{name}") or name.endswith(f"/{path}")
        for name in context.edited_paths
        for path in (*shown, *(word.strip("'\"") for word in words if "." in word or "/" in word))
    )


def _kept(
    lines: OutputLines, kind: OutputKind, context: OutputContext, budget: int, *, must_chars: int, name_chars: int = 0
) -> ReducedOutput | None:
    """The reduction to a budget, None where it would be the whole."""
    if sum(size for size in lines.sizes if size > budget) * 2 > len(lines.text):
        return None  # one line is most of it, and lines are not cut
    scores = LineScores(lines)
    kind.score_lines(lines, scores)
    if kind.has_odd_lines:
        mark_odd_lines(scores, find_odd_lines(lines))
    mark_evidence(lines, scores, are_diagnostics=not kind.is_quoting, are_numbered=kind.is_numbered)
    if context.command and not kind.is_quoting:
        mark_runner_failures(lines, scores, context.command)
    named = _raise_named(lines, scores, context, is_text=kind.is_text)
    if not kind.is_quoting:
        _keep_ends(lines, scores)
    for first, last in find_notice_lines(lines.text):
        scores.require(first, last + 1, "the client's own cut", grade=2)
    selection = _Selection(lines, scores, kind, named)
    if name_chars:
        names = sum(size + MARKER_CHARS for size, must in zip(selection.sizes, scores.required, strict=True) if must >= NAME_GRADE)
        budget += min(name_chars, names)
        must_chars = max(must_chars, budget + 1)
    return selection.within(budget, must_chars)


def _shortened_within(
    lines: OutputLines, split: tuple[OutputLines, list[tuple[int, int]]], context: OutputContext, budget: int
) -> ReducedOutput | None:
    """The reduction of very long lines, by their pieces; its ranges count characters."""
    pieces, places = split
    kind = recognise_kind(pieces, context)
    kind = UNKNOWN if kind is READ else kind  # a text in one line has no definitions
    kept = _kept(pieces, kind, context, budget, must_chars=budget + WHOLE_CHARS_MAX)
    if kept is None:
        return None
    text = lines.text
    parts = tuple(KeptLines(places[part.start - 1][0] + 1, places[part.end - 1][1], part.reason) for part in kept.kept)
    gaps = tuple(OmittedLines(places[gap.start - 1][0] + 1, places[gap.end - 1][1]) for gap in kept.omitted)
    shown = tuple(text[part.start - 1 : part.end] for part in parts)
    return ReducedOutput(text, kept.kind, len(text), parts, gaps, shown, counts_chars=True)


def _keep_ends(lines: OutputLines, scores: LineScores) -> None:
    """The last words of a program are its summary, the first often say what it is."""
    last = [at for at in range(len(lines) - 1, max(-1, len(lines) - 8), -1) if lines.plain[at].strip()][:2]
    first = next((at for at in range(min(8, len(lines))) if lines.plain[at].strip()), -1)
    for at in last:
        if lines.sizes[at] <= LINE_CHARS_MAX // 2:
            scores.require(at, at + 1, "the last words", grade=2)
    if first >= 0 and not scores.noise[first]:
        scores.raise_utility(first, NAMED_UTILITY, "the first words")


def _raise_named(lines: OutputLines, scores: LineScores, context: OutputContext, *, is_text: bool) -> dict[int, set[str]]:
    """Raise the lines that name what the task is about; return those names by line.

    A name of an open error is looked for. In a file's text, a name of late is where the work is; in other output it is what the
    agent knows already, so a line that names it is worth somewhat more, and no line is raised twice.
    """
    errors = set(context.error_names)
    names = dict.fromkeys(
        name for name in (*context.error_names, *reversed(context.recent_names)) if len(name) >= TASK_NAME_CHARS_MIN and "\n" not in name
    )
    named: dict[int, set[str]] = {}
    for name in list(names)[:TASK_NAMES_MAX]:
        places = lines.find_lines_with((name,), NAMED_LINES_MAX + 1)
        if len(places) <= NAMED_LINES_MAX:
            for at in places:
                if not scores.noise[at]:
                    worth = (
                        NAMED_UTILITY if is_text or name in errors else scores.utility[at] * (1.0 if at in named else RECENT_NAME_FACTOR)
                    )
                    scores.raise_utility(at, worth, f"names {name}")
                    named.setdefault(at, set()).add(name)
    return named


def _spread(count: int) -> list[int]:
    """Return 0 to count - 1, the ends first, then the middle, then the middles of what is left."""
    order = dict.fromkeys((count - 1, 0) if count else ())
    step = count
    while step > 1 and len(order) < count:
        step = (step + 1) // 2
        order.update(dict.fromkeys(range(0, count, step)))
    return list(order)


class _Selection:
    """Lines chosen one after the other, and what they take."""

    def __init__(self, lines: OutputLines, scores: LineScores, kind: OutputKind, named: dict[int, set[str]]) -> None:
        self.lines, self.scores, self.kind = lines, scores, kind
        self.named = named
        self.sizes = [lines.shown_chars(at) for at in range(len(lines))] if "\r" in lines.text else lines.sizes
        self.is_kept = bytearray(len(lines))
        self.reasons = list(scores.reasons)
        self.chars = MARKER_CHARS  # everything is left out: one marker

    def within(self, budget: int, most: int) -> ReducedOutput | None:
        """Choose what stays, what the tail would show, and then by worth.

        most  characters that failures may take; where it is the budget itself, nothing goes beyond it.
        """
        must = self.scores.required
        every = [at for at in range(len(must)) if must[at]]
        # Where nothing may go beyond the budget, the markers before, between and behind the failures count too.
        markers = 2 + sum(after > before + 1 for before, after in pairwise(every)) if most <= budget else 0
        is_over = sum(self.sizes[at] for at in every) + markers * MARKER_CHARS > most
        for at in self._first_of(every, most) if is_over else every:
            self._keep(at)
        if most > budget and not is_over and not self._covered(budget) and len(self.lines.text) <= 2 * FAILURE_CHARS_MAX:
            return None
        if most > budget:
            budget += self._sample() + sum(self.sizes[at] + MARKER_CHARS for at in self.scores.odd)
        self._fill(budget)
        if self.kind.find_entries and most > budget and not self._has_as_many():
            return None
        self._close_gaps()
        if all(self.is_kept):
            return None
        return self._made(len(self.lines))

    def _sample(self) -> int:
        """Keep the first, the middle and the last entry of a listing; the characters that they take."""
        entries = self.scores.entries
        before = self.chars
        for at in (entries[0], entries[len(entries) // 2], entries[-1]) if len(entries) > 2 else ():
            if self.sizes[at] <= LINE_CHARS_MAX // 2:
                self.reasons[at] = self.reasons[at] or "one of many"
                self._keep(at)
        return self.chars - before

    def _fill(self, budget: int) -> None:
        """Keep what is worth most for its room until nothing fits, a name that was not shown yet before one that was.

        A line's gain falls while others show its names, so it is counted anew when its turn comes; it rises when a neighbour
        is kept, and then it is entered again.
        """
        worth, kept, sizes, plain = self.scores.utility, self.is_kept, self.sizes, self.lines.plain
        count = len(kept)
        find = _NAME.findall
        seen: set[str] = set()
        for at in range(count):
            if kept[at]:
                seen.update(find(plain[at][:LINE_CHARS_MAX]))
        names = {at: set(find(plain[at][:LINE_CHARS_MAX])) for at in self.lines.scanned if not kept[at] and worth[at] > 0}

        def gain(at: int) -> float:
            beside = (at == 0 or kept[at - 1]) + (at + 1 == count or kept[at + 1])
            cost = sizes[at] + (ISOLATED_LINE_COST if not beside else 0 if beside == 1 else -ISOLATED_LINE_COST // 2)
            return worth[at] * (BASE_GAIN + len(names[at] - seen)) / (max(LINE_COST_MIN, cost))

        heap = [(-gain(at), at) for at in names]
        heapify(heap)
        while heap and self.chars < budget:
            before, at = heap[0]
            if kept[at] or self.chars + sizes[at] > budget + MARKER_CHARS:
                heappop(heap)
                continue
            now = -gain(at)
            if now > before + 1e-12:
                heapreplace(heap, (now, at))
                continue
            heappop(heap)
            self._keep(at, budget)
            if kept[at]:
                seen |= names[at]
                for next_ in (at - 1, at + 1):
                    if next_ in names and not kept[next_]:
                        heappush(heap, (-gain(next_), next_))

    def _first_of(self, every: list[int], most: int) -> list[int]:
        """Of too many lines that stay: names of what failed, those of the tail of this size, summaries, then the rest, from the start.

        Where not even all names fit, they are taken from all over the output.
        """
        must = self.scores.required
        tail = set(self._tail(most))
        names = [at for at in every if must[at] >= NAME_GRADE]
        rest = [at for at in every if must[at] < NAME_GRADE]
        ordered = [names[at] for at in _spread(len(names))]
        ordered += sorted(rest, key=lambda at: (at not in tail, -must[at], -at if at in tail else at))
        chosen: list[int] = []
        left = most - 2 * MARKER_CHARS
        for at in ordered:
            cost = self.sizes[at] + (0 if at in tail else MARKER_CHARS)
            if cost <= left:
                left -= cost
                chosen.append(at)
        return chosen

    def _covered(self, budget: int) -> bool:
        """Keep what the tail of the same size would show; False where each line that is kept asks for another one."""
        size = budget
        for _ in range(COVER_ROUNDS_MAX):
            self._cover(size)
            content = self._content()
            if content <= size:
                return True
            size = content
        return False

    def _keep(self, at: int, limit: int = 0) -> None:
        if self.is_kept[at]:
            return
        before = at == 0 or self.is_kept[at - 1]
        after = at + 1 >= len(self.is_kept) or self.is_kept[at + 1]
        cost = self.sizes[at] + MARKER_CHARS * (0 if before != after else -1 if before else 1)
        if limit and self.chars + cost > limit:
            return
        self.is_kept[at] = 1
        self.chars += cost

    def _content(self) -> int:
        """Characters of the kept lines, markers left out."""
        return sum(self.sizes[at] for at in range(len(self.is_kept)) if self.is_kept[at])

    def _cover(self, size: int) -> None:
        """Keep what the tail of this size, or a head and a tail of half of it, would show and is not shown yet."""
        shown: set[str] | None = None
        for at in (*self._tail(size), *self._fitting(range(len(self.sizes)), size // 2)):
            if self.is_kept[at] or not (facts := self._facts(at)):
                continue
            if shown is None:
                shown = {fact for kept in range(len(self.is_kept)) if self.is_kept[kept] for fact in self._facts(kept)}
            if not facts <= shown:
                shown |= facts
                self.reasons[at] = self.reasons[at] or "what the end shows"
                self._keep(at)

    def _facts(self, at: int) -> set[str]:
        """What a line tells beyond its words: the places that it names, and names that the task is about."""
        scores = self.scores
        facts = self.named.get(at) or _NO_FACTS
        if not scores.quoted[at] and not scores.noise[at]:
            line = self.lines.plain[at][:LINE_CHARS_MAX]
            if "." in line and (":" in line or "(" in line) and (places := _PLACE.findall(line)):
                facts = facts.union(places)
        return facts

    def _tail(self, chars: int) -> list[int]:
        return self._fitting(range(len(self.sizes) - 1, -1, -1), chars)

    def _fitting(self, order: Iterable[int], chars: int) -> list[int]:
        """The first lines of an order that fit together."""
        sums = accumulate(self.sizes[at] for at in order)
        return [at for at, _ in takewhile(lambda pair: pair[1] <= chars, zip(order, sums, strict=True))]

    def _has_as_many(self) -> bool:
        """Show as many files, hits or folders as the tail of the same size; False where that would take much more room."""
        limit = self.chars + self.chars // 8
        for entries in self.kind.find_entries:
            shown = entries(self.lines, [at for at in range(len(self.is_kept)) if self.is_kept[at]])
            wanting = len(entries(self.lines, self._tail(self._content())))
            others = [] if len(shown) >= wanting else [at for at in self.lines.scanned if not self.is_kept[at]]
            for at in sorted(others, key=lambda at: (self.sizes[at], at)):  # the shortest ones cost least
                more = entries(self.lines, (at,)) - shown
                if more and self.chars < limit:
                    self._keep(at)
                    shown |= more
                    wanting = len(entries(self.lines, self._tail(self._content())))
                if len(shown) >= wanting or self.chars >= limit:
                    break
            if len(shown) < wanting:
                return False
        return True

    def _close_gaps(self) -> None:
        """Show what takes no more room than the marker that would stand for it."""
        at, count = 0, len(self.is_kept)
        while at < count:
            if self.is_kept[at]:
                at += 1
                continue
            end = self.is_kept.find(1, at)
            end = count if end < 0 else end
            if sum(self.sizes[at : min(end, at + MARKER_CHARS + 1)]) <= MARKER_CHARS:
                self.is_kept[at:end] = b"\x01" * (end - at)
            at = end

    def _made(self, count: int) -> ReducedOutput:
        parts: list[KeptLines] = []
        gaps: list[OmittedLines] = []
        shown: list[str] = []
        at = 0
        names = self._entry_names()
        while at < count:
            is_kept = self.is_kept[at]
            end = self.is_kept.find(0 if is_kept else 1, at)
            end = count if end < 0 else end
            if is_kept:
                heaviest = max(range(at, end), key=lambda place: (self.scores.required[place], self.scores.utility[place], -place))
                parts.append(KeptLines(at + 1, end, self.reasons[heaviest]))
                shown.append(self.lines.render_range(at, end))
            else:
                gaps.append(OmittedLines(at + 1, end, self._named(range(at, end), names)))
            at = end
        return ReducedOutput(self.lines.text, self.kind.name, count, tuple(parts), tuple(gaps), tuple(shown))

    def _entry_names(self) -> dict[str, int]:
        """Files of a search that no shown line names, each with its first hit: as many as fit, from all over the output."""
        if not self.kind.names_entries:
            return {}
        entries = self.kind.find_entries[0]
        shown = entries(self.lines, [at for at in range(len(self.is_kept)) if self.is_kept[at]])
        first: dict[str, int] = {}
        for at in self.scores.entries:
            if not self.is_kept[at]:
                for name in entries(self.lines, (at,)) - shown:
                    first.setdefault(name, at)
        names = list(first)
        left = ENTRY_NAMES_CHARS_MAX
        chosen: set[str] = set()
        for place in _spread(len(names)):
            left -= len(names[place]) + 2
            if left >= 0:
                chosen.add(names[place])
        return {name: first[name] for name in names if name in chosen}

    def _named(self, gap: range, names: Mapping[str, int]) -> str:
        """What most lines of a gap are, and how many of them; of a search the files that no shown line names."""
        if inside := [name for name, at in names.items() if at in gap]:
            return f"hits in {', '.join(inside)}"
        counts: dict[str, int] = {}
        noise = self.scores.noise
        blank = 0
        for at in gap:
            if what := noise[at]:
                counts[what] = counts.get(what, 0) + 1
            elif not self.lines.plain[at].strip():
                blank += 1
        if not counts:
            return ""
        what = max(counts, key=lambda name: (counts[name], name))
        return f"{counts[what]} {what}" if 5 * counts[what] >= 4 * (len(gap) - blank) else ""
