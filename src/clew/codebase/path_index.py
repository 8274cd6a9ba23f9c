"""Paths: the names of a repository's files, to be asked which of them an import means, and how sure that is.

Nothing is opened, no interpreter, compiler or package manager is asked. Each language has its own way from a name to a
path (`Language.resolve`); what they share is the search for paths that end in it. Confidence:

| 1.0 | the import says the path: relative imports, includes and requires that exist |
| .9 | one file of the repository has that name below a place where such files are looked for |
| .6 | one file has it, but the place is unusual, or only a part of the name could be matched |
| divided by k | k files have it, or the import means all k files of a folder; above `CANDIDATES_MAX` nothing is said |

What a manifest says about its own name (`go.mod`, `package.json`, `Cargo.toml`, `composer.json`) may be given to the index as `roots`.
An import of something outside the repository resolves to nothing.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence

EXACT_MATCH, LIKELY_MATCH, WEAK_MATCH = 1.0, 0.9, 0.6
CANDIDATES_MAX = 8  # more files that end alike say nothing; guess
PACKAGE_FILES_MAX = 40  # of a package that is imported as a whole; guess

ImportCandidate = tuple[str, float]
"""A file that an import may mean: its path in the index, and a confidence above 0 and at most 1."""


class PathIndex:
    """The paths of a repository; built once, never changed.

    paths  of all files, relative, with "/".
    roots  folders by the name that imports start with, as manifests say.
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
        """Return the paths that are `tail` or end in "/" and `tail`, sorted."""
        folder, slash, name = tail.rpartition("/")
        if not slash:
            return self._by_name.get(name, [])
        slashed = "/" + tail
        same_name = self._by_folder_and_name.get((folder.rpartition("/")[2], name), [])
        return [path for path in same_name if path == tail or path.endswith(slashed)]

    def find_folders_ending(self, tail: str) -> list[str]:
        """Return the folders of files that are `tail` or end in "/" and `tail`."""
        slashed = "/" + tail
        return [folder for folder in self.folders_by_name.get(tail.rpartition("/")[2], []) if folder == tail or folder.endswith(slashed)]

    def find_root(self, module: str, separator: str) -> tuple[str, str] | None:
        """Return (folder, rest of the module) where a manifest gave the longest beginning of the module a name."""
        name = module
        while name:
            if name in self.roots:
                return self.roots[name], module[len(name) :].lstrip(separator).replace(separator, "/")
            name = name.rpartition(separator)[0]
        return None

    def find_first(self, candidates: Iterable[str]) -> str | None:
        """Return the first of these paths that there is."""
        return next((path for path in candidates if path in self.paths), None)


def share_confidence(candidates: Iterable[str], confidence: float) -> list[ImportCandidate]:
    """Share a confidence among candidates; too many say nothing."""
    found = sorted(dict.fromkeys(candidates))
    return [(candidate, round(confidence / len(found), 4)) for candidate in found] if 0 < len(found) <= CANDIDATES_MAX else []


def single_candidate(found: str | None, confidence: float = EXACT_MATCH) -> list[ImportCandidate]:
    """Return the one file that an import names as a candidate, none for None."""
    return [(found, confidence)] if found else []


def join_relative(path: str, module: str) -> str | None:
    """Return the path that a relative one means in the file `path`, None if it leaves the repository."""
    found = posixpath.normpath(posixpath.join(path.rpartition("/")[0], module))
    return None if found.startswith("..") else "" if found == "." else found


def package_candidates(files: Sequence[str], confidence: float) -> list[ImportCandidate]:
    """Return the files of a package that is imported as a whole, each with this confidence since all are meant; too many say nothing."""
    return [(file, confidence) for file in files] if len(files) <= PACKAGE_FILES_MAX else []
