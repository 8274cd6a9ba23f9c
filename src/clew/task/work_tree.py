"""Keep what is known of a work tree: each file that a session changed, in its versions, and the commits that the session made.

Follows what is staged, committed and stashed as git does. Where a command's effect is unknown, so is what it may have changed; the disk
is never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from clew.records import FileCheck, FileState, FileStatus, Observation
from clew.task.coverage import CheckRun
from clew.task.git import GitCommit
from clew.task.paths import relative_folder

FILES_MAX = 512  # guess
UNDO_MAX = 16  # edits of one file that can be seen taken back; guess
UNKNOWN_REPO = "?"
COMMITS_MAX = 256  # of the session; guess

_WORK_TREE = re.compile(r"(.*?(?:^|/)\.?(?:claude/)?worktrees/[^/]+)(?:/|$)")


@dataclass(frozen=True, slots=True)
class FileVersion:
    """A file as it stands after one change; number 0 is as the session found it."""

    number: int = 0
    state: FileStatus = FileStatus.REVERTED
    edits: int = 0
    moved_from: str = ""
    moved_to: str = ""
    uuid: str = ""
    seq: int = -1


@dataclass(frozen=True, slots=True)
class SessionCommit:
    """A commit of this session. `is_known` is False for one that others' work came with, or that may be several."""

    number: int
    report: GitCommit
    repo: str
    uuid: str
    is_known: bool = True


@dataclass(slots=True)
class TrackedFile:
    """What is known of one file.

    staged      the version in git's index, None where that is the committed one.
    taken       the versions that commits took, oldest first, each with its commit.
    doubtful    number of the version that a commit may have taken.
    undo        of each edit what the edit that takes it back looks like, the version before it, and the number of the one after it.
    is_tracked  git knows the file; None where nobody knows.
    """

    path: str
    now: FileVersion = FileVersion()
    staged: FileVersion | None = None
    taken: list[tuple[SessionCommit, FileVersion]] = field(default_factory=list[tuple[SessionCommit, FileVersion]])
    doubtful: int = -1
    undo: list[tuple[str, FileVersion, int]] = field(default_factory=list[tuple[str, FileVersion, int]])
    is_tracked: bool | None = None
    is_stashed: bool = False
    is_uncached: bool = False  # taken out of the index alone: whatever sets the index back may have set it back as well
    checks: dict[str, tuple[FileCheck, CheckRun]] = field(default_factory=dict[str, tuple[FileCheck, CheckRun]])
    was_tried: bool = False

    @property
    def committed(self) -> FileVersion:
        """The version that the newest commit took."""
        return self.taken[-1][1] if self.taken else FileVersion()

    @property
    def is_dirty(self) -> bool:
        """Whether the work tree, or the index, differs from the newest commit, as far as is known."""
        return self.now.number != self.committed.number or self.staged is not None

    def doubt_if_uncached(self) -> None:
        """Note that a file that was taken out of the index may be in it again, as it was committed."""
        if self.is_uncached:
            self.doubtful, self.is_tracked, self.is_uncached = self.now.number, None, False

    def put(self, version: FileVersion) -> None:
        """Set the version in the work tree; checks of another one say nothing of it."""
        if version.number != self.now.number:
            self.checks, self.was_tried = {}, False
        self.now = version

    def summarize(self, branches: dict[str, str]) -> FileState:
        """Return what is known of the file. `branches` are the ones checked out, by repository."""
        now = self.now
        is_committed: bool | None = False
        commit = self.taken[-1][0] if self.taken and self.committed.number == now.number else None
        if commit:
            is_committed = True
        elif self.doubtful == now.number or now.state is FileStatus.REVERTED:
            is_committed = None
        branch = commit.report.branch if commit else ""
        is_elsewhere = commit is not None and branch not in ("", "detached HEAD") and branches.get(commit.repo, branch) != branch
        return FileState(
            self.path,
            now.state,
            max(now.edits, 1),
            now.moved_from,
            now.moved_to,
            tuple(check for check, _ in self.checks.values()),
            self.was_tried,
            is_committed,
            commit.report.digest if commit else "",
            branch if is_elsewhere else "",
            commit.report.line if commit else "",
            commit.uuid if commit else "",
            self.is_stashed,
            now.uuid,
            now.seq,
        )

    @property
    def is_new(self) -> bool | None:
        """Whether git knows nothing of the file yet, so that it leaves it alone; None where nobody knows."""
        if self.is_tracked or self.staged or (self.taken and self.is_tracked is not False) or self.now.state is not FileStatus.WRITTEN:
            return False
        return True if self.is_tracked is False else None


@dataclass(slots=True)
class WorkTree:
    """The files that a session changed, by path, the one that changed last at the end, and what git knows of them.

    root       folder to which paths are made relative.
    branches   checked out, by repository: "" for the one of the root, else its folder.
    stashes    what each took, by path, oldest first.
    begun      by repository, how its files stood when a merge stopped at a conflict.
    number     of the newest version or commit.
    is_unsure  files went, from the disk or the index, of which nobody knows the names.
    """

    root: str = ""
    files: dict[str, TrackedFile] = field(default_factory=dict[str, TrackedFile])
    commits: list[SessionCommit] = field(default_factory=list[SessionCommit])
    branches: dict[str, str] = field(default_factory=dict[str, str])
    stashes: list[dict[str, FileVersion]] = field(default_factory=list[dict[str, FileVersion]])
    begun: dict[str, dict[str, FileVersion]] = field(default_factory=dict[str, dict[str, FileVersion]])
    number: int = 0
    is_unsure: bool = False

    def change(self, path: str, how: str, observation: Observation, *, is_tracked: bool | None = None) -> None:
        """Note that a file was edited, or written where `how` is `write`; `is_tracked`: git knew it, None where nobody knows."""
        file = self.take(path)
        was = file.now
        is_new = how == "write" or (was.state is FileStatus.WRITTEN and was.number > 0)
        if file.is_tracked is None and was.number == 0 and not self.is_unsure:
            file.is_tracked = is_tracked
        state = FileStatus.WRITTEN if is_new else FileStatus.EDITED
        self._put(file, FileVersion(0, state, was.edits + 1, was.moved_from, "", observation.uuid, observation.seq))

    def edit(self, path: str, forth: str, back: str, observation: Observation) -> None:
        """Note an edit of text that is known; `forth` and `back` name it and the edit that takes it back: that one restores the version."""
        file = self.files.get(path)
        last = file.undo[-1] if file and file.undo else None
        if file and last and (forth, file.now.number) == (last[0], last[2]):
            file.undo.pop()
            self.restore(self.take(path), last[1])
            return
        before = file.now if file else FileVersion()
        self.change(path, "edit", observation, is_tracked=True)
        file = self.files[path]
        file.undo = [*file.undo[1 - UNDO_MAX :], (back, before, file.now.number)]

    def doubt(self, path: str) -> None:
        """Note that a file may have changed: checks of before say nothing of it, and nobody knows whether a commit holds it."""
        if file := self.files.get(path):
            file.checks, file.was_tried, file.doubtful = {}, True, file.now.number
            file.taken = [(commit, version) for commit, version in file.taken if version.number != file.now.number]

    def remove(self, path: str, observation: Observation, *, is_staged: bool = False) -> None:
        """Note that a file was removed; `is_staged`: from the index as well."""
        if path in self.files and self.files[path].now.state is FileStatus.REMOVED:
            return
        file = self.take(path)
        if file.committed.state is FileStatus.REMOVED:  # it had come back, and git never knew
            file.put(file.committed)
            return
        self._let_go(file, FileVersion(0, FileStatus.REMOVED, 0, uuid=observation.uuid, seq=observation.seq), is_staged=is_staged)

    def move(self, old: str, new: str, observation: Observation, *, is_staged: bool = False) -> None:
        """Note that a file was moved; "" for a path that nobody knows."""
        was = self.files[old].now if old in self.files else FileVersion()
        if new:
            file = self.take(new)
            state = was.state if was.state in (FileStatus.EDITED, FileStatus.WRITTEN) else FileStatus.MOVED
            self._put(file, FileVersion(0, state, was.edits, was.moved_from or old, "", observation.uuid, observation.seq))
            was_staged = old not in self.files or not self.files[old].is_dirty or self.files[old].staged == was
            # git stages the move without what was not staged before
            file.staged = (file.now if was_staged else replace(file.now, number=self.next_number())) if is_staged else None
            file.is_tracked = True if is_staged else None
        if old:
            version = FileVersion(0, FileStatus.MOVED, 0, moved_to=new, uuid=observation.uuid, seq=observation.seq)
            self._let_go(self.take(old), version, is_staged=is_staged)

    def _let_go(self, file: TrackedFile, version: FileVersion, *, is_staged: bool) -> None:
        """Give a version to a path at which no file is left; git sees nothing of a file that it never knew."""
        if (file.now.state is FileStatus.WRITTEN or file.now.moved_from) and not (file.is_tracked or file.taken or file.staged):
            file.is_tracked, file.staged = False, None
        self._put(file, version)
        if file.is_tracked is False:
            file.doubtful = file.now.number
        if is_staged and file.is_tracked is not False:
            file.staged = file.now

    def take(self, path: str) -> TrackedFile:
        """Return the file of this path, as the one that changed last."""
        file = self.files.pop(path, None) or TrackedFile(path)
        self.files[path] = file
        if len(self.files) > FILES_MAX:
            del self.files[next(iter(self.files))]
        return file

    def _put(self, file: TrackedFile, version: FileVersion) -> None:
        """Give a file a new version, and note that what checks said of others was said before."""
        self.number += 1
        file.put(replace(version, number=self.number))
        file.is_stashed = False
        self.outdate(file)

    def restore(self, file: TrackedFile, version: FileVersion) -> None:
        """Put an earlier version of a file back; where a commit may have taken a later one, nobody knows what stands there."""
        if file.doubtful == file.now.number and version.number != file.now.number:
            self.files.pop(file.path, None)
        file.put(version)
        self.outdate(file)

    def outdate(self, changed: TrackedFile) -> None:
        """Note at other files' checks that a file has changed since."""
        for file in self.files.values():
            if file is changed:
                continue
            for form, (check, run) in file.checks.items():
                if not check.is_stale and run.is_affected_by(changed.path):
                    file.checks[form] = replace(check, is_stale=True), run

    def next_number(self) -> int:
        """Return the number of a new version or commit."""
        self.number += 1
        return self.number

    def find_commit(self, name: str) -> SessionCommit | None:
        """Return the commit of this session with this hash."""
        is_hash = re.fullmatch(r"[0-9a-f]{5,40}", name)
        same = (
            each
            for each in reversed(self.commits)
            if (digest := each.report.digest) and (digest.startswith(name) or name.startswith(digest))
        )
        return next(same, None) if is_hash else None

    def is_newest(self, commit: SessionCommit) -> bool:
        """Return whether a commit is its repository's newest."""
        return next(each for each in reversed(self.commits) if each.repo == commit.repo).number == commit.number

    def of(self, repo: str) -> Iterator[TrackedFile]:
        """Yield the files of a repository: "" for the one of the root, else its folder."""
        for path, file in self.files.items():
            tree = _WORK_TREE.match(path)
            own = tree[1] if tree else "" if not path.startswith(("/", "~")) else None
            if own == repo or (own is None and repo and path.startswith(f"{repo}/")):
                yield file

    def repository_of(self, folder: str) -> str:
        """Return the repository that a folder is in: "" for the one of the root, else its folder."""
        place = self.place(folder)
        tree = _WORK_TREE.match(place)
        if tree:
            return tree[1]
        is_above = self.root.startswith(f"{place.rstrip('/')}/") and not _WORK_TREE.match(self.root)
        return "" if is_above or not place.startswith(("/", "~")) else place

    def place(self, folder: str) -> str:
        """Return a folder relative to the root, "" for the root itself; absolute where it is elsewhere."""
        return relative_folder(folder, self.root)

    def doubt_committed(self, repo: str) -> None:
        """Note that others' changes may stand in any file that was committed, and are not committed themselves."""
        for file in self.of(repo):
            if file.taken:
                file.doubtful, file.taken = file.now.number, []


def is_created(path: str, listed: str) -> bool:
    """Return whether a path is the one that git lists, which may be relative to a folder above or below the root."""
    return path == listed or path.endswith(f"/{listed}")
