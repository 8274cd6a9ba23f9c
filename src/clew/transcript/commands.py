"""Commands: what a shell command does, as far as its words tell.

Says which checks it runs, which one file it shows, which files it surely changes, and whether it only looks.
Reads words and never runs anything; where a construct is not understood the answer is "it did something".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

COMMAND_CHARS_MAX = 4000  # of a longer command (a script on standard input) only the beginning is understood


@dataclass(frozen=True, slots=True)
class Sight:
    """A file that a command shows, from 1-based `start` to `end`; end 0 is the end of the file, start 0 an unknown place."""

    path: str
    start: int = 1
    end: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """What a command does.

    checks    the parts that test, build, lint or check types, without their wrappers, joined by ` && `; "" for none.
    sight     the one file that it shows and does nothing else.
    changes   files that it surely changes; relative ones are relative to `folder`.
    folder    where a leading `cd` goes, "" for none.
    is_look   it changes nothing: the same command can be run again for a newer answer.
    is_search it looks for something among files.
    is_piped  its exit code is that of a filter behind the check.
    is_web    it brings words from outside.
    """

    checks: str = ""
    sight: Sight | None = None
    changes: tuple[str, ...] = ()
    folder: str = ""
    is_look: bool = False
    is_search: bool = False
    is_piped: bool = False
    is_web: bool = False


_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w{1,40})\1[^\n]*\n(?:.*?\n)??\s*\2(?=\s|$|\))", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\\\n)|(?P<note>\#[^\n]*)|(?P<op>&&|\|\||\|&|\|(?!\|)|;;?|&(?![>&\d])|\n)"""
    r"""|(?P<out>\d?&?>>?&?-?|<<<|<)|(?P<word>(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'|&;<>\\]|(?<=[^\s])&(?=\d)|&(?=>))+)|(?P<odd>.)""",
    re.DOTALL,
)
_QUOTES = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|\\(.)", re.DOTALL)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_RANGE = re.compile(r"(\d{1,9})(?:,(\d{1,9}|\$))?p")
_SCRIPT = re.compile(r"(?:^|[:_.-])(?:tests?|lint|check|checks|build|compile|types?|typecheck|tsc|verify|ci|e2e|unit|integration|validate|spec|clippy|vet|fmt|format)(?:$|[:_.-])")
_WRAPPERS = frozenset("sudo time nice nohup command exec builtin env xvfb-run stdbuf caffeinate npx bunx pnpx uvx rtx dotenv then do else if ! ( {".split())
_RUNNERS = {
    "uv": ("run",), "poetry": ("run",), "pipenv": ("run",), "hatch": ("run",), "pdm": ("run",), "rye": ("run",), "bundle": ("exec",), "pnpm": ("exec", "dlx"),
    "npm": ("exec",), "yarn": ("exec", "dlx"), "docker-compose": (), "conda": ("run",), "mise": ("exec", "x"), "direnv": ("exec",), "asdf": ("exec",),
}  # fmt: skip
_CHECKS = frozenset(
    """pytest py.test tox nox vitest jest mocha ava karma playwright cypress tsc vue-tsc tsgo eslint flake8 pylint mypy pyright basedpyright
    staticcheck gotestsum ginkgo shellcheck rspec phpunit phpstan pest rubocop ctest swiftlint ktlint detekt biome stylelint
    markdownlint hadolint actionlint lint-imports pre-commit ty unittest nosetests yamllint sqlfluff oxlint knip xcodebuild codespell bats""".split()
)
_SUBCOMMANDS = {
    "go": "test vet build", "cargo": "test check build clippy nextest bench", "make": "", "gmake": "", "just": "", "task": "", "rake": "", "mise": "",
    "npm": "test t build", "pnpm": "test t build tsc lint", "yarn": "test build lint", "bun": "test build", "deno": "test lint check",
    "gradle": "", "gradlew": "", "mvn": "test verify package compile install", "mvnw": "test verify package compile install", "dotnet": "test build",
    "bazel": "test build", "swift": "test build", "turbo": "", "nx": "", "ninja": "", "meson": "test compile", "zig": "build test", "mix": "test compile credo",
    "sbt": "test compile", "lein": "test check", "stack": "test build", "cabal": "test build", "flutter": "test analyze build", "dart": "test analyze",
    "ruff": "check", "golangci-lint": "run", "prettier": "--check -c --list-different -l", "gofmt": "-l -d", "black": "--check", "cmake": "--build", "terraform": "validate plan",
    "pip": "check", "helm": "lint", "docker": "build", "forge": "test build", "hardhat": "test compile", "rustfmt": "--check", "isort": "--check --check-only",
}  # fmt: skip
_ALWAYS = frozenset(("ninja",))
_NOWHERE = frozenset(("/dev/null", "/dev/stderr", "/dev/stdout", "/dev/tty", "-"))
_LOOKS = frozenset(
    """ls cat head tail grep rg ag ack egrep fgrep find fd wc tree stat file which type pwd echo printf env printenv ps df du jq yq awk sort uniq cut tr
    diff cmp nl less more bat xxd od hexdump strings date uname whoami id hostname basename dirname realpath readlink column comm paste tac rev seq
    test [ [[ true false cd export set lsof top uptime history man help shasum sha256sum md5sum md5 cksum curl wget pgrep sleep wait fold expr gofmt
    glow exa eza locate""".split()
)
_SEARCHES = frozenset("ls grep rg ag ack egrep fgrep find fd tree wc exa eza locate".split())
_FILTERS = frozenset("tail head grep egrep tee cat sed awk sort uniq wc cut tr less rg jq column ts xargs".split())
_LOOKS_GIT = frozenset(
    """status log diff show rev-parse ls-files ls-tree blame grep describe cat-file shortlog reflog merge-base rev-list show-ref for-each-ref
    name-rev whatchanged check-ignore count-objects version help diff-tree ls-remote""".split()
)
_LOOKS_GIT_BARE = {"branch": ("-a", "-r", "-v", "-vv", "--show-current", "--list", "--all", "--contains"), "remote": ("-v", "show", "get-url"),
                   "stash": ("list", "show"), "worktree": ("list",), "config": ("--get", "--list", "-l"), "tag": ("-l", "--list"), "notes": ("show", "list")}  # fmt: skip
_LOOKS_GH = frozenset("view list diff checks status search watch".split())
_GH_WRITES = frozenset(("-X", "--method", "-f", "-F", "--field", "--raw-field", "--input"))
_VALUED = {
    "head": frozenset(("-n", "-c", "--lines", "--bytes")), "tail": frozenset(("-n", "-c", "--lines", "--bytes")),
    "timeout": frozenset(("-s", "-k", "--signal", "--kill-after")),
}  # fmt: skip
_SCRIPT_FLAGS = frozenset(("--filter", "-F", "-C", "--dir", "--prefix", "-w", "--workspace", "--cwd", "--directory", "-f", "--project", "-p", "--package"))


@dataclass(frozen=True, slots=True)
class _Part:
    words: tuple[str, ...]
    joint: str  # the operator before it
    into: tuple[str, ...]  # files that its output goes to


@lru_cache(maxsize=1 << 12)
def understand(command: str) -> Command:
    """Return what a command does. Cost: 10 to 50 µs for a command of 100 characters, linear."""
    parts = _parts(command)
    folder = ""
    checks: list[str] = []
    changes: list[str] = []
    sights: list[Sight | None] = []
    is_look, is_search, is_web, is_piped = bool(parts), False, False, False
    for at, part in enumerate(parts):
        words = _bare(part.words)
        changes.extend(part.into)
        if not words:
            continue
        program = words[0].rpartition("/")[2]
        if program == "cd":
            folder = posixpath.join(folder, words[1]) if len(words) > 1 and not checks and len(sights) == 0 else folder
            continue
        is_filter = part.joint in ("|", "|&")
        if check := "" if is_filter else _check(program, words):
            checks.append(check)
            is_piped = is_piped or (at + 1 < len(parts) and parts[at + 1].joint in ("|", "|&"))
        looks = _looks(program, words)
        is_look = is_look and looks and not part.into
        is_search = is_search or (not is_filter and (program in _SEARCHES or words[:2] == ("git", "grep")))
        is_web = is_web or program in ("curl", "wget", "gh", "http", "lynx")
        changes.extend(_changes(program, words))
        if not (is_filter and program in ("cat",)):
            sights.append(_narrowed(sights[-1], program, words) if is_filter and sights else _sight(program, words))
            if is_filter and len(sights) > 1:
                del sights[-2]
    sight = sights[0] if len(sights) == 1 and not checks else None
    return Command(" && ".join(checks), sight, tuple(changes), folder, is_look and not changes and not checks, is_search and not checks, is_piped, is_web)


def command_line(value: object) -> str:
    """The shell's words of a call's input: a string, or a list that a shell is called with."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        words = [word for word in value if isinstance(word, str)]
        if len(words) == 3 and words[0].rpartition("/")[2] in ("bash", "sh", "zsh") and words[1] in ("-c", "-lc"):
            return words[2]
        return " ".join(words)
    return ""


def _parts(command: str) -> list[_Part]:
    text = command[:COMMAND_CHARS_MAX]
    if "<<" in text:
        text = _HEREDOC.sub(" ", text)
    parts: list[_Part] = []
    words: list[str] = []
    into: list[str] = []
    joint = ""
    redirect = ""
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "word":
            word = token[0] if "'" not in token[0] and '"' not in token[0] and "\\" not in token[0] else _QUOTES.sub(_unquoted, token[0])
            if redirect:
                word = word.rstrip(")")
                if ">" in redirect and not (redirect.endswith("&") and (word.isdigit() or word == "-")) and word not in _NOWHERE:
                    into.append(word)
                redirect = ""
            elif word:
                words.append(word)
        elif kind == "out":
            redirect = token[0]
        elif kind == "op":
            if words or into:
                parts.append(_Part(tuple(words), joint, tuple(into)))
            words, into, joint, redirect = [], [], token[0], ""
    if words or into:
        parts.append(_Part(tuple(words), joint, tuple(into)))
    return parts


def _unquoted(found: re.Match[str]) -> str:
    return found[1] if found[1] is not None else found[2] if found[2] is not None else found[3]


def _bare(words: Sequence[str]) -> tuple[str, ...]:
    """The words without assignments, wrappers and runners in front."""
    words = tuple(words)
    while words:
        first = words[0].rpartition("/")[2]
        if _ASSIGNMENT.match(words[0]) or first in _WRAPPERS:
            words = words[1:]
        elif first == "timeout":
            words = words[1:]
            while words and (words[0].startswith("-") or words[0][:1].isdigit()):
                words = words[2:] if words[0] in _VALUED["timeout"] else words[1:]
        elif first in _RUNNERS and (plain := _plain(words[1:])) and plain[0] in _RUNNERS[first]:
            words = words[words.index(plain[0], 1) + 1 :]
            while words and words[0].startswith("-"):
                words = words[1:]
        elif (first.startswith("python") or first == "py") and len(words) > 2 and words[1] == "-m":
            words = words[2:]
        elif words[0].startswith("(") and len(words[0]) > 1:
            words = (words[0][1:], *words[1:])
        else:
            return words
    return words


def _check(program: str, words: Sequence[str]) -> str:
    """The check that these words run, "" for none."""
    if program in ("gradlew", "mvnw", "gradle", "mvn"):
        program = program.removesuffix("w")
    if program not in _CHECKS:
        known = _SUBCOMMANDS.get(program)
        if known is None:
            return ""
        plain = _plain(words[1:])
        first = plain[0] if plain else ""
        if first in ("run", "run-script", "r") and program in ("npm", "pnpm", "yarn", "bun", "mise", "turbo", "nx", "task", "just"):
            plain = plain[1:]
            first = plain[0] if plain else ""
            if not _SCRIPT.search(first):
                return ""
        elif first not in known.split() and not any(word in known.split() for word in words[1:] if word.startswith("-")):
            if known and program not in ("npm", "pnpm", "yarn", "bun"):
                return ""
            if not first and program in ("make", "gmake", *_ALWAYS):
                return program
            if not any(_SCRIPT.search(word) for word in plain):
                return ""
    if words[-1] in ("--version", "--help", "-h", "-V", "version", "help") or "--write" in words or "--fix" in words[:2]:
        return ""
    return " ".join(words)


def _plain(words: Sequence[str]) -> list[str]:
    """The words that are neither flags nor the values of the flags that scripts are called with."""
    found: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in _SCRIPT_FLAGS:
            skip = True
        elif not word.startswith("-"):
            found.append(word)
    return found


def _looks(program: str, words: Sequence[str]) -> bool:
    if program == "git":
        plain = _plain(words[1:])
        if not plain:
            return True
        if plain[0] in _LOOKS_GIT:
            return True
        rest = words[words.index(plain[0]) + 1 :]
        bare = _LOOKS_GIT_BARE.get(plain[0])
        return bare is not None and (not rest and plain[0] not in ("stash", "worktree", "config", "notes") or any(word in bare for word in rest))
    if program == "gh":
        return any(word in _LOOKS_GH for word in words[1:4]) or ("api" in words[1:3] and not any(word in _GH_WRITES for word in words))
    if program == "sed":
        return not any(word == "--in-place" or word.startswith(("-i", "--in-place=")) or word in ("-ni", "-Ei", "-ri") for word in words[1:])
    if program == "find":
        return not any(word in ("-delete", "-exec", "-execdir", "-ok") for word in words)
    if program in ("curl", "wget"):
        return not any(word in ("-X", "-d", "--data", "--request", "-T", "-F", "-o", "-O", "--output") or word.startswith("-d") for word in words)
    if program == "gofmt":
        return "-w" not in words
    return program in _LOOKS or words[-1] in ("--version", "--help", "-h", "-V", "-v")


def _files(program: str, words: Sequence[str]) -> list[str]:
    valued = _VALUED.get(program, frozenset[str]())
    found: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in valued:
            skip = True
        elif not word.startswith("-"):
            found.append(word)
    return found


def _sight(program: str, words: Sequence[str]) -> Sight | None:
    """The file that these words show, None where they show several, none, or something else."""
    files = _files(program, words[1:])
    if program in ("cat", "less", "more", "bat", "nl") and len(files) == 1:
        return Sight(files[0]) if not _is_glob(files[0]) else None
    if program in ("head", "tail") and len(files) == 1 and not _is_glob(files[0]):
        return Sight(files[0], *_span(program, words))
    if program == "sed" and len(files) == 2 and "-n" in words and (found := _RANGE.fullmatch(files[0])) and not _is_glob(files[1]):
        start = int(found[1])
        return Sight(files[1], start, 0 if found[2] == "$" else int(found[2] or start))
    return None


def _narrowed(before: Sight | None, program: str, words: Sequence[str]) -> Sight | None:
    """What is left of a shown file behind a filter."""
    if before is None or _files(program, words[1:]) and program != "sed":
        return None
    if program == "head" and before.start == 1:
        start, end = _span(program, words)
        return Sight(before.path, start, min(end, before.end or end)) if start else None
    if program == "tail":
        start, end = _span(program, words)
        return Sight(before.path, start, end) if before == Sight(before.path) else Sight(before.path, 0, 0)
    if program == "sed" and before == Sight(before.path):
        files = _files(program, words[1:])
        if len(files) == 1 and "-n" in words and (found := _RANGE.fullmatch(files[0])):
            start = int(found[1])
            return Sight(before.path, start, 0 if found[2] == "$" else int(found[2] or start))
    if program in ("nl", "cat"):
        return before
    return None


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
    if program == "head" and lines.isdigit() and len(lines) < 10:
        return 1, int(lines)
    if program == "tail" and lines.startswith("+") and lines[1:].isdigit() and len(lines) < 10:
        return int(lines[1:]), 0
    return 0, 0


def _is_glob(word: str) -> bool:
    return any(char in word for char in "*?[{$`(")


def _changes(program: str, words: Sequence[str]) -> list[str]:
    """Files that these words change, delete or bring back."""
    every = _files(program, words[1:])
    if program == "sed":
        every = every[0 if "-e" in words or "-f" in words else 1 :] if not _looks(program, words) else []
    files = [word for word in every if not _is_glob(word)]
    if program == "sed":
        return files
    if program in ("rm", "mv", "tee", "truncate", "patch", "touch", "unlink", "shred"):
        return files if program != "touch" else []
    if program in ("cp", "install") and len(files) > 1:
        return files[-1:]
    if program == "git" and files and files[0] in ("checkout", "restore", "rm", "mv"):
        if "--" in words:
            return list(words[words.index("--") + 1 :])
        return files[1:] if files[0] != "checkout" else []
    if program in ("gofmt", "goimports", "prettier", "black", "ruff", "eslint", "rustfmt") and any(word in ("-w", "--write", "--fix") for word in words):
        return [word for word in files if "." in word.rpartition("/")[2] and word != "."]
    return []


_FAILED = re.compile(
    r"^(?:FAIL(?:ED)?\b|--- FAIL|\s*✖ [1-9]\d* problem|\s*[✗✘×] |ERROR\b|error(?:\[\w+\])?:|fatal:|panic:|npm ERR!|\s*ELIFECYCLE|Traceback \(most recent call last\)"
    r"|make(?:\[\d+\])?: \*\*\*|.{0,200}: error(?: TS\d+|\[\w+\])?: |exit status [1-9]|Exit code [1-9]|Error: |BUILD FAILED|.{0,80}\bCommand failed with exit code [1-9])"
    r"|\b[1-9]\d* (?:failed|failing|failures?|errors?)\b(?! found, 0)|\b(?:Failures?|Errors?): ?[1-9]",
    re.MULTILINE,
)
_PASSED = re.compile(r"\b\d+ (?:passed|passing)\b|^ok\b|^PASS\b|\bAll checks passed|\b0 (?:errors|failures|problems)|\bBUILD SUCCESS|\btest result: ok|Success: no issues|0 issues\.", re.MULTILINE)


def outcome(text: str, *, is_piped: bool, exit_code: int | None, is_error: bool | None) -> bool | None:
    """Has a check passed? None where nothing tells.

    The exit code decides, unless a filter stood behind the check: then failure marks in the output do.
    Cost  linear in `text`, of which the last 20,000 characters are read.
    """
    if is_error or exit_code:
        return False
    tail = text[-20_000:]
    if is_piped or exit_code is None:
        if _FAILED.search(tail):
            return False
        return True if exit_code == 0 or _PASSED.search(tail) else None
    return True
