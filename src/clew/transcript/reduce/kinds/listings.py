"""File listings of ls, find, tree or a pattern: every folder is represented, installed and generated ones last."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from clew.text.patterns import PatternFile
from clew.transcript.reduce.lines import OutputLines
from clew.transcript.reduce.output_kind import load_output_kind
from clew.transcript.reduce.scores import KEY_UTILITY, LineScores

_PATTERNS = PatternFile(Path(__file__).with_suffix(".toml"))
LINE_FORMS = _PATTERNS["forms"]
HALVING_NAMES = 6.0  # names of one folder after which its next is worth half; guess
_INSTALLED = _PATTERNS["installed"]
_NAME = re.compile(r"(\S[^\n]{0,400})$")


def score_lines(lines: OutputLines, scores: LineScores) -> None:
    """Score the names of a file listing by how many of the same folder come before them."""
    counts: dict[str, int] = {}
    folder_above = ""
    folders: list[int] = []
    tops: dict[int, list[int]] = {}  # a tree's entries by their depth
    for at in lines.scanned:
        line = lines.plain[at][:800]
        if not line or line.isspace():
            scores.utility[at] = 0.2
            continue
        if line.startswith("total ") or (line.endswith(":") and " " not in line):
            folder_above = line
            if line.endswith(":"):
                folders.append(at)
            scores.raise_utility(at, KEY_UTILITY / 2, "folder")
            continue
        if not LINE_FORMS.match(line):
            continue
        scores.quoted[at] = 1
        scores.entries.append(at)
        folder = line.replace("\\", "/").rpartition("/")[0] or folder_above
        if line[0] in "│├└|`+ ":
            depth = len(line) - len(line.lstrip("│├└|`+─- \u00a0"))
            folder = str(depth)  # a tree's names by their depth
            tops.setdefault(depth, []).append(at)
        count = counts[folder] = counts.get(folder, 0) + 1
        scores.utility[at] = (1 - at / len(lines) / 2) / (1 + count / HALVING_NAMES)  # what is listed first is newest, or nearest
        if _INSTALLED.search(line):
            scores.utility[at] *= 0.1
    uppermost = next((tops[depth] for depth in sorted(tops) if len(tops[depth]) > 2), list[int]())
    scores.entries = folders if len(folders) > 2 else uppermost or scores.entries


def _folders(lines: OutputLines, places: Iterable[int]) -> set[str]:
    """The folders that these lines name."""
    return {lines.plain[at][:800].replace("\\", "/").rpartition("/")[0] for at in places}


LISTING = load_output_kind(__file__, score_lines, find_entries=(_folders,))
