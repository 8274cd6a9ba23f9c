"""Imports: which files of a repository does an import mean? Each language has its own way to find them."""

from __future__ import annotations

from collections.abc import Iterable

from clew.codebase.facts import FileFacts, Import
from clew.codebase.languages import LANGUAGES
from clew.codebase.paths import PathIndex, ResolvedImport


def resolve(paths: PathIndex, path: str, language: str, imported: Import) -> tuple[ResolvedImport, ...]:
    """Return the files that an import in the file `path` means, most probable first, then by path; never the file itself."""
    known = LANGUAGES.get(language)
    if known is None or known.resolve is None:
        return ()
    found = [each for each in known.resolve(paths, path, imported) if each.target != path]
    return tuple(sorted(found, key=lambda each: (-each.confidence, each.target)))


def resolve_all(paths: PathIndex, facts: FileFacts) -> tuple[ResolvedImport, ...]:
    """Return what all imports of a file resolve to, in order of the imports."""
    return tuple(found for imported in facts.imports for found in resolve(paths, facts.path, facts.language, imported))


def targets_of(paths: PathIndex, path: str, language: str, imports: Iterable[Import]) -> list[tuple[str, float]]:
    """Return (path, confidence) of the files that the imports of `path` lead to, each once with its best confidence, ordered."""
    best: dict[str, float] = {}
    for imported in imports:
        for found in resolve(paths, path, language, imported):
            best[found.target] = max(best.get(found.target, 0.0), round(found.confidence, 3))
    return sorted(best.items())


def manifests_among(paths: Iterable[str]) -> list[str]:
    """Return the files that may give folders names that imports start with."""
    names = {name for language in LANGUAGES.values() for name in language.manifests}
    return [path for path in paths if path.rpartition("/")[2] in names]


def roots_of(path: str, data: bytes) -> dict[str, str]:
    """Return which folders a manifest gives names to: {name that imports start with: folder}; nothing for other or broken files."""
    folder, _, name = path.rpartition("/")
    for language in LANGUAGES.values():
        if read := language.manifests.get(name):
            try:
                return dict(read(folder, data))
            except (ValueError, RecursionError):  # a broken manifest names nothing; the index then goes by paths alone
                return {}
    return {}
