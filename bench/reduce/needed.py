"""Needed: what of an output the agent's next calls use, judged from their inputs alone.

Nothing here is shared with the reducer. A target is a word or a line that stands in the output and in a later input, and in no
input before: the agent may have it from here. It counts as held where a shown line holds it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench.reduce.outputs import Output
from clew.records import ToolKind

NAME_CHARS = (5, 120)
LINE_CHARS = (16, 240)
NEAR_LINES = 30  # a later view that begins this near to a number beside the file's name went there

_NAME = re.compile(r"[A-Za-z_$][\w$]{4,119}")
_PATH = re.compile(r"(?<![\w./~@-])[\w.~@+-]*(?:/[\w.@+()\[\]-]+)+|(?<![\w./-])[\w-]{2,60}\.[A-Za-z]{1,5}(?![\w/])")
_HARD = re.compile(r"[a-z][A-Z]|_|\d|^[A-Z]{2,}")  # what no prose holds: camelCase, snake_case, digits, capitals


@dataclass(frozen=True, slots=True)
class Needed:
    """Targets by sort: "name", "path", "place" (a file and a number), "line" (quoted later, whole), "edit" (replaced by the next edits)."""

    targets: frozenset[tuple[str, str]]

    def held(self, shown: str) -> dict[str, tuple[int, int]]:
        """By sort: how many targets the shown lines hold, and how many there are."""
        words = set(_NAME.findall(shown))
        lines = {line.strip() for line in shown.split("\n")} | {_unnumbered(line) for line in shown.split("\n")}
        counts: dict[str, tuple[int, int]] = {}
        for sort, target in self.targets:
            if sort == "name":
                is_held = target in words
            elif sort == "path":
                is_held = target in shown
            elif sort == "place":
                is_held = any(target == place for place in _places(shown))
            else:
                is_held = target in lines or (sort == "line" and target in shown)
            got, of = counts.get(sort, (0, 0))
            counts[sort] = got + is_held, of + 1
        return counts


def needed(output: Output) -> Needed:
    """Return what the next calls use of this output."""
    text = output.text
    before = "\n".join(output.before)
    known_names = set(_NAME.findall(before))
    later = "\n".join(word for _, words in output.after for word in words)
    targets: set[tuple[str, str]] = set()
    standing = set(_NAME.findall(text))
    targets.update(
        ("name", name) for name in set(_NAME.findall(later)) if name in standing and name not in known_names and _HARD.search(name)
    )
    for path in set(_PATH.findall(later)):
        end = "/".join(path.strip("/").split("/")[-2:])
        if len(end) >= NAME_CHARS[0] and end in text and end not in before:
            targets.add(("path", end))
    places = _places(text)
    for call, _ in output.after:
        if call.kind is ToolKind.READ and call.start and call.path:
            name = call.path.rpartition("/")[2]
            near = [
                place for place in places if place.startswith(f"{name}:") and 0 <= int(place.rpartition(":")[2]) - call.start <= NEAR_LINES
            ]
            if near:
                targets.add(("place", min(near, key=lambda place: int(place.rpartition(":")[2]))))
    standing_lines = {line.strip() for line in text.split("\n")} | {_unnumbered(line) for line in text.split("\n")}
    for call, words in output.after:
        olds = [edit.old for edit in call.edits if not call.content]
        for line in {line.strip() for old in olds for line in old.split("\n")}:
            if len(line) >= LINE_CHARS[0] and line in standing_lines:
                targets.add(("edit", line))
        if not olds:
            for line in {line.strip() for word in words for line in word.split("\n")}:
                if LINE_CHARS[0] <= len(line) <= LINE_CHARS[1] and " " in line and line in text and line not in before:
                    targets.add(("line", line))
    return Needed(frozenset(targets))


def _unnumbered(line: str) -> str:
    """A line of a numbered view, or of a search, without what stands before it."""
    return re.sub(r"^(?:\s*\d+(?:→|\t)|[^\s:]+:\d+:|[+-])", "", line).strip()


def _places(text: str) -> set[str]:
    """`name:number` of every place in a text, the folder left out."""
    return {f"{name}:{number}" for name, number in re.findall(r"([\w.@+-]+\.\w{1,5})[:(](\d{1,6})", text)}
