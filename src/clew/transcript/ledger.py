"""Record what an agent saw and did in a session, and which earlier records that makes untrue.

For each call: which lines of which file it showed, in which version; which command ended how. A read ends an earlier one
that it repeats or contains, if the lines are the same, and contradicts it if they are not. An edit ends the reads of the
lines that it touched and moves the others along; it also ends the passing checks that cover the file ("not checked since").
A check that runs again ends its earlier outcome, and fixes it if that had failed; so does a wider check that passes. A
failed check stays open until it passes or what it checks is deleted.

Undoing brings back what became true again. Every view remembers the edits that touched it; when the last of them is undone
(an edit with both sides swapped, git restoring files or commits, a stash), its lines are the ones that were shown. Leaving
a branch parks the views of its files until the return, except of files with uncommitted changes, which travel along.

Knows records by their ids only. What it remembers is bounded, a few bytes per live view.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
from xxhash import xxh3_64_hexdigest

from clew.records import EndKind, EndReason, FileChange, Hunk
from clew.task.bounded import drop_oldest
from clew.task.commands import CheckScope
from clew.transcript.mentions import find_paths as paths_in

_CLAIM = "?"  # in the place of an agent: these lines were not shown but claimed

FILES_MAX = 1500  # guess: files with live views; the oldest are forgotten beyond it, their reads then stay live
VIEWS_MAX = 48  # guess: live views of one file
RUNS_MAX = 1000  # guess: commands, searches and checks whose latest outcome is remembered
FIX_EDITS_MAX = 6  # edits since a failure that may be credited with its fix
FAILURE_CHARS_MAX = 6_000  # of a failure's end, where it names files; guess
NAMED_FILES_MAX = 8  # files that a failure names; an edit of one of them is the likelier fix
NAMED_SHARE = 0.7  # of the credit, for edits of files that the failure named; guess
ENDED_VIEWS_MAX = 12  # ended views of one file that an undone edit may bring back; guess
EDITS_MAX = 12  # edits of one file that may still be undone; guess
COMMITS_MAX = 4  # commits of the session that may still be undone; guess
BRANCHES_MAX = 3  # branches whose views wait for a return; guess
BRANCH_VIEWS_MAX = 300  # views that wait on one of them; guess

_BY_COMMAND = EndReason(EndKind.CHANGED_BY_COMMAND)
_PUT_BACK = EndReason(EndKind.PUT_BACK)
_NOT_CHECKED = EndReason(EndKind.NOT_CHECKED)


@dataclass(frozen=True, slots=True)
class FileLines:
    """Lines of a file as a tool showed them to the agent. `start` is 1-based; without `lines` it is known only that the file was seen."""

    path: str
    start: int
    lines: Sequence[str]

    @property
    def end(self) -> int:
        """The last line shown, 1-based and inclusive."""
        return self.start + len(self.lines) - 1


@dataclass(frozen=True, slots=True)
class EndedRecord:
    """An earlier record that is no longer true or no longer needed, and why.

    is_doubt  it is a claim about lines that changed: it may still be true, but has not been looked at since.
    """

    id: str
    reason: EndReason
    is_doubt: bool = False


@dataclass(frozen=True, slots=True)
class FixedFailure:
    """A failure that is gone, with the edits since it that may have fixed it.

    edit_shares  (record id, share of the credit from 0 to 1) of each, oldest first.
    """

    id: str
    edit_shares: tuple[tuple[str, float], ...]


class _SeenLines(msgspec.Struct, array_like=True):
    id: str
    agent: str
    start: int
    end: int
    mark: str
    at: int = 0  # edits entered before it was seen
    by: list[str] = msgspec.field(default_factory=list[str])  # what ended it; empty while it is true


class _Edit(msgspec.Struct, array_like=True):
    id: str
    old: str = ""
    new: str = ""
    at: int = 0


class _Stash(msgspec.Struct, array_like=True):
    by: str
    edits: dict[str, list[_Edit]]
    untouched: list[str]


class _Run(msgspec.Struct, array_like=True):
    id: str
    mark: str
    has_passed: bool | None = None
    scopes: list[CheckScope] = msgspec.field(default_factory=list[CheckScope])
    culprits: list[tuple[str, str]] = msgspec.field(default_factory=list[tuple[str, str]])  # edit, and the file that it changed
    named: list[str] = msgspec.field(default_factory=list[str])  # last parts of the files that a failure names
    is_stale: bool = False

    def is_covered_by(self, scopes: Sequence[CheckScope]) -> bool:
        return bool(self.scopes) and all(any(wide.covers(narrow) for wide in scopes) for narrow in self.scopes)


class _Memory(msgspec.Struct, omit_defaults=True):
    views: dict[str, list[_SeenLines]] = msgspec.field(default_factory=dict[str, list[_SeenLines]])
    written: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    runs: dict[str, _Run] = msgspec.field(default_factory=dict[str, _Run])
    failing: list[str] = msgspec.field(default_factory=list[str])  # subjects of `runs` that last failed
    edits: dict[str, list[_Edit]] = msgspec.field(default_factory=dict[str, list[_Edit]])  # since the last commit
    commits: list[dict[str, list[_Edit]]] = msgspec.field(default_factory=list[dict[str, list[_Edit]]])
    stash: _Stash | None = None
    count: int = 0  # edits entered so far
    branches: dict[str, str] = msgspec.field(default_factory=dict[str, str])  # root: what is checked out there
    parked: dict[str, dict[str, list[_SeenLines]]] = msgspec.field(default_factory=dict[str, dict[str, list[_SeenLines]]])


class Ledger:
    """Tracks which records of one session are still true: lines of files that were shown, results of checks, edits.

    Each `record_…` method enters one event of the session. `record_id` is the id of the event's own record; returned are the earlier
    records that the event makes untrue or needless.
    """

    def __init__(self, saved_state: bytes = b"") -> None:
        self._memory = msgspec.json.decode(saved_state, type=_Memory) if saved_state else _Memory()
        self._returned: list[str] = []

    def dump_state(self) -> bytes:
        """Return the ledger's state as JSON, from which the constructor continues."""
        return msgspec.json.encode(self._memory)

    def take_restored(self) -> list[str]:
        """Return the ids of records that became true again since this was last called, as by an undone edit."""
        returned, self._returned = self._returned, []
        return returned

    def record_view(self, record_id: str, view: FileLines, agent: str) -> list[EndedRecord]:
        """Enter that a tool showed lines of a file, and return the earlier records of these lines by the same agent, now replaced.

        Cost: one hash of the lines, and of each part that an earlier view had shown.
        """
        ended: list[EndedRecord] = []
        if not view.lines:
            return ended
        kept: list[_SeenLines] = []
        for seen in self._memory.views.get(view.path, ()):
            if seen.by or seen.agent != agent or seen.start < view.start or seen.end > view.end:
                kept.append(seen)
                continue
            is_same = seen.mark == hash_lines(view.lines[seen.start - view.start : seen.end - view.start + 1])
            is_equal = (seen.start, seen.end) == (view.start, view.end)
            kind = (EndKind.READ_AGAIN if is_equal else EndKind.CONTAINED) if is_same else EndKind.CHANGED
            ended.append(EndedRecord(seen.id, EndReason(kind)))
        kept.append(_SeenLines(record_id, agent, view.start, view.end, hash_lines(view.lines), self._memory.count))
        self._keep(view.path, kept)
        return ended

    def find_containing_view(self, record_id: str, path: str) -> str:
        """Return the id of another true record by the same agent that shows all lines of `path` that this record shows, "" for none."""
        views = [seen for seen in self._memory.views.get(path, ()) if not seen.by]
        own = next((seen for seen in views if seen.id == record_id), None)
        if own is None:
            return ""
        wider = (seen for seen in views if seen.id != record_id and seen.agent == own.agent and seen.start <= own.start)
        return next((seen.id for seen in wider if seen.end >= own.end), "")

    def record_claim(self, claim_id: str, name: str, line: int = 0) -> str:
        """Enter a claim about a file, and return the id of the record that shows the claimed lines as they are now, "" for none.

        name  the file's path, or how it ends; of several files the one seen last.
        line  that the claim names, 1-based; 0 for all that was shown.
        """
        known = self._memory.views
        path = name if name in known else next((path for path in reversed(known) if path.endswith(f"/{name}")), "")
        views = [seen for seen in known.get(path, ()) if not seen.by and seen.agent != _CLAIM]
        cited = next((seen for seen in reversed(views) if not line or seen.start <= line <= seen.end), None)
        if cited is None:
            return ""
        start, end = (line, line) if line else (cited.start, cited.end)
        claim = _SeenLines(claim_id, _CLAIM, start, end, "", self._memory.count)
        known[path] = [*known[path], claim][-VIEWS_MAX - ENDED_VIEWS_MAX :]
        return cited.id

    def record_edits(self, record_id: str, changes: Iterable[FileChange], swap: tuple[str, str] = ("", "")) -> list[EndedRecord]:
        """Enter the edits of one tool call, and return the records that showed the edited lines, as they are out of date from now on.

        Records of lines below an edit stay true, with their new line numbers.
        record_id  id of the record of the tool call.
        swap       hashes of the replaced and of the new text, where there was one of each: the opposite swap undoes this edit.
        """
        ended: list[EndedRecord] = []
        for change in changes:
            undone = self._undone(change.path, swap)
            kept: list[_SeenLines] = []
            for seen in self._memory.views.get(change.path, ()):
                if undone and undone in seen.by:
                    self._lift(seen, undone)
                    kept.append(seen)
                    continue
                moved = _moved(seen, change.hunks)
                if moved is None:
                    if not seen.by:
                        ended.append(_ended(seen, EndReason(EndKind.EDITED)))
                    seen.by.append(record_id)
                kept.append(moved or seen)
            self._keep(change.path, kept)
            if not undone:
                self._enter_edit(change.path, _Edit(record_id, *swap))
            ended.extend(self._concern(record_id, change.path))
        return ended

    def record_write(self, record_id: str, path: str) -> list[EndedRecord]:
        """Enter that a file was written as a whole, and return the records that showed or wrote it before, as they are out of date."""
        ended = self._touch_all(record_id, path, EndReason(EndKind.REWRITTEN))
        if before := self._memory.written.pop(path, ""):
            ended.append(EndedRecord(before, EndReason(EndKind.REWRITTEN)))
        self._memory.written[path] = record_id
        drop_oldest(self._memory.written, FILES_MAX)
        self._enter_edit(path, _Edit(record_id))
        return [*ended, *self._concern(record_id, path)]

    def record_unseen_changes(self, record_id: str, paths: Iterable[str], reason: EndReason = _BY_COMMAND) -> list[EndedRecord]:
        """Enter that files changed in unknown lines (by a command, from outside), and return all records of them, now out of date."""
        ended: list[EndedRecord] = []
        for path in paths:
            ended.extend(self._touch_all(record_id, path, reason))
            if before := self._memory.written.pop(path, ""):
                ended.append(EndedRecord(before, reason))
            self._enter_edit(path, _Edit(record_id))
            ended.extend(self._concern(record_id, path))
        return ended

    def record_deletions(self, record_id: str, paths: Sequence[str]) -> list[EndedRecord]:
        """Enter that files were deleted, and return the records of them and of failed checks that covered nothing else."""
        ended = self.record_unseen_changes(record_id, paths, EndReason(EndKind.DELETED))
        for subject in list(self._memory.failing):
            run = self._memory.runs[subject]
            targets = [target for scope in run.scopes for target in scope.targets]
            if targets and all(any(_is_file(path, target) for path in paths) for target in targets):
                self._note_failure(subject, has_failed=False)
                ended.append(EndedRecord(self._memory.runs.pop(subject).id, EndReason(EndKind.TARGET_DELETED)))
        return ended

    def has_uncommitted_edits(self, path: str) -> bool:
        """Return whether edits of this file are known that no commit holds."""
        return path in self._memory.edits

    # What git does to all of it.

    def record_commit(self) -> None:
        """Enter a commit: undoing it undoes the edits made since the commit before."""
        if self._memory.edits:
            self._memory.commits = [*self._memory.commits, self._memory.edits][-COMMITS_MAX:]
            self._memory.edits = {}

    def record_restore(self, record_id: str, paths: Iterable[str] | None = None, reason: EndReason = _PUT_BACK) -> list[EndedRecord]:
        """Enter that files are again as the last commit holds them (None: all files edited since), and return what this makes untrue."""
        known = self._memory.edits
        ended: list[EndedRecord] = []
        for path in list(known) if paths is None else list(paths):
            edits = known.pop(path, [])
            ended.extend(self._undo(record_id, path, edits, reason) if edits else self.record_unseen_changes(record_id, [path]))
            known.pop(path, None)  # there is nothing left that could be undone
        return ended

    def record_commit_undo(self, record_id: str, *, with_edits: bool) -> list[EndedRecord]:
        """Enter that the newest commit was undone, and `with_edits` all edits since it too; return the records that this makes untrue."""
        ended = self.record_restore(record_id) if with_edits else []
        frame = self._memory.commits.pop() if self._memory.commits else {}
        for path, edits in frame.items():
            ended.extend(self._undo(record_id, path, edits, EndReason(EndKind.COMMIT_UNDONE)))
        return ended

    def record_stash(self, record_id: str) -> list[EndedRecord]:
        """Enter that the tool call `record_id` stashed all edits since the last commit, and return the records that this makes untrue."""
        edits = dict(self._memory.edits)
        first = {path: min(edit.at for edit in laid) for path, laid in edits.items()}
        untouched = [seen.id for path in edits for seen in self._memory.views.get(path, ()) if not seen.by and seen.at < first[path]]
        ended = self.record_restore(record_id, reason=EndReason(EndKind.STASHED))
        self._memory.stash = _Stash(record_id, edits, untouched)
        return ended

    def record_unstash(self, record_id: str) -> list[EndedRecord]:
        """Enter that the tool call `record_id` brought the stashed edits back, and return the records that this makes untrue."""
        stash, self._memory.stash = self._memory.stash, None
        ended: list[EndedRecord] = []
        for path, edits in stash.edits.items() if stash else ():
            for seen in self._memory.views.get(path, ()):
                if stash and stash.by in seen.by:
                    self._lift(seen, stash.by)
                elif stash and not seen.by and seen.id not in stash.untouched:  # it may show what was laid aside, or has returned
                    seen.by.extend(edit.id for edit in edits)
                    ended.append(_ended(seen, EndReason(EndKind.UNSTASHED)))
            self._memory.edits[path] = [*edits, *self._memory.edits.get(path, [])]
            ended.extend(self._concern(record_id, path))
        return ended

    def record_checkout(self, record_id: str, root: str, branch: str, *, is_known: bool) -> list[EndedRecord]:
        """Enter which branch is checked out below `root`, and return the records that showed lines of the branch left behind.

        is_known  another branch was checked out, so files may differ; False where it may have been created or renamed here.
        """
        memory = self._memory
        before = memory.branches.get(root, "")
        memory.branches[root] = branch
        drop_oldest(memory.branches, 4 * BRANCHES_MAX)
        if not before or before == branch:
            return []
        inside = f"{root.rstrip('/')}/"
        live = {
            path: [seen for seen in views if not seen.by]
            for path, views in memory.views.items()
            if path.startswith(inside) and path not in memory.edits
        }
        waiting = memory.parked.pop(f"{root}\n{branch}", None)
        self._park(f"{root}\n{before}", live)
        if waiting is None and not is_known:
            return []
        waiting = waiting or {}
        back = {seen.id for views in waiting.values() for seen in views}
        left = [seen for views in live.values() for seen in views]
        ended = [_ended(seen, EndReason(EndKind.BRANCH_LEFT, (before, branch))) for seen in left if seen.id not in back]
        standing = {seen.id for seen in left}
        for path in [*live, *(path for path in waiting if path not in live)]:
            if path in memory.edits:
                continue
            self._returned.extend(seen.id for seen in waiting.get(path, ()) if seen.id not in standing)
            self._keep(path, waiting.get(path, []))
        memory.commits = []
        return [*ended, *self._concern(record_id, "", EndReason(EndKind.NOT_CHECKED_ON, (branch,)))]

    def _park(self, key: str, views: dict[str, list[_SeenLines]]) -> None:
        held: dict[str, list[_SeenLines]] = {}
        room = BRANCH_VIEWS_MAX
        for path in reversed(views):
            if views[path] and room > 0:
                held[path] = [msgspec.structs.replace(seen, by=[]) for seen in views[path][-room:]]
                room -= len(held[path])
        self._memory.parked.pop(key, None)
        self._memory.parked[key] = dict(reversed(held.items()))
        drop_oldest(self._memory.parked, BRANCHES_MAX)

    def _lift(self, seen: _SeenLines, by: str) -> None:
        """Take back one of the things that ended a view; without any it is true again."""
        seen.by.remove(by)
        if not seen.by:
            self._returned.append(seen.id)

    def _undone(self, path: str, swap: tuple[str, str]) -> str:
        """The edit that this swap takes back, "" for none."""
        old, new = swap
        edits = self._memory.edits.get(path, [])
        for at in range(len(edits) - 1, -1, -1):
            if old and new and (edits[at].old, edits[at].new) == (new, old):
                undone = edits.pop(at).id
                if not edits:
                    del self._memory.edits[path]
                return undone
        return ""

    def _undo(self, record_id: str, path: str, edits: Sequence[_Edit], reason: EndReason) -> list[EndedRecord]:
        """Take edits of a file back: what they ended returns, what was seen after them ends."""
        gone = {edit.id for edit in edits}
        first = min((edit.at for edit in edits), default=self._memory.count)
        ended: list[EndedRecord] = []
        for seen in self._memory.views.get(path, ()):
            was_live = not seen.by
            if seen.at >= first:  # it may show what is taken back
                seen.by.append(record_id)
            else:
                seen.by = [edit for edit in seen.by if edit not in gone]
            if was_live and seen.by:
                ended.append(_ended(seen, reason))
            elif not was_live and not seen.by:
                self._returned.append(seen.id)
        if (before := self._memory.written.get(path, "")) in gone and before:
            del self._memory.written[path]
            ended.append(EndedRecord(before, reason))
        return [*ended, *self._concern(record_id, path)]

    def _touch_all(self, record_id: str, path: str, reason: EndReason) -> list[EndedRecord]:
        views = self._memory.views.get(path, [])
        ended = [_ended(seen, reason) for seen in views if not seen.by]
        for seen in views:
            seen.by.append(record_id)
        self._keep(path, views)
        return ended

    def _enter_edit(self, path: str, edit: _Edit) -> None:
        self._memory.count += 1
        edits = self._memory.edits.pop(path, [])
        edits = [*edits, _Edit(edit.id, edit.old, edit.new, self._memory.count)]
        self._memory.edits[path] = [*edits[:1], *edits[1:][-EDITS_MAX:]]  # the first says since when the file is edited
        drop_oldest(self._memory.edits, FILES_MAX)

    def _concern(self, record_id: str, path: str, reason: EndReason = _NOT_CHECKED) -> list[EndedRecord]:
        """End the passing checks that a change concerns, and note it as a possible fix of the failing ones; no path is every file."""
        ended: list[EndedRecord] = []
        for run in self._memory.runs.values():
            if run.has_passed and not run.is_stale and any(not path or scope.is_affected_by(path) for scope in run.scopes):
                run.is_stale = True
                ended.append(EndedRecord(run.id, reason))
        if path:
            for run in filter(None, map(self._memory.runs.get, self._memory.failing)):
                run.culprits.append((record_id, path.rpartition("/")[2]))
                del run.culprits[:-FIX_EDITS_MAX]
        return ended

    def record_run(
        self, record_id: str, subject: str, text: str, *, has_passed: bool | None, scopes: Sequence[CheckScope] = ()
    ) -> tuple[list[EndedRecord], list[FixedFailure]]:
        """Enter the newest outcome of something repeatable (a check, a search, a plan); return records it replaces and failures it ends.

        subject  key of what was repeated. text  its output, compared with the last one.
        scopes   of a check: the files and tests that it covers. When it passes, narrower checks end too.
        """
        runs = self._memory.runs
        before = runs.pop(subject, None)
        named = dict.fromkeys(path.rpartition("/")[2] for path in paths_in(text[-FAILURE_CHARS_MAX:])) if has_passed is False else ()
        runs[subject] = _Run(record_id, xxh3_64_hexdigest(text.encode()), has_passed, list(scopes), named=list(named)[:NAMED_FILES_MAX])
        drop_oldest(runs, RUNS_MAX)
        self._note_failure(subject, has_failed=has_passed is False)
        ended: list[EndedRecord] = []
        fixed: list[FixedFailure] = []
        if before is not None:
            if not before.is_stale:
                ended.append(EndedRecord(before.id, EndReason(_end_kind(before, runs[subject]))))
            if has_passed and before.has_passed is False:
                fixed.append(FixedFailure(before.id, _shares(before)))
        if has_passed and scopes:
            for other in [other for other, run in runs.items() if other != subject and run.is_covered_by(scopes)]:
                narrower = runs.pop(other)
                self._note_failure(other, has_failed=False)
                if narrower.has_passed is False:
                    fixed.append(FixedFailure(narrower.id, _shares(narrower)))
                if not narrower.is_stale:
                    ended.append(EndedRecord(narrower.id, EndReason(EndKind.FIXED if narrower.has_passed is False else EndKind.COVERED)))
        return ended, fixed

    def record_failure(self, record_id: str, subject: str) -> list[EndedRecord]:
        """Enter a failed call, so that a later success with the same subject ends it; return the record of its previous outcome."""
        return self.record_run(record_id, subject, "", has_passed=False)[0]

    def record_success(self, subject: str) -> list[EndedRecord]:
        """Enter that a call succeeded, and return the record of the earlier failure of the same subject, which is now over."""
        if subject not in self._memory.failing:
            return []
        self._memory.failing.remove(subject)
        before = self._memory.runs.pop(subject, None)
        return [EndedRecord(before.id, EndReason(EndKind.WORKED))] if before else []

    def _note_failure(self, subject: str, *, has_failed: bool) -> None:
        failing = self._memory.failing
        if has_failed and subject not in failing:
            failing.append(subject)
            del failing[:-RUNS_MAX]
        elif not has_failed and subject in failing:
            failing.remove(subject)

    def _keep(self, path: str, kept: list[_SeenLines]) -> None:
        views = self._memory.views
        kept = kept[-VIEWS_MAX - ENDED_VIEWS_MAX :]
        views.pop(path, None)  # so that the file moves to the end: the first one is the one longest unseen
        if len(kept) > ENDED_VIEWS_MAX:
            shelf = [seen for seen in kept if seen.by]
            dropped = {id(seen) for seen in shelf[:-ENDED_VIEWS_MAX]}
            kept = [seen for seen in kept if id(seen) not in dropped]
        if kept:
            views[path] = kept
            drop_oldest(views, FILES_MAX)


def _ended(seen: _SeenLines, reason: EndReason) -> EndedRecord:
    return EndedRecord(seen.id, reason, is_doubt=seen.agent == _CLAIM)


def hash_lines(lines: Sequence[str]) -> str:
    """Return a hash of some lines, to compare versions of them (two of a million collide with a chance of 3e-8)."""
    return xxh3_64_hexdigest("\n".join(lines).encode())


def _end_kind(before: _Run, now: _Run) -> EndKind:
    if now.has_passed and before.has_passed is False:
        return EndKind.FIXED
    if now.has_passed is False and before.has_passed is not None:
        return EndKind.BROKEN if before.has_passed else EndKind.FAILED_AGAIN
    return EndKind.SAME_OUTPUT if before.mark == now.mark else EndKind.OTHER_OUTPUT


def _shares(failure: _Run) -> tuple[tuple[str, float], ...]:
    """The edits since a failure, oldest first, with their shares of the credit: files that it names have the larger one."""
    edits = dict(failure.culprits)
    likely = [edit for edit, name in edits.items() if name in failure.named]
    others = [edit for edit in edits if edit not in likely]
    part = NAMED_SHARE if likely and others else 1.0
    shares = {edit: part / len(likely) for edit in likely} | {edit: (1.0 - part if likely else 1.0) / len(others) for edit in others}
    return tuple((edit, round(shares[edit], 3)) for edit in edits)


def _is_file(path: str, target: str) -> bool:
    return f"/{path}".endswith(f"/{target.partition('::')[0].removeprefix('./')}")


def _moved(seen: _SeenLines, hunks: Sequence[Hunk]) -> _SeenLines | None:
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
    return msgspec.structs.replace(seen, start=seen.start + by, end=seen.end + by) if by else seen
