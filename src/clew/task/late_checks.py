"""Follow checks whose verdict comes after their call: of a background job, or of an output that a file holds.

A client shows only the beginning of a long output and names a file for the rest; an agent writes an output to a file and looks at
parts of it later. A later call that shows such a file, or that asks about the job, is read as if it stood behind the check in one
command line. Bounded; knows nothing of other state.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from clew.records import CallOutcome, ToolCall, ToolKind, Verdict
from clew.task.bounded import drop_oldest
from clew.task.commands import CommandAnalysis, analyse_command
from clew.task.outcomes import judge_check
from clew.task.runners.formats import find_runner
from clew.task.runners.verdict import CheckVerdict, plain, read_verdict

REMEMBERED_MAX = 32  # guess: of jobs, and of files

_NUMBERS = re.compile(r"^[ \t]{0,12}\d{1,9}(?:→|\t)", re.MULTILINE)  # what a tool puts in front of a line of a file


@dataclass(frozen=True, slots=True)
class LateVerdict:
    """A verdict that became known after its call.

    call     the call that ran the check, with the result that showed the verdict.
    seq      of the observation with which the call itself ended.
    """

    call: ToolCall
    command: CommandAnalysis
    verdict: CheckVerdict
    seq: int


@dataclass(frozen=True, slots=True)
class _Awaited:
    call: ToolCall
    seq: int


@dataclass(slots=True)
class LateChecks:
    """Calls of checks whose verdict is still to come, by background job and by the file that holds their output."""

    _jobs: dict[str, _Awaited] = field(default_factory=dict[str, _Awaited], init=False)
    _files: dict[str, _Awaited] = field(default_factory=dict[str, _Awaited], init=False)

    def expect(self, call: ToolCall, command: CommandAnalysis, seq: int) -> None:
        """Remember a call whose checks ended without a verdict, or run in the background; `seq` of its result."""
        result = call.result
        if result and result.job:
            self._jobs[result.job] = _Awaited(replace(call, arguments=""), seq)
            drop_oldest(self._jobs, REMEMBERED_MAX)
            return
        paths = [result.spilled] if result else []
        if not any(check.is_background for check in command.checks):  # else nobody knows when the file is whole
            paths += [path for simple in command.commands for path in simple.writes]
            paths += [path for simple in command.commands if simple.program == "tee" for path in simple.words[1:]]
        call = replace(call, arguments="", result=replace(result, text="") if result else None)  # the file holds the output
        for path in paths:
            if len(path) > 1 and not path.startswith(("-", "&", "/dev/")):
                self._files[path] = _Awaited(call, seq)
                drop_oldest(self._files, REMEMBERED_MAX)

    def resolve(self, call: ToolCall) -> Iterator[LateVerdict]:
        """Yield the verdicts that a finished call shows: it asks about a job that has ended, or shows a file."""
        result = call.result
        if result is None:
            return
        if result.job_exit_code is not None and (awaited := self._jobs.pop(call.job, None)):
            outcome = CallOutcome.FAILED if result.job_exit_code else CallOutcome.OK
            ended = replace(result, outcome=outcome, exit_code=result.job_exit_code)
            command = analyse_command(awaited.call.command)
            verdict = judge_check(command, ended)
            yield LateVerdict(replace(awaited.call, result=ended), command, verdict, awaited.seq)
            if verdict.value is Verdict.NOT_SEEN:
                self.expect(replace(awaited.call, result=ended), command, awaited.seq)
        for job, awaited in list(self._jobs.items()):
            for path in _files_of_job(awaited, job, call):
                if (shows := _shows(call, path)) and (late := _read_file(awaited, path, shows, call)) and _is_final(late, call):
                    yield late
                    break
        for path, awaited in list(self._files.items()):
            if (shows := _shows(call, path)) and (late := _read_file(awaited, path, shows, call)):
                del self._files[path]
                yield late


def _files_of_job(awaited: _Awaited, job: str, call: ToolCall) -> Iterator[str]:
    """The files that hold a job's output: the client's, called after the job, as a call names it, and those that the command writes."""
    if call.kind is ToolKind.READ and call.path.rpartition("/")[2].partition(".")[0] == job:
        yield call.path
    elif call.kind is ToolKind.COMMAND and job in call.command:
        yield from re.findall(rf"[\w./~-]*/{re.escape(job)}\.\w{{1,10}}", call.command)
    for simple in analyse_command(awaited.call.command).commands:
        yield from (path for path in simple.writes if len(path) > 1 and not path.startswith(("&", "/dev/")))


def _is_final(late: LateVerdict, call: ToolCall) -> bool:
    """Whether the output of a job that may still run says how it ends: it failed, or one test runner's closing line is its end."""
    if late.verdict.value is Verdict.FAILED:
        return bool(late.verdict.evidence)
    tools = [find_runner(check.words) for check in late.command.checks]
    is_one = len(tools) == 1 and tools[0] is not None and tools[0].is_test and not tools[0].every and not tools[0].hides
    ends = [line.strip("= \t") for line in plain(call.output).rstrip().split("\n")[-3:]]
    return is_one and any(late.verdict.evidence in line for line in ends)


def _read_file(awaited: _Awaited, path: str, shows: str, call: ToolCall) -> LateVerdict | None:
    """The verdict that a call shows of the file with a check's output, by the command line `shows`; None where it shows none."""
    ran = awaited.call
    written = [name for simple in analyse_command(ran.command).commands for name in simple.writes]
    is_spilled = ran.result is not None and path not in written and (ran.result.spilled == path or bool(ran.result.job))
    line = f"{ran.command} > {shlex.quote(path)} 2>&1" if is_spilled else ran.command
    command, both = analyse_command(ran.command), analyse_command(f"{line}\n{shows}")
    if [check.words for check in both.checks] != [check.words for check in command.checks]:
        return None  # the call that shows the file checks something itself
    text = _NUMBERS.sub("", call.output) if call.kind is ToolKind.READ else call.output
    verdict = read_verdict(both, text)
    return None if verdict.value is Verdict.NOT_SEEN else LateVerdict(replace(ran, result=call.result), command, verdict, awaited.seq)


def _shows(call: ToolCall, path: str) -> str:
    """The command line that shows what a call shows of a file; "" where it does not show it."""
    if call.kind is ToolKind.READ and call.path and (call.path == path or call.path.endswith(f"/{path.removeprefix('./')}")):
        view = call.result.view if call.result else None
        if view is None or (view.start <= 1 and view.lines >= view.total > 0):
            return f"cat {shlex.quote(path)}" if not call.is_partial else f"sed -n 1p {shlex.quote(path)}"
        is_end = view.start + view.lines - 1 >= view.total > 0
        return f"tail -n {view.lines} {shlex.quote(path)}" if is_end else f"sed -n {view.start}p {shlex.quote(path)}"
    if call.kind is ToolKind.COMMAND and path in call.command:
        return call.command
    return ""
