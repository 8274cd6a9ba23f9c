"""Track what was done in a session: files changed, and commands that succeeded.

Made from raw observations, beside the TaskState and not into it: what was done never becomes what is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from clew.records import CallOutcome, Observation, ObservationKind, ToolCall, ToolResult, Verdict
from clew.task.commands import ASKS, READERS, CommandAnalysis, analyse_command
from clew.task.outcomes import judge_check
from clew.task.paths import find_touched_files, relative_path
from clew.task.prompts import extract_typed_text

COMMANDS_MAX = 32  # guess
COMMAND_CHARS_MAX = 160  # guess: what is longer was written for one occasion
_OCCASIONAL = frozenset({"git", "mkdir", "rm", "mv", "cp", "touch", "chmod", "kill", "pkill"}) | ASKS | READERS


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that the session changed.

    how               "write" when it was written whole, "edit" when only edited.
    edits             number of successful calls that changed it.
    is_checked_after  a check has passed since its last change.
    is_committed      a commit was made since its last change.
    """

    path: str
    how: str
    edits: int
    is_checked_after: bool = False
    is_committed: bool = False


@dataclass(frozen=True, slots=True)
class CompletedWork:
    """What was done in a session, for its hand-off. Files in the order of their last change, commands of their last run, newest last.

    last_message      the agent's latest message, whole.
    answered_message  its message before the user's latest prompt, which that prompt answers.
    """

    files_changed: tuple[ChangedFile, ...] = ()
    commands_ok: tuple[str, ...] = ()
    last_message: str = ""
    answered_message: str = ""


class WorkTracker:
    """Tracks the completed work of a session from its observations. Calls without a result do not count.

    root  folder to which paths are made relative; "" takes the first that an observation names.
    Cost  about 10 µs an observation.
    """

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._files: dict[str, ChangedFile] = {}
        self._commands: dict[str, None] = {}
        self._message = self._answered = ""

    def observe(self, observation: Observation) -> None:
        """Update with the session's next observation."""
        self._root = self._root or observation.cwd
        call = observation.call
        if observation.kind is ObservationKind.MESSAGE and not observation.agent:
            self._message = observation.text
        elif observation.kind is ObservationKind.PROMPT and not (observation.agent or observation.is_meta):
            self._answered = self._message if extract_typed_text(observation.text) else self._answered
        elif observation.kind is ObservationKind.RESULT and call and call.result and call.result.outcome is CallOutcome.OK:
            self._change(call)
            if call.command:
                self._run(call.command, analyse_command(call.command), call.result)

    def summarize(self) -> CompletedWork:
        """Return the work completed so far."""
        return CompletedWork(tuple(self._files.values()), tuple(self._commands)[-COMMANDS_MAX:], self._message, self._answered)

    def _change(self, call: ToolCall) -> None:
        files = self._files
        for touch in find_touched_files(call):
            path = relative_path(touch.path, call.workdir or call.cwd, self._root) if touch.how in ("edit", "write") else ""
            if path:
                known = files.pop(path, None)
                how = "write" if touch.how == "write" or (known and known.how == "write") else "edit"
                files[path] = ChangedFile(path, how, known.edits + 1 if known else 1)

    def _run(self, line: str, command: CommandAnalysis, result: ToolResult) -> None:
        if command.checks:
            if judge_check(command, result).value is Verdict.PASSED:
                self._files = {path: replace(changed, is_checked_after=True) for path, changed in self._files.items()}
        elif any(simple.words[:2] == ("git", "commit") for simple in command.commands):
            self._files = {path: replace(changed, is_committed=True) for path, changed in self._files.items()}
        elif command.main and "<<" not in line and command.main.program not in _OCCASIONAL:
            short = line.strip()
            if len(short) > COMMAND_CHARS_MAX or "\n" in short:
                short = command.form
            self._commands.pop(short, None)
            self._commands[short] = None
