"""Words of a question find files by their own names and their folders."""

from __future__ import annotations

import pytest

from clew.store.path_words import PathWords, likeness


def stems_of(paths: list[str], *terms: str) -> dict[str, float]:
    hits = PathWords(paths).find(terms)
    return dict(zip(paths, (hits.stems.sum(axis=0) / hits.lengths).round(3).tolist(), strict=True))


def test_a_name_counts_by_the_share_of_it_that_is_spelled() -> None:
    found = stems_of(["src/color_table.py", "src/color.py", "src/ColorTable.java", "src/paint.py"], "color", "tabl")
    assert found == {"src/color_table.py": 1.0, "src/color.py": 1.0, "src/ColorTable.java": 1.0, "src/paint.py": 0.0}


@pytest.mark.parametrize("path", ["valve/__init__.py", "src/valve/index.ts", "src/valve/mod.rs", "valve/src/lib.rs"])
def test_a_file_that_stands_for_its_folder_bears_its_name(path: str) -> None:
    assert stems_of([path], "valv") == {path: 1.0}


def test_inflections_meet_and_other_words_do_not() -> None:
    assert likeness("serial", "serializer") > 0
    assert likeness("configur", "config") > 0
    assert likeness("valv", "valve") == 1.0
    assert likeness("port", "report") == 0
    assert likeness("at", "attic") == 0


def test_folders_are_told_from_names() -> None:
    hits = PathWords(["valve/open.py"]).find(["valv"])
    assert hits.stems[0, 0] == 0
    assert hits.folders[0, 0] == 1
