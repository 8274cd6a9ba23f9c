"""Keep the failures that are still open: failed checks, and failed commands of the request at hand.

A failed check is closed by a later run that passed and tells anew what failed: the same scope, a wider run of the same kind, or a
narrower one that ran the tests, or read the files, which the failure names. What is not known to be open is not claimed: once something
was changed after it, a failed command that checks nothing is let go with the user's next request, a check with the second one. A
command that never ran what it was to run (no such program, no such option) leaves nothing open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clew.records import OpenError
from clew.task.bounded import drop_oldest
from clew.task.commands import CheckScope, CommandAnalysis
from clew.task.coverage import CheckRun, find_check_run
from clew.task.git import GitEffectKind, parse_git_effect
from clew.task.question import ERRORS_MAX
from clew.task.unavailable import has_never_run

REQUESTS_MAX = 2  # of the user, after which nobody knows whether a failed check still fails; guess
PASSED_BY_MAX = 2  # commands that did something, after which a failed one that checks nothing was replaced; guess
AGE_MAX = 400  # observations after which a failed command that checks nothing is no longer open; guess

_TEST_NAME = re.compile(r"(?m)(?:--- FAIL: |FAILED |ERROR |FAIL: )(\S{3,200})|^\s*\d{1,3}\) (\S.{2,200}?)$|^\s*● (\S.{2,200}?)$")
_FILE = re.compile(r"(?<![\w/.-])((?:[\w@.-]+/)*[\w@.-]+\.[a-z]{1,5}):\d+")
_FINISHING = frozenset(("--abort", "--continue", "--skip", "--quit"))
_CONFLICTING = frozenset(("command:git merge", "command:git rebase", "command:git pull", "command:git cherry-pick", "command:git stash"))
_KEPT = _CONFLICTING | {"command:git commit", "command:git push"}
_WHOLE_TASK = re.compile(r"(?:^|[:_-])(?:ci|all|check|verify)(?:$|[:_-])")


@dataclass(slots=True)
class OpenFailure:
    """A failure.

    parts           the scopes that no later run has told anew; [] for a command that checks nothing.
    kinds, folders  of each of them, what it checks and where it ran.
    requests        of the user since then; `passed_by` other commands that did something; `is_touched` whether anything has changed.
    """

    error: OpenError
    parts: list[CheckScope] = field(default_factory=list[CheckScope])
    kinds: list[str] = field(default_factory=list[str])
    folders: list[str] = field(default_factory=list[str])
    requests: int = 0
    passed_by: int = 0
    is_touched: bool = False


@dataclass(slots=True)
class OpenErrors:
    """The failures of a session that are open, by subject, oldest first."""

    failures: dict[str, OpenFailure] = field(default_factory=dict[str, OpenFailure])

    def list_errors(self, seq: int) -> tuple[OpenError, ...]:
        """Return the open errors at observation `seq`, the newest last."""
        known = [failure for failure in self.failures.values() if failure.parts or failure.error.seq >= seq - AGE_MAX]
        return tuple(failure.error for failure in known)[-ERRORS_MAX:]

    def observe_request(self) -> None:
        """Note that the user asked for something else: what failed before the latest changes is let go."""
        for subject, failure in list(self.failures.items()):
            failure.requests += 1
            most = REQUESTS_MAX if failure.parts or subject in _CONFLICTING else 1
            if failure.is_touched and failure.requests >= most:
                del self.failures[subject]

    def observe_change(self) -> None:
        """Note that a file was changed."""
        for failure in self.failures.values():
            failure.is_touched = True

    def observe_failure(self, error: OpenError, command: CommandAnalysis, line: str, output: str, folder: str) -> None:
        """Keep the failure of a command line; `folder` is the one that it ran in."""
        self.failures.pop(error.subject, None)
        if has_never_run(line, command.commands, output) or _is_set_aside(command):
            return
        parts = command.check_scopes(folder)
        self._tell_anew(lambda failure, at: any(part.covers(failure.parts[at]) for part in parts))
        kinds = [find_check_run(check, folder).kind for check in command.checks]
        self.failures[error.subject] = OpenFailure(error, parts, kinds, [folder] * len(parts))
        drop_oldest(self.failures, 2 * ERRORS_MAX)

    def observe_success(self, subject: str, command: CommandAnalysis, output: str, folder: str) -> None:
        """Close what a command line that succeeded, with all of its checks, tells anew."""
        is_set_aside = _is_set_aside(command)
        if not is_set_aside:
            self.failures.pop(subject, None)
        if any(_finishes(simple.words) for simple in command.commands):
            for merging in _CONFLICTING:
                self.failures.pop(merging, None)
        if is_set_aside:
            return
        if not command.is_query and not command.checks:
            self._pass_by()
        runs = [find_check_run(check, folder) for check in command.checks]
        self._tell_anew(lambda failure, at: any(_tells(run, failure, at, output) for run in runs))

    def _pass_by(self) -> None:
        """Let go of commands that failed and were not run again while others did their work."""
        self.observe_change()
        for name, failure in list(self.failures.items()):
            if not failure.parts and name not in _KEPT:
                failure.passed_by += 1
                if failure.passed_by >= PASSED_BY_MAX:
                    del self.failures[name]

    def _tell_anew(self, is_told: Callable[[OpenFailure, int], bool]) -> None:
        """Strike out the parts of failures that a later run has told anew; what has nothing left is closed."""
        for name, failure in list(self.failures.items()):
            if failure.parts:
                left = [at for at in range(len(failure.parts)) if not is_told(failure, at)]
                failure.parts, failure.kinds, failure.folders = (
                    [failure.parts[at] for at in left],
                    [failure.kinds[at] for at in left],
                    [failure.folders[at] for at in left],
                )
                if not left:
                    del self.failures[name]


def _tells(run: CheckRun, failure: OpenFailure, at: int, output: str) -> bool:
    """Whether a run that passed tells anew what a part of a failure told."""
    part, kind, folder = failure.parts[at], failure.kinds[at], failure.folders[at]
    if run.scope.covers(part):
        return True
    is_same_kind = run.kind == kind or (kind == "build" and run.kind == "tests")
    if not is_same_kind or (run.folder and folder != run.folder and not folder.startswith(f"{run.folder}/")):
        return False
    named = {next(filter(None, found.groups())) for found in _TEST_NAME.finditer(failure.error.text)}
    tests = {name.rpartition(" › ")[2] if " " in name else name.rstrip(":").partition("/")[0] for name in named}
    if kind == "tests" and tests and all(_has_run(name, run, output) for name in tests):
        return True
    if run.scope.filters or not set(part.options) <= {*run.scope.options, f"in {folder}"}:
        return False
    if part.runner.partition(" ")[0] == run.scope.runner.partition(" ")[0] and ":" in part.runner + run.scope.runner:
        return part.runner == run.scope.runner or _WHOLE_TASK.search(run.scope.runner) is not None
    files = set(_FILE.findall(failure.error.text))
    if not run.scope.targets or part.targets == run.scope.targets or all(run.reaches(target) for target in part.targets or ("",)):
        return True
    return kind != "tests" and bool(files) and all(run.reaches(path) for path in files)


def _has_run(name: str, run: CheckRun, output: str) -> bool:
    """Whether a run that passed had a test of this name: its filters or targets name it, or its output does."""
    if "::" in name and any(name == target or name.startswith((f"{target}::", f"{target}/")) for target in run.scope.targets):
        return True
    wanted = [value.strip("^$") for each in run.scope.filters if (value := each.partition("=")[2])]
    return any(part and part.strip("^$") in name for value in wanted for part in value.split("|")) or name in output


def _finishes(words: Sequence[str]) -> bool:
    """Whether a git command ends a merge, a rebase or their like."""
    return words[0] == "git" and (words[1:2] == ("commit",) or not _FINISHING.isdisjoint(words))


def _is_set_aside(command: CommandAnalysis) -> bool:
    """Whether a line runs its checks while the work is stashed, so that they say nothing of it."""
    kinds = [effect.kind for simple in command.commands if (effect := parse_git_effect(simple))]
    return bool(command.checks) and kinds[:1] == [GitEffectKind.STASH]
