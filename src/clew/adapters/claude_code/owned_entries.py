"""Track and remove clew's entries in another program's JSON file.

An entry is one key of an object, or one element of a list. Compared are the value before clew, the value that clew wrote and the present
value: an entry is removed only while it is as clew wrote it; what the user removed is not added again, what the user changed stays. Pure
functions over parsed JSON; no file is touched.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

KeyPath = list[str]


class EntryConflict(Exception):
    """Raised when an entry cannot be inserted because the file has another type where an object or a list is needed."""

    def __init__(self, place: KeyPath, expected: str) -> None:
        self.place = place
        super().__init__(f"{'.'.join(place) or 'the file'} is no {expected}")


class OwnedEntry(msgspec.Struct):
    """One key or list element that clew wrote to another program's JSON file.

    place       the key path to the value; for an element, to its list.
    value       what was written.
    is_element  it is an element of a list.
    had, before whether the key had a value before, and which. Not for elements.
    same_by     fields by which an object is recognised although its owner, the client, rewrote the others.
    is_frame    it belongs to the file's format, and stays while anything else is in the file.
    """

    place: KeyPath
    value: Any
    is_element: bool = False
    had: bool = False
    before: Any = None
    same_by: list[str] = []
    is_frame: bool = False

    def matches(self, found: Any) -> bool:
        """Return whether a present value is the one that was written."""
        if self.same_by and isinstance(found, dict) and isinstance(self.value, dict):
            theirs, ours = cast("dict[str, Any]", found), cast("dict[str, Any]", self.value)
            return all(theirs.get(name) == ours.get(name) for name in self.same_by)
        return _equal(found, self.value)

    def has_same_target(self, other: OwnedEntry) -> bool:
        """Return whether both entries are the same key, or the same element of the same list."""
        return self.place == other.place and self.is_element == other.is_element and (not self.is_element or self.matches(other.value))

    @property
    def description(self) -> str:
        """Where the entry is, in words for a message."""
        where = ".".join(self.place)
        return f"the element {_short(self.value)} of {where}" if self.is_element else where

    @property
    def undo_instruction(self) -> str:
        """What a person must do to undo the entry by hand, in words for a message."""
        if self.had and not self.is_element:
            return f"set {self.description} back to {_short(self.before)}"
        return f"take {self.description} out"


@dataclass(slots=True)
class RemovalResult:
    """JSON object after clew's entries were removed from it.

    removed  entries that were as written, and were removed.
    changed  entries that somebody has changed; they were left.
    """

    value: dict[str, Any]
    removed: list[OwnedEntry] = field(default_factory=list[OwnedEntry])
    changed: list[OwnedEntry] = field(default_factory=list[OwnedEntry])


def insert_entry(value: dict[str, Any], entry: OwnedEntry) -> None:
    """Write the entry into the value, creating objects and list on its path. Raises EntryConflict and leaves the value unchanged then."""
    path = entry.place if entry.is_element else entry.place[:-1]
    _check(value, path, is_list=entry.is_element)
    at: Any = value
    for depth, name in enumerate(path):
        at = at.setdefault(name, [] if entry.is_element and depth == len(path) - 1 else {})
    if not entry.is_element:
        at[entry.place[-1]] = copy.deepcopy(entry.value)
        return
    elements = cast("list[Any]", at)
    found = next((index for index, each in enumerate(elements) if entry.matches(each)), None)
    if found is None:
        elements.append(copy.deepcopy(entry.value))
    else:
        elements[found] = copy.deepcopy(entry.value)


def look_up(value: dict[str, Any], place: KeyPath) -> tuple[bool, Any]:
    """Return whether a key path exists in the value, and what it holds (None if not)."""
    at: Any = value
    for name in place:
        if not isinstance(at, dict) or name not in at:
            return False, None
        at = cast("dict[str, Any]", at)[name]
    return True, at


def find_created_containers(before: dict[str, Any], after: dict[str, Any], entries: list[OwnedEntry]) -> list[KeyPath]:
    """Return the key paths of objects and lists on the way to the entries that exist in `after` and not in `before`."""
    found: list[KeyPath] = []
    for entry in entries:
        ways = len(entry.place) if entry.is_element else len(entry.place) - 1
        for depth in range(1, ways + 1):
            place = entry.place[:depth]
            if place not in found and look_up(after, place)[0] and not look_up(before, place)[0]:
                found.append(place)
    return found


def remove_entries(value: dict[str, Any], entries: list[OwnedEntry], containers: list[KeyPath]) -> RemovalResult:
    """Remove the entries from a copy of the value, then those of `containers` (created by clew) that are empty."""
    left = RemovalResult(copy.deepcopy(value))
    for entry in reversed([each for each in entries if not each.is_frame]):
        _take(left, entry)
    for place in sorted(containers, key=len, reverse=True):
        there, found = look_up(left.value, place)
        if there and not found and isinstance(found, dict | list):
            _parent(left.value, place).pop(place[-1])
    frames = [each for each in entries if each.is_frame]
    if all(any(name == each.place[0] for each in frames) for name in left.value):
        for entry in frames:
            _take(left, entry)
    return left


def derive_entries(
    before: dict[str, Any], after: dict[str, Any], key_paths: list[KeyPath], rules: tuple[str, ...], same_by: list[str]
) -> list[OwnedEntry]:
    """Return the entries for a manifest of an early release, which stored only key paths: values in `after` that are not in `before`.

    rules    strings in lists that are clew's; other new strings were added by somebody else.
    same_by  as in OwnedEntry, for objects in lists and for those with an installation path.
    """
    entries: list[OwnedEntry] = []
    for place in key_paths:
        there, found = look_up(after, place)
        had, was = look_up(before, place)
        if not there:
            continue
        if isinstance(found, list):
            earlier = cast("list[Any]", was) if isinstance(was, list) else []
            entries.extend(
                OwnedEntry(place, element, is_element=True, same_by=same_by if isinstance(element, dict) else [])
                for element in cast("list[Any]", found)
                if element not in earlier and (not isinstance(element, str) or element in rules)
            )
        elif place == ["version"]:
            entries.append(OwnedEntry(place, found, is_frame=True))
        else:
            is_record = isinstance(found, dict) and "installLocation" in found
            entries.append(OwnedEntry(place, found, had=had, before=was, same_by=["source"] if is_record else []))
    return entries


def _take(left: RemovalResult, entry: OwnedEntry) -> None:
    there, found = look_up(left.value, entry.place)
    if not there:
        return
    if entry.is_element:
        elements = cast("list[Any]", found) if isinstance(found, list) else []
        at = next((index for index, each in enumerate(elements) if entry.matches(each)), None)
        if at is not None:
            elements.pop(at)
            left.removed.append(entry)
        return
    if not entry.matches(found):
        left.changed.append(entry)
        return
    left.removed.append(entry)
    above = _parent(left.value, entry.place)
    if entry.had:
        above[entry.place[-1]] = copy.deepcopy(entry.before)
    else:
        above.pop(entry.place[-1])


def as_mapping(value: object) -> Mapping[str, Any]:
    """Return a JSON object as it is, and {} for any other value."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _parent(value: dict[str, Any], place: KeyPath) -> dict[str, Any]:
    return cast("dict[str, Any]", look_up(value, place[:-1])[1])


def _check(value: dict[str, Any], path: KeyPath, *, is_list: bool) -> None:
    at: Any = value
    for depth, name in enumerate(path):
        if name not in at:
            return
        at = cast("dict[str, Any]", at)[name]
        wants_list = is_list and depth == len(path) - 1
        if not isinstance(at, list if wants_list else dict):
            raise EntryConflict(path[: depth + 1], "list" if wants_list else "object")


def _equal(left: Any, right: Any) -> bool:
    """Return whether two values are the same JSON: true is not 1, and the order of keys does not count."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:119] + "…"
