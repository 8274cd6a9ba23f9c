"""List the files of a repository, and decide by name, size and first bytes which are read in full.

`scan_files` lists: git is asked first, because it knows what is ignored; where there is no git, a walk reads
the `.gitignore` files itself. Nothing is opened but those. `classify_file` judges one file by its name, its
size and its first bytes. Links are never followed, so loops cannot happen and nothing outside the
folder is read. Files that hold credentials by their names are left out (`private_paths`), and of hidden files
all that git does not track. Names that are not UTF-8 keep their bytes as surrogate escapes: `os.fsencode` gives
them back, and opening such a path works.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Literal

from pathspec import GitIgnoreSpec

from clew.codebase import compute_stamp
from clew.codebase.decoding import is_wide
from clew.codebase.languages import LANGUAGES, detect_language
from clew.codebase.parse import SOURCE_BYTES_MAX
from clew.codebase.private_paths import is_credential_path, is_hidden_path
from clew.codebase.unlisted import run_git
from clew.errors import NotReadable

# Logs, tables and dumps: what is not code is cut in blocks by lines, and thousands of blocks would drown the rest. Guess.
TEXT_BYTES_MAX = 500_000
NOTEBOOK_BYTES_MAX = 20_000_000  # most of it pictures, which are left out; guess

WALK_FOLDERS_MAX = 200_000  # a walk without git that meets more is in the wrong place, such as a home folder; guess


class FileCategory(StrEnum):
    """Category of a file: TEXT is read in full, MINIFIED and HUGE in part, all others (binary, generated, vendored) by name only."""

    TEXT = "text"
    BINARY = "binary"
    GENERATED = "generated"
    MINIFIED = "minified"
    VENDORED = "vendored"
    HUGE = "huge"


SkipReason = Literal["symlink", "unreadable", "special", "submodule", "repository", "missing", "secret", "hidden"]
"""Why an entry of a folder was left out of the scan."""

_ALWAYS_HIDDEN = frozenset((".git", ".hg", ".svn", ".jj", ".bzr"))


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A regular file of a scanned folder: path relative to it with "/", size in bytes, and `compute_stamp` of its status."""

    path: str
    size: int
    stamp: int


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What `scan_files` found in a folder.

    files     sorted by path.
    skipped   reason → how many entries were left out for it.
    problems  sentences for a report, sorted: what could not be listed, and which submodules were left out.
    is_git    git listed the files; else a walk did.
    """

    files: tuple[ScannedFile, ...]
    skipped: dict[SkipReason, int]
    problems: tuple[str, ...]
    is_git: bool


def scan_files(root: Path) -> ScanResult:
    """Return the files below a folder that version control does not ignore.

    Raises  NotReadable if `root` is not a folder, cannot be entered, or is a bare repository.
    Cost    100,000 files in about a second; one file status each, no file is opened but `.gitignore`.
    """
    try:
        mode = root.stat().st_mode
    except OSError as error:
        raise NotReadable(str(root), error.strerror or "not found", "name the folder of a repository") from error
    if not stat.S_ISDIR(mode):
        raise NotReadable(str(root), "expected a folder, found a file", "name the folder of a repository")
    if not (root / ".git").exists() and all((root / name).exists() for name in ("HEAD", "objects", "refs", "config")):
        raise NotReadable(str(root), "is a bare repository: it holds history, and no files", "clone it, and name the clone")
    problems: list[str] = []
    skipped: Counter[SkipReason] = Counter()
    names = _git_names(root, skipped, problems)
    found = _walked(root, skipped, problems) if names is None else _statused(os.fsencode(root), names, skipped, problems)
    files = sorted(found, key=lambda file: file.path)
    return ScanResult(
        tuple(files), {reason: count for reason, count in sorted(skipped.items()) if count}, tuple(sorted(problems)), names is not None
    )


def _git_names(root: Path, skipped: Counter[SkipReason], problems: list[str]) -> list[bytes] | None:
    """Return what git lists below a folder, less what is hidden and not tracked.

    None if git cannot say: no work tree, no git, no permission, no answer.
    """
    try:
        listed = run_git(root, "ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard", "--deduplicate")
    except FileNotFoundError:
        problems.append("git is not installed: .gitignore files were read, but not git's own exclude lists")
        return None
    except (OSError, subprocess.TimeoutExpired) as error:
        problems.append(f"git did not answer ({type(error).__name__}): the folder was walked instead")
        return None
    if listed.returncode != 0:
        said = listed.stderr.decode("utf-8", "replace").strip().splitlines()
        if said and "not a git repository" not in said[0]:
            problems.append(f"git refused: {said[0][:200]}; the folder was walked instead")
        return None
    tagged = [name for name in listed.stdout.split(b"\0") if name]
    if not tagged and _is_ignored_by_outer(root):
        return None
    names = [name[2:] for name in tagged if not (name.startswith(b"? ") and is_hidden_path(_path(name[2:])))]
    skipped["hidden"] += len(tagged) - len(names)
    return names


def _is_ignored_by_outer(root: Path) -> bool:
    """Say whether a folder lies, ignored, in another repository: then that one's rules do not apply to its files."""
    try:
        return run_git(root, "check-ignore", "-q", ".").returncode == 0
    except (OSError, subprocess.TimeoutExpired):  # nothing was listed, and nothing can be: the empty list stands
        return False


def _statused(root: bytes, names: Iterable[bytes], skipped: Counter[SkipReason], problems: list[str]) -> Iterator[ScannedFile]:
    """Look at each file that git listed, never through a link."""
    is_plain_folder: dict[bytes, bool] = {b"": True}
    prefix = root + b"/"
    for name in names:
        if is_credential_path(_path(name)):
            skipped["secret"] += 1
            continue
        folder, _, _ = name.rpartition(b"/")
        if not (is_plain_folder.get(folder) if folder in is_plain_folder else _is_plain(prefix, folder, is_plain_folder)):
            skipped["symlink"] += 1
            continue
        try:
            status = os.lstat(prefix + name)
        except (FileNotFoundError, NotADirectoryError):
            skipped["missing"] += 1  # deleted, but still in git's index
            continue
        except OSError as error:
            skipped["unreadable"] += 1
            problems.append(f"{_shown(name)}: {error.strerror}")
            continue
        mode = status.st_mode
        if stat.S_ISREG(mode):
            yield ScannedFile(_path(name), status.st_size, compute_stamp(status))
        elif stat.S_ISLNK(mode):
            skipped["symlink"] += 1
        elif stat.S_ISDIR(mode):
            # A file of this name in the index is a submodule; with a slash it is a repository that git does not know.
            kind: SkipReason = "repository" if name.endswith(b"/") else "submodule"
            skipped[kind] += 1
            problems.append(f"{_shown(name.rstrip(b'/'))}: a {'repository of its own' if kind == 'repository' else kind}, left out")
        else:
            skipped["special"] += 1


def _is_plain(prefix: bytes, folder: bytes, known: dict[bytes, bool]) -> bool:
    """Say whether a folder and all above it, up to the root, are folders and not links to some."""
    missing: list[bytes] = []
    while folder not in known:
        missing.append(folder)
        folder = folder.rpartition(b"/")[0]
    plain = known[folder]
    for below in reversed(missing):
        if plain:
            try:
                plain = not stat.S_ISLNK(os.lstat(prefix + below).st_mode)
            except OSError:  # gone or closed: the file's own status will say so, and be counted
                plain = True
        known[below] = plain
    return plain


def _walked(root: Path, skipped: Counter[SkipReason], problems: list[str]) -> Iterator[ScannedFile]:
    """Walk a folder, honouring the `.gitignore` of each folder for what lies below it."""
    top = os.fsencode(root)
    todo: list[tuple[bytes, tuple[tuple[str, GitIgnoreSpec], ...]]] = [(b"", ())]
    folders = 0
    while todo:
        folder, rules = todo.pop()
        folders += 1
        if folders > WALK_FOLDERS_MAX:
            problems.append(f"more than {WALK_FOLDERS_MAX} folders: the rest was left out")
            return
        here = top + b"/" + folder if folder else top
        try:
            with os.scandir(here) as listing:
                children = sorted(listing, key=lambda child: child.name)
        except OSError as error:
            skipped["unreadable"] += 1
            problems.append(f"{_shown(folder) or '.'}: {error.strerror}")
            continue
        if folder and any(child.name == b".git" for child in children):
            skipped["repository"] += 1
            problems.append(f"{_shown(folder)}: a repository of its own, left out")
            continue
        own = _ignore_rules(here) if any(child.name == b".gitignore" for child in children) else None
        if own is not None:
            rules = (*rules, (_path(folder) + "/" if folder else "", own))
        for child in children:
            name = folder + b"/" + child.name if folder else child.name
            if os.fsdecode(child.name) in _ALWAYS_HIDDEN:
                continue
            if child.name.startswith(b"."):
                skipped["hidden"] += 1
            elif child.is_symlink():
                skipped["symlink"] += 1
            elif is_credential_path(_path(name)):
                skipped["secret"] += 1
            elif child.is_dir(follow_symlinks=False):
                if not _is_ignored(_path(name) + "/", rules):
                    todo.append((name, rules))
            elif not child.is_file(follow_symlinks=False):
                skipped["special"] += 1
            elif not _is_ignored(_path(name), rules):
                yield from _file_of(child, name, skipped)


def _file_of(child: os.DirEntry[bytes], name: bytes, skipped: Counter[SkipReason]) -> Iterator[ScannedFile]:
    try:
        status = child.stat(follow_symlinks=False)
    except OSError:  # deleted since the folder was listed
        skipped["missing"] += 1
        return
    yield ScannedFile(_path(name), status.st_size, compute_stamp(status))


def _ignore_rules(folder: bytes) -> GitIgnoreSpec | None:
    try:
        lines = Path(os.fsdecode(folder), ".gitignore").read_bytes().decode("utf-8", "surrogateescape").splitlines()
        return GitIgnoreSpec.from_lines(lines)
    except (OSError, ValueError):  # a link, a folder, or a pattern that means nothing: git ignores such a file too
        return None


def _is_ignored(path: str, rules: Sequence[tuple[str, GitIgnoreSpec]]) -> bool:
    """Say whether a path is ignored: the deepest `.gitignore` that has a pattern for it decides."""
    for prefix, spec in reversed(rules):
        decided = spec.check_file(path[len(prefix) :]).include
        if decided is not None:
            return decided
    return False


def _path(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


_NAMES = {key: tuple(value.split()) for key, value in tomllib.loads(Path(__file__).with_name("unread.toml").read_text("utf-8")).items()}

# What the first bytes tell

_COMMENTS = tomllib.loads(Path(__file__).with_name("comments.toml").read_text("utf-8"))
_MARKER, _COMMENT_LINE = (re.compile(_COMMENTS[name].encode()) for name in ("generated", "line"))
_COMMENT_BLOCKS = [(start.encode(), end.encode()) for start, end in _COMMENTS["blocks"]]
_MARKER_LINES = 40
LINE_BYTES_MEAN_MAX = 300  # over a whole head; people's code has 25 to 60, tables of numbers about 120
LINE_BYTES_MAX = 5_000  # one such line in a head is data, or a bundle behind a licence comment
_MINIFIED = frozenset(("javascript", "typescript", "tsx", "css", "json"))  # elsewhere a long line is a table written by hand


@dataclass(frozen=True)
class FolderRules:
    """What files of a repository say of others: folders of others' code, and the attributes that git and its hosts read.

    vendored    folders, each with "/" at its end, that hold the mark of a program which fetches others' code.
    attributes  (folder, patterns, which attribute, whether it is set) of each line of each `.gitattributes`, in order.
    """

    vendored: frozenset[str] = frozenset()
    attributes: tuple[tuple[str, str, str, bool], ...] = ()

    @cached_property
    def _specs(self) -> list[tuple[str, GitIgnoreSpec, str, bool]]:
        return [(folder, GitIgnoreSpec.from_lines([pattern]), name, is_set) for folder, pattern, name, is_set in self.attributes]

    def is_vendored(self, path: str) -> bool | None:
        """Whether a file is others' code; None where nothing says so."""
        said = self._attribute(path, "linguist-vendored")
        if said is None and self.vendored:
            lower, at = path.lower(), path.find("/")
            while at >= 0:
                if lower[: at + 1] in self.vendored:
                    return True
                at = path.find("/", at + 1)
        return said

    def is_generated(self, path: str) -> bool | None:
        """Whether a file is said to be generated; None where nothing says so."""
        return self._attribute(path, "linguist-generated")

    def _attribute(self, path: str, name: str) -> bool | None:
        found = None
        for folder, spec, attribute, is_set in self._specs if self.attributes else ():
            if attribute == name and path.startswith(folder) and spec.match_file(path[len(folder) :]):
                found = is_set
        return found


NO_RULES = FolderRules()
ATTRIBUTES_BYTES_MAX = 200_000  # of one `.gitattributes`; guess


def read_folder_rules(root: Path, names: Iterable[str]) -> FolderRules:
    """Return the rules that a repository's own files give, from the names of all its files and its `.gitattributes`."""
    vendored: set[str] = set()
    attributes: list[tuple[str, str, str, bool]] = []
    for name in names:
        if name.endswith(".gitattributes") and name.rpartition("/")[2] == ".gitattributes":
            attributes.extend(_attribute_lines(root, name))
        lower = name.lower()
        if any(hint in lower for hint in _VENDOR_HINTS) and (found := _VENDOR_MARK.search(lower)):
            vendored.add(lower[: found.end("folder")] + "/")
    return FolderRules(frozenset(vendored), tuple(attributes))


def _attribute_lines(root: Path, name: str) -> Iterator[tuple[str, str, str, bool]]:
    try:
        with (root / name).open("rb") as stream:
            text = stream.read(ATTRIBUTES_BYTES_MAX).decode("utf-8", "replace")
    except OSError:  # the file itself is reported as unreadable when its turn comes
        return
    for line in text.splitlines():
        pattern, *words = line.split() or [""]
        for word in words if not pattern.startswith("#") else ():
            attribute, _, value = word.lstrip("-!").partition("=")
            if attribute in ("linguist-generated", "linguist-vendored"):
                yield name[: -len(".gitattributes")], pattern, attribute, not word.startswith(("-", "!")) and value.lower() != "false"


def _vendor_mark(mark: str) -> str:
    folder, rest = (re.escape(part).replace(r"\*", "[^/]+") for part in mark.split("!"))
    return f"{folder}(?={rest}{'' if mark.endswith('/') else '(?:/|$)'})"


_VENDOR_MARK = re.compile(f"(?:^|/)(?P<folder>{'|'.join(_vendor_mark(mark) for mark in _NAMES['vendor_marks'])})")


_VENDOR_HINTS = tuple(dict.fromkeys(max((part for part in re.split(r"[*/!]", mark) if part), key=len) for mark in _NAMES["vendor_marks"]))


def classify_file(path: str, size: int, head: bytes, rules: FolderRules = NO_RULES) -> FileCategory:
    """Return the category of a file: TEXT when it is read in full; HUGE and MINIFIED files are read in part, all others by name only.

    path   relative to the repository, with "/".
    size   bytes of the whole file.
    head   its first HEAD_BYTES, or all if it is shorter; b"" if it was not opened, then the name alone decides.
    rules  what the repository's own files say of it.
    """
    *folders, name = path.lower().split("/")
    language = detect_language(path, head)
    ending = name.rpartition(".")[2] if "." in name else ""
    if rules.is_vendored(path):
        return FileCategory.VENDORED
    if (ending in _NAMES["binary_suffixes"] and ending != name) or _is_binary(head, language):
        return FileCategory.BINARY
    said = rules.is_generated(path)
    if said or (said is None and _is_generated(folders, name, ending, head)):
        return FileCategory.GENERATED
    if name.endswith(_NAMES["minified_endings"]):
        return FileCategory.MINIFIED
    if size > (SOURCE_BYTES_MAX if language in LANGUAGES else NOTEBOOK_BYTES_MAX if language == "notebook" else TEXT_BYTES_MAX):
        return FileCategory.HUGE
    return FileCategory.MINIFIED if language in _MINIFIED and _has_long_lines(head) else FileCategory.TEXT


def _is_binary(head: bytes, language: str | None) -> bool:
    """Whether the first bytes hold zeros as no text does: not of UTF-16, and of source code not a few in its strings."""
    zeros = head.count(0)
    if not zeros or is_wide(head):
        return False
    return not (language in LANGUAGES and zeros <= max(ZEROS_FREE, len(head) // ZERO_SHARE_MAX))


ZEROS_FREE, ZERO_SHARE_MAX = 2, 200  # so many bytes of source code, or one in so many, may be 0: a string that holds one; guess


def _is_generated(folders: list[str], name: str, ending: str, head: bytes) -> bool:
    if name in _NAMES["lock_files"] or name.endswith(_NAMES["generated_endings"]):
        return True
    is_built = bool(folders) and folders[0] in _NAMES["built_folders"] and ending in _NAMES["built_suffixes"]
    if is_built and any(mark.encode() in head for mark in _NAMES["built_marks"]):
        return True
    return any(_MARKER.search(line) for line in _top_comments(head))


def _top_comments(head: bytes) -> Iterator[bytes]:
    """Give the lines of comments and docs that stand above the first line of code."""
    closing = b""
    for line in head.split(b"\n", _MARKER_LINES)[:_MARKER_LINES]:
        bare = line.strip()
        if closing:
            yield line
            closing = b"" if closing in bare else closing
            continue
        opened = next(((start, end) for start, end in _COMMENT_BLOCKS if bare.startswith(start)), None)
        if opened is not None:
            yield line
            closing = b"" if opened[1] in bare[len(opened[0]) :] else opened[1]
        elif _COMMENT_LINE.match(line):
            yield line
        else:
            return


def _has_long_lines(head: bytes) -> bool:
    if len(head) < 1_024:
        return False
    lines = head.split(b"\n")
    return len(head) / len(lines) > LINE_BYTES_MEAN_MAX or max(map(len, lines)) > LINE_BYTES_MAX
