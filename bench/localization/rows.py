"""Rows: issue texts with the files, functions and lines that their fix changed, or with the context that people marked.

One JSON object per line in `NAME.jsonl` or `NAME.jsonl.xz`. Spans are 1-based, both ends included, in the file as it
is at `base_commit`. Knows nothing about systems or scores.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHANGED, CONTEXT = "changed", "context"


class DataMissing(Exception):
    """A data set or a git directory is not where it was said to be."""

    def __init__(self, path: Path, expected: str) -> None:
        self.path = path
        super().__init__(f"{path}: not found; expected {expected}\nhint: see bench/README.md for --data and --mirrors")


@dataclass(frozen=True, slots=True, order=True)
class Gold:
    """Lines that the fix changed, or a function that holds some of them (`qualname` is empty for plain lines)."""

    path: str
    start: int
    end: int
    qualname: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One question. `functions` is empty when the fix changed only lines outside functions.

    In a row of kind "context", `files` are those of the patch and `lines` the spans that people marked as needed; it
    has no functions, and its lines are measured by the share that is shown alone: they are more than a fix.
    """

    id: str
    dataset: str
    language: str
    repo: str
    mirror: str
    base_commit: str
    query: str
    files: tuple[str, ...]
    functions: tuple[Gold, ...]
    lines: tuple[Gold, ...]
    is_path_leaked: bool
    kind: str = CHANGED


def load_rows(data: Path, datasets: Sequence[str], repos: Sequence[str] = (), ids: Sequence[str] = ()) -> list[Row]:
    """Return the rows of `datasets` in the order of the files; `repos` and `ids` narrow them when not empty.

    Raises DataMissing when a data set has no file, KeyError when its rows lack a field of either form.
    """
    rows: list[Row] = []
    for dataset in datasets:
        for record in _records(_file_of(data, dataset)):
            row = _row(dataset, record)
            if (not repos or row.repo in repos) and (not ids or row.id in ids):
                rows.append(row)
    return rows


def sampled(rows: Sequence[Row], count: int) -> list[Row]:
    """Return `count` of the rows, in their order: spread over data sets and repositories, by the hash of the id within each.

    Every group of one data set and one repository gives its first row, then its second, until there are enough; a
    larger sample holds every smaller one.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: _hash(row.id)):
        groups.setdefault((row.dataset, row.repo), []).append(row)
    turns = sorted((turn, _hash(f"{turn} {row.dataset} {row.id}"), row) for group in groups.values() for turn, row in enumerate(group))
    chosen = {(row.dataset, row.id) for _, _, row in turns[:count]}
    return [row for row in rows if (row.dataset, row.id) in chosen]


def git_dir_of(mirrors: Path, row: Row) -> Path:
    """Return the git directory that holds the row's commit: `MIRRORS/owner+name/repo`, bare or with a `.git`."""
    folder = mirrors / row.mirror.replace("/", "+") / "repo"
    for candidate in (folder, folder / ".git"):
        if (candidate / "objects").is_dir():
            return candidate
    raise DataMissing(folder, f"a git directory of {row.mirror}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _file_of(data: Path, dataset: str) -> Path:
    for suffix in (".jsonl.xz", ".jsonl"):
        path = data / f"{dataset}{suffix}"
        if path.is_file():
            return path
    raise DataMissing(data / f"{dataset}.jsonl.xz", "one JSON object per line")


def _records(path: Path) -> Iterator[Mapping[str, Any]]:
    with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _row(dataset: str, record: Mapping[str, Any]) -> Row:
    is_context = "gold_context" in record
    if is_context:
        files = record["patch_files"]
        lines = _merged(Gold(span["path"], span["start"], span["end"]) for span in record["gold_context"])
    else:
        files = record["gold_files"]
        lines = tuple(dict.fromkeys(Gold(path, start, end) for path, start, end in record["gold_lines"]))
    functions = (Gold(f["path"], f["start"], f["end"], f["qualname"]) for f in record.get("gold_functions", ()))
    return Row(
        id=record["id"],
        dataset=dataset,
        language=record["language"],
        repo=record["repo"],
        mirror=record.get("mirror") or record["repo"],
        base_commit=record["base_commit"],
        query=record["query"],
        files=tuple(dict.fromkeys(files)),
        functions=tuple(dict.fromkeys(functions)),
        lines=lines,
        is_path_leaked=bool(record["leak_path"]) if "leak_path" in record else any(path in record["query"] for path in files),
        kind=CONTEXT if is_context else CHANGED,
    )


def _merged(spans: Iterable[Gold]) -> tuple[Gold, ...]:
    """Return the spans in order, those that overlap or touch made one."""
    merged: list[Gold] = []
    for span in sorted(spans):
        if merged and merged[-1].path == span.path and span.start <= merged[-1].end + 1:
            merged[-1] = Gold(span.path, merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)
