"""The partial index's benchmark: which files are left to their words."""

from __future__ import annotations

import pytest

from bench.partial.__main__ import volatile


@pytest.mark.parametrize(("share", "left"), [(100, set[str]()), (75, {"c"}), (50, {"c"}), (25, {"b", "c"}), (0, {"a", "b", "c"})])
def test_the_most_stable_share_of_the_bytes_is_kept(share: int, left: set[str]) -> None:
    assert volatile([("a", 10), ("b", 10), ("c", 20)], share) == left
