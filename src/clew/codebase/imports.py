"""Imports: which files of a repository does an import mean? Each language has its own way to find them."""

from __future__ import annotations

from collections.abc import Iterable

from clew.codebase.facts import Import
from clew.codebase.languages import LANGUAGES
from clew.codebase.path_index import PathIndex


def resolve_imports(paths: PathIndex, path: str, language: str, imports: Iterable[Import]) -> list[tuple[str, float]]:
    """Return (path, confidence) of the files that the imports of `path` lead to, each once with its best confidence, ordered.

    A file does not lead to itself; an import of something outside the repository leads nowhere.
    """
    known = LANGUAGES.get(language)
    best: dict[str, float] = {}
    if known is not None and known.resolve_import is not None:
        for imported in imports:
            for target, confidence in known.resolve_import(paths, path, imported):
                if target != path:
                    best[target] = max(best.get(target, 0.0), round(confidence, 3))
    return sorted(best.items())


def find_manifests(paths: Iterable[str]) -> list[str]:
    """Return the files that may give folders names that imports start with."""
    names = {name for language in LANGUAGES.values() for name in language.manifest_readers}
    return [path for path in paths if path.rpartition("/")[2] in names]


def read_manifest_roots(path: str, data: bytes) -> dict[str, str]:
    """Return which folders a manifest gives names to: {name that imports start with: folder}; nothing for other or broken files."""
    folder, _, name = path.rpartition("/")
    for language in LANGUAGES.values():
        if read := language.manifest_readers.get(name):
            try:
                return dict(read(folder, data))
            except (ValueError, RecursionError):  # a broken manifest names nothing; the index then goes by paths alone
                return {}
    return {}
