"""Apply to a work tree what `rm`, `mv`, `cp` and other programs do to files."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from clew.records import SimpleCommand
from clew.task.commands import find_changed_files, is_path
from clew.task.ended_line import EndedLine, is_glob
from clew.task.work_tree import WorkTree


def run_program(tree: WorkTree, line: EndedLine, simple: SimpleCommand) -> None:
    """Apply what a command other than git does to files."""
    if simple.is_repeated or line.folder is None:
        return
    if not line.is_ok and not simple.is_status_lost and simple is line.command.commands[-1]:
        return
    program, seen = simple.program, line.observation
    words = [word for word in simple.words[1:] if not word.startswith("-")]
    if program in ("rm", "unlink"):
        is_forced = any(word.startswith("-") and "f" in word for word in simple.words[1:])
        if is_forced or not _complains(line.output, program):
            remove_all(tree, line, words, is_forced=is_forced or any("r" in word for word in simple.words[1:] if word[:1] == "-"))
    elif program in ("mv", "cp"):
        if not _complains(line.output, program):
            move_all(tree, line, words, is_copy=program == "cp")
    else:
        for path, how in find_changed_files(simple):
            named = line.path(path)
            if how in ("write", "edit", "touch") and named and is_path(path):
                tree.change(named, "edit" if how == "edit" else "write", seen, is_tracked=True if how == "edit" else None)
            elif how == "other" and named in tree.files:
                tree.change(named, "edit", seen)


def remove_all(tree: WorkTree, line: EndedLine, names: Sequence[str], *, is_forced: bool, is_staged: bool = False) -> None:
    """Apply `rm`, or `git rm` where `is_staged`; `is_forced`: words that match nothing known say nothing."""
    for name in names:
        path = line.path(name)
        matched = [known for known in tree.files if line.is_named(known, name)]
        tree.is_unsure |= is_forced
        for known in matched:
            tree.remove(known, line.observation, is_staged=is_staged)
        if path and not matched and not is_forced and not is_glob(name):
            tree.remove(path, line.observation, is_staged=is_staged)


def move_all(tree: WorkTree, line: EndedLine, names: Sequence[str], *, is_copy: bool = False, is_staged: bool = False) -> None:
    """Apply `mv`, `cp`, or `git mv` where `is_staged`; the last name is the target."""
    if len(names) < 2 or any(is_glob(name) for name in names):
        return
    *sources, target = names
    to = line.path(target)
    is_folder = len(sources) > 1 or target.endswith("/") or target in (".", "..") or any(known.startswith(f"{to}/") for known in tree.files)
    for source in sources:
        old, name = line.path(source), source.rstrip("/").rpartition("/")[2]
        is_inside = is_folder or ("." in name and "." not in target.rpartition("/")[2])
        new = posixpath.normpath(f"{to}/{name}") if is_inside and (to or target == ".") else to
        below = [known for known in tree.files if known.startswith(f"{old}/")] if old else []
        if is_copy:
            if new and is_path(new):
                tree.change(new, "write", line.observation)
            continue
        for known in below:
            tree.move(known, f"{new}{known[len(old) :]}" if new else "", line.observation, is_staged=is_staged)
        if not below and (old or new):
            tree.move(old, new, line.observation, is_staged=is_staged)


def _complains(output: str, program: str) -> bool:
    return re.search(rf"^(?:\S{{0,20}}/)?{program}: ", output, re.MULTILINE) is not None
