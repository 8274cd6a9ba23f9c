"""Resolve the import statements of a file to files of the repository, with a confidence."""

from __future__ import annotations

from collections.abc import Iterable

from clew.codebase.facts import Import
from clew.codebase.languages import LANGUAGES, get_code_language
from clew.codebase.languages.description import ImportLink
from clew.codebase.path_index import PathIndex
from clew.codebase.written_imports import link_written_import, resolve_written_import


def resolve_imports(paths: PathIndex, path: str, language: str, imports: Iterable[Import]) -> list[tuple[str, float]]:
    """Return (path, confidence) of the files that the imports of `path` lead to, each once with its best confidence, sorted by path.

    A file does not lead to itself; an import of something outside the repository leads nowhere.
    """
    known = get_code_language(language)
    resolve = known.resolve_import if known is not None and known.resolve_import is not None else resolve_written_import
    best: dict[str, float] = {}
    for imported in imports:
        for target, confidence in resolve(paths, path, imported):
            if target != path:
                best[target] = max(best.get(target, 0.0), round(confidence, 3))
    return sorted(best.items())


def link_imports(paths: PathIndex, path: str, language: str, imports: Iterable[Import]) -> list[ImportLink]:
    """Return where the names stand that the imports of `path` bring in; names from outside the repository are left out."""
    known = get_code_language(language)
    if known is None or known.resolve_import is None:
        return list(dict.fromkeys(found for imported in imports for found in link_written_import(paths, path, imported)))
    if known.link_import is None:
        return []
    ambient = [Import(name, (), name, 0, is_relative=False) for name in known.ambient_imports]
    return list(dict.fromkeys(found for imported in (*imports, *ambient) for found in known.link_import(paths, path, imported)))


def find_manifests(paths: Iterable[str]) -> list[str]:
    """Return those of the paths that are package manifests (`go.mod`, `package.json`, …), which name folders that imports start from."""
    names = {name for language in LANGUAGES.values() for name in language.manifest_readers}
    return [path for path in paths if path.rpartition("/")[2] in names]


def read_manifest_roots(path: str, data: bytes) -> dict[str, str]:
    """Return {name that imports start with: folder} that a package manifest declares; empty for other files and for broken ones."""
    folder, _, name = path.rpartition("/")
    for language in LANGUAGES.values():
        if read := language.manifest_readers.get(name):
            try:
                return dict(read(folder, data))
            except (ValueError, RecursionError):  # a broken manifest names nothing; the index then goes by paths alone
                return {}
    return {}
