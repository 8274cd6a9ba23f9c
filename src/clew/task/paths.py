"""Paths: one spelling for each file, and the files that a tool call touches.

A path is given relative to the root of the work where it lies under it, absolute elsewhere, always with
forward slashes. Nothing here looks at a disk; a path is what the conversation calls it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import cast

import msgspec

from clew.task.commands import Command, Touch

PATHS_OF_OUTPUT_MAX = 24  # guess: a search that finds more has found nothing in particular
_SCRATCH = ("/tmp/", "/private/tmp/", "/var/folders/", "/private/var/", "/dev/", "/proc/")
_PATCH = re.compile(r"^\*\*\* (?:(Add|Update|Delete) File|Move to): ([^\n]{1,400})$", re.MULTILINE)
_FOUND = re.compile(
    r"^((?:/|\.{1,2}/)?[\w.@+~-][\w./@+~-]{0,300}?\.\w{1,10}|[\w./@+-]{1,300}/[\w.@+-]{1,100})(?:[:-]\d{1,7}[:-]|$)", re.MULTILINE
)
_READ_TOOLS = {"Read": "file_path", "NotebookRead": "notebook_path", "View": "file_path", "read_file": "path", "LSP": "filePath"}
_EDIT_TOOLS = {"Edit": "file_path", "MultiEdit": "file_path", "NotebookEdit": "notebook_path", "str_replace": "path", "edit_file": "path"}
_WRITE_TOOLS = {"Write": "file_path", "write_file": "path", "create_file": "path"}
_PATCH_TOOLS = frozenset({"apply_patch", "applypatch"})
_SHELL_TOOLS = frozenset({"Bash", "shell", "shell_command", "exec_command", "local_shell", "local_shell_call", "container.exec"})

Arguments = Mapping[str, object]


def arguments_of(text: str) -> Arguments:
    """Read a call's input. Anything but a JSON object becomes {"input": text}, as patches are passed raw."""
    try:
        found: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):  # a raw patch, or a call that was cut off: told apart by its text
        return {"input": text}
    if isinstance(found, dict):
        return found  # pyright: ignore[reportUnknownVariableType]  # JSON objects have string keys
    return {"input": found if isinstance(found, str) else text}


def word_of(arguments: Arguments, *names: str) -> str:
    """The first of these arguments that is a string, or ""."""
    return next((value for name in names if isinstance(value := arguments.get(name), str)), "")


def command_of(tool: str, arguments: Arguments) -> str:
    """The command line that a call of a shell tool runs; "" for other tools."""
    return command_line(arguments.get("command", arguments.get("cmd", ""))) if tool in _SHELL_TOOLS else ""


def command_line(value: object) -> str:
    """The shell's words of a call's input: a string, or a list that a shell is called with (`["bash", "-lc", "pytest"]`)."""
    if isinstance(value, list):
        words = [word for word in cast("list[object]", value) if isinstance(word, str)]
        return words[2] if len(words) == 3 and words[1] in ("-c", "-lc") else " ".join(words)
    return value if isinstance(value, str) else ""


def patch_of(tool: str, arguments: Arguments) -> str:
    """The patch that a call applies, from the patch tool or from a shell that calls it; "" for other calls."""
    if tool in _PATCH_TOOLS:
        return word_of(arguments, "input", "patch")
    command = command_of(tool, arguments)
    return command if "*** Begin Patch" in command else ""


def relative(path: str, cwd: str, root: str) -> str:
    """Return `path` as seen from `root` where it lies under it, absolute elsewhere; "" for what is no file of the work.

    path  as a person or a tool wrote it, in the folder `cwd`.
    root  folder of the work; "" leaves every path as it stands, but for `.` and `..`.
    """
    path = path.strip().replace("\\", "/") if "\\" in path and ":" in path[:3] else path.strip()
    if not path or "\n" in path:
        return ""
    if not path.startswith(("/", "~")) and path[1:3] != ":/" and cwd:
        path = f"{cwd}/{path}"
    path = posixpath.normpath(path)
    if root and (path == root or path.startswith(root.rstrip("/") + "/")):
        return path[len(root.rstrip("/")) + 1 :]
    return "" if path.startswith(_SCRATCH) else path


def touches_of_call(tool: str, arguments: Arguments, line: Command | None) -> Iterator[Touch]:
    """The files that a call names, as written; `line` is its command line where it runs one."""
    for table, how in ((_READ_TOOLS, "read"), (_EDIT_TOOLS, "edit"), (_WRITE_TOOLS, "write")):
        if tool in table and (path := word_of(arguments, table[tool], "file_path", "path")):
            yield Touch(path, how)
    if patch := patch_of(tool, arguments):
        for verb, path in _PATCH.findall(patch):
            yield Touch(path.strip(), "write" if verb == "Add" else "edit")
    elif line:
        yield from line.touches
    if tool == "Grep" and (path := word_of(arguments, "path")) and "." in path.rpartition("/")[2]:
        yield Touch(path, "search")


def touches_of_result(tool: str, text: str, line: Command | None) -> Iterator[Touch]:
    """The files that a search has found, as its output writes them; at most `PATHS_OF_OUTPUT_MAX`, nothing when more."""
    if tool in ("Grep", "Glob") or (line and line.finds_files):
        found = dict.fromkeys(_FOUND.findall(text[:40_000]))
        if len(found) <= PATHS_OF_OUTPUT_MAX:
            place = f"{line.folder}/" if line and line.folder else ""
            for path in found:
                yield Touch(path if path.startswith("/") else place + path, "search")
