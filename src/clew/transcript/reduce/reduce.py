"""Reducing: which lines of an output are shown within a budget, so that the end of it never told more.

Every kind weighs lines, `evidence` says what stays, and here is decided what fits. What is guaranteed:

- Whole lines, in order, their bytes copied; what is left out is counted and named.
- Errors and failures are whole. Only where they alone are more than MUST_CHARS_MAX, the names of what failed go first,
  then the blocks in the order from both ends.
- Never less evidence than the same size of tail, or of head and tail: whatever those would show of errors, failures,
  summaries, places (`path:line`) and names that the task is about is shown as well. Noise (a passed test) and quoted lines
  (of a file, a search, a diff) are no evidence; of a search and of a listing as many files, hits and folders are shown.
- What shows a file that is being edited stays whole, and so does whatever would save less than it costs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from itertools import pairwise

from clew.task.cuts import notices
from clew.text.tokens import Counter
from clew.transcript.reduce import compilers, data, diffs, evidence, git, listings, logs, packages, reads, searches, test_runs
from clew.transcript.reduce.lines import LINE_CHARS_MAX, Lines
from clew.transcript.reduce.marks import GUIDED, Marks
from clew.transcript.reduce.nouns import GUIDE_CHARS_MIN, GUIDES_MAX, MARKER, Gap, Given, Kind, Part, Reduced
from clew.transcript.reduce.recognise import recognise

WHOLE_CHARS_MAX = 4000  # shorter output stays: folding it would save less than a later unfold costs; guess
SAVED_CHARS_MIN = 600  # guess: a marker, and the chance that the agent calls for the rest: a call of 100 tokens
SAVED_SHARE_MIN = 0.2  # guess: likewise; every fifth reduction unfolded would cost as much as it saved
MUST_CHARS_MAX = 24_000  # guess: above it nobody reads failure after failure
MARKER_CHARS = 26  # of a usual marker with its line end
GUIDED_LINES_MAX = 12  # guess: lines that one name lifts; more of them and it names nothing
RECENT = 1.5  # what a line that names something recent is worth more; as GUIDED it costs recall, but in reads (bench/LOG.md)
ROUNDS = 6  # of growing until the tail of the same size shows nothing that is missing

# At the moment it arrives: (the least budget, the share of the text), in characters. With these an output misses something that the
# next ten calls use about half as often as the share that it saves, or less (bench/reduce); the least budgets are guesses.
# Reads and reports stay whole up to READ_CHARS_MAX.
BUDGETS: dict[Kind, tuple[int, float]] = {
    Kind.TEST: (3000, 0.15),
    Kind.TRACE: (3000, 0.25),
    Kind.COMPILER: (3000, 0.25),
    Kind.PACKAGES: (2000, 0.15),
    Kind.LOG: (3500, 0.25),
    Kind.LISTING: (3500, 0.45),
    Kind.GIT: (4000, 0.6),
    Kind.JSON: (5000, 0.6),
    Kind.SEARCH: (5000, 0.6),
    Kind.DIFF: (8000, 0.7),
    Kind.UNKNOWN: (5000, 0.5),
}
READ_CHARS_MAX = 100_000  # a read or a report beyond it is no page that somebody reads; clients cut at about this
BUDGET_CHARS_MAX = 16_000  # guess: beyond it an output is studied piece by piece anyway

_MARKS: dict[Kind, Callable[[Lines, Marks, Given], None]] = {
    Kind.TEST: test_runs.mark,
    Kind.COMPILER: compilers.mark,
    Kind.DIFF: diffs.mark,
    Kind.GIT: git.mark,
    Kind.LISTING: listings.mark,
    Kind.SEARCH: searches.mark,
    Kind.JSON: data.mark,
    Kind.PACKAGES: packages.mark,
    Kind.LOG: logs.mark,
    Kind.READ: reads.mark,
}
_Entries = Callable[[Lines, Iterable[int]], set[str]]
_ENTRIES: dict[Kind, tuple[_Entries, ...]] = {Kind.SEARCH: (searches.files, searches.hits), Kind.LISTING: (listings.folders,)}
_QUOTING = frozenset((Kind.SEARCH, Kind.LISTING, Kind.JSON, Kind.READ, Kind.REPORT, Kind.DIFF))
_PLACE = re.compile(r"(?<![\w./\\@+-])[\w./\\@+-]{1,200}\.\w{1,8}[:(]\d{1,7}")
BASE = 1.0  # worth of a line that names nothing new, in names; 2 is as good (bench/LOG.md)
COST_MIN = 4  # characters; a line that joins two shown ones saves a marker, and is never for nothing
ISLAND = 100  # characters that a line without a shown neighbour costs beside its own: a marker, and a reader's patience (bench/LOG.md)
_NAME = re.compile(r"[A-Za-z_$][\w$]{3,80}")
_NO_FACTS: set[str] = set()


def reduce(
    text: str,
    *,
    given: Given | None = None,
    budget_chars: int | None = None,
    budget_tokens: int | None = None,
    counter: Counter | None = None,
) -> Reduced:
    """Return which lines of an output the agent should read at the moment it arrives.

    budget_chars   what is shown beside errors and failures fits in it; without it the kind and the length say how much.
    budget_tokens  likewise, by `counter`, which it needs.
    Cost           linear; 30,000 characters take about 3 ms, 30 MB some seconds.
    """
    given = given or Given()
    lines = Lines(text)
    if len(text) <= WHOLE_CHARS_MAX and budget_chars is None and budget_tokens is None:
        return _whole(lines, Kind.UNKNOWN)
    kind = recognise(lines, given)
    if budget_tokens is not None and counter is not None:
        budget_chars = budget_tokens * len(text) // max(1, counter.count(text))
    if _is_edited(given) and kind is Kind.READ:
        return _whole(lines, kind)
    if budget_chars is None:
        if (kind not in BUDGETS and len(text) <= READ_CHARS_MAX) or ("[" in text and MARKER.search(text)):
            return _whole(lines, kind)
        least, share = BUDGETS.get(kind, (READ_CHARS_MAX // 2, 0.0))
        budget_chars = max(least, min(int(share * len(text)), BUDGET_CHARS_MAX))
    kept = _kept(lines, kind, given, budget_chars, must_chars=max(budget_chars, MUST_CHARS_MAX))
    return kept if kept and len(kept.render()) <= len(text) - max(SAVED_CHARS_MIN, SAVED_SHARE_MIN * len(text)) else _whole(lines, kind)


def folded(text: str, given: Given | None = None, budget_chars: int = 1200) -> list[tuple[int, int]]:
    """Return the lines, 1-based and inclusive, that tell most of `text` within `budget_chars`, failures first.

    The budget holds here whatever is in the text, markers between the ranges included; [] where no line fits.
    """
    given = given or Given()
    lines = Lines(text)
    if len(text) <= budget_chars or (_is_edited(given) and recognise(lines, given) is Kind.READ):
        return [(1, len(lines))] if len(lines) else []
    kept = _kept(lines, recognise(lines, given), given, budget_chars, must_chars=budget_chars)
    return list(kept.ranges) if kept else []


def _whole(lines: Lines, kind: Kind) -> Reduced:
    parts = (Part(1, len(lines), ""),) if len(lines) else ()
    return Reduced(lines.text, kind, len(lines), parts, (), (lines.text,) if parts else ())


def _is_edited(given: Given) -> bool:
    """The output shows a file that is being edited."""
    shown = {given.path} if given.path else set[str]()
    words = given.command.split() if given.command else []
    return any(
        path == name or path.endswith(f"/{name}") or name.endswith(f"/{path}")
        for name in given.edited
        for path in (*shown, *(word.strip("'\"") for word in words if "." in word or "/" in word))
    )


def _kept(lines: Lines, kind: Kind, given: Given, budget: int, *, must_chars: int) -> Reduced | None:
    """The reduction to a budget, None where it would be the whole."""
    if sum(size for size in lines.sizes if size > budget) * 2 > len(lines.text):
        return None  # one line is most of it, and lines are not cut
    marks = Marks(lines)
    if kind in (Kind.UNKNOWN, Kind.TRACE):
        logs.weigh_repeats(lines, marks, base=1.0)
    elif kind is Kind.REPORT:
        reads.mark(lines, marks, given)
    else:
        _MARKS[kind](lines, marks, given)
    evidence.mark_evidence(lines, marks, are_diagnostics=kind not in _QUOTING, are_numbered=kind is Kind.TEST)
    named = _mark_guided(lines, marks, given, is_text=kind in (Kind.READ, Kind.REPORT))
    if kind not in _QUOTING:
        _mark_ends(lines, marks)
    for first, last in notices(lines.text):
        marks.stay(first, last + 1, "the client's own cut", grade=2)
    selection = _Selection(lines, marks, kind, named)
    return selection.within(budget, must_chars)


def _mark_ends(lines: Lines, marks: Marks) -> None:
    """The last words of a program are its summary, the first often say what it is."""
    last = [at for at in range(len(lines) - 1, max(-1, len(lines) - 8), -1) if lines.plain[at].strip()][:2]
    first = next((at for at in range(min(8, len(lines))) if lines.plain[at].strip()), -1)
    for at in last:
        if lines.sizes[at] <= LINE_CHARS_MAX // 2:
            marks.stay(at, at + 1, "the last words", grade=2)
    if first >= 0 and not marks.noise[first]:
        marks.lift(first, GUIDED, "the first words")


def _mark_guided(lines: Lines, marks: Marks, given: Given, *, is_text: bool) -> dict[int, set[str]]:
    """Raise the lines that name what the task is about; return those names by line.

    A name of an open error is looked for. In a file's text, a name of late is where the work is; in other output it is what the
    agent knows already, so a line that names it is worth somewhat more, and no line is raised twice.
    """
    errors = set(given.errors)
    names = dict.fromkeys(name for name in (*given.errors, *reversed(given.names)) if len(name) >= GUIDE_CHARS_MIN and "\n" not in name)
    named: dict[int, set[str]] = {}
    for name in list(names)[:GUIDES_MAX]:
        places = lines.having((name,), GUIDED_LINES_MAX + 1)
        if len(places) <= GUIDED_LINES_MAX:
            for at in places:
                if not marks.noise[at]:
                    worth = GUIDED if is_text or name in errors else marks.worth[at] * (1.0 if at in named else RECENT)
                    marks.lift(at, worth, f"names {name}")
                    named.setdefault(at, set()).add(name)
    return named


class _Selection:
    """Lines chosen one after the other, and what they take."""

    def __init__(self, lines: Lines, marks: Marks, kind: Kind, named: dict[int, set[str]]) -> None:
        self.lines, self.marks, self.kind = lines, marks, kind
        self.named = named
        self.sizes = [lines.size(at) for at in range(len(lines))] if "\r" in lines.text else lines.sizes
        self.is_kept = bytearray(len(lines))
        self.why = list(marks.why)
        self.chars = MARKER_CHARS  # everything is left out: one marker

    def within(self, budget: int, most: int) -> Reduced | None:
        """Choose what stays, what the tail would show, and then by worth.

        most  characters that failures may take; where it is the budget itself, nothing goes beyond it.
        """
        must = self.marks.must
        every = [at for at in range(len(must)) if must[at]]
        # Where nothing may go beyond the budget, the markers before, between and behind the failures count too.
        markers = 2 + sum(after > before + 1 for before, after in pairwise(every)) if most <= budget else 0
        is_over = sum(self.sizes[at] for at in every) + markers * MARKER_CHARS > most
        for at in self._first_of(every, most) if is_over else every:
            self._keep(at)
        if most > budget and not is_over and not self._covered(budget) and len(self.lines.text) <= 2 * MUST_CHARS_MAX:
            return None
        self._fill(budget)
        if self.kind in _ENTRIES and most > budget and not self._has_as_many():
            return None
        self._close_gaps()
        if all(self.is_kept):
            return None
        return self._made(len(self.lines))

    def _fill(self, budget: int) -> None:
        """Keep what is worth most for its room until nothing fits, a name that was not shown yet before one that was.

        A line's gain falls while others show its names, so it is counted anew when its turn comes; it rises when a neighbour
        is kept, and then it is entered again.
        """
        worth, kept, sizes, plain = self.marks.worth, self.is_kept, self.sizes, self.lines.plain
        count = len(kept)
        find = _NAME.findall
        seen: set[str] = set()
        for at in range(count):
            if kept[at]:
                seen.update(find(plain[at][:LINE_CHARS_MAX]))
        names = {at: set(find(plain[at][:LINE_CHARS_MAX])) for at in self.lines.near if not kept[at] and worth[at] > 0}

        def gain(at: int) -> float:
            beside = (at == 0 or kept[at - 1]) + (at + 1 == count or kept[at + 1])
            cost = sizes[at] + (ISLAND if not beside else 0 if beside == 1 else -ISLAND // 2)
            return worth[at] * (BASE + len(names[at] - seen)) / (max(COST_MIN, cost))

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
        """Of too many lines that stay: those of the tail of this size, then names of what failed, then the rest, from the start."""
        must = self.marks.must
        tail = set(self._tail(most))
        ordered = sorted(every, key=lambda at: (at not in tail, -must[at], -at if at in tail else at))
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
        for _ in range(ROUNDS):
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
        for at in (*self._tail(size), *self._head(size // 2)):
            if self.is_kept[at] or not (facts := self._facts(at)):
                continue
            if shown is None:
                shown = {fact for kept in range(len(self.is_kept)) if self.is_kept[kept] for fact in self._facts(kept)}
            if not facts <= shown:
                shown |= facts
                self.why[at] = self.why[at] or "what the end shows"
                self._keep(at)

    def _facts(self, at: int) -> set[str]:
        """What a line tells beyond its words: the places that it names, and names that the task is about."""
        marks = self.marks
        facts = self.named.get(at) or _NO_FACTS
        if not marks.quoted[at] and not marks.noise[at]:
            line = self.lines.plain[at][:LINE_CHARS_MAX]
            if "." in line and (":" in line or "(" in line) and (places := _PLACE.findall(line)):
                facts = facts.union(places)
        return facts

    def _tail(self, chars: int) -> list[int]:
        found: list[int] = []
        for at in range(len(self.sizes) - 1, -1, -1):
            chars -= self.sizes[at]
            if chars < 0:
                break
            found.append(at)
        return found

    def _head(self, chars: int) -> list[int]:
        found: list[int] = []
        for at, size in enumerate(self.sizes):
            chars -= size
            if chars < 0:
                break
            found.append(at)
        return found

    def _has_as_many(self) -> bool:
        """Show as many files, hits or folders as the tail of the same size; False where that would take much more room."""
        limit = self.chars + self.chars // 8
        for entries in _ENTRIES[self.kind]:
            shown = entries(self.lines, [at for at in range(len(self.is_kept)) if self.is_kept[at]])
            wanting = len(entries(self.lines, self._tail(self._content())))
            others = [] if len(shown) >= wanting else [at for at in self.lines.near if not self.is_kept[at]]
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

    def _made(self, count: int) -> Reduced:
        parts: list[Part] = []
        gaps: list[Gap] = []
        shown: list[str] = []
        at = 0
        while at < count:
            is_kept = self.is_kept[at]
            end = self.is_kept.find(0 if is_kept else 1, at)
            end = count if end < 0 else end
            if is_kept:
                heaviest = max(range(at, end), key=lambda place: (self.marks.must[place], self.marks.worth[place], -place))
                parts.append(Part(at + 1, end, self.why[heaviest]))
                shown.append(self.lines.shown(at, end))
            else:
                gaps.append(Gap(at + 1, end, self._named(range(at, end))))
            at = end
        return Reduced(self.lines.text, self.kind, count, tuple(parts), tuple(gaps), tuple(shown))

    def _named(self, gap: Sequence[int]) -> str:
        """What most lines of a gap are, and how many of them."""
        counts: dict[str, int] = {}
        noise = self.marks.noise
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
