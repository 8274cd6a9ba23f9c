"""Load the regular expressions and word lists of this package: `patterns.toml`, `words.toml`, `programs.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from clew.text.patterns import PatternFile


def load_toml(name: str, beside: str = __file__) -> dict[str, Any]:
    """Return the content of a TOML file in the folder of the module file `beside`. Raises tomllib.TOMLDecodeError for invalid TOML."""
    return tomllib.loads((Path(beside).parent / name).read_text("utf-8"))


_DATA = load_toml("words.toml")


def _words(name: str) -> frozenset[str]:
    return frozenset(_DATA[name].split())


PATTERNS = PatternFile(Path(__file__).with_name("patterns.toml"))
EXTENSIONS, FILE_NAMES, FOLDERS, BRANDS, COMMON_CALLS = map(_words, ("extensions", "file_names", "folders", "brands", "common_calls"))
PLAIN_WORDS, CLIENT_COMMANDS = map(_words, ("plain", "client_commands"))
PLAIN_ELSEWHERE, NEGATIONS, NEGATIONS_WITHIN, STANDING, STANDING_WITHIN, KEEPS, REMOVES = map(
    _words, ("plain_elsewhere", "negations", "negations_within", "standing", "standing_within", "keeps", "removes")
)
TAKING_BACK, RELEASES, HOLDS, STILL, RULE_NAMES = map(_words, ("taking_back", "releases", "holds", "still", "rule_names"))
MACHINE_BLOCKS: tuple[str, ...] = tuple(_DATA["machine_blocks"])
MACHINE_PROMPTS: tuple[str, ...] = tuple(_DATA["machine_prompts"])


def matches_any(text: str, *names: str) -> bool:
    """Return whether one of these patterns of `patterns.toml` matches in a text."""
    return any(PATTERNS.search(name, text) for name in names)
