"""Names: find rare identifiers, paths, numbers and codes of a session, with the features by which their later use is predicted.

Pure over lines and their features; decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

FOCUS = ("prompt", "message", "plan", "newest", "error", "edits", "queries", "first")
"""Texts that say what the work is about: the last requests, messages, plans, deeds, errors, edits, questions, all requests."""


@dataclass(frozen=True, slots=True)
class RareIdentifiers:
    """The rare identifiers, paths, numbers and codes of some lines.

    texts     (m,) the names, in order of their first line.
    name, row (k,) each occurrence: number of the name, number of the line.
    features  (m, len(NAME_FEATURES)) float32.
    """

    texts: list[str]
    name: Ints
    row: Ints
    features: Floats


_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("has_slash", re.compile("/")),
    ("has_dot", re.compile(r"\.")),
    ("has_underscore", re.compile("_")),
    ("is_camel", re.compile("[a-z][A-Z]")),
    ("has_digit", re.compile(r"\d")),
    ("is_number", re.compile(r"[\d.:-]+$")),
    ("is_hash", re.compile(r"[0-9a-f]{7,40}$")),
    ("is_upper", re.compile(r"[A-Z0-9_]+$")),
    ("has_dash", re.compile("-")),
    ("begins_upper", re.compile("[A-Z]")),
    ("has_suffix", re.compile(r".*\.[a-z]{1,5}$")),
    ("has_colon", re.compile("[:#@]")),
)
_WHOLE = frozenset({"is_number", "is_hash", "is_upper", "begins_upper", "has_suffix"})  # shapes of the whole name, not of a part
_OF_LINE = (
    "is_read", "is_search", "is_command", "is_edit", "is_write", "is_prompt", "is_message", "is_agent", "is_todo", "is_plan", "is_error",
    "path_is_edited_last", "path_in_message", "is_of_edit", "defines", "is_comment", "is_import",
    *(f"{what}_{how}" for what in FOCUS for how in ("own", "near")),
)  # fmt: skip
NAME_FEATURES: tuple[str, ...] = (
    "chars", "records", "rows", "age_tokens", "age_share", "age_prompts", "path_rank", "path_touches", "path_edits",
    *(name for name, _ in _SHAPES), *(f"in_{name}" for name in FOCUS),
    *(f"most_{name}" for name in _OF_LINE),
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9_./@#:+~-]{5,160}")
_TELLING = re.compile(r"[0-9_./#:@]|[a-z][A-Z]|[A-Z]{3}|\w-\w")
_WORDY = re.compile(r"[A-Za-z]{3}|\d{3}")
NAME_RECORDS_MAX = 4  # what stands in more places is found again by any of them


def find_identifiers(text: str) -> list[str]:
    """Return the identifiers, paths, numbers and codes of a text, each once, in order."""
    found: dict[str, None] = {}
    for word in _NAME.findall(text):
        name = word.strip("./:-+~@#")
        if len(name) >= 5 and _TELLING.search(name) and _WORDY.search(name):
            found[name] = None
    return list(found)


def rare_identifiers(
    stripped: Sequence[str], record: Ints, features: Floats, columns: Sequence[str], focus: Mapping[str, str]
) -> RareIdentifiers:
    """Return the identifiers that at most NAME_RECORDS_MAX records hold, with their features.

    record    (n,) number of the record that holds each line.
    features  (n, len(columns)) of the lines, from which those of a name follow.
    focus     texts about the current work, by their kind.
    """
    vocabulary: dict[str, int] = {}
    names: list[int] = []
    rows: list[int] = []
    is_name: dict[str, str] = {}  # word → its name, "" for what is none: most words come often
    for row, line in enumerate(stripped):
        for word in _NAME.findall(line):
            name = is_name.get(word)
            if name is None:
                bare = word.strip("./:-+~@#")
                name = is_name[word] = bare if len(bare) >= 5 and _TELLING.search(bare) and _WORDY.search(bare) else ""
            if name:
                names.append(vocabulary.setdefault(name, len(vocabulary)))
                rows.append(row)
    pairs = np.unique(np.array(names, np.int64) * (len(stripped) + 1) + np.array(rows, np.int64)) if names else np.empty(0, np.int64)
    name, row = pairs // (len(stripped) + 1), pairs % (len(stripped) + 1)
    of_record = np.unique(name * (int(record.max(initial=0)) + 1) + record[row])
    counts = np.bincount(of_record // (int(record.max(initial=0)) + 1), minlength=len(vocabulary))
    is_rare = counts <= NAME_RECORDS_MAX
    kept = is_rare[name]
    name, row = name[kept], row[kept]
    numbers = np.cumsum(is_rare) - 1
    name = numbers[name]
    texts = [text for text, number in vocabulary.items() if is_rare[number]]
    return RareIdentifiers(texts, name, row, _features(texts, name, row, counts[is_rare], features, columns, focus))


def _features(
    texts: list[str], name: Ints, row: Ints, records: Ints, features: Floats, columns: Sequence[str], focus: Mapping[str, str]
) -> Floats:
    m = len(texts)
    out = np.zeros((m, len(NAME_FEATURES)), np.float32)
    if not m:
        return out
    column = {feature: at for at, feature in enumerate(NAME_FEATURES)}
    of_line = {feature: at for at, feature in enumerate(columns)}
    out[:, column["chars"]] = np.log1p([len(text) for text in texts])
    out[:, column["records"]] = records
    out[:, column["rows"]] = np.log1p(np.bincount(name, minlength=m))
    firsts = np.flatnonzero(np.r_[True, name[1:] != name[:-1]])  # places are ordered by name
    for feature in ("age_tokens", "age_share", "age_prompts", "path_rank"):
        out[:, column[feature]] = np.minimum.reduceat(features[row, of_line[feature]], firsts)
    for feature in ("path_touches", "path_edits"):
        out[:, column[feature]] = np.maximum.reduceat(features[row, of_line[feature]], firsts)
    for feature in _OF_LINE:
        out[:, column[f"most_{feature}"]] = np.maximum.reduceat(features[row, of_line[feature]], firsts)
    for shape, pattern in _SHAPES:
        out[:, column[shape]] = [pattern.match(text) is not None if shape in _WHOLE else pattern.search(text) is not None for text in texts]
    for what, said in focus.items():
        words = set(find_identifiers(said))
        out[:, column[f"in_{what}"]] = [text in words for text in texts]
    return out
