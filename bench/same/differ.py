"""Differences between two dumps: by kind, how many values are equal, and where the others differ first."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, cast

WORDING = "wording"
CHARS_MAX = 300


@dataclass
class Compared:
    """Of one kind: how many are equal, different, and only in one of the two; and the differences, as lines to print."""

    equal: int = 0
    different: int = 0
    only_base: int = 0
    only_head: int = 0
    shown: list[str] = field(default_factory=list[str])

    @property
    def is_same(self) -> bool:
        """Nothing differs."""
        return not (self.different or self.only_base or self.only_head)


def compare(base: Path, head: Path, *, shown_max: int) -> dict[str, Compared]:
    """Compare two files of lines; `shown_max` differences of each kind are kept in words."""
    before, after = _lines(base), _lines(head)
    found: dict[str, Compared] = {}
    for (kind, key), line in before.items():
        here = found.setdefault(kind, Compared())
        other = after.get((kind, key))
        if other is None:
            here.only_base += 1
            _note(here, f"{key}: only in BASE", shown_max)
        elif other == line:
            here.equal += 1
        else:
            _differ(found, kind, key, json.loads(line), json.loads(other), shown_max)
    for kind, key in after:
        if (kind, key) not in before:
            here = found.setdefault(kind, Compared())
            here.only_head += 1
            _note(here, f"{key}: only in HEAD", shown_max)
    return found


def _differ(found: dict[str, Compared], kind: str, key: str, base: Mapping[str, Any], head: Mapping[str, Any], shown_max: int) -> None:
    here, wording = found[kind], found.setdefault(WORDING, Compared())
    if base["value"] == head["value"]:
        here.equal += 1
    else:
        here.different += 1
        for difference in list(differences(base["value"], head["value"]))[:4] if len(here.shown) < shown_max else ():
            _note(here, f"{key}{difference}", shown_max)
    if base["words"] != head["words"]:
        wording.different += 1
        for difference in list(differences(base["words"], head["words"]))[:2] if len(wording.shown) < shown_max else ():
            _note(wording, f"{kind} {key}{difference}", shown_max)


def differences(base: Any, head: Any, place: str = "") -> Iterator[str]:
    """Yield the places at which two JSON values differ, with both values."""
    if isinstance(base, dict) and isinstance(head, dict):
        before, after = cast("dict[str, Any]", base), cast("dict[str, Any]", head)
        for name in dict.fromkeys((*before, *after)):
            yield from differences(before.get(name), after.get(name), f"{place}.{name}")
    elif isinstance(base, list) and isinstance(head, list):
        for at, (one, other) in enumerate(zip_longest(cast("list[Any]", base), cast("list[Any]", head))):
            yield from differences(one, other, f"{place}[{at}]")
    elif base != head or type(cast("object", base)) is not type(cast("object", head)):
        yield f"{place}\n      BASE {_short(base, head)}\n      HEAD {_short(head, base)}"


def _short(one: Any, other: Any) -> str:
    """A value in one line: of two long texts from where they differ."""
    if isinstance(one, str) and isinstance(other, str):
        same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
        start = max(0, same - 60)
        return ("…" if start else "") + repr(one[start : start + CHARS_MAX])
    return json.dumps(one)[:CHARS_MAX]


def _note(here: Compared, line: str, shown_max: int) -> None:
    if len(here.shown) < shown_max:
        here.shown.append(line)


def _lines(path: Path) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    times: Counter[tuple[str, str]] = Counter()
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            value = json.loads(line)
            name = (str(value["kind"]), str(value["key"]))
            times[name] += 1
            found[(name[0], f"{name[1]} ({times[name]})") if times[name] > 1 else name] = line
    return found


def table(found: Mapping[str, Compared]) -> str:
    """Return the counts of each kind, and below them what differs."""
    rows: list[Sequence[object]] = [("", "equal", "different", "only in BASE", "only in HEAD")]
    rows += [(kind, each.equal, each.different, each.only_base, each.only_head) for kind, each in sorted(found.items())]
    out = [f"{row[0]!s:24}" + "".join(f"{value!s:>14}" for value in row[1:]) for row in rows]
    for kind, each in sorted(found.items()):
        if each.shown:
            out += ["", f"-- {kind}", *(f"  {line}" for line in each.shown)]
    return "\n".join(out)
