"""Read the files that describe tools, find the tool that a command runs, and search an output for the lines that they describe.

Files are read once, patterns compiled when an output holds their rarest words; a search of 10 kB for the lines of all tools takes
about a millisecond. Decides nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from ahocorasick_rs import AhoCorasick

from clew.task.vocabulary import load_toml

HITS_MAX = 500  # of one pattern in one output; guess: more repeat what is known
INDENT_MAX = 40  # of a line; guess: what is indented deeper is quoted
EVIDENCE_CHARS_MAX = 300  # guess: a verdict's line that is longer carries payload

_PYTHON = re.compile(r"(?:python|pypy)[\d.]*(?:\.exe)?$")
_ENDINGS = (".exe", ".cmd", ".bat", ".phar")
_LAUNCHERS = frozenset(load_toml("programs.toml")["wrappers"].split())
_SCRIPT_WORDS = frozenset(("run", "run-script", "rum", "urn"))  # what follows is the name of a script


class LineMeaning(StrEnum):
    """What a line says of a run."""

    PASSED = "passed"
    FAILED = "failed"
    DETAIL = "detail"
    NOTHING = "nothing"


class LineCondition(StrEnum):
    """What must be shown of an output, or known of its command, so that a line that says passed counts."""

    ALWAYS = "always"
    AT_END = "at end"
    UNFILTERED = "unfiltered"
    WHOLE = "whole"
    NAMED = "named"


# Keys of the files: what their lines say, and where.
_KEYS = {
    "summary": (LineMeaning.PASSED, LineCondition.ALWAYS),
    "passed": (LineMeaning.PASSED, LineCondition.ALWAYS),
    "passed_at_end": (LineMeaning.PASSED, LineCondition.AT_END),
    "passed_unfiltered": (LineMeaning.PASSED, LineCondition.UNFILTERED),
    "passed_if_whole": (LineMeaning.PASSED, LineCondition.WHOLE),
    "passed_if_named": (LineMeaning.PASSED, LineCondition.NAMED),
    "failed": (LineMeaning.FAILED, LineCondition.ALWAYS),
    "details": (LineMeaning.DETAIL, LineCondition.ALWAYS),
    "nothing": (LineMeaning.NOTHING, LineCondition.ALWAYS),
}


@dataclass(frozen=True, slots=True)
class MatchedLine:
    """A line of an output that a tool's file describes: its 0-based number, what it says, and which pattern found it.

    is_counted  it says so by a count.
    """

    line: int
    says: LineMeaning
    holds: LineCondition
    evidence: str
    pattern: int
    is_counted: bool = False


@dataclass(frozen=True)
class LinePattern:
    """A line, or several, that a tool prints. `literal` are characters that it always holds, "" where none are known."""

    source: str
    says: LineMeaning
    holds: LineCondition
    literal: str

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The pattern for a whole line, or several, and the blanks around it."""
        return re.compile(rf"^[ \t]{{0,{INDENT_MAX}}}(?:{self.source})[ \t]*$", re.MULTILINE)

    def matches(self, text: str) -> Iterator[re.Match[str]]:
        """Yield at most HITS_MAX places in a text, in order."""
        if self.literal not in text:
            return
        if "\\n" in self.source:
            yield from islice(self.compiled.finditer(text), HITS_MAX)
            return
        at = text.find(self.literal)
        for _ in range(HITS_MAX if self.literal else len(text)):
            if at < 0:
                return
            found = self.compiled.match(text, text.rfind("\n", 0, at) + 1)
            if found:
                yield found
            end = text.find("\n", at)
            at = text.find(self.literal, end + 1) if end >= 0 else -1


@dataclass(frozen=True)
class Runner:
    """A tool that checks something, as its file describes it; see the package's documentation for the fields."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    patterns: tuple[LinePattern, ...] = field(repr=False)
    is_test: bool = False
    hides: bool = False
    needs_command: bool = False
    every: bool = False
    lists_faults: bool = False
    exits: tuple[tuple[int, str], ...] = ()

    def hits(self, text: str, shown: Collection[str] | None = None) -> list[MatchedLine]:
        """Return the lines that this tool's file describes, in order. `shown` are the literals that `find_literals` finds in the text."""
        found: list[MatchedLine] = []
        for number, pattern in enumerate(self.patterns):
            if shown is not None and pattern.literal not in shown:
                continue
            for match in pattern.matches(text):
                says = pattern.says if pattern.says is not LineMeaning.PASSED else _counted(match)
                lines = [line.strip("= \t") for line in match[0].split("\n") if line.strip()]
                evidence = lines[0 if says is LineMeaning.DETAIL else -1] if lines else ""
                end = match.end() if says is not LineMeaning.DETAIL else match.start()
                found.append(
                    MatchedLine(
                        text.count("\n", 0, end), says, pattern.holds, evidence[:EVIDENCE_CHARS_MAX], number, bool(match.groupdict())
                    )
                )
        return sorted(found, key=lambda hit: (hit.line, hit.pattern))


def find_literals(text: str) -> frozenset[str]:
    """Return the literals of all tools' lines that stand in a text, in one search."""
    return frozenset(("", *_literals().find_matches_as_strings(text, overlapping=True)))


@cache
def _literals() -> AhoCorasick:
    return AhoCorasick(sorted({pattern.literal for runner in load_runners().values() for pattern in runner.patterns if pattern.literal}))


@cache
def load_runners() -> dict[str, Runner]:
    """Return all tools by name; reading their files takes about 20 ms, once. Raises tomllib.TOMLDecodeError, KeyError for a broken file."""
    files = sorted(Path(__file__).with_name("tools").glob("*.toml"))
    return {path.stem: _runner(path.stem, tomllib.loads(path.read_text("utf-8"))) for path in files}


def find_runner(words: Sequence[str]) -> Runner | None:
    """Return the tool that a command runs, through `npx`, `uv run` and the like; None for a script or a tool without a file in `tools/`."""
    rest = [word.rpartition("/")[2] for word in words]
    for ending in _ENDINGS:
        rest[:1] = [rest[0].removesuffix(ending)]
    if _PYTHON.match(rest[0]):
        at = rest.index("-m") + 1 if "-m" in rest else 1
        return find_runner(words[at:]) if at < len(words) else None
    best = match_command(rest)
    if rest[0] not in _LAUNCHERS:
        return best
    for at in range(1, len(rest)):
        if rest[at] in _SCRIPT_WORDS and rest[0] in ("npm", "pnpm", "yarn", "bun"):
            return best
        if _PYTHON.match(rest[at]) or rest[at] in _LAUNCHERS:
            return find_runner(words[at:]) or best
        if (inner := match_command(rest[at:])) and not (rest[0] == "docker" and best):
            return inner
    return best


def match_command(words: Sequence[str]) -> Runner | None:
    """Return the tool one of whose commands these words are: its first word, then all others in any order; None for none.

    Of several such commands the one with the most words counts.
    """
    best: tuple[int, Runner] | None = None
    for command, runner in _commands().get(words[0], ()):
        if set(command[1:]) <= set(words[1:8]) and (best is None or len(command) > best[0]):
            best = len(command), runner
    return best[1] if best else None


@cache
def _commands() -> dict[str, list[tuple[tuple[str, ...], Runner]]]:
    found: dict[str, list[tuple[tuple[str, ...], Runner]]] = {}
    for runner in load_runners().values():
        for command in runner.commands:
            found.setdefault(command[0].rpartition("/")[2], []).append((command, runner))
    return found


def _runner(name: str, data: dict[str, Any]) -> Runner:
    patterns = [
        LinePattern(source, says, holds, longest_literal(source)) for key, (says, holds) in _KEYS.items() for source in data.get(key, ())
    ]
    return Runner(
        name,
        tuple(tuple(words.split()) for words in data["commands"]),
        tuple(patterns),
        is_test=data.get("family") == "tests",
        hides=data.get("hides", False),
        needs_command=data.get("needs_command", False),
        every=data.get("every", False),
        lists_faults=data.get("lists_faults", False),
        exits=tuple((int(code), meaning) for code, meaning in data.get("exits", {}).items()),
    )


def _counted(match: re.Match[str]) -> LineMeaning:
    """What a line's counts say; a line without counts says passed."""
    counts = match.groupdict()
    if any((count or "").strip("0") for name, count in counts.items() if name.startswith("bad")):
        return LineMeaning.FAILED
    good = [name for name in counts if name.startswith("good")]
    return LineMeaning.PASSED if not good or any((counts[name] or "").strip("0") for name in good) else LineMeaning.NOTHING


def longest_literal(pattern: str) -> str:
    """Return the longest run of characters that each match of a regular expression holds; "" where none is found outside of groups."""
    runs: list[str] = []
    run = ""
    depth = at = 0
    while at < len(pattern):
        char = pattern[at]
        step = 1
        if char == "\\":
            char, step = pattern[at + 1], 2
            is_plain = not char.isalnum()
        elif char == "[":
            step = _class_end(pattern, at) - at
            is_plain = False
        else:
            is_plain = char not in "().|?*+{}^$"
        if not is_plain:
            if char in "?*{" and step == 1:
                run = run[:-1]  # it may be missing
            if char == "{" and step == 1:
                step = pattern.index("}", at) - at + 1
            if char == "|" and not depth:
                return ""
            runs.append(run)
            run = ""
            depth += (char == "(") - (char == ")") if step == 1 else 0
        elif not depth:
            run += char
        at += step
    return max([*runs, run], key=len)


def _class_end(pattern: str, at: int) -> int:
    """The place behind a character class that begins at `at`."""
    end = at + 2 + (pattern[at + 1] == "^")
    while pattern[end - 1] != "]" or end - at < 3:
        end += 2 if pattern[end - 1] == "\\" else 1
    return end
