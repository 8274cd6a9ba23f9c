"""Written imports: the files that a file names by their paths, in languages and formats whose imports no query reads.

One table (`written_imports.toml`) says how each of them writes it. A path is looked for beside the file, then below the repository's
root, then as the end of one path; what is not there leads nowhere.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from clew.codebase.facts import Import
from clew.codebase.languages.description import WILDCARD_NAMES, ImportLink
from clew.codebase.path_index import EXACT_MATCH, LIKELY_MATCH, ImportCandidate, PathIndex, join_relative, share_confidence

IMPORTS_MAX = 400  # of one file; guess
BYTES_MAX = 400_000  # of one file that are looked through; guess
_PACKAGE = re.compile(r"^(?:package:[\w.]+/|~/|@/|/)")  # what stands for the root of a package, in a path


@dataclass(frozen=True, slots=True)
class _Form:
    pattern: re.Pattern[bytes]
    endings: tuple[str, ...]
    joint: str = ""
    whole: bool = False


@cache
def _forms() -> dict[str, _Form]:
    """Return how the files of each ending write imports."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    made = {
        name: _Form(
            re.compile(each["pattern"].encode(), re.MULTILINE), tuple(each["endings"]), each.get("joint", ""), each.get("whole", False)
        )
        for name, each in table.items()
    }
    return {suffix: made[name] for name, each in table.items() for suffix in each["suffixes"].split()}


def _form_of(path: str) -> _Form | None:
    return _forms().get(path.rpartition("/")[2].lower().rpartition(".")[2])


def find_written_imports(path: str, data: bytes) -> tuple[Import, ...]:
    """Return the imports of a file that are written as the table says; () for a file of another ending."""
    form = _form_of(path)
    if form is None:
        return ()
    found: dict[str, int] = {}
    line, at = 1, 0
    for match in form.pattern.finditer(data, 0, BYTES_MAX):
        line, at = line + data.count(b"\n", at, match.start(1)), match.start(1)
        found.setdefault(match.group(1).decode("utf-8", "replace"), line)
        if len(found) >= IMPORTS_MAX:
            break
    names = WILDCARD_NAMES if form.whole else ()
    return tuple(Import(named, names, "", at_line, is_relative=named.startswith(".")) for named, at_line in found.items())


def resolve_written_import(paths: PathIndex, path: str, imported: Import) -> list[ImportCandidate]:
    """Return the files that an import of `find_written_imports` means, with confidences."""
    form = _form_of(path)
    if form is None or "://" in imported.module:
        return []
    named = imported.module.replace("\\", "/")
    if form.joint and "/" not in named:
        named = named.replace(form.joint, "/")
    bare = _PACKAGE.sub("", named)
    written = list(_written(bare, form.endings))
    beside = [join_relative(path, each) for each in written] if bare == named else []
    found = paths.find_first([each for each in beside if each] + [each.removeprefix("./") for each in written])
    if found:
        return [(found, EXACT_MATCH)]
    if bare.startswith("."):
        return []
    for each in written:
        if ends := paths.find_paths_ending(each.lstrip("./")):
            return share_confidence(ends, LIKELY_MATCH)
    if form.joint and bare.count("/") > 1:  # the last part may be a member of what the path names
        return resolve_written_import(paths, path, Import(bare.rpartition("/")[0], (), "", imported.line, is_relative=False))
    return []


def link_written_import(paths: PathIndex, path: str, imported: Import) -> Iterator[ImportLink]:
    """Yield where the names stand that such an import brings in, where it surely means one file."""
    form = _form_of(path)
    targets = resolve_written_import(paths, path, imported)
    if form is None or len(targets) != 1 or targets[0][0] == path:
        return
    [(target, _)] = targets
    if form.whole:
        yield "*", (target,), "*"
    elif form.joint:
        name = imported.module.replace("\\", "/").rpartition("/")[2].rpartition(form.joint)[2]
        if name and target.rpartition("/")[2].partition(".")[0] == name:
            yield name, (target,), name


def _written(path: str, endings: Iterable[str]) -> Iterator[str]:
    folder, slash, name = path.rpartition("/")
    for ending in endings:
        yield f"{folder}{slash}_{name}{ending[1:]}" if ending.startswith("_") else path + ending
