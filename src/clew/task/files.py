"""Track the files that a session changed: how they stand in the work tree, which checks covered them since, and which commit took them.

Made from tool calls alone: edits, and the commands `rm`, `mv`, `cp` and git, the latter with what git printed.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from clew.records import CallOutcome, CommitMade, FileCheck, FileState, FileStatus, Observation, SimpleCommand, ToolCall, Verdict
from clew.task.commands import CommandAnalysis, analyse_command, find_files_of_inline_code
from clew.task.coverage import GENERAL, find_check_run, find_tool
from clew.task.ended_line import EndedLine, entered
from clew.task.file_commands import run_program
from clew.task.git import GitStatus, read_commits
from clew.task.git_commands import run_git
from clew.task.late_checks import LateVerdict
from clew.task.paths import relative_path
from clew.task.runners.verdict import CheckVerdict
from clew.task.work_tree import UNKNOWN_REPO, SessionCommit, WorkTree

COMMITS_SHOWN_MAX = 32  # guess
CHECKS_MAX = 6  # of one file; guess
COMMAND_CHARS_MAX = 200  # of a check's command; guess

_STEPS = frozenset(("cd", "pushd", "popd", "echo", "printf", "export", "set", "true", "rm", "mv", "cp", "mkdir", "touch"))
_SAFE = frozenset(("add", "rm", "mv", "fetch", "status", "diff", "checkout", "restore", "stash"))


@dataclass(slots=True)
class FileTracker:
    """Tracks the files that a session changed; pass its finished calls in order.

    Cost  about 20 µs a call beside the parsing of its command, and a microsecond for each known file and git command.
    """

    _tree: WorkTree = field(default_factory=WorkTree, init=False)

    def states(self) -> tuple[FileState, ...]:
        """Return the files that the session changed, by their last change."""
        return tuple(file.summarize(self._tree.branches) for file in self._tree.files.values())

    def commits(self) -> tuple[CommitMade, ...]:
        """Return the commits that the session made and that stand, newest last: of those that git has named."""
        named = [(each, each.report) for each in self._tree.commits if "] " in each.report.line]
        return tuple(
            CommitMade(
                report.digest, report.line.partition("] ")[2], report.branch, "" if made.repo == UNKNOWN_REPO else made.repo, made.uuid
            )
            for made, report in named[-COMMITS_SHOWN_MAX:]
        )

    def observe_call(self, call: ToolCall, observation: Observation, root: str, verdict: CheckVerdict | None) -> None:
        """Update with a finished call.

        root     folder to which paths are made relative.
        verdict  of the checks that its command line runs, None for none.
        """
        self._tree.root, result = root, call.result
        if result is None or (result.outcome is CallOutcome.UNKNOWN and not result.job):
            return
        is_ok = result.outcome is CallOutcome.OK
        if call.touches or not call.command:
            if is_ok:
                self._apply_tool(call, observation)
            return
        command = analyse_command(call.command)
        folder = posixpath.normpath(call.workdir or call.cwd or root or ".")
        line = EndedLine(call, command, observation, call.output, is_ok, root, folder, read_commits(call.output))
        self._run(line, verdict)
        if is_ok and line.folder is not None:
            self._see_inline_code(line)

    def versions(self) -> dict[str, int]:
        """Return the number of each file's present content: another one after a call says that it changed the file."""
        return {path: file.now.number for path, file in self._tree.files.items()}

    def observe_late(self, late: LateVerdict, observation: Observation) -> None:
        """Take the verdict of an earlier check; files that changed since it ran are left as they are."""
        folder: str | None = posixpath.normpath(late.call.workdir or late.call.cwd or self._tree.root or ".")
        for simple in late.command.commands:
            folder = entered(folder, simple)
            if simple in late.command.checks:
                self._check(simple, folder, late.command, late.verdict, observation, ran_at=late.seq)

    def observe_foreign_change(self, path: str, cwd: str, root: str) -> None:
        """Note that the client says that somebody else changed a file."""
        self._tree.doubt(relative_path(path, cwd, root))

    def observe_status(self, status: GitStatus, observation: Observation) -> None:
        """Take git's own answer: what it lists is not committed; what it does not list stands as the newest commit has it."""
        changed, tracked = set(status.changed), set(status.tracked)
        for path in status.paths:
            file = self._tree.files.get(path)
            if file is None:
                continue
            commit = next((commit for commit, paths in status.commits if path in paths), None)
            is_gone = file.now.state is FileStatus.REMOVED or bool(file.now.moved_to)
            if path in changed:
                file.taken, file.staged, file.doubtful = [], None, -1
                if file.now.state is FileStatus.REVERTED:
                    del self._tree.files[path]
            elif is_gone and path in tracked:  # it is there again
                del self._tree.files[path]
            elif commit and (is_gone or path in tracked):
                if not file.taken or file.committed.number != file.now.number:
                    made = SessionCommit(
                        self._tree.next_number(), commit, self._tree.repository_of(observation.cwd), observation.uuid, is_known=False
                    )
                    file.taken.append((made, file.now))
                file.staged, file.is_stashed = None, False
            elif path in tracked:
                file.put(file.committed)
                file.staged, file.doubtful = None, -1

    def _apply_tool(self, call: ToolCall, observation: Observation) -> None:
        folder = call.workdir or call.cwd
        moved = {new for _, new in call.moves}
        changes = call.result.changes if call.result else ()
        is_known = any(change.hunks for change in changes) if changes else None  # a file that was there has lines that changed
        for touch in call.touches:
            path = relative_path(touch.path, folder, self._tree.root)
            if not path or touch.how not in ("edit", "write") or touch.path in moved:
                continue
            edits = [(each.old, each.new) for each in call.edits if each.path == touch.path] if touch.how == "edit" else []
            if touch.path in call.removes:
                self._tree.remove(path, observation)
            elif edits:
                back = [(new, old) for old, new in reversed(edits)]
                self._tree.edit(path, _digest(edits), _digest(back), observation)
            else:
                self._tree.change(path, touch.how, observation, is_tracked=touch.how == "edit" or is_known)
        for old, new in call.moves:
            self._tree.move(relative_path(old, folder, self._tree.root), relative_path(new, folder, self._tree.root), observation)

    def _run(self, line: EndedLine, verdict: CheckVerdict | None) -> None:
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
                is_made = run_git(self._tree, line, simple)
            elif not simple.is_conditional and not simple.is_background:
                run_program(self._tree, line, simple)
            is_over = is_over or (not (line.is_ok or simple.is_status_lost or is_made) and self._may_have_failed(simple))
            line.folder = entered(line.folder, simple)

    def _see_inline_code(self, line: EndedLine) -> None:
        """Note the files that a program written on the command line writes; where it names several, those that it may have changed."""
        for name, is_certain in find_files_of_inline_code(line.call.command, line.command):
            path = line.path(name)
            if path and is_certain:
                self._tree.change(path, "edit", line.observation)
            elif path:
                self._tree.doubt(path)

    @staticmethod
    def _may_have_failed(simple: SimpleCommand) -> bool:
        """Say whether a command of a failed line may be the one that failed; a commit that was made is none."""
        if simple.program == "git":
            return _SAFE.isdisjoint(simple.words[1:2])
        return simple.program not in _STEPS

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
        run = find_check_run(simple, self._tree.place(folder), printed_by=verdict.runner)
        form = " ".join((run.folder, *simple.words))
        check = FileCheck(run.command[:COMMAND_CHARS_MAX], run.kind, value, evidence, seen.uuid, seen.seq if ran_at < 0 else ran_at)
        for file in self._tree.files.values():
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
                if name == form or ran.scope.covers(before.scope) or is_doubtful or ran.repeats(before):
                    del file.checks[name]
            file.checks[form] = replace(check, kind=ran.kind, is_stale=is_stale), ran
            while len(file.checks) > CHECKS_MAX:
                del file.checks[next(iter(file.checks))]


def _digest(edits: Sequence[tuple[str, str]]) -> str:
    return blake2b(repr(edits).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _belongs(simple: SimpleCommand, checks: Sequence[SimpleCommand], verdict: CheckVerdict) -> tuple[bool, bool]:
    """Whether a line's verdict is that of this one of its checks, and whether it is known of which one it is.

    Where one of several failed, others may have passed, or may never have run.
    """
    if len(checks) < 2 or verdict.value is not Verdict.FAILED:
        return True, True
    tools = [find_tool(check) for check in checks]
    is_named = tools.count(verdict.runner) == 1
    return is_named and checks[tools.index(verdict.runner)] is simple, is_named
