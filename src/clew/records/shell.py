"""Parsed shell command lines, as `clew.task.shell` makes them: simple commands, in order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SimpleCommand:
    """One simple command of a shell command line: a program with its arguments, and how it is connected to the others.
    words           program and arguments, unquoted, without assignments and redirections; at least one.
    writes          targets of `>` and `>>`.
    reads_pipe      its input is another command's output.
    is_status_lost  the exit status of the whole line does not say how this command ended.
    is_substituted  its output became words, or a file, of another command: `$(…)`, `<(…)`.
    is_repeated     it stands in a loop.
    is_background   the line does not wait for it: `… &`.
    is_conditional  it may not have run: behind `||`, in an `if` or a `case`.
    folder          of `git -C FOLDER`, as written; "" for none.
    """

    words: tuple[str, ...]
    writes: tuple[str, ...] = ()
    reads_pipe: bool = False
    is_status_lost: bool = False
    is_substituted: bool = False
    is_repeated: bool = False
    is_background: bool = False
    is_conditional: bool = False
    folder: str = ""

    @property
    def program(self) -> str:
        """The name of the program, without its directory."""
        return self.words[0].rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class ShellLine:
    """A parsed shell command line. `is_whole` is False where part of it could not be parsed; `commands` then holds the rest."""

    commands: tuple[SimpleCommand, ...] = ()
    is_whole: bool = True
