"""`bench.same` finds what differs between two dumps, and keeps reworded sentences apart from changed values."""

from __future__ import annotations

import json
from pathlib import Path

from bench.same.differ import WORDING, compare


def dump(path: Path, *lines: tuple[str, str, object, object]) -> Path:
    rows = [{"kind": kind, "key": key, "value": value, "words": words} for kind, key, value, words in lines]
    path.write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_changed_value_is_shown_with_both_values_and_a_reworded_reason_is_wording(tmp_path: Path) -> None:
    base = dump(tmp_path / "a", ("packet", "q1", {"tokens": 3}, ["names it"]), ("packet", "q2", {"tokens": 4}, []), ("map", "m", 1, None))
    head = dump(tmp_path / "b", ("packet", "q1", {"tokens": 3}, ["is named"]), ("packet", "q2", {"tokens": 5}, []), ("map", "n", 1, None))

    found = compare(base, head, shown_max=5)

    assert (found["packet"].equal, found["packet"].different) == (1, 1)
    assert "q2.tokens" in found["packet"].shown[0]
    assert (found[WORDING].different, found["map"].only_base, found["map"].only_head) == (1, 1, 1)
    assert not found["map"].is_same
