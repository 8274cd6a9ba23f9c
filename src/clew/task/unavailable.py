"""Find what an output says is not here: a program, a module that is run, an option of a tool.

Only what the command line names counts, so that the text of somebody's program is not taken for the shell's word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from clew.records import SimpleCommand

OUTPUT_CHARS = 2_000  # of an output: what a tool refuses, it says first

_NO_PROGRAM = re.compile(r"(?m)^(?:.{0,80}: )?(?:([\w./+-]{1,60}): (?:command )?not found$|command not found: (\S{1,60})$)")
_NO_MODULE = re.compile(r"(?m)^\S{1,200}: No module named ([\w.]{1,60})$")
_NO_OPTION = re.compile(
    r"(?im)^.{0,120}\b(?:unknown|unrecognized|unrecognised|invalid|illegal|unsupported|unexpected|no such)"
    r"(?: shorthand)? (?:option|flag|argument|switch|parameter)s?\b.{0,120}$|^.{0,80}flag provided but not defined.{0,80}$"
)
# Package managers and builds that found nothing to run, git that leaves a file alone, and a shell that did not understand the line.
_NEVER_RAN = re.compile(
    r"(?im)^.{0,80}(?:has an? \"[^\"\n]{1,60}\" script$|missing script: |command \"[^\"\n]{1,60}\" not found)"
    r"|^the following paths are ignored by one of your \.gitignore files|^error: could not find `Cargo\.toml`"
    r"|^(?:zsh|bash|sh|\(eval\)):(?: line)? ?\d+: (?:parse error|no matches found|syntax error)"
)


def has_never_run(line: str, commands: tuple[SimpleCommand, ...], output: str) -> bool:
    """Return whether an output says that a command line ran nothing of what it was to run: no such program, option, script or project."""
    if _NEVER_RAN.search(output[:OUTPUT_CHARS]):
        return True
    return bool(find_missing_programs(line, output)) or find_unknown_option(commands, output) is not None


def find_missing_programs(line: str, output: str) -> list[tuple[str, str]]:
    """Return (name, line of the output) of each program or module of a command line that its output says is not installed."""
    head = output[:OUTPUT_CHARS]
    if "not found" not in head and "No module named" not in head:
        return []
    found = [(next(filter(None, each.groups())), each[0].strip()) for each in (*_NO_PROGRAM.finditer(head), *_NO_MODULE.finditer(head))]
    return [(name, said) for name, said in found if re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w-])", line)]


def find_unknown_option(commands: tuple[SimpleCommand, ...], output: str) -> tuple[str, str, str] | None:
    """Return (program, option, line of the output) of an option of these commands that the output says is unknown; None for none."""
    if (found := _NO_OPTION.search(output[:OUTPUT_CHARS])) is None:
        return None
    for simple in commands:
        for option in option_names(simple):
            if re.search(rf"(?<![\w-])-{{0,2}}{re.escape(option)}(?![\w-])", found[0]):
                return simple.words[0], option, found[0].strip()
    return None


def option_names(simple: SimpleCommand) -> Iterator[str]:
    """Yield the names of a command's options, without dashes and values."""
    yield from (word.partition("=")[0].lstrip("-") for word in simple.words[1:] if word.startswith("-") and len(word) > 1)
