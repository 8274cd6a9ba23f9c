"""Labels that somebody else computed of the same cuts, and how far ours agree with them.

A row of the tasks file names a session, the line at which it is cut (`cut_record_index`), the files that were accessed again
(`needed_seen`) and the later edits with the record that had displayed the text they replace (`edits_after`, `evidence_uuid`).
"""

from __future__ import annotations

import json
import lzma
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clew.evaluation.needs import NeededEdit, Needs, extract_evidence_lines


@dataclass(frozen=True)
class Given:
    """One row of the tasks. `edits` are (call id, path) of those later edits whose text had been displayed."""

    cut: int
    files: tuple[str, ...]
    edits: tuple[tuple[str, str], ...]


def load(path: Path) -> dict[str, list[Given]]:
    """Return the rows by the session's file, in the order of their cuts."""
    with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as lines:
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    found: dict[str, list[Given]] = {}
    for row in rows:
        edits = tuple((each["tool_use_id"], each["path"]) for each in row["edits_after"] if each["evidence_uuid"])
        files = tuple(dict.fromkeys(each["path"] for each in row["needed_seen"]))
        found.setdefault(row["file"], []).append(Given(row["cut_record_index"], files, edits))
    return {name: sorted(given, key=lambda each: each.cut) for name, given in sorted(found.items())}


def needs_of(given: Given, inputs: Mapping[str, Mapping[str, Any]]) -> Needs:
    """The given labels as needs; `inputs` holds what each call of the session was given, by its id."""
    edits = [NeededEdit(path, lines) for call, path in given.edits if (lines := extract_evidence_lines(_replaced(inputs.get(call, {}))))]
    return Needs(files=given.files, edits=tuple(edits))


def inputs_of(lines: Sequence[bytes]) -> dict[str, dict[str, Any]]:
    """The inputs of all calls in a Claude Code transcript, by call id."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        if b'"tool_use"' not in line:
            continue
        try:
            content = (json.loads(line).get("message") or {}).get("content")
        except (ValueError, AttributeError):
            continue
        for block in content if isinstance(content, list) else []:
            if isinstance(block, dict) and block.get("type") == "tool_use" and isinstance(block.get("input"), dict):
                found[str(block.get("id"))] = block["input"]
    return found


def agreement(ours: Needs, given: Needs) -> Counter[str]:
    """How many files and edited paths both name, and each alone: `files both`, `files ours`, `files given`, `edits …`."""
    counts: Counter[str] = Counter()
    for kind, own, other in (
        ("files", set(ours.files), set(given.files)),
        ("edited files", {edit.path for edit in ours.edits}, {edit.path for edit in given.edits}),
        ("edited lines", _lines(ours), _lines(given)),
    ):
        counts[f"{kind} both"] += len(own & other)
        counts[f"{kind} ours"] += len(own - other)
        counts[f"{kind} given"] += len(other - own)
    return counts


def _lines(needs: Needs) -> set[str]:
    return {line for edit in needs.edits for line in edit.lines}


def _replaced(arguments: Mapping[str, Any]) -> str:
    changes = [arguments, *(arguments.get("edits") or [])]
    return "\n".join(str(change.get("old_string") or "") for change in changes if isinstance(change, dict))
