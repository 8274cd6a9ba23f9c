"""Pair tests with the files they check, by their names alone.

`test_parser.py`, `parser_test.go`, `parser.spec.ts` and `ParserTest.java` check a file called `parser`. Of several files
of that name those count that share most of the test's folders. Imports and calls say the same from within, and are joined
when a question comes.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import PurePosixPath

from clew.codebase.languages import LANGUAGES, detect_language
from clew.codebase.roles import is_test_path
from clew.enrich.edge_producer import CoupledFile, EdgeProducer, PartnerTable
from clew.records import EdgeKind, SourceState

TEST_TARGETS_MAX = 3  # files that one test may check; with more its name is a common word
NAME_MATCH_WEIGHT = 0.8  # of a test's only match by name; shared evenly among several; guess
_PREFIX = re.compile(r"^(?:tests?[_-]+|Tests?(?=[A-Z]))")
_SUFFIX = re.compile(r"(?:[_-]+(?:tests?|specs?|unittests?)|(?<=[a-z0-9])(?:Tests?|Specs?|TestCase|IT))$")
_MARKS = frozenset({"test", "tests", "spec", "specs", "cy"})


def match_tests_by_name(paths: Collection[str], _state: SourceState | None) -> PartnerTable:
    """Return {test's path: files it checks, with weights}, by file names and folders alone."""
    by_name: dict[tuple[str, str], list[str]] = {}
    tests: list[tuple[str, tuple[str, str]]] = []
    for path in sorted(paths):
        stem, family = _named(path)
        plain = _checked(stem)
        if is_test_path(path) or plain != stem:
            if plain != stem or "." in PurePosixPath(path).stem:
                tests.append((path, (plain.partition(".")[0].lower(), family)))
        else:
            by_name.setdefault((stem.lower(), family), []).append(path)
    pairs: dict[str, list[CoupledFile]] = {}
    for test, key in tests:
        found = by_name.get(key, [])
        nearest = max((_shared(test, path) for path in found), default=0)
        kept = [path for path in found if _shared(test, path) == nearest]
        if kept and len(kept) <= TEST_TARGETS_MAX:
            pairs[test] = [CoupledFile(path, round(NAME_MATCH_WEIGHT / len(kept), 3)) for path in kept]
    return pairs


def _named(path: str) -> tuple[str, str]:
    """The file's name without its ending, and the family of languages that the ending means."""
    name = path.rpartition("/")[2]
    stem, _, ending = name.rpartition(".")
    language = LANGUAGES.get(detect_language(name) or "")
    return (stem or name), (language.family if language else "") or ending.lower()


def _checked(stem: str) -> str:
    """The stem of what a test of this stem checks; the stem itself where it is no test's."""
    first, _, mark = stem.rpartition(".")
    if first and mark.lower() in _MARKS:
        return first
    plain = _SUFFIX.sub("", _PREFIX.sub("", stem))
    return plain or stem


def _shared(a: str, b: str) -> int:
    """Folders that both paths have, wherever they stand: `tests/net/test_io.py` is nearer to `src/net/io.py`."""
    return len(set(a.split("/")[:-1]) & set(b.split("/")[:-1]))


TEST_NAME_PRODUCER = EdgeProducer(EdgeKind.TESTS, match_tests_by_name, "tests", "of tests by name")
