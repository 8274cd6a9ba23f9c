"""Go through a command line that has ended: in which folder each command ran, and which files its words name."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from clew.records import Observation, SimpleCommand, ToolCall
from clew.task.commands import CommandAnalysis
from clew.task.git import GitCommit
from clew.task.paths import relative_folder, relative_path


@dataclass(slots=True)
class EndedLine:
    """A command line that has ended, while its commands are gone through in order.

    root     folder to which paths are made relative.
    folder   the folder of the current command, absolute; None where nobody knows.
    reports  the commits that git reported and that no command has claimed yet.
    """

    call: ToolCall
    command: CommandAnalysis
    observation: Observation
    output: str
    is_ok: bool
    root: str
    folder: str | None
    reports: list[GitCommit]

    def path(self, name: str) -> str:
        """Return the path that a word names, relative to the root; "" where nobody knows."""
        return "" if self.folder is None or "$" in name or "`" in name else relative_path(name, self.folder, self.root)

    def is_named(self, path: str, name: str) -> bool:
        """Return whether a word of a command names this file, its folder, or matches it as a pattern."""
        if self.folder is None:
            return False
        place = relative_folder(posixpath.normpath(joined(self.folder, name) or ""), self.root) if name not in (":/", ":/.") else ""
        if not place or place == ".":
            return True
        return path == place or path.startswith(f"{place}/") or (is_glob(name) and fnmatchcase(path, place))

    def matching(self, names: Sequence[str]) -> Callable[[str], bool]:
        """Return a test of whether a path is one that any of these words names; `.` is the current folder."""
        folder = relative_folder(self.folder or "", self.root)

        def matches(path: str) -> bool:
            return any((not folder or path.startswith(f"{folder}/")) if name == "." else self.is_named(path, name) for name in names)

        return matches


def entered(folder: str | None, simple: SimpleCommand) -> str | None:
    """Return the folder behind a command: `cd` leads to another one, None where nobody knows to which."""
    if simple.program not in ("cd", "pushd", "popd") or simple.is_substituted:
        return folder
    target = simple.words[1] if len(simple.words) > 1 else ""
    return None if target in ("", "-") or simple.program == "popd" else joined(folder, target)


def joined(folder: str | None, target: str) -> str | None:
    """Return a folder as written, absolute; None where nobody knows it."""
    if "$" in target or "`" in target or (folder is None and not target.startswith(("/", "~"))):
        return None
    return posixpath.normpath(target if target.startswith(("/", "~")) else f"{folder}/{target}")


def is_glob(word: str) -> bool:
    """Return whether a word is a pattern of names."""
    return any(char in word for char in "*?[{")


def is_any(path: str) -> bool:
    """Return whether there is a path: the test for all files."""
    return bool(path)
