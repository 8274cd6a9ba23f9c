"""Normalise the paths that a session names, and list the files that a tool call names or finds. Never reads the disk."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

import msgspec

from clew.records import FileTouch, ToolCall, ToolKind
from clew.task.commands import analyse_command

PATHS_OF_OUTPUT_MAX = 24  # guess: a search that finds more has found nothing in particular
_SCRATCH = ("/tmp/", "/private/tmp/", "/var/folders/", "/private/var/", "/dev/", "/proc/")
_FOUND = re.compile(
    r"^((?:/|\.{1,2}/)?[\w.@+~-][\w./@+~-]{0,300}?\.\w{1,10}|[\w./@+-]{1,300}/[\w.@+-]{1,100})(?:[:-]\d{1,7}[:-]|$)", re.MULTILINE
)


def relative_path(path: str, cwd: str, root: str) -> str:
    """Return a path relative to `root` if it lies under it, else absolute; with `.` and `..` resolved.

    path  as a person or a tool wrote it, relative to the folder `cwd`.
    root  folder of the repository; "" for none.
    Returns "" for an empty path, a text of several lines, and temporary files outside `root`.
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


def relative_folder(folder: str, root: str) -> str:
    """Return a folder relative to `root`, "" for the root itself; absolute where it is elsewhere."""
    root = root.rstrip("/")
    return "" if folder == root else folder.removeprefix(f"{root}/") if root else folder


def find_touched_files(call: ToolCall) -> tuple[FileTouch, ...]:
    """Return the files that a tool call names in its arguments, else in its command line; paths as written."""
    return call.touches or (analyse_command(call.command).touches if call.command else ())


def decode_json_or_text(text: str) -> object:
    """Return the decoded JSON of a tool call's arguments, or the text itself where it is not JSON (a raw patch, a truncated input)."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):  # told apart by nothing but this
        return text


def parse_search_hits(call: ToolCall) -> Iterator[FileTouch]:
    """Yield the files in the output of a search, paths as written; none where there are more than `PATHS_OF_OUTPUT_MAX`."""
    command = analyse_command(call.command) if call.command else None
    if command.finds_files if command else call.kind is ToolKind.SEARCH and call.query:
        found = dict.fromkeys(_FOUND.findall(call.output[:40_000]))
        if len(found) <= PATHS_OF_OUTPUT_MAX:
            folder = f"{command.folder}/" if command and command.folder else ""
            for path in found:
                yield FileTouch(path if path.startswith("/") else folder + path, "search")
