"""Training sets: where words of sessions were written to fit models, so that a purge reaches them too.

The data folder lists the folders of sets (`training_sets.json`); each says in its `set.json` which of its files hold rows. A row names the
session that it was made from. A purge of anything in a session drops all rows of that session: a row mixes many of its records.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from clew.errors import NotReadable
from clew.files import replace_file

LIST_NAME, SET_NAME = "training_sets.json", "set.json"


class TrainingSet(msgspec.Struct, frozen=True):
    """A set's description. `files` hold rows, as JSON lines or one JSON array; `dropped` counts the rows that purges took."""

    files: tuple[str, ...]
    dropped: int = 0


class _Row(msgspec.Struct):
    session: str


def register(data_dir: Path, folder: Path, described: TrainingSet) -> None:
    """Note a training set in the data folder, and its description in its own. Call it before rows are written."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = list_sets(data_dir)
    if (whole := folder.resolve()) not in known:
        replace_file(
            data_dir / LIST_NAME, msgspec.json.format(msgspec.json.encode([str(each) for each in (*known, whole)])), is_durable=True
        )
    replace_file(whole / SET_NAME, msgspec.json.format(msgspec.json.encode(described)), is_durable=True)


def list_sets(data_dir: Path) -> list[Path]:
    """Return the folders of the training sets that were registered. Raises NotReadable for a list that is damaged."""
    path = data_dir / LIST_NAME
    try:
        return [Path(each) for each in msgspec.json.decode(path.read_bytes(), type=list[str])]
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise NotReadable(str(path), " ".join(str(problem).split())) from problem


def drop_sessions(data_dir: Path, sessions: Collection[str]) -> int:
    """Take the rows of these sessions out of every registered set that is still there; return their number.

    Raises NotReadable for a set whose rows cannot be read or written: its rows may still hold what was purged.
    """
    return sum(_drop(folder, sessions) for folder in list_sets(data_dir) if folder.is_dir()) if sessions else 0


def _drop(folder: Path, sessions: Collection[str]) -> int:
    path = folder / SET_NAME
    try:
        described = msgspec.json.decode(path.read_bytes(), type=TrainingSet)
        count = 0
        for name in described.files:
            path = folder / name
            if path.is_file():
                count += _drop_rows(path, sessions)
        if count:
            path = folder / SET_NAME
            replace_file(
                path, msgspec.json.format(msgspec.json.encode(TrainingSet(described.files, described.dropped + count))), is_durable=True
            )
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise NotReadable(str(path), f"holds rows of purged sessions perhaps: {' '.join(str(problem).split())}") from problem
    return count


def _drop_rows(path: Path, sessions: Collection[str]) -> int:
    """Write a file of rows anew without those of these sessions; return how many they were."""
    data = path.read_bytes()
    is_array = path.suffix == ".json"
    rows = msgspec.json.decode(data, type=list[msgspec.Raw]) if is_array else [msgspec.Raw(row) for row in data.splitlines() if row]
    kept = [row for row in rows if msgspec.json.decode(row, type=_Row).session not in sessions]
    if len(kept) < len(rows):
        lines = [bytes(row) for row in kept]
        replace_file(
            path, b"[\n" + b",\n".join(lines) + b"\n]\n" if is_array else b"".join(line + b"\n" for line in lines), is_durable=True
        )
    return len(rows) - len(kept)
