"""Ledger: the lineage of what an agent saw and did.

For each deed: which lines of which file it showed, in which version; which command ended how; and which earlier
records are no longer true because of it. A read ends an earlier one that it repeats or contains, if the lines are
the same, and contradicts it if they are not. An edit ends the reads of the lines that it touched and moves the
others along. A check that runs again ends its earlier outcome, and fixes it if that had failed; so does a wider
check that passes.

Knows records by their ids only. What it must remember is bounded, and survives in a few bytes per live view.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
from xxhash import xxh3_64_hexdigest

from clew.task.commands import Scope
from clew.transcript.events import Change, Hunk

FILES_MAX = 1500  # guess: files with live views; the oldest are forgotten beyond it, their reads then stay live
VIEWS_MAX = 48  # guess: live views of one file
RUNS_MAX = 1000  # guess: commands, searches and checks whose latest outcome is remembered
CULPRITS_MAX = 6  # edits since a failure that may be credited with its fix


@dataclass(frozen=True, slots=True)
class View:
    """Lines of a file as a tool showed them. `start` is 1-based; without `lines` it is known that the file was seen, not what."""

    path: str
    start: int
    lines: Sequence[str]

    @property
    def end(self) -> int:
        """The last line shown, inclusive."""
        return self.start + len(self.lines) - 1


@dataclass(frozen=True, slots=True)
class Ended:
    """An earlier record that is no longer true, or no longer needed, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fixed:
    """A failure that this deed has seen gone, and the edits between, oldest first."""

    id: str
    by: tuple[str, ...]


class _Seen(msgspec.Struct, array_like=True):
    id: str
    agent: str
    start: int
    end: int
    mark: str


class _Run(msgspec.Struct, array_like=True):
    id: str
    mark: str
    has_passed: bool | None = None
    scopes: list[Scope] = msgspec.field(default_factory=list[Scope])
    culprits: list[str] = msgspec.field(default_factory=list[str])


class _Memory(msgspec.Struct):
    views: dict[str, list[_Seen]] = msgspec.field(default_factory=dict[str, list[_Seen]])
    written: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    runs: dict[str, _Run] = msgspec.field(default_factory=dict[str, _Run])
    failing: list[str] = msgspec.field(default_factory=list[str])  # subjects of `runs` that last failed


class Ledger:
    """What has been seen and done so far in one transcript."""

    def __init__(self, memory: bytes = b"") -> None:
        self._memory = msgspec.json.decode(memory, type=_Memory) if memory else _Memory()

    def memory(self) -> bytes:
        """What the constructor needs to go on, as JSON."""
        return msgspec.json.encode(self._memory)

    def see(self, record_id: str, view: View, agent: str) -> list[Ended]:
        """Enter lines that a tool showed. Cost: one hash of the lines, and of each part that an earlier view had shown."""
        ended: list[Ended] = []
        if not view.lines:
            return ended
        kept: list[_Seen] = []
        for seen in self._memory.views.get(view.path, ()):
            if seen.agent != agent or seen.start < view.start or seen.end > view.end:
                kept.append(seen)
                continue
            is_same = seen.mark == mark_of(view.lines[seen.start - view.start : seen.end - view.start + 1])
            is_equal = (seen.start, seen.end) == (view.start, view.end)
            ended.append(Ended(seen.id, ("read again" if is_equal else "contained in a later read") if is_same else "changed since"))
        kept.append(_Seen(record_id, agent, view.start, view.end, mark_of(view.lines)))
        self._keep(view.path, kept[-VIEWS_MAX:])
        return ended

    def change(self, record_id: str, changes: Iterable[Change]) -> list[Ended]:
        """Enter edits. Views of touched lines end; views below them move with their lines."""
        ended: list[Ended] = []
        for change in changes:
            kept: list[_Seen] = []
            for seen in self._memory.views.get(change.path, ()):
                moved = _moved(seen, change.hunks)
                if moved is None:
                    ended.append(Ended(seen.id, "edited later"))
                else:
                    kept.append(moved)
            self._keep(change.path, kept)
        self._credit(record_id)
        return ended

    def write(self, record_id: str, path: str) -> list[Ended]:
        """Enter a file that was written as a whole: every view of it ends, and so does what was written before."""
        ended = [Ended(seen.id, "rewritten later") for seen in self._memory.views.pop(path, ())]
        if before := self._memory.written.pop(path, ""):
            ended.append(Ended(before, "rewritten later"))
        self._memory.written[path] = record_id
        _trim(self._memory.written, FILES_MAX)
        self._credit(record_id)
        return ended

    def disturb(self, record_id: str, paths: Iterable[str], reason: str = "changed by a later command") -> list[Ended]:
        """Enter files that a command, or somebody else, changed nobody knows where, deleted or brought back."""
        ended: list[Ended] = []
        for path in paths:
            ended.extend(Ended(seen.id, reason) for seen in self._memory.views.pop(path, ()))
            if before := self._memory.written.pop(path, ""):
                ended.append(Ended(before, reason))
        self._credit(record_id)
        return ended

    def run(
        self, record_id: str, subject: str, text: str, *, has_passed: bool | None, scopes: Sequence[Scope] = ()
    ) -> tuple[list[Ended], list[Fixed]]:
        """Enter the newest outcome of something that can be done again: a check, a look, a search, a plan.

        scopes  of a check: what it covers. When it passes, narrower outcomes end too.
        """
        runs = self._memory.runs
        before = runs.pop(subject, None)
        runs[subject] = _Run(record_id, xxh3_64_hexdigest(text.encode()), has_passed, list(scopes))
        _trim(runs, RUNS_MAX)
        self._note_failure(subject, has_failed=has_passed is False)
        ended: list[Ended] = []
        fixed: list[Fixed] = []
        if before is not None:
            ended.append(Ended(before.id, _reason(before, runs[subject])))
            if has_passed and before.has_passed is False:
                fixed.append(Fixed(before.id, tuple(before.culprits)))
        if has_passed and scopes:
            for other in [other for other in runs if other != subject and _is_covered(runs[other].scopes, scopes)]:
                narrower = runs.pop(other)
                self._note_failure(other, has_failed=False)
                if narrower.has_passed is False:
                    fixed.append(Fixed(narrower.id, tuple(narrower.culprits)))
                ended.append(Ended(narrower.id, "fixed" if narrower.has_passed is False else "covered by a later check"))
        return ended, fixed

    def fail(self, record_id: str, subject: str) -> list[Ended]:
        """Enter a call that failed, so that a later success of the same subject can end it."""
        return self.run(record_id, subject, "", has_passed=False)[0]

    def succeed(self, subject: str) -> list[Ended]:
        """Enter that what may have failed before has now worked; nothing else is remembered of it."""
        if subject not in self._memory.failing:
            return []
        self._memory.failing.remove(subject)
        before = self._memory.runs.pop(subject, None)
        return [Ended(before.id, "worked later")] if before else []

    def _note_failure(self, subject: str, *, has_failed: bool) -> None:
        failing = self._memory.failing
        if has_failed and subject not in failing:
            failing.append(subject)
            del failing[:-RUNS_MAX]
        elif not has_failed and subject in failing:
            failing.remove(subject)

    def _keep(self, path: str, kept: list[_Seen]) -> None:
        views = self._memory.views
        views.pop(path, None)  # so that the file moves to the end: the first one is the one longest unseen
        if kept:
            views[path] = kept
            _trim(views, FILES_MAX)

    def _credit(self, record_id: str) -> None:
        for subject in self._memory.failing:
            if run := self._memory.runs.get(subject):
                run.culprits.append(record_id)
                del run.culprits[:-CULPRITS_MAX]


def mark_of(lines: Sequence[str]) -> str:
    """The version of some lines: equal marks mean equal lines (two of a million share one with a chance of 3e-8)."""
    return xxh3_64_hexdigest("\n".join(lines).encode())


def _reason(before: _Run, now: _Run) -> str:
    if now.has_passed and before.has_passed is False:
        return "fixed"
    if now.has_passed is False and before.has_passed is not None:
        return "broken since" if before.has_passed else "failed again"
    return "run again with the same output" if before.mark == now.mark else "run again with another output"


def _is_covered(old: Sequence[Scope], new: Sequence[Scope]) -> bool:
    return bool(old) and all(any(wide.covers(narrow) for wide in new) for narrow in old)


def _moved(seen: _Seen, hunks: Sequence[Hunk]) -> _Seen | None:
    """The view after an edit, None if the edit touched it or does not say where it was."""
    if not hunks:
        return None
    by = 0
    for hunk in hunks:
        last = hunk.old_start + max(hunk.old_lines, 1) - 1
        if hunk.old_lines == 0 and hunk.old_start == seen.start:
            by += hunk.new_lines  # an insertion right before its first line
        elif last < seen.start:
            by += hunk.new_lines - hunk.old_lines
        elif hunk.old_start <= seen.end:
            return None
    return _Seen(seen.id, seen.agent, seen.start + by, seen.end + by, seen.mark) if by else seen


def _trim(table: dict[str, object] | dict[str, str] | dict[str, _Run] | dict[str, list[_Seen]], most: int) -> None:
    while len(table) > most:
        del table[next(iter(table))]
