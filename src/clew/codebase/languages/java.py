"""Java: everything stands in a type, annotations lead the modifiers; and how its namespaces, Kotlin's and Scala's lead to files."""

from __future__ import annotations

from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import
from clew.codebase.languages.description import ImportLink, SourceFile, build_dotted_import, find_child, load_language
from clew.codebase.path_index import LIKELY_MATCH, WEAK_MATCH, ImportCandidate, PathIndex, package_candidates, share_confidence

_ENDINGS = (".java", ".kt", ".kts", ".scala")


def _imports(source: SourceFile, node: Node) -> Iterable[Import]:
    path = source.node_text(find_child(node, "scoped_identifier", "identifier")).replace(" ", "")
    return build_dotted_import(node, path, is_wildcard=find_child(node, "asterisk") is not None)


def resolve_java_import(paths: PathIndex, _path: str, imported: Import) -> Iterable[ImportCandidate]:
    """Yield (path, confidence) of files that an import of these languages means: the class's own, its outer class's, or a package's."""
    package = imported.module.replace(".", "/")
    for name, _ in imported.names:
        inner = [] if name == "*" else [each for ending in _ENDINGS for each in paths.find_paths_ending(f"{package}/{name}{ending}")]
        found = inner or [each for ending in _ENDINGS for each in paths.find_paths_ending(package + ending)]  # a member of a class
        files = [file for folder in paths.find_folders_ending(package) for file in paths.files_by_folder[folder] if file.endswith(_ENDINGS)]
        if found:
            yield from share_confidence(found, LIKELY_MATCH)
        elif name == "*":
            yield from package_candidates(files, WEAK_MATCH)
        else:  # a function or a class of a Kotlin or Scala file that may be called anything
            yield from share_confidence([file for file in files if not file.endswith(".java")], LIKELY_MATCH)


def link_java_import(paths: PathIndex, path: str, imported: Import) -> Iterable[ImportLink]:
    """Yield where imported names stand: under the package that the import names, wherever its files lie."""
    place = ("java", *imported.module.split("."))
    for name, here in imported.names:
        if name != "*":
            yield here, place, name
        elif any(True for _ in resolve_java_import(paths, path, imported)):
            yield "*", place, ""


JAVA = load_language(__file__, "java", read_imports=_imports, resolve_import=resolve_java_import, link_import=link_java_import)
