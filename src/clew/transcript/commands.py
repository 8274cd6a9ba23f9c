"""Commands: what a shell command line shows, changes, or only asks.

The task room reads the line and knows checks; the ledger also asks which one file it shows and which lines of it, which
files it surely changes, and whether it can be run again for a newer answer. Where a construct is not understood the
answer is "it did something".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from clew.task.commands import Line, read_line
from clew.task.vocabulary import EXTENSIONS
from clew.transcript.vocabulary import listed

COMMAND_CHARS_MAX = 4000  # of a longer command (a script on standard input) only the beginning is understood


@dataclass(frozen=True, slots=True)
class Sight:
    """A file that a command shows, from 1-based `start` to `end`; end 0 is the end of the file, start 0 an unknown place."""

    path: str
    start: int = 1
    end: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """What a command line does.

    line      its words, its checks and its normal form.
    sight     the one file that it shows and does nothing else.
    changes   files that it surely changes, deletes or brings back; relative ones are relative to `line.place`.
    removes   those of them that it deletes.
    is_look   it changes nothing: the same command can be run again for a newer answer.
    is_search it looks for something among files.
    is_web    it brings words from outside.
    """

    line: Line
    sight: Sight | None = None
    changes: tuple[str, ...] = ()
    is_look: bool = False
    is_search: bool = False
    is_web: bool = False
    removes: tuple[str, ...] = ()


_RANGE = re.compile(r"(\d{1,9})(?:,(\d{1,9}|\$))?p")
_LOOKS = listed("""
    ls cat head tail grep rg ag ack egrep fgrep find fd wc tree stat file which type pwd echo printf env printenv ps df du jq yq awk
    sort uniq cut tr diff cmp nl less more bat xxd od hexdump strings date uname whoami id hostname basename dirname realpath readlink
    column comm paste tac rev seq test [ [[ true false cd export set lsof top uptime history man help shasum sha256sum md5sum md5
    cksum curl wget pgrep sleep wait fold expr gofmt glow exa eza locate pushd popd
""")
_SEARCHES = listed("""
    ls grep rg ag ack egrep fgrep find fd tree wc exa eza locate
""")
_LOOKS_GIT = listed("""
    status log diff show rev-parse ls-files ls-tree blame grep describe cat-file shortlog reflog merge-base rev-list show-ref for-
    each-ref name-rev whatchanged check-ignore count-objects version help diff-tree ls-remote
""")
_LOOKS_GIT_WITH = {
    "branch": ("-a", "-r", "-v", "-vv", "--show-current", "--list", "--all", "--contains"),
    "remote": ("-v", "show", "get-url"),
    "stash": ("list", "show"),
    "worktree": ("list",),
    "config": ("--get", "--list", "-l"),
    "tag": ("-l", "--list"),
    "notes": ("show", "list"),
}
_LOOKS_GIT_BARE = frozenset(("branch", "remote", "tag"))
_LOOKS_GH = listed("""
    view list diff checks status search watch
""")
_GH_WRITES = frozenset(("-X", "--method", "-f", "-F", "--field", "--raw-field", "--input"))
_CURL_WRITES = frozenset(("-X", "-d", "--data", "--request", "-T", "-F", "-o", "-O", "--output", "--data-raw", "--data-binary", "--json"))
_ASKS = frozenset(("--version", "--help", "-h", "-V", "-v", "version", "help"))
_VALUED = frozenset(("-n", "-c", "--lines", "--bytes"))
_WEB = listed("""
    curl wget gh http lynx xh
""")
_FORMATTERS = listed("""
    gofmt goimports prettier black ruff eslint rustfmt
""")


def understand(command: str) -> Command:
    """Return what a command line does. Cost: about 50 µs for a line of 150 characters, linear."""
    return _understood(command[:COMMAND_CHARS_MAX])  # cut first, because what was asked is kept


@lru_cache(maxsize=1 << 12)
def _understood(command: str) -> Command:
    line = read_line(command)
    changes: list[str] = []
    removes: list[str] = []
    sights: list[Sight | None] = []
    is_look, is_search, is_web = bool(line.simples), False, False
    for simple in line.simples:
        words = simple.words
        program = words[0].rpartition("/")[2]
        changes.extend(path for path in simple.writes if not path.startswith(("/dev/", "&")) and not path.isdigit())
        changed = _changes(program, words)
        changes.extend(changed)
        if program in ("rm", "unlink") or words[:2] == ("git", "rm"):
            removes.extend(changed)
        if program in ("cd", "pushd", "set", "export"):
            continue
        is_look = is_look and _looks(program, words)
        is_search = is_search or (not simple.is_tail and (program in _SEARCHES or words[:2] == ("git", "grep")))
        is_web = is_web or program in _WEB
        if simple.is_tail and sights:
            sights[-1] = _narrowed(sights[-1], program, words)
        else:
            sights.append(_sight(program, words))
    is_look = is_look and not changes and not line.checks
    sight = sights[0] if len(sights) == 1 and is_look else None
    return Command(line, sight, tuple(changes), is_look, is_search and not line.checks, is_web, tuple(removes))


def command_line(value: object) -> str:
    """The shell's words of a call's input: a string, or a list that a shell is called with."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        words = [word for word in cast("list[object]", value) if isinstance(word, str)]
        if len(words) == 3 and words[0].rpartition("/")[2] in ("bash", "sh", "zsh") and words[1] in ("-c", "-lc"):
            return words[2]
        return " ".join(words)
    return ""


def check_of(line: Line, place: str) -> str:
    """The name under which a later run of the same checks is found again, as the task state names it."""
    return f"check:cd {place} && {line.form}" if place else f"check:{line.form}"


def _plain(words: Sequence[str]) -> list[str]:
    return [word for word in words if not word.startswith("-")]


def _looks(program: str, words: Sequence[str]) -> bool:
    """These words change nothing."""
    if program == "git":
        plain = _plain(words[1:])
        if not plain or plain[0] in _LOOKS_GIT:
            return True
        rest = words[words.index(plain[0]) + 1 :]
        return (not rest and plain[0] in _LOOKS_GIT_BARE) or any(word in _LOOKS_GIT_WITH.get(plain[0], ()) for word in rest)
    if program == "gh":
        if "api" in words[1:3]:
            return not any(word in _GH_WRITES for word in words)
        return any(word in _LOOKS_GH for word in words[1:4])
    if program == "sed":
        return not _edits_in_place(words)
    if program == "find":
        return not any(word in ("-delete", "-exec", "-execdir", "-ok") for word in words)
    if program in ("curl", "wget"):
        return not any(word in _CURL_WRITES for word in words)
    if program == "gofmt":
        return "-w" not in words
    return program in _LOOKS or words[-1] in _ASKS


def _edits_in_place(words: Sequence[str]) -> bool:
    return any(word.startswith(("-i", "--in-place")) or word in ("-ni", "-Ei", "-ri") for word in words[1:])


def _files(words: Sequence[str]) -> list[str]:
    """The words that are neither flags nor counts of lines or bytes."""
    found: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in _VALUED:
            skip = True
        elif not word.startswith("-"):
            found.append(word)
    return found


def _sight(program: str, words: Sequence[str]) -> Sight | None:
    """The file that these words show, None where they show several, none, or something else."""
    if program == "sed":
        files = _plain(words[1:])
        if len(files) == 2 and "-n" in words and (found := _RANGE.fullmatch(files[0])) and not _is_glob(files[1]):
            return _ranged(files[1], found)
        return None
    files = _files(words[1:])
    if len(files) != 1 or _is_glob(files[0]):
        return None
    if program in ("cat", "less", "more", "bat", "nl"):
        return Sight(files[0])
    return Sight(files[0], *_span(program, words)) if program in ("head", "tail") else None


def _narrowed(before: Sight | None, program: str, words: Sequence[str]) -> Sight | None:
    """What is left of a shown file behind a filter."""
    if before is None:
        return None
    whole = before == Sight(before.path)
    if program == "sed" and whole:
        files = _plain(words[1:])
        found = _RANGE.fullmatch(files[0]) if len(files) == 1 and "-n" in words else None
        return _ranged(before.path, found) if found else None
    if program in ("head", "tail") and not _files(words[1:]):
        start, end = _span(program, words)
        if program == "head" and before.start == 1 and start:
            return Sight(before.path, start, min(end, before.end or end))
        return Sight(before.path, start, end) if whole and program == "tail" else Sight(before.path, 0, 0)
    return before if program in ("cat", "nl") else None


def _ranged(path: str, found: re.Match[str]) -> Sight:
    start = int(found[1])
    return Sight(path, start, 0 if found[2] == "$" else int(found[2] or start))


def _span(program: str, words: Sequence[str]) -> tuple[int, int]:
    """First and last line that `head` or `tail` lets through; (0, 0) where that depends on the file."""
    lines = "10"
    for at, word in enumerate(words[1:], 1):
        if word in ("-n", "--lines") and at + 1 < len(words):
            lines = words[at + 1]
        elif word.startswith("-n") and len(word) > 2:
            lines = word[2:]
        elif word.startswith("-") and word[1:].isdigit():
            lines = word[1:]
        elif word.startswith(("-c", "--bytes")):
            return 0, 0
    if program == "head" and _is_number(lines):
        return 1, int(lines)
    if program == "tail" and lines.startswith("+") and _is_number(lines[1:]):
        return int(lines[1:]), 0
    return 0, 0


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 10


def _is_glob(word: str) -> bool:
    return any(char in word for char in "*?[{$`(")


def _changes(program: str, words: Sequence[str]) -> list[str]:
    """Files that these words change, delete or bring back."""
    every = _plain(words[1:])
    if program == "sed":
        if not _edits_in_place(words):
            return []
        every = every[max(1, words.count("-e") + words.count("-f")) :]  # the scripts stand before the files
    files = [word for word in every if not _is_glob(word)]
    if program in ("sed", "rm", "mv", "tee", "truncate", "unlink", "shred"):
        return files
    if program in ("cp", "install") and len(files) > 1:
        return files[-1:]
    if program == "git" and files and files[0] in ("checkout", "restore", "rm", "mv"):
        if "--" in words:
            return list(words[words.index("--") + 1 :])
        # A checkout of a branch changes files too, but nobody says which.
        return [word for word in files[1:] if files[0] != "checkout" or (word.rpartition(".")[2] in EXTENSIONS and "." in word)]
    if program in _FORMATTERS and any(word in ("-w", "--write", "--fix") for word in words):
        return [word for word in files if "." in word.rpartition("/")[2].strip(".")]
    return []
