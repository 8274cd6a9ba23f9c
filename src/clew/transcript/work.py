"""Work: what was done, as a successor must know it: files changed, and commands that worked.

Made from raw observations, beside the TaskState and not into it: what was done never becomes what is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from clew.records import Observation, ObservationKind
from clew.task.commands import ASKS, READERS, Command, understand
from clew.task.outcomes import has_check_failed, has_failed
from clew.task.paths import Arguments, arguments_of, command_of, relative, touches_of_call, word_of
from clew.task.prompts import spoken

COMMANDS_MAX = 32  # guess
COMMAND_CHARS_MAX = 160  # guess: what is longer was written for one occasion
_OCCASIONAL = frozenset({"git", "mkdir", "rm", "mv", "cp", "touch", "chmod", "kill", "pkill"}) | ASKS | READERS


@dataclass(frozen=True, slots=True)
class Changed:
    """A file that was changed.

    how               "write" where it was written whole, "edit" where only edited.
    edits             successful calls that changed it.
    is_checked_after  a check has passed since its last change.
    is_committed      a commit was made since its last change.
    """

    path: str
    how: str
    edits: int
    is_checked_after: bool = False
    is_committed: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What was done. Files by their last change, commands by their last run, the newest last; no command twice.

    last_message  the agent's latest words, whole.
    answered      its words before the user's latest prompt, to which that prompt answers.
    """

    files_changed: tuple[Changed, ...] = ()
    commands_ok: tuple[str, ...] = ()
    last_message: str = ""
    answered: str = ""


def work(observations: Iterable[Observation], root: str = "") -> Work:
    """Return what was done in these observations, oldest first; calls without a result count as not done.

    root  folder to which paths are made relative; "" takes the first that an observation names.
    Cost  about 10 µs an observation.
    """
    calls: dict[str, Observation] = {}
    files: dict[str, Changed] = {}
    commands: dict[str, None] = {}
    message, answered = "", ""
    for observation in observations:
        root = root or observation.cwd
        if observation.kind is ObservationKind.MESSAGE and not observation.agent:
            message = observation.text
        elif observation.kind is ObservationKind.PROMPT and not (observation.agent or observation.is_meta):
            answered = message if spoken(observation.text) else answered
        elif observation.kind is ObservationKind.CALL:
            calls[observation.call_id] = observation
        elif observation.kind is ObservationKind.RESULT and (call := calls.pop(observation.call_id, None)):
            arguments = arguments_of(call.arguments or call.text)
            command = command_of(call.tool, arguments)
            line = understand(command) if command else None
            if has_failed(observation) is False:
                _change(files, call, arguments, line, root)
                if line:
                    _run(files, commands, command, line, observation)
    return Work(tuple(files.values()), tuple(commands)[-COMMANDS_MAX:], message, answered)


def _change(files: dict[str, Changed], call: Observation, arguments: Arguments, line: Command | None, root: str) -> None:
    folder = word_of(arguments, "workdir") or call.cwd
    for touch in touches_of_call(call.tool, arguments, line):
        path = relative(touch.path, folder, root) if touch.how in ("edit", "write") else ""
        if path:
            known = files.pop(path, None)
            how = "write" if touch.how == "write" or (known and known.how == "write") else "edit"
            files[path] = Changed(path, how, known.edits + 1 if known else 1)


def _run(files: dict[str, Changed], commands: dict[str, None], command: str, line: Command, result: Observation) -> None:
    if line.checks:
        if has_check_failed(line, result) is False:
            for path, changed in files.items():
                files[path] = replace(changed, is_checked_after=True)
    elif any(simple.words[:2] == ("git", "commit") for simple in line.commands):
        for path, changed in files.items():
            files[path] = replace(changed, is_committed=True)
    elif line.main and "<<" not in command and line.main.program not in _OCCASIONAL:
        short = command.strip()
        if len(short) > COMMAND_CHARS_MAX or "\n" in short:
            short = line.form
        commands.pop(short, None)
        commands[short] = None
