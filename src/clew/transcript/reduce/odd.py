"""Find the lines that differ from many others of their sort: the one record that failed, the row with another value.

Lines of one sort form a family: rows with the same number of columns, JSON values under the same key, lines that are the same but
for numbers and paths. In a family of FAMILY_MIN members or more, a value is odd that hardly any other member has: another word where
few words occur, another form where all values differ, a number far beyond the rest, a key that is missing or in excess. An output
in which much is odd has no usual line, and then nothing is marked. Decides nothing about budgets.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import msgspec

from clew.transcript.reduce.lines import LINE_CHARS_MAX, OutputLines
from clew.transcript.reduce.scores import LineScores

# All guesses; what they cost and keep on recorded sessions stands in bench/LOG.md.
FAMILY_MIN = 12  # members from which on one that differs is the exception
ODD_SHARE = 0.02  # of a family that may be odd; at least one may
VARIANTS_SHARE = 0.2  # of a family's values that may differ before its values are compared by their form
COVERED_SHARE = 0.6  # of an output's lines that belong to a family, else lines that are alone say nothing
MAGNITUDE = 10.0  # how many times the largest usual number an odd one is
ODD_LINES_MAX = 14
ODD_CHARS_MAX = 1600
RECORD_LINES_MAX = 24  # a longer record is shown by its first lines and the odd one
TEMPLATE_CHARS = 200  # the beginning of a line says what it is

VARYING_WORD = re.compile(r"(?<!\S)[^\s\d/\"'=]*+[\d/\"'=]\S*")  # a word with a digit, a slash, a quote or a value
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?(?:%|ms|s|[kKMG]i?B?)?")
_RUNS = re.compile(r"(?P<hex>\b(?=[a-z]*\d)[0-9a-f]{6,}\b)|(?P<word>[^\W\d_]+)|(?P<digits>\d+)")
_KEY = re.compile(r"^(\s*)\"((?:[^\"\\]|\\.)*)\": ?(.*?),?\s*$")
_SEPARATORS = ("|", "\t", ",")
_Row: TypeAlias = tuple[object, Sequence[tuple[object, str]]]  # the family that a row belongs to, and its named fields


def find_odd_lines(lines: OutputLines) -> list[int]:
    """Return the lines that differ from many of their sort, with the record around them; [] where much differs. Cost: linear."""
    odd = _rarest(_odd_rows(lines))
    return odd if sum(lines.sizes[at] for at in odd) <= ODD_CHARS_MAX else []


def find_odd_json_lines(lines: OutputLines) -> list[int]:
    """Return the lines of a JSON text with a value a line that differ from many of their sort, with the record around them."""
    records = list(_records(lines))
    sorts: dict[tuple[int, str], list[tuple[int, str]]] = {}
    for at in lines.scanned:
        if found := _KEY.match(lines.plain[at][:LINE_CHARS_MAX]):
            sorts.setdefault((len(found[1]), found[2]), []).append((at, found[3]))
    odd = {at for members in sorts.values() for at in _odd_members(members)}
    by_indent: dict[int, list[tuple[int, tuple[str, ...]]]] = {}
    for start, _, indent, keys in records:
        by_indent.setdefault(indent, []).append((start, keys))
    odd_records = {at for members in by_indent.values() for at in _rare(members)}
    shown: set[int] = set()
    for at in sorted(odd | odd_records):
        around = [(end - start, start, end) for start, end, _, _ in records if start <= at <= end]
        whole = max((record for record in around if record[0] < RECORD_LINES_MAX), default=None)
        if whole:
            shown.update(range(whole[1], whole[2] + 1))
        else:
            shown.update((at, *(range(min(around)[1], min(around)[1] + 4) if around else ())))
    if sum(lines.sizes[at] for at in shown) <= ODD_CHARS_MAX:
        return sorted(shown)
    return _rarest(sorted(odd | odd_records))


def mark_odd_lines(scores: LineScores, odd: Iterable[int]) -> None:
    """Require lines that differ from the others of their sort; evidence of a failure may raise them further."""
    for at in odd:
        scores.noise[at] = ""
        scores.require(at, at + 1, "differs from the others")
        scores.odd.append(at)


def _rarest(odd: Sequence[int]) -> list[int]:
    return list(odd) if len(odd) <= ODD_LINES_MAX else []


def _odd_rows(lines: OutputLines) -> list[int]:
    """Odd rows of a table, records a line, or lines."""
    rows = [(at, line[:LINE_CHARS_MAX]) for at in lines.scanned if (line := lines.plain[at]) and not line.isspace()]
    if len(rows) < FAMILY_MIN:
        return []
    families: dict[object, list[tuple[int, Sequence[tuple[object, str]]]]] = {}
    split = _splitter([line for _, line in rows])
    for at, line in rows:
        family, fields = split(line)
        families.setdefault(family, []).append((at, fields))
    large = [members for members in families.values() if len(members) >= FAMILY_MIN]
    covered = sum(map(len, large))
    odd: set[int] = set()
    for members in large:
        columns: dict[object, list[tuple[int, str]]] = {}
        for at, fields in members:
            for name, value in fields:
                columns.setdefault(name, []).append((at, value))
        for column in columns.values():
            if len(column) <= _odd_max(len(members)) < len(members):
                odd.update(at for at, _ in column)  # a key that others lack
            odd.update(_odd_members(column))
        odd.update(_rare([(at, tuple(name for name, _ in fields)) for at, fields in members]))
    if covered >= COVERED_SHARE * len(rows):
        odd.update(at for members in families.values() if len(members) <= 2 for at, _ in members)
    return sorted(odd)


def _splitter(rows: Sequence[str]) -> Callable[[str], _Row]:
    """How these rows split into fields: a function from a row to its family and its named fields."""
    if sum(row.startswith("{") and row.rstrip(", \t").endswith("}") for row in rows) >= COVERED_SHARE * len(rows):
        return _json_fields
    for separator in _SEPARATORS:
        counts = Counter(row.count(separator) for row in rows)
        number, times = counts.most_common(1)[0]
        if number and times >= COVERED_SHARE * len(rows) and (separator != "," or number > 1):
            return partial(_columns, separator)
    return _words


def _json_fields(row: str) -> _Row:
    try:
        data = msgspec.json.decode(row.strip().rstrip(","))
    except (msgspec.DecodeError, RecursionError):
        return VARYING_WORD.sub("*", row[:TEMPLATE_CHARS]), ()
    if not isinstance(data, dict):
        return "other", ()
    found: list[tuple[object, str]] = []
    pending: list[tuple[str, Any]] = [("", data)]
    while pending and len(found) < 60:
        path, value = pending.pop()
        if isinstance(value, dict):
            pending += [(f"{path}.{key}", inner) for key, inner in value.items()]  # pyright: ignore[reportUnknownVariableType]
        else:
            found.append((path, "[]" if value == [] else "[" if isinstance(value, list) else str(value)))  # pyright: ignore[reportUnknownArgumentType]
    return "record", sorted(found, key=lambda field: str(field[0]))


def _columns(separator: str, row: str) -> _Row:
    fields = [field.strip() for field in row.split(separator)]
    return len(fields), list(enumerate(fields))


def _words(row: str) -> _Row:
    head = row[:TEMPLATE_CHARS]
    return VARYING_WORD.sub("*", head), list(enumerate(VARYING_WORD.findall(head)))


def _records(lines: OutputLines) -> Iterator[tuple[int, int, int, tuple[str, ...]]]:
    """Objects of a JSON text with a value a line: first and last line, indent, the keys directly inside."""
    stack: list[tuple[int, int, list[str]]] = []
    for at in lines.scanned:
        line = lines.plain[at]
        bare = line.strip()
        if not bare:
            continue
        if stack and bare[0] in "}]":
            start, indent, keys = stack.pop()
            if bare[0] == "}":
                yield start, at, indent, tuple(sorted(keys))
            continue
        if stack and (found := _KEY.match(line[:LINE_CHARS_MAX])):
            stack[-1][2].append(found[2])
        if bare[-1] in "{[":
            stack.append((at, len(line) - len(line.lstrip()), []))


def _odd_max(count: int) -> int:
    return max(1, int(ODD_SHARE * count))


def _odd_members(members: Sequence[tuple[int, str]]) -> list[int]:
    """Members of one sort whose value is odd: another word, another form, or a number far beyond the rest."""
    count = len(members)
    if count < FAMILY_MIN:
        return []
    values = Counter(value for _, value in members)
    if len(values) == 1:
        return []
    if len(values) <= VARIANTS_SHARE * count and values.most_common(1)[0][1] > 2 * _odd_max(count):
        return _rare(members)
    forms = [(at, _form(value, keeps_words=True)) for at, value in members]
    if len({form for _, form in forms}) > VARIANTS_SHARE * count:
        forms = [(at, _form(value)) for at, value in members]
    return _rare(forms) or _far(members)


def _rare(members: Sequence[tuple[int, object]]) -> list[int]:
    """Members with a value that hardly any other has, where nearly all others share theirs with many."""
    if len(members) < FAMILY_MIN:
        return []
    times = Counter(value for _, value in members)
    limit = _odd_max(len(members))
    rare = [at for at, value in members if times[value] <= limit]
    return rare if len(rare) <= 2 * limit else []


def _form(value: str, *, keeps_words: bool = False) -> str:
    """A value with its words, numbers and hashes masked; a number by its sign."""
    value = value.strip("\",' ")
    if _NUMBER.fullmatch(value):
        return "-0" if value[0] == "-" else "0"
    masks = {"hex": "h", "digits": "0", "word": "" if keeps_words else "a"}
    return _RUNS.sub(lambda found: masks[found.lastgroup or "word"] or found[0], value[:80])


def _far(members: Sequence[tuple[int, str]]) -> list[int]:
    """Members whose number is MAGNITUDE times the largest of the usual ones or more."""
    numbers: list[tuple[float, int]] = []
    for at, value in members:
        if found := re.match(r"[\"'= ]*([-+]?\d{1,18}(?:\.\d{1,9})?)", value.rpartition("=")[2]):
            numbers.append((abs(float(found[1])), at))
    limit = _odd_max(len(members))
    if len(numbers) < FAMILY_MIN:
        return []
    numbers.sort()
    usual = numbers[-1 - limit][0]
    return [at for number, at in numbers[-limit:] if number >= MAGNITUDE * max(usual, 1.0)]
