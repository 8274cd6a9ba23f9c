"""Index the paths of a repository, to find which files an import means and with what confidence.

No file is opened, and no interpreter, compiler or package manager is run. Each language has its own way from a name to a
path (`Language.resolve_import`); what they share is the search for paths that end in it. Confidence:

| 1.0 | the import says the path: relative imports, includes and requires that exist |
| .9 | one file of the repository has that name below a place where such files are looked for |
| .6 | one file has it, but the place is unusual, or only a part of the name could be matched |
| divided by k | k files have it, or the import means all k files of a folder; above `CANDIDATES_MAX` none is returned |

What a manifest says about its own name (`go.mod`, `package.json`, `Cargo.toml`, `composer.json`) may be given to the index as `roots`.
An import of something outside the repository resolves to nothing.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence

EXACT_MATCH, LIKELY_MATCH, WEAK_MATCH = 1.0, 0.9, 0.6
CANDIDATES_MAX = 8  # files that an import may mean; of more that end alike none is returned; guess
PACKAGE_FILES_MAX = 40  # of a package that is imported as a whole; a larger one couples none; guess

ImportCandidate = tuple[str, float]
"""A file that an import may mean: (its path in the repository, confidence above 0 and at most 1)."""


class PathIndex:
    """Immutable index of a repository's file paths, searched by path ending, folder name and module root to resolve imports.

    paths  of all files, relative, with "/".
    roots  name that imports start with → folder, as manifests declare.
    Cost  about 2 µs per path to build.
    """

    def __init__(self, paths: Iterable[str], roots: Mapping[str, str] | None = None) -> None:
        self.paths = frozenset(paths)
        self.roots = dict(roots or {})
        self.files_by_folder: dict[str, list[str]] = {}
        self.folders_by_name: dict[str, list[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        self._by_folder_and_name: dict[tuple[str, str], list[str]] = {}
        for path in sorted(self.paths):
            folder, _, name = path.rpartition("/")
            self._by_name.setdefault(name, []).append(path)
            self._by_folder_and_name.setdefault((folder.rpartition("/")[2], name), []).append(path)
            self.files_by_folder.setdefault(folder, []).append(path)
        for folder in self.files_by_folder:
            self.folders_by_name.setdefault(folder.rpartition("/")[2], []).append(folder)

    def find_paths_ending(self, tail: str) -> list[str]:
        """Return the file paths that equal `tail` or end in "/" and `tail`, sorted; an empty list for none."""
        folder, slash, name = tail.rpartition("/")
        if not slash:
            return self._by_name.get(name, [])
        slashed = "/" + tail
        same_name = self._by_folder_and_name.get((folder.rpartition("/")[2], name), [])
        return [path for path in same_name if path == tail or path.endswith(slashed)]

    def find_folders_ending(self, tail: str) -> list[str]:
        """Return the folders holding files whose path equals `tail` or ends in "/" and `tail`; an empty list for none."""
        slashed = "/" + tail
        return [folder for folder in self.folders_by_name.get(tail.rpartition("/")[2], []) if folder == tail or folder.endswith(slashed)]

    def find_root(self, module: str, separator: str) -> tuple[str, str] | None:
        """Return (folder, rest of the module's path) for the longest beginning of `module` that a manifest maps, None for none."""
        name = module
        while name:
            if name in self.roots:
                return self.roots[name], module[len(name) :].lstrip(separator).replace(separator, "/")
            name = name.rpartition(separator)[0]
        return None

    def find_first(self, candidates: Iterable[str]) -> str | None:
        """Return the first of these paths that is a file of the repository, None if none is."""
        return next((path for path in candidates if path in self.paths), None)


def share_confidence(candidates: Iterable[str], confidence: float) -> list[ImportCandidate]:
    """Return the distinct paths, sorted, each with an equal share of `confidence`; an empty list for more than CANDIDATES_MAX."""
    found = sorted(dict.fromkeys(candidates))
    return [(candidate, round(confidence / len(found), 4)) for candidate in found] if 0 < len(found) <= CANDIDATES_MAX else []


def single_candidate(found: str | None, confidence: float = EXACT_MATCH) -> list[ImportCandidate]:
    """Return a list of one (path, confidence), or an empty one when `found` is None or ""."""
    return [(found, confidence)] if found else []


def only_candidate(candidates: Iterable[ImportCandidate]) -> str | None:
    """Return the path that all candidates name, None where there is none or where they disagree."""
    found = {path for path, _ in candidates}
    return found.pop() if len(found) == 1 else None


def join_relative(path: str, module: str) -> str | None:
    """Return the repository path that the relative `module` means in the file `path` ("" for the root), None for one outside it."""
    found = posixpath.normpath(posixpath.join(path.rpartition("/")[0], module))
    return None if found.startswith("..") else "" if found == "." else found


def package_candidates(files: Sequence[str], confidence: float) -> list[ImportCandidate]:
    """Return every file of a package with the full confidence, as all are meant; an empty list for more than PACKAGE_FILES_MAX files."""
    return [(file, confidence) for file in files] if len(files) <= PACKAGE_FILES_MAX else []
