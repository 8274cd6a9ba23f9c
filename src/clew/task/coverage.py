"""Decide which files a run of a check covers, and what kind of check it is: tests, lint, types, build, format.

A test run with targets covers the files below them, and those that a target is the test of by its name; a run of chosen tests covers
nothing. The tools and their languages are data: `coverage.toml`.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import cache

from clew.records import SimpleCommand
from clew.task.commands import CheckScope, parse_check_scope
from clew.task.runners.formats import find_runner, load_runners
from clew.task.vocabulary import load_toml

CHECKS = "checks"  # the kind of a task, a build tool and what else may run several tools
GENERAL = frozenset(load_toml("coverage.toml")["kinds"][CHECKS].split())
_TEST_ROOTS = frozenset(("tests", "test", "spec", "__tests__"))  # whoever names this folder runs all tests
_SUBCOMMANDS = frozenset(("run", "test", "check", "lint", "build", "vet", "watch", "verify", "compile", "clippy", "nextest"))
_TASKS = {  # what the name of a task says of it
    "lint": re.compile(r"(?:^|[\s:_/-])(?:lint|linters?|eslint|clippy)(?:$|[\s:_-])"),
    "types": re.compile(r"(?:^|[\s:_/-])(?:types?|typecheck|type-check|tsc|mypy)(?:$|[\s:_-])"),
    "format": re.compile(r"(?:^|[\s:_/-])(?:fmt|format)(?:$|[\s:_-])"),
    "tests": re.compile(r"(?:^|[\s:_/-])(?:tests?|spec|e2e|unit|integration)(?:$|[\s:_-])"),
    "build": re.compile(r"(?:^|[\s:_/-])(?:build|compile)(?:$|[\s:_-])"),
}
_ONLY_LISTS = frozenset(("--collect-only", "--co", "--list", "-list", "--listTests", "--dry-run", "--list-tests"))
_CONFIGURATIONS = (".json", ".toml", ".js", ".cjs", ".mjs", ".ts", ".cfg", ".ini", ".yml", ".yaml", ".rc")
_PARTS = frozenset(("-p", "--package", "--project", "--filter", "-F", "-w", "--workspace", "-C", "--cwd", "--dir", "--manifest-path"))
_READING = frozenset(("lint", "format"))  # what it says of a file depends on no other file
_TEST_AFFIXES = re.compile(
    r"^(?:tests?|spec)[_\-.](?=.)"
    r"|(?<=.)[_\-.](?:tests?|spec|specs|e2e|integration|unit)$"
    r"|(?<=[a-z0-9])(?:Tests?|Spec|IT)$"
)


@dataclass(frozen=True, slots=True)
class CheckRun:
    """What one run of a check covers.

    kind     "tests", "lint", "types", "build", "format", or "checks" for several of them or an unknown one.
    folder   in which it ran, relative to the root or absolute; "" for the root.
    scope    what it was told to check.
    endings  of the files that its tool reads, () where that is not known.
    tool     that gave the verdict, as the files of `runners/tools` are named; "" for an unknown one.
    """

    command: str
    kind: str
    folder: str
    scope: CheckScope
    endings: tuple[str, ...] = ()
    tool: str = ""

    def covers(self, path: str) -> bool:
        """Return whether its verdict says something of this file, a path as in a FileState."""
        if self.scope.filters or not self.may_concern(path):
            return False
        if self.kind == "build" and _subject(path) != _stem(path):  # a build leaves tests out
            return False
        return self.reaches(path)

    def reaches(self, path: str) -> bool:
        """Return whether its targets, without the names of single tests, take this file in."""
        targets = [target for target in self.scope.targets if target not in _SUBCOMMANDS]
        for name, _, value in (option.partition("=") for option in self.scope.options):
            if name == "-c" and value and not value.endswith(_CONFIGURATIONS):  # of `prettier -c src`
                targets.append(value)
            elif name in _PARTS and value:
                part = value.rpartition("/")[0] if value.endswith(_CONFIGURATIONS) else value.rpartition("/")[2] or value
                if part.strip("./") and f"/{part.strip('./')}/" not in f"/{path}":
                    return False
        return not targets or any(target.strip("./") in _TEST_ROOTS or self._reaches(target, path) for target in targets)

    def may_concern(self, path: str) -> bool:
        """Return whether it reads files like this one, below the folder in which it ran."""
        is_below = not self.folder or path.startswith(f"{self.folder}/")
        return is_below and path.rpartition(".")[2] in self.endings and (bool(self.folder) or not path.startswith(("/", "~")))

    def repeats(self, before: CheckRun) -> bool:
        """Return whether it tells anew, of each file that it covers, what an earlier run told of it: another linter does not."""
        return self.kind in _READING and bool(self.tool) and (self.tool, self.kind) == (before.tool, before.kind)

    def is_affected_by(self, path: str) -> bool:
        """Return whether a change of another file than the one that it covers may change what it says of that."""
        return self.kind not in _READING and self.may_concern(path) and self.scope.is_affected_by(path)

    def _reaches(self, target: str, path: str) -> bool:
        if "::" in target or target.startswith("$"):
            return False
        base = posixpath.normpath(f"{self.folder}/{target}" if self.folder and not target.startswith("/") else target)
        if base.endswith("/...") or base == "...":
            base = base[:-3].rstrip("/")
            return not base or path.startswith(f"{base}/")
        if base in (".", path) or path == base:
            return base != "." or not self._is_flat or "/" not in path
        if path.startswith(f"{base}/"):
            return not self._is_flat or "/" not in path[len(base) + 1 :]
        is_file = "." in base.rpartition("/")[2]
        return self.kind == "tests" and is_file and _subject(base) != _stem(base) and _subject(base) == _subject(path)

    @property
    def _is_flat(self) -> bool:
        """Whether a folder as target stands for its own files alone: so Go names packages."""
        return self.endings == ("go",) and self.kind not in _READING


def find_check_run(check: SimpleCommand, folder: str, *, printed_by: str = "") -> CheckRun:
    """Return what a check covers.

    folder      in which it ran, relative to the root or absolute.
    printed_by  name of the tool whose verdict its output holds, where it is known: says what a task such as `make test` runs, unless the
                task's name says that it is of another kind: of `make lint && make test` one output shows both.
    """
    name = find_tool(check)
    kind = _kind(name) if name else CHECKS
    if kind == CHECKS:
        words = " ".join(check.words[1:])
        kind = next((kind for kind, named in _TASKS.items() if named.search(words)), CHECKS)
        name = "" if printed_by in GENERAL or kind not in (CHECKS, _kind(printed_by)) else printed_by
        kind = _kind(name) if name else kind
    options = set(check.words[1:])
    endings = () if options & _ONLY_LISTS else _endings().get(name, ())
    kind = "build" if name == "go_test" and "-c" in options else kind
    return CheckRun(" ".join(check.words), kind, folder, parse_check_scope(check, folder), endings, name)


def find_tool(check: SimpleCommand) -> str:
    """Return the name of the tool that a check runs, as the files of `runners/tools` are named; "" for an unknown one."""
    runner = find_runner(check.words)
    return runner.name if runner else ""


@cache
def _kinds() -> dict[str, str]:
    return {name: kind for kind, names in load_toml("coverage.toml")["kinds"].items() for name in names.split()}


@cache
def _endings() -> dict[str, tuple[str, ...]]:
    endings = load_toml("coverage.toml")["endings"]
    return {name: tuple(sorted(set(of.split()))) for of, names in endings.items() for name in names.split()}


def _kind(runner: str) -> str:
    known = load_runners().get(runner)
    return _kinds().get(runner) or ("tests" if known and known.is_test else "build")


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0] or path.rpartition("/")[2]


def _subject(path: str) -> str:
    """The name of what a file tests, by its own name: `cart` for `test_cart.py`, `cart.spec.ts` and `cart_test.go`."""
    return _TEST_AFFIXES.sub("", _stem(path))
