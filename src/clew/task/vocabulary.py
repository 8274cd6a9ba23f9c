"""Vocabulary: the patterns and the word lists of this room. They are data: `patterns.toml`, `words.toml`, `programs.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def load(name: str) -> dict[str, Any]:
    """Read one of the data files beside this module; raises tomllib.TOMLDecodeError for a broken one."""
    return tomllib.loads((Path(__file__).parent / name).read_text("utf-8"))


class Patterns(dict[str, re.Pattern[str]]):
    """Patterns by name, each compiled when it is first asked for. Raises KeyError for an unknown name."""

    def __init__(self, data: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__()
        self._marks: Mapping[str, list[str]] = data["marks"]
        self._fragments = {name: _joined(text) for name, text in data["fragments"].items()}
        self._written: dict[str, str] = {}
        for topic, patterns in data.items():
            self._written |= patterns if topic not in ("marks", "fragments") else {}

    def __missing__(self, name: str) -> re.Pattern[str]:
        written = _joined(self._written[name])
        for fragment, text in self._fragments.items():
            written = written.replace(f"{{{fragment}}}", text)
        self[name] = re.compile(written)
        return self[name]

    def find(self, name: str, text: str) -> re.Match[str] | None:
        """Search a text for a pattern, after a quick look for the words that it cannot do without."""
        marks = self._marks.get(name, ())
        return self[name].search(text) if not marks or any(map(text.__contains__, marks)) else None


def _joined(lines: str) -> str:
    return re.sub(r"\n\s*", "", lines.lstrip())


_DATA = load("words.toml")


def _words(name: str) -> frozenset[str]:
    return frozenset(_DATA[name].split())


PATTERNS = Patterns(load("patterns.toml"))
EXTENSIONS, FILE_NAMES, FOLDERS, BRANDS, COMMON_CALLS = map(_words, ("extensions", "file_names", "folders", "brands", "common_calls"))
COMMON_WORDS, PLAIN_WORDS, CLIENT_COMMANDS = map(_words, ("common", "plain", "client_commands"))
MACHINE_BLOCKS: tuple[str, ...] = tuple(_DATA["machine_blocks"])
MACHINE_PROMPTS: tuple[str, ...] = tuple(_DATA["machine_prompts"])


def says(text: str, *names: str) -> bool:
    """Say whether one of these patterns stands in a text."""
    return any(PATTERNS.find(name, text) for name in names)
