"""Java: everything stands in a type, annotations lead the modifiers; and how its namespaces and Kotlin's lead to files."""

from __future__ import annotations

from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import
from clew.codebase.languages.description import Source, child_of_type, described, dotted_import
from clew.codebase.paths import LIKELY, WEAK, Candidate, PathIndex, all_of, divided

_ENDINGS = (".java", ".kt", ".kts")


def _imports(source: Source, node: Node) -> Iterable[Import]:
    path = source.text(child_of_type(node, "scoped_identifier", "identifier")).replace(" ", "")
    return dotted_import(node, path, is_wildcard=child_of_type(node, "asterisk") is not None)


def resolve_package(paths: PathIndex, _path: str, imported: Import) -> Iterable[Candidate]:
    """Return the files that an import by a full name means: a class's own, that of the class around it, or all of a package."""
    package = imported.module.replace(".", "/")
    for name, _ in imported.names:
        inner = [] if name == "*" else [each for ending in _ENDINGS for each in paths.ending(f"{package}/{name}{ending}")]
        found = inner or [each for ending in _ENDINGS for each in paths.ending(package + ending)]  # a member of a class
        files = [file for folder in paths.folders_ending(package) for file in paths.by_folder[folder] if file.endswith(_ENDINGS)]
        if found:
            yield from divided(found, LIKELY)
        elif name == "*":
            yield from all_of(files, WEAK)
        else:  # a function of a Kotlin file that may be called anything
            yield from divided([file for file in files if file.endswith((".kt", ".kts"))], LIKELY)


JAVA = described(__file__, "java", imports=_imports, resolve=resolve_package)
