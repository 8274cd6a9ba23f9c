"""Track the files that a session changed: how they stand in the work tree, which checks covered them since, and which commit took them.

Made from tool calls alone: edits, and the commands `rm`, `mv`, `cp` and git, the latter with what git printed. Follows what is staged,
committed and stashed as git does. Where a command's effect is unknown, so is what it may have changed; the disk is never read.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from clew.records import (
    CallOutcome,
    FileCheck,
    FileState,
    FileStatus,
    Observation,
    SimpleCommand,
    ToolCall,
    Verdict,
)
from clew.task.commands import CommandAnalysis, analyse_command, find_changed_files, is_path
from clew.task.coverage import GENERAL, CheckRun, find_check_run, find_tool
from clew.task.git import (
    GitCommit,
    GitEffectKind,
    GitStatus,
    count_dropped_commits,
    has_git_refused,
    parse_git_effect,
    read_commit_summary,
    read_commits,
    shows_problem,
)
from clew.task.late_checks import LateVerdict
from clew.task.paths import relative_path
from clew.task.runners.verdict import CheckVerdict

FILES_MAX = 512  # guess
COMMITS_MAX = 256  # of the session; guess
CHECKS_MAX = 6  # of one file; guess
COMMAND_CHARS_MAX = 200  # of a check's command; guess

_WORK_TREE = re.compile(r"(.*?(?:^|/)\.?(?:claude/)?worktrees/[^/]+)(?:/|$)")
_STEPS = frozenset(("cd", "pushd", "popd", "echo", "printf", "export", "set", "true", "rm", "mv", "cp", "mkdir", "touch"))
_SAFE = frozenset(("add", "rm", "mv", "fetch", "status", "diff", "checkout", "restore", "stash"))
_LOOKS = frozenset(("diff", "show", "log", "stash", "merge", "pull", "status"))
_COMMIT_VALUES = frozenset(
    ("--message", "--file", "--author", "--date", "--template", "--reuse-message", "--reedit-message", "--fixup", "--squash", "--trailer")
)
_ADD_FAILED = re.compile(
    r"^(?:fatal: pathspec|The following paths are ignored|error: (?:unable|insufficient|open)|fatal: .*index)", re.MULTILINE
)
_STATUS = re.compile(r"[ MTADRCU?!]{2} \S")
_MODIFIED = re.compile(r"^(?:\t(?:modified|new file): {1,12}| ?[MA][ MD] ?)(?=\S)(.+)$", re.MULTILINE)
_ENDED = re.compile(r"^(?:Successfully rebased|Merge made by|Fast-forward|Updating [0-9a-f]{5,40}\.\.)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Version:
    """A file as it stands after one change; number 0 is as the session found it."""

    number: int = 0
    state: FileStatus = FileStatus.REVERTED
    edits: int = 0
    moved_from: str = ""
    moved_to: str = ""
    uuid: str = ""
    seq: int = -1


@dataclass(frozen=True, slots=True)
class _Commit:
    """A commit of this session. `is_known` is False for one that others' work came with, or that may be several."""

    number: int
    report: GitCommit
    repo: str
    uuid: str
    is_known: bool = True


@dataclass(slots=True)
class _File:
    """What is known of one file.

    staged      the version in git's index, None where that is the committed one.
    taken       the versions that commits took, oldest first, each with its commit.
    doubtful    number of the version that a commit may have taken.
    is_tracked  git knows the file; None where nobody knows.
    """

    path: str
    now: _Version = _Version()
    staged: _Version | None = None
    taken: list[tuple[_Commit, _Version]] = field(default_factory=list[tuple[_Commit, _Version]])
    doubtful: int = -1
    is_tracked: bool | None = None
    is_stashed: bool = False
    is_uncached: bool = False  # taken out of the index alone: whatever sets the index back may have set it back as well
    checks: dict[str, tuple[FileCheck, CheckRun]] = field(default_factory=dict[str, tuple[FileCheck, CheckRun]])
    was_tried: bool = False

    @property
    def committed(self) -> _Version:
        return self.taken[-1][1] if self.taken else _Version()

    @property
    def is_dirty(self) -> bool:
        """Whether the work tree, or the index, differs from the newest commit, as far as is known."""
        return self.now.number != self.committed.number or self.staged is not None

    def doubt_if_uncached(self) -> None:
        """Note that a file that was taken out of the index may be in it again, as it was committed."""
        if self.is_uncached:
            self.doubtful, self.is_tracked, self.is_uncached = self.now.number, None, False

    def put(self, version: _Version) -> None:
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


@dataclass(slots=True)
class _Line:
    """A command line that has ended, while its commands are gone through in order.

    folder   the folder of the current command, absolute; None where nobody knows.
    reports  the commits that git reported and that no command has claimed yet.
    """

    call: ToolCall
    command: CommandAnalysis
    observation: Observation
    output: str
    is_ok: bool
    folder: str | None
    reports: list[GitCommit]


@dataclass(slots=True)
class FileTracker:
    """Tracks the files that a session changed; pass its finished calls in order.

    Cost  about 20 µs a call beside the parsing of its command, and a microsecond for each known file and git command.
    """

    _root: str = field(default="", init=False)
    _files: dict[str, _File] = field(default_factory=dict[str, _File], init=False)
    _commits: list[_Commit] = field(default_factory=list[_Commit], init=False)
    _branches: dict[str, str] = field(default_factory=dict[str, str], init=False)
    _stashes: list[dict[str, _Version]] = field(default_factory=list[dict[str, _Version]], init=False)
    _begun: dict[str, dict[str, _Version]] = field(default_factory=dict[str, dict[str, _Version]], init=False)
    _number: int = field(default=0, init=False)
    _is_unsure: bool = field(default=False, init=False)  # files went, from the disk or the index, of which nobody knows the names

    def states(self) -> tuple[FileState, ...]:
        """Return the files that the session changed, by their last change."""
        return tuple(file.summarize(self._branches) for file in self._files.values())

    def observe_call(self, call: ToolCall, observation: Observation, root: str, verdict: CheckVerdict | None) -> None:
        """Update with a finished call.

        root     folder to which paths are made relative.
        verdict  of the checks that its command line runs, None for none.
        """
        self._root, result = root, call.result
        if result is None or (result.outcome is CallOutcome.UNKNOWN and not result.job):
            return
        is_ok = result.outcome is CallOutcome.OK
        if call.touches or not call.command:
            if is_ok:
                self._apply_tool(call, observation)
            return
        command = analyse_command(call.command)
        folder = posixpath.normpath(call.workdir or call.cwd or root or ".")
        line = _Line(call, command, observation, call.output, is_ok, folder, read_commits(call.output))
        self._run(line, verdict)

    def versions(self) -> dict[str, int]:
        """Return the number of each file's present content: another one after a call says that it changed the file."""
        return {path: file.now.number for path, file in self._files.items()}

    def observe_late(self, late: LateVerdict, observation: Observation) -> None:
        """Take the verdict of an earlier check; files that changed since it ran are left as they are."""
        folder: str | None = posixpath.normpath(late.call.workdir or late.call.cwd or self._root or ".")
        for simple in late.command.commands:
            folder = _entered(folder, simple)
            if simple in late.command.checks:
                self._check(simple, folder, late.command, late.verdict, observation, ran_at=late.seq)

    def observe_foreign_change(self, path: str, cwd: str, root: str) -> None:
        """Note that the client says that somebody else changed a file."""
        known = self._files.get(relative_path(path, cwd, root))
        if known:
            known.checks, known.was_tried, known.doubtful = {}, True, known.now.number
            known.taken = [(commit, version) for commit, version in known.taken if version.number != known.now.number]

    def observe_status(self, status: GitStatus, observation: Observation) -> None:
        """Take git's own answer: what it lists is not committed; what it does not list stands as the newest commit has it."""
        changed, tracked = set(status.changed), set(status.tracked)
        for path in status.paths:
            file = self._files.get(path)
            if file is None:
                continue
            commit = next((commit for commit, paths in status.commits if path in paths), None)
            is_gone = file.now.state is FileStatus.REMOVED or bool(file.now.moved_to)
            if path in changed:
                file.taken, file.staged, file.doubtful = [], None, -1
                if file.now.state is FileStatus.REVERTED:
                    del self._files[path]
            elif is_gone and path in tracked:  # it is there again
                del self._files[path]
            elif commit and (is_gone or path in tracked):
                if not file.taken or file.committed.number != file.now.number:
                    made = _Commit(self._next_number(), commit, self._repo(observation.cwd), observation.uuid, is_known=False)
                    file.taken.append((made, file.now))
                file.staged, file.is_stashed = None, False
            elif path in tracked:
                file.put(file.committed)
                file.staged, file.doubtful = None, -1

    # Changes.

    def _apply_tool(self, call: ToolCall, observation: Observation) -> None:
        folder = call.workdir or call.cwd
        moved = {new for _, new in call.moves}
        changes = call.result.changes if call.result else ()
        is_known = any(change.hunks for change in changes) if changes else None  # a file that was there has lines that changed
        for touch in call.touches:
            path = relative_path(touch.path, folder, self._root)
            if not path or touch.how not in ("edit", "write") or touch.path in moved:
                continue
            if touch.path in call.removes:
                self._remove(path, observation)
            else:
                self._change(path, touch.how, observation, is_tracked=touch.how == "edit" or is_known)
        for old, new in call.moves:
            self._move(relative_path(old, folder, self._root), relative_path(new, folder, self._root), observation)

    def _change(self, path: str, how: str, observation: Observation, *, is_tracked: bool | None = None) -> None:
        file = self._take(path)
        was = file.now
        is_new = how == "write" or (was.state is FileStatus.WRITTEN and was.number > 0)
        if file.is_tracked is None and was.number == 0 and not self._is_unsure:
            file.is_tracked = is_tracked
        state = FileStatus.WRITTEN if is_new else FileStatus.EDITED
        self._put(file, _Version(0, state, was.edits + 1, was.moved_from, "", observation.uuid, observation.seq))

    def _remove(self, path: str, observation: Observation, *, is_staged: bool = False) -> None:
        if path in self._files and self._files[path].now.state is FileStatus.REMOVED:
            return
        file = self._take(path)
        if file.committed.state is FileStatus.REMOVED:  # it had come back, and git never knew
            file.put(file.committed)
            return
        self._let_go(file, _Version(0, FileStatus.REMOVED, 0, uuid=observation.uuid, seq=observation.seq), is_staged=is_staged)

    def _move(self, old: str, new: str, observation: Observation, *, is_staged: bool = False) -> None:
        was = self._files[old].now if old in self._files else _Version()
        if new:
            file = self._take(new)
            state = was.state if was.state in (FileStatus.EDITED, FileStatus.WRITTEN) else FileStatus.MOVED
            self._put(file, _Version(0, state, was.edits, was.moved_from or old, "", observation.uuid, observation.seq))
            was_staged = old not in self._files or not self._files[old].is_dirty or self._files[old].staged == was
            # git stages the move without what was not staged before
            file.staged = (file.now if was_staged else replace(file.now, number=self._next_number())) if is_staged else None
            file.is_tracked = True if is_staged else None
        if old:
            version = _Version(0, FileStatus.MOVED, 0, moved_to=new, uuid=observation.uuid, seq=observation.seq)
            self._let_go(self._take(old), version, is_staged=is_staged)

    def _let_go(self, file: _File, version: _Version, *, is_staged: bool) -> None:
        """Give a version to a path at which no file is left; git sees nothing of a file that it never knew."""
        if (file.now.state is FileStatus.WRITTEN or file.now.moved_from) and not (file.is_tracked or file.taken or file.staged):
            file.is_tracked, file.staged = False, None
        self._put(file, version)
        if file.is_tracked is False:
            file.doubtful = file.now.number
        if is_staged and file.is_tracked is not False:
            file.staged = file.now

    def _take(self, path: str) -> _File:
        """The file of this path, as the one that changed last."""
        file = self._files.pop(path, None) or _File(path)
        self._files[path] = file
        if len(self._files) > FILES_MAX:
            del self._files[next(iter(self._files))]
        return file

    def _put(self, file: _File, version: _Version) -> None:
        """Give a file a new version, and note that what checks said of others was said before."""
        self._number += 1
        file.put(replace(version, number=self._number))
        file.is_stashed = False
        self._outdate(file)

    def _restore(self, file: _File, version: _Version) -> None:
        """Put an earlier version of a file back; where a commit may have taken a later one, nobody knows what stands there."""
        if file.doubtful == file.now.number and version.number != file.now.number:
            self._files.pop(file.path, None)
        file.put(version)
        self._outdate(file)

    def _outdate(self, changed: _File) -> None:
        for file in self._files.values():
            if file is changed:
                continue
            for form, (check, run) in file.checks.items():
                if not check.is_stale and run.is_affected_by(changed.path):
                    file.checks[form] = replace(check, is_stale=True), run

    # Command lines.

    def _run(self, line: _Line, verdict: CheckVerdict | None) -> None:
        is_over = False  # in a failed line, what comes behind the command that may have failed in `a && b`
        for simple in line.command.commands:
            if simple.is_substituted:
                continue
            is_made = False
            if simple in line.command.checks:
                if verdict:
                    self._check(simple, line.folder, line.command, verdict, line.observation)
            elif is_over:
                continue
            elif simple.program == "git":
                is_made = self._run_git(line, simple)
            elif not simple.is_conditional and not simple.is_background:
                self._run_program(line, simple)
            is_over = is_over or (not (line.is_ok or simple.is_status_lost or is_made) and self._may_have_failed(simple))
            line.folder = _entered(line.folder, simple)

    @staticmethod
    def _may_have_failed(simple: SimpleCommand) -> bool:
        """Say whether a command of a failed line may be the one that failed; a commit that was made is none."""
        if simple.program == "git":
            return _SAFE.isdisjoint(simple.words[1:2])
        return simple.program not in _STEPS

    def _run_program(self, line: _Line, simple: SimpleCommand) -> None:
        """Apply what a command other than git does to files."""
        if simple.is_repeated or line.folder is None:
            return
        if not line.is_ok and not simple.is_status_lost and simple is line.command.commands[-1]:
            return
        program, seen = simple.program, line.observation
        words = [word for word in simple.words[1:] if not word.startswith("-")]
        if program in ("rm", "unlink"):
            is_forced = any(word.startswith("-") and "f" in word for word in simple.words[1:])
            if is_forced or not _complains(line.output, program):
                self._remove_all(line, words, is_forced=is_forced or any("r" in word for word in simple.words[1:] if word[:1] == "-"))
        elif program in ("mv", "cp"):
            if not _complains(line.output, program):
                self._move_all(line, words, is_copy=program == "cp")
        else:
            for path, how in find_changed_files(simple):
                named = self._path(path, line)
                if how in ("write", "edit", "touch") and named and is_path(path):
                    self._change(named, "edit" if how == "edit" else "write", seen, is_tracked=True if how == "edit" else None)
                elif how == "other" and named in self._files:
                    self._change(named, "edit", seen)

    def _remove_all(self, line: _Line, names: Sequence[str], *, is_forced: bool, is_staged: bool = False) -> None:
        for name in names:
            path = self._path(name, line)
            matched = [known for known in self._files if self._is_named(known, name, line)]
            self._is_unsure |= is_forced
            for known in matched:
                self._remove(known, line.observation, is_staged=is_staged)
            if path and not matched and not is_forced and not _is_glob(name):
                self._remove(path, line.observation, is_staged=is_staged)

    def _move_all(self, line: _Line, names: Sequence[str], *, is_copy: bool = False, is_staged: bool = False) -> None:
        if len(names) < 2 or any(_is_glob(name) for name in names):
            return
        *sources, target = names
        to = self._path(target, line)
        is_folder = (
            len(sources) > 1 or target.endswith("/") or target in (".", "..") or any(known.startswith(f"{to}/") for known in self._files)
        )
        for source in sources:
            old, name = self._path(source, line), source.rstrip("/").rpartition("/")[2]
            is_inside = is_folder or ("." in name and "." not in target.rpartition("/")[2])
            new = posixpath.normpath(f"{to}/{name}") if is_inside and (to or target == ".") else to
            below = [known for known in self._files if known.startswith(f"{old}/")] if old else []
            if is_copy:
                if new and is_path(new):
                    self._change(new, "write", line.observation)
                continue
            for known in below:
                self._move(known, f"{new}{known[len(old) :]}" if new else "", line.observation, is_staged=is_staged)
            if not below and (old or new):
                self._move(old, new, line.observation, is_staged=is_staged)

    # Checks.

    def _check(
        self,
        simple: SimpleCommand,
        folder: str | None,
        command: CommandAnalysis,
        verdict: CheckVerdict,
        seen: Observation,
        *,
        ran_at: int = -1,
    ) -> None:
        """Note the verdict of a check at the files that it covers; `ran_at` number of the observation with which it ended."""
        if folder is None:
            return
        has_own, is_named = _belongs(simple, command.checks, verdict)
        tool = find_tool(simple)
        value, is_own = verdict.value, len(command.checks) < 2 or tool == verdict.runner
        # What starts a tool says that it failed, or never ran: that says nothing of files.
        is_of_starter = value is Verdict.FAILED and verdict.runner in GENERAL and tool not in ("", verdict.runner)
        evidence = verdict.evidence if is_own else ""  # in one output of several checks, the line of another one
        run = find_check_run(simple, self._place(folder), printed_by=verdict.runner)
        form = " ".join((run.folder, *simple.words))
        check = FileCheck(run.command[:COMMAND_CHARS_MAX], run.kind, value, evidence, seen.uuid, seen.seq if ran_at < 0 else ran_at)
        for file in self._files.values():
            known = file.checks.get(form)
            if ran_at >= 0 and not (file.now.seq < ran_at or (known and known[0].seq == ran_at)):
                continue
            if known and known[0].seq > check.seq:
                continue
            file.was_tried = file.was_tried or not is_of_starter
            if not has_own or is_of_starter:
                if (not is_named or is_of_starter) and known and known[0].verdict is Verdict.PASSED:
                    del file.checks[form]  # it may be the one that failed
                continue
            # Without output nothing says which tool it was; what the same command covered when it said so, it covers now.
            ran = known[1] if known and not run.covers(file.path) else run
            has_passed = any(old.verdict is Verdict.PASSED and old.kind == ran.kind for old, _ in file.checks.values())
            is_failure = value is Verdict.FAILED and has_passed and ran.may_concern(file.path) and ran.reaches(file.path)
            if not (ran.covers(file.path) or is_failure) or file.now.state in (FileStatus.REMOVED, FileStatus.REVERTED):
                continue
            is_stale = bool(ran_at >= 0 and known and known[0].is_stale)
            for name, (old, before) in list(file.checks.items()):
                is_doubtful = value is Verdict.FAILED and old.verdict is Verdict.PASSED and old.kind == ran.kind
                if name == form or ran.scope.covers(before.scope) or is_doubtful:
                    del file.checks[name]
            file.checks[form] = replace(check, kind=ran.kind, is_stale=is_stale), ran
            while len(file.checks) > CHECKS_MAX:
                del file.checks[next(iter(file.checks))]

    # Git.

    def _run_git(self, line: _Line, simple: SimpleCommand) -> bool:
        """Apply a git command to files, the index and the commits; say whether it made a commit."""
        verb = simple.words[1] if len(simple.words) > 1 else ""
        folder = line.folder
        if simple.folder:
            folder = _joined(folder, simple.folder)
        inner = replace(line, folder=folder)
        if verb == "commit" or (verb in ("rebase", "merge", "cherry-pick", "revert", "am") and "--continue" in simple.words):
            return self._commit(inner, simple, verb)
        if verb == "status":
            self._read_status(inner, simple)
        if (
            simple.is_conditional
            or simple.is_repeated
            or (shows_problem(line.output) and verb not in ("pull", "merge", "rebase", "cherry-pick", "add"))
            or (verb == "add" and _ADD_FAILED.search(line.output))
        ):
            return False
        has_run = line.is_ok or simple.is_status_lost or simple is not line.command.commands[-1]
        if folder is None or (not has_run and verb not in ("merge", "rebase", "cherry-pick", "revert", "pull", "stash")):
            return False
        repo, rest = self._repo(folder), simple.words[2:]
        names = [word for word in rest if not word.startswith("-")]
        if verb in ("add", "stage"):
            self._stage(inner, repo, rest, names)
        elif verb == "rm" and not {"-n", "--dry-run"} & set(rest):
            listed = re.findall(r"^rm '(.+)'$", line.output, re.MULTILINE)
            if "--cached" in rest:
                self._uncache(inner, repo, names)
            elif listed:
                for path in listed:
                    known = [file.path for file in self._of(repo) if self._is_created(file.path, path)]
                    for each in known or [f"{repo}/{path}" if repo else path]:
                        self._remove(each, inner.observation, is_staged=True)
            else:
                is_deep = any("r" in word for word in rest if word.startswith("-") and word[1:2] != "-")
                self._remove_all(inner, names, is_forced=is_deep, is_staged=True)
        elif verb == "mv":
            self._move_all(inner, names, is_staged=True)
        elif verb == "reset":
            self._reset(inner, repo, rest, names)
        elif verb == "restore" and "--staged" in rest and "--worktree" not in rest:
            self._unstage(repo, self._matching(inner, names))
        elif verb == "clean" and not {"-n", "--dry-run"} & set(rest):
            for removed in re.findall(r"^Removing (\S.*)$", line.output, re.MULTILINE):
                self._remove_all(inner, [removed.strip()], is_forced=True)
        elif verb == "stash":
            self._stash(inner, repo, rest, names)
        elif verb in ("merge", "rebase", "cherry-pick", "pull", "am"):
            self._integrate(inner, repo, verb, rest)
        else:
            self._take_back(inner, repo, simple)
        return False

    def _read_status(self, line: _Line, simple: SimpleCommand) -> None:
        """Note which changes git no longer sees: somebody has committed them, or taken them back."""
        commands = line.command.commands
        at = next(at for at, each in enumerate(commands) if each is simple)
        if (
            line.folder is None
            or any(each.reads_pipe for each in commands[at + 1 : at + 2])
            or any(word[:1] != "-" for word in simple.words[2:])
        ):
            return
        named = {path.strip('"') for path in _MODIFIED.findall(line.output)}
        for file in self._of(self._repo(line.folder)):  # git sees changes in a file that was committed: they are not
            if not file.is_dirty and file.taken and any(self._is_created(file.path, path) for path in named):
                file.taken, file.staged, file.doubtful = [], None, -1
        listed: set[str] = set()
        if {"-s", "--short", "--porcelain"} & set(simple.words):
            lines = [each for each in line.output.split("\n") if each.strip() and not each.startswith("## ")]
            if len(commands) > 1 or not all(_STATUS.match(each) for each in lines):
                return
            listed = {path.strip('"') for each in lines for path in each[3:].split(" -> ")}
        elif "nothing to commit, working tree clean" not in line.output:
            return
        for file in self._of(self._repo(line.folder)):
            if file.is_dirty and not any(self._is_created(file.path, path.rstrip("/")) or file.path.startswith(path) for path in listed):
                file.doubtful = file.now.number

    def _stage(self, line: _Line, repo: str, rest: Sequence[str], names: Sequence[str]) -> None:
        options = [word for word in rest if word.startswith("-") and word != "--"]
        if {"-n", "--dry-run"} & set(options):
            return
        is_partial = bool({"-p", "--patch", "-i", "-e"} & set(options))
        only_tracked = bool({"-u", "--update"} & set(options))
        matches = self._matching(line, names) if names else _is_any
        if not names and not ({"-A", "--all", "--no-ignore-removal"} & set(options) or only_tracked):
            return
        for file in self._of(repo):
            if not matches(file.path) or (only_tracked and self._is_new(file)):
                continue
            file.doubt_if_uncached()
            is_gone = file.now.state is FileStatus.REMOVED or file.now.moved_to
            if is_gone and file.is_tracked is False:
                continue
            if is_partial or (only_tracked and self._is_new(file) is None):
                file.doubtful = file.now.number
            elif file.now.number != file.committed.number:
                file.staged = file.now

    def _unstage(self, repo: str, matches: Callable[[str], bool]) -> None:
        for file in self._of(repo):
            if matches(file.path):
                file.staged = None
                file.doubt_if_uncached()

    def _uncache(self, line: _Line, repo: str, names: Sequence[str]) -> None:
        """Take files out of the index, so that git knows nothing of those that stay in the work tree."""
        self._is_unsure = True
        matches = self._matching(line, names)
        for file in self._of(repo):
            if matches(file.path) and file.is_tracked is not False:
                file.is_uncached = bool(file.taken) or file.is_tracked is None
                file.taken, file.staged, file.is_tracked = [], None, False

    def _commit(self, line: _Line, simple: SimpleCommand, verb: str) -> bool:
        """Let a commit take what is staged, what it names, or all; return whether it was made."""
        rest = simple.words[2:]
        is_all, paths = _parse_commit(rest) if verb == "commit" else (False, [])
        if {"--dry-run", "--skip", "--abort", "--quit"} & set(rest):
            return False
        report = self._report_of(line, simple)
        if report is None and verb != "commit" and _ENDED.search(line.output):
            report = GitCommit()
        if report is None:
            if not self._is_refused(line, simple):
                self._doubt(line)
            return False
        if line.folder is None:
            self._doubt(line)
            return True
        repo = self._repo(line.folder)
        self._begun.pop(repo, None)
        is_amended = "--amend" in rest
        is_also_staged = bool({"-i", "--include"} & set(rest))
        matches = self._matching(line, paths)
        takes: list[tuple[_File, _Version]] = []
        doubtful: list[_File] = []
        for file in self._of(repo):
            if paths and not (is_also_staged and not matches(file.path)):
                version = file.now if matches(file.path) else None
            elif is_all and self._is_new(file) is False:
                version = file.now
            elif is_all and self._is_new(file) is None:
                doubtful.append(file)
                continue
            else:
                version = file.staged
            if version and version.number != file.committed.number:
                takes.append((file, version))
        commit = _Commit(self._next_number(), report, repo, line.observation.uuid)
        if is_amended and self._commits and self._commits[-1].repo == repo:
            previous = self._commits.pop()
            for file in self._of(repo):
                file.taken = [(commit if old.number == previous.number else old, version) for old, version in file.taken]
        self._commits.append(commit)
        del self._commits[:-COMMITS_MAX]
        count = sum(not version.moved_to for _, version in takes)
        is_exact = is_amended or report.files is None or count <= report.files
        for file, version in takes:
            is_gone = version.state is FileStatus.REMOVED or bool(version.moved_to)
            is_denied = not is_gone and any(self._is_created(file.path, path) for path in report.deleted)
            if not is_denied and (is_exact or any(self._is_created(file.path, path) for path in report.listed)):
                file.taken.append((commit, version))
                file.is_tracked = version.state is not FileStatus.REMOVED and not version.moved_to
            else:
                file.doubtful = file.now.number
            file.staged = None
        if report.files is not None and report.files <= count and not is_amended:
            doubtful = []
        elif report.files is not None and not is_amended and not paths:
            doubtful = [file for file in self._of(repo) if file.is_dirty]
        for file in doubtful:
            file.doubtful = file.now.number
        for file in self._of(repo):
            file.is_uncached = False
        return True

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _report_of(self, line: _Line, simple: SimpleCommand) -> GitCommit | None:
        """The commit that a command made; None where it made none, or nobody knows."""
        if line.reports:
            return line.reports.pop(0)
        commands = line.command.commands
        others = any(each.program == "git" and set(each.words[1:2]) & _LOOKS for each in commands)
        if not others and (summary := read_commit_summary(line.output)):
            return summary
        is_own = line.is_ok and not simple.is_status_lost and not simple.is_conditional and not simple.is_repeated
        has_status = any(each.words[:2] == ("git", "status") for each in commands)
        return GitCommit() if is_own and (has_status or not has_git_refused(line.output)) else None

    @staticmethod
    def _is_refused(line: _Line, simple: SimpleCommand) -> bool:
        """Say whether a commit that git did not report was certainly not made: git would have reported it."""
        if simple.is_background or (line.call.result and line.call.result.job):
            return False
        is_quiet = any(re.match(r"-[a-zA-Z]*q|--quiet", word) for word in simple.words[2:]) or bool(simple.writes)
        at = next(at for at, each in enumerate(line.command.commands) if each is simple)
        is_filtered = any(after.reads_pipe for after in line.command.commands[at + 1 : at + 2])
        return has_git_refused(line.output) or not (is_quiet or is_filtered)

    def _doubt(self, line: _Line) -> None:
        """Note that a commit may have taken any change."""
        for file in self._files.values() if line.folder is None else self._of(self._repo(line.folder)):
            file.doubtful = file.now.number

    def _reset(self, line: _Line, repo: str, rest: Sequence[str], names: Sequence[str]) -> None:
        kept = {"--merge", "--keep"} & set(rest)  # changes that are not staged stay
        is_hard, is_soft = "--hard" in rest or bool(kept), "--soft" in rest
        revision = next((name for name in names if self._find_commit(name) is not None or count_dropped_commits(name) is not None), "")
        paths = [name for name in names if name != revision]
        if "--" in rest:
            paths = list(rest[rest.index("--") + 1 :])
        has_target = bool(names) and not revision and len(names) == 1 and not is_path(names[0]) and "--" not in rest
        if paths and not is_hard and not is_soft and not has_target:
            self._unstage(repo, self._matching(line, paths))
            return
        target = self._find_commit(revision)
        dropped = count_dropped_commits(revision)
        if target is None and not has_target and not (is_hard and names and dropped is None) and dropped is not None:
            own = [commit for commit in self._commits if commit.repo == repo]
            gone = own[len(own) - dropped :] if dropped else []
            if dropped > len(own) or any(not commit.is_known for commit in gone):
                gone = own
        elif target is not None:
            gone = [commit for commit in self._commits if commit.repo == repo and commit.number > target.number]
        else:  # to a commit that nobody here has seen made
            self._forget(repo, with_changes=is_hard)
            return
        numbers = {commit.number for commit in gone}
        self._commits = [commit for commit in self._commits if commit.number not in numbers]
        for file in list(self._of(repo)):
            was_taken = any(commit.number in numbers for commit, _ in file.taken)
            staged = file.staged or (file.committed if was_taken and file.taken else None)
            file.taken = [(commit, version) for commit, version in file.taken if commit.number not in numbers]
            if is_soft:
                file.staged = staged
                continue
            is_new = self._is_new(file) and not was_taken
            is_own = file.now.number not in (0, file.committed.number) and file.now != file.staged
            file.staged = None
            file.doubt_if_uncached()
            if kept and not was_taken and (is_own or "--keep" in kept):
                continue
            if is_hard and is_new is None:
                del self._files[file.path]
            elif is_hard and not is_new:
                self._restore(file, file.committed)
            elif was_taken and not file.taken and not is_hard and file.now.state is FileStatus.WRITTEN:
                file.is_tracked = None

    def _forget(self, repo: str, *, with_changes: bool) -> None:
        """Note that the repository stands at an unknown commit; `with_changes` also of the work tree."""
        for file in list(self._of(repo)):
            if with_changes and (file.taken or file.doubtful == file.now.number or self._is_new(file) is None):
                del self._files[file.path]
            elif with_changes and not self._is_new(file):
                file.put(_Version())
            elif file.taken:
                file.taken, file.doubtful = [], file.now.number
            file.staged = None
        self._commits = [commit for commit in self._commits if commit.repo != repo]

    def _stash(self, line: _Line, repo: str, rest: Sequence[str], names: Sequence[str]) -> None:
        what = names[0] if names else "push"
        if what in ("pop", "apply"):
            at = next((int(found[1]) for name in names[1:] if (found := re.search(r"(\d{1,3})\}?$", name))), 0)
            if at < len(self._stashes) and "CONFLICT" not in line.output:
                for path, version in self._stashes[-1 - at].items():
                    if file := self._files.get(path):
                        file.put(version)
                        file.is_stashed = False
                        self._outdate(file)
                if what == "pop":
                    del self._stashes[-1 - at]
            elif at < len(self._stashes):
                for path in self._stashes[-1 - at]:
                    self._files.pop(path, None)
        elif what in ("drop", "clear"):
            gone = self._stashes[-1:] if what == "drop" and len(names) < 2 else list(self._stashes)
            for path in {path for stash in gone for path in stash}:
                if file := self._files.get(path):
                    file.is_stashed = False
            self._stashes = self._stashes[: len(self._stashes) - len(gone)]
        elif what in ("push", "save") or (rest and rest[0].startswith("-")):
            paths = list(rest[rest.index("--") + 1 :]) if "--" in rest else _pushed_paths(rest) if what == "push" else []
            if not line.is_ok and "Saved working directory" not in line.output:
                return
            matches = self._matching(line, paths) if paths else _is_any
            with_untracked = any(re.fullmatch(r"-[a-z]*[ua][a-z]*|--include-untracked|--all", word) for word in rest)
            kept: dict[str, _Version] = {}
            for file in list(self._of(repo)):
                is_new = self._is_new(file)
                if not file.is_dirty or not matches(file.path):
                    continue
                if is_new is None and not with_untracked:
                    del self._files[file.path]
                elif with_untracked or not is_new:
                    kept[file.path] = file.now
                    self._restore(file, file.committed)
                    file.staged, file.is_stashed = None, True
            self._stashes.append(kept)

    def _integrate(self, line: _Line, repo: str, verb: str, rest: Sequence[str]) -> None:
        """Follow `git merge`, `rebase`, `cherry-pick`, `pull`: what came in, where it stopped at a conflict, or was given up."""
        if "--abort" in rest:
            for path, version in self._begun.pop(repo, {}).items():
                if (file := self._files.get(path)) and file.now.number != version.number:
                    file.put(version)
                    self._outdate(file)
            return
        if "CONFLICT" in line.output or "could not apply" in line.output:
            self._begun[repo] = {file.path: file.now for file in self._of(repo)}
            self._doubt_committed(repo)
        elif "Already up to date" in line.output or "is up to date." in line.output:
            return
        if "Successfully rebased" in line.output:
            self._rehash(repo)
        report = line.reports.pop(0) if line.reports and verb in ("cherry-pick", "merge") else GitCommit()
        is_own = verb == "merge" and "Merge made by" in line.output
        if verb != "rebase" and line.is_ok:
            self._commits.append(
                _Commit(self._next_number(), report, repo, line.observation.uuid, is_known=is_own or verb == "cherry-pick")
            )
        for file in self._of(repo):  # they were checked without what came in
            for form, (check, run) in file.checks.items():
                file.checks[form] = replace(check, is_stale=True), run

    def _doubt_committed(self, repo: str) -> None:
        """Note that others' changes may stand in any file that was committed, and are not committed themselves."""
        for file in self._of(repo):
            if file.taken:
                file.doubtful, file.taken = file.now.number, []

    def _rehash(self, repo: str) -> None:
        """Forget the hashes of commits that a rebase made anew."""

        def renamed(commit: _Commit) -> _Commit:
            return replace(commit, report=replace(commit.report, digest="")) if commit.repo == repo else commit

        self._commits = [renamed(commit) for commit in self._commits]
        for file in self._of(repo):
            file.taken = [(renamed(commit), version) for commit, version in file.taken]

    def _take_back(self, line: _Line, repo: str, simple: SimpleCommand) -> None:
        """Apply `checkout`, `switch`, `restore` and `revert`."""
        effect = parse_git_effect(simple)
        if {"--theirs", "--ours"} & set(simple.words):  # whatever that is
            matches = self._matching(line, [word for word in simple.words[2:] if not word.startswith("-")])
            for file in [file for file in self._of(repo) if matches(file.path)]:
                del self._files[file.path]
        if effect is None:
            options = set(simple.words[2:])
            if simple.words[1] == "checkout" and options & {"-f", "--force"} and all(word[:1] == "-" for word in options):
                self._reset(line, repo, ("--hard",), ())
            elif simple.words[1] == "revert" and {"-n", "--no-commit"} & set(simple.words):
                for file in [file for file in self._of(repo) if file.taken or file.now.state is FileStatus.REVERTED]:
                    del self._files[file.path]
            return
        if effect.kind is GitEffectKind.REVERT:
            self._revert(line, repo, effect.names)
        elif effect.kind is GitEffectKind.SWITCH and not self._is_file(effect.names[0], line):
            if (
                effect.is_new
                or _switched(line.output) is not None
                or simple.words[1] == "switch"
                or (line.is_ok and not line.output.strip())
            ):
                self._switch(repo, effect.names[0], is_new=effect.is_new)
        elif effect.kind in (GitEffectKind.PUT_BACK, GitEffectKind.SWITCH):
            source = _source(simple)
            names = [name for name in effect.names if name != source]
            matches = self._matching(line, names or ["."])
            if not names and not effect.names and "." not in simple.words:
                matches = _is_any
            for file in list(self._of(repo)):
                is_new = self._is_new(file)
                if not matches(file.path) or is_new:
                    continue
                if is_new is None:
                    if file.path not in names:
                        del self._files[file.path]
                        continue
                    file.is_tracked = True  # else git had complained
                if source and source not in ("HEAD", "@") and ((to := self._find_commit(source)) is None or not self._is_newest(to)):
                    if file.taken or file.staged:
                        del self._files[file.path]
                    else:
                        file.put(_Version())
                    continue
                is_whole = bool(source) or "--staged" in simple.words
                self._restore(file, file.committed if is_whole else file.staged or file.committed)
                file.staged = None if is_whole else file.staged

    def _revert(self, line: _Line, repo: str, names: Sequence[str]) -> None:
        """Apply a commit that undoes earlier ones."""
        if "CONFLICT" in line.output:
            self._doubt_committed(repo)
        reports = [line.reports.pop(0)] if line.reports else [GitCommit()] if line.is_ok else []
        if not reports:
            return
        name = names[0] if names else "HEAD"
        own = [commit for commit in self._commits if commit.repo == repo]
        back = count_dropped_commits(name)
        undone = own[-1 - back] if back is not None and back < len(own) else self._find_commit(name)
        if undone and any(not each.is_known for each in own[own.index(undone) :]):
            undone = None
        commit = _Commit(self._next_number(), reports[0], repo, line.observation.uuid)
        self._commits.append(commit)
        for file in list(self._of(repo)):
            if undone is None or len(names) > 1:
                file.doubtful = file.now.number
                if file.now.state not in (FileStatus.EDITED, FileStatus.WRITTEN):
                    del self._files[file.path]
                continue
            if not file.taken or all(old.number != undone.number for old, _ in file.taken):
                continue
            before = file.taken[-2][1] if len(file.taken) > 1 else _Version()
            if file.taken[-1][0].number == undone.number and file.now.number == file.committed.number:
                file.taken.append((commit, before))
                file.put(before)
            else:
                file.doubtful, file.taken, file.checks = file.now.number, [], {}
            self._outdate(file)

    def _switch(self, repo: str, name: str, *, is_new: bool) -> None:
        self._branches[repo] = name
        for file in self._of(repo) if not is_new else ():
            if file.taken:
                for form, (check, run) in file.checks.items():
                    file.checks[form] = replace(check, is_stale=True), run

    # Names.

    def _find_commit(self, name: str) -> _Commit | None:
        """The commit of this session with this hash."""
        is_hash = re.fullmatch(r"[0-9a-f]{5,40}", name)
        same = (
            each
            for each in reversed(self._commits)
            if (digest := each.report.digest) and (digest.startswith(name) or name.startswith(digest))
        )
        return next(same, None) if is_hash else None

    @staticmethod
    def _is_new(file: _File) -> bool | None:
        """Say whether git knows nothing of a file yet, so that it leaves it alone; None where nobody knows."""
        if file.is_tracked or file.staged or (file.taken and file.is_tracked is not False) or file.now.state is not FileStatus.WRITTEN:
            return False
        return True if file.is_tracked is False else None

    def _is_newest(self, commit: _Commit) -> bool:
        return next(each for each in reversed(self._commits) if each.repo == commit.repo).number == commit.number

    def _is_file(self, name: str, line: _Line) -> bool:
        return self._path(name, line) in self._files

    @staticmethod
    def _is_created(path: str, created: str) -> bool:
        return path == created or path.endswith(f"/{created}")

    def _of(self, repo: str) -> Iterator[_File]:
        """The files of a repository: "" for the one of the root, else its folder."""
        for path, file in self._files.items():
            tree = _WORK_TREE.match(path)
            own = tree[1] if tree else "" if not path.startswith(("/", "~")) else None
            if own == repo or (own is None and repo and path.startswith(f"{repo}/")):
                yield file

    def _repo(self, folder: str) -> str:
        place = self._place(folder)
        tree = _WORK_TREE.match(place)
        if tree:
            return tree[1]
        is_above = self._root.startswith(f"{place.rstrip('/')}/") and not _WORK_TREE.match(self._root)
        return "" if is_above or not place.startswith(("/", "~")) else place

    def _place(self, folder: str) -> str:
        """A folder relative to the root, "" for the root itself; absolute where it is elsewhere."""
        root = self._root.rstrip("/")
        return "" if folder == root else folder.removeprefix(f"{root}/") if root else folder

    def _path(self, name: str, line: _Line) -> str:
        return "" if line.folder is None or "$" in name or "`" in name else relative_path(name, line.folder, self._root)

    def _is_named(self, path: str, name: str, line: _Line) -> bool:
        """Say whether a word of a command names this file, its folder, or matches it as a pattern."""
        if line.folder is None:
            return False
        place = self._place(posixpath.normpath(_joined(line.folder, name) or "")) if name not in (":/", ":/.") else ""
        if not place or place == ".":
            return True
        return path == place or path.startswith(f"{place}/") or (_is_glob(name) and fnmatchcase(path, place))

    def _matching(self, line: _Line, names: Sequence[str]) -> Callable[[str], bool]:
        folder = self._place(line.folder or "")

        def matches(path: str) -> bool:
            return any((not folder or path.startswith(f"{folder}/")) if name == "." else self._is_named(path, name, line) for name in names)

        return matches


def _is_any(path: str) -> bool:
    return bool(path)


def _entered(folder: str | None, simple: SimpleCommand) -> str | None:
    """The folder behind a command: `cd` leads to another one, None where nobody knows to which."""
    if simple.program not in ("cd", "pushd", "popd") or simple.is_substituted:
        return folder
    target = simple.words[1] if len(simple.words) > 1 else ""
    return None if target in ("", "-") or simple.program == "popd" else _joined(folder, target)


def _joined(folder: str | None, target: str) -> str | None:
    if "$" in target or "`" in target or (folder is None and not target.startswith(("/", "~"))):
        return None
    return posixpath.normpath(target if target.startswith(("/", "~")) else f"{folder}/{target}")


def _belongs(simple: SimpleCommand, checks: Sequence[SimpleCommand], verdict: CheckVerdict) -> tuple[bool, bool]:
    """Whether a line's verdict is that of this one of its checks, and whether it is known of which one it is.

    Where one of several failed, others may have passed, or may never have run.
    """
    if len(checks) < 2 or verdict.value is not Verdict.FAILED:
        return True, True
    tools = [find_tool(check) for check in checks]
    is_named = tools.count(verdict.runner) == 1
    return is_named and checks[tools.index(verdict.runner)] is simple, is_named


def _pushed_paths(rest: Sequence[str]) -> list[str]:
    """The paths of `git stash push -m text a.py b.py`."""
    pairs = zip(("", *rest), rest, strict=False)
    return [word for before, word in pairs if word[:1] != "-" and word != "push" and before not in ("-m", "--message")]


def _parse_commit(rest: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether `git commit` takes all tracked files, and the paths that it names."""
    is_all, paths, words = False, list[str](), iter(rest)
    for word in words:
        if word == "--":
            paths += words
        elif word.startswith("--"):
            is_all = is_all or word == "--all"
            if word in _COMMIT_VALUES:
                next(words, None)
        elif word.startswith("-"):
            for at, letter in enumerate(word[1:], 1):
                is_all = is_all or letter == "a"
                if letter in "mFCctS":
                    if at == len(word) - 1 and letter != "S":
                        next(words, None)
                    break
        else:
            paths.append(word)
    return is_all, paths


def _source(simple: SimpleCommand) -> str:
    """The commit from which `git checkout` or `git restore` takes files, "" for the index."""
    words = simple.words[2:]
    for at, word in enumerate(words):
        if word.startswith("--source="):
            return word.partition("=")[2]
        if word in ("--source", "-s") and at + 1 < len(words):
            return words[at + 1]
    if simple.words[1] != "checkout":
        return ""
    before = words[: words.index("--")] if "--" in words else words[:1] if len(words) > 1 else ()
    plain = [word for word in before if not word.startswith("-")]
    is_revision = bool(plain) and ("--" in words or not is_path(plain[0]))
    return plain[0] if is_revision else ""


def _switched(output: str) -> str | None:
    found = re.search(
        r"^(?:Switched to (?:a new )?branch '([^']+)'|Note: switching to '([^']+)'|HEAD is now at (\w+))", output, re.MULTILINE
    )
    return next((group for group in found.groups() if group), None) if found else None


def _complains(output: str, program: str) -> bool:
    return re.search(rf"^(?:\S{{0,20}}/)?{program}: ", output, re.MULTILINE) is not None


def _is_glob(word: str) -> bool:
    return any(char in word for char in "*?[{")
