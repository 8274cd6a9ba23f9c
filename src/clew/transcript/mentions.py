"""Find the file paths and rare identifiers that a text mentions, so that the index can link it with code."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from clew.task.vocabulary import EXTENSIONS

NAMES_MAX = 32  # more would make a long listing a neighbour of everything
PATHS_MAX = 24
PATH_CHARS_MAX = 200
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{3,63}")
_EXTENSION = re.compile(r"\.([A-Za-z][A-Za-z0-9]{0,9})(?![\w/])")  # begins with a literal, which is what makes it fast
_BEFORE = re.compile(r"[\w@.+~/\\-]+")  # matched backwards, over the reversed text before the dot
_CAMEL = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2}[a-z]{2}")
_CODE = re.compile(r"[A-Z]{1,6}\d{2,6}")


@lru_cache(maxsize=1 << 17)  # the words of a project come again and again
def _coined(word: str) -> tuple[tuple[str, int], ...]:
    """The names in a word that look as if somebody coined them, each with a number that is higher the more it looks so."""
    if "-" in word:  # its parts are words of their own
        return ()
    return tuple((name, score) for name in _NAME.findall(word) if (score := _score(name)))


def _score(word: str) -> int:
    """0 for a plain word; more for each sign that somebody coined it."""
    inner = word.strip("_")
    if not inner:
        return 0
    camel, snake = bool(_CAMEL.search(inner)), "_" in inner
    if not (camel or snake):
        return 2 if _CODE.fullmatch(word) else 0
    return camel + snake + min(3, len(inner) // 8) + 1


def find_rare_identifiers(words: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the rarest-looking identifiers among the counted words of a text with their counts, at most NAMES_MAX.

    Order: in order of appearance; rarest first when there are more than NAMES_MAX.
    """
    counts: dict[str, int] = {}
    scores: dict[str, int] = {}
    for word, times in words.items():
        for name, score in _coined(word):
            counts[name] = counts.get(name, 0) + times
            scores[name] = score
    if len(counts) > NAMES_MAX:
        rarest = sorted(counts, key=scores.__getitem__, reverse=True)[:NAMES_MAX]  # the sort is stable
        return [(word, counts[word]) for word in rarest]
    return list(counts.items())


def find_paths(text: str) -> list[str]:
    """Return the file names in a text as written, in order, each once, at most PATHS_MAX."""
    if "." not in text:
        return []
    found: dict[str, None] = {}
    for dot in _EXTENSION.finditer(text):
        if dot[1] in EXTENSIONS and (stem := _BEFORE.match(text[max(0, dot.start() - PATH_CHARS_MAX) : dot.start()][::-1])):
            path = stem[0][::-1] + dot[0]
            if "//" not in path and len(path) > 4:
                found.setdefault(path)
                if len(found) == PATHS_MAX:
                    break
    return list(found)


@dataclass(slots=True)
class PathResolver:
    """Resolves paths of a session to absolute ones and to ones relative to the repository.

    bases  folders that count as the root of the repository, best first, absolute, without a slash at the end.
    """

    bases: list[str]

    def to_absolute(self, path: str, folder: str) -> str:
        """Return `path` as an absolute path with forward slashes; a relative one starts from `folder`."""
        path = path.replace("\\", "/") if "\\" in path else path
        if not path.startswith("/") and path[1:3] != ":/":
            path = posixpath.join(folder.replace("\\", "/"), path)
        return posixpath.normpath(path)

    def to_repository_path(self, path: str) -> str:
        """Return an absolute path relative to the first base that contains it, or unchanged; a worktree counts as the repository's root."""
        for base in self.bases:
            if path.startswith(f"{base}/"):
                inner = path[len(base) + 1 :]
                worktree = _worktree_of(inner)
                return inner[len(worktree) + 1 :] or inner if worktree else inner
        return path

    def find_work_tree(self, folder: str) -> str:
        """Return the git work tree that contains a folder: its worktree, else the first base that contains it, else the folder itself."""
        folder = folder.replace("\\", "/") if "\\" in folder else folder
        for base in self.bases:
            if folder == base or folder.startswith(f"{base}/"):
                inner = folder[len(base) + 1 :]
                worktree = _worktree_of(inner)
                return f"{base}/{worktree}" if worktree else base
        return folder

    def to_repository_folder(self, path: str) -> str:
        """Return an absolute folder relative to the first base that contains it, "" for a base itself."""
        return self.to_repository_path(f"{path}/.")[:-2] if path else ""


_WORKTREES = (".worktrees/", ".claude/worktrees/", "worktrees/")


def _worktree_of(inner: str) -> str:
    """The folder of the worktree that holds a path, from the repository's root; "" where none does."""
    prefix = next((prefix for prefix in _WORKTREES if inner.startswith(prefix)), "")
    return f"{prefix}{inner[len(prefix) :].partition('/')[0]}" if prefix else ""


def normalize_folders(folders: Iterable[str]) -> list[str]:
    """Return the folders normalised, each once, without empty ones and the root of the file system."""
    normalized = (posixpath.normpath(folder.replace("\\", "/")) for folder in folders if folder)
    return list(dict.fromkeys(folder for folder in normalized if len(folder) > 1))
