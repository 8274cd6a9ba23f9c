"""Co-change: what a set of changed files lacks, judged by small histories."""

from __future__ import annotations

import pytest

from clew.impact.cochange import find_missing_changes

OTHERS = [[f"docs/page{number}.md", f"site/page{number}.css"] for number in range(40)]
TOGETHER = [["src/parse.py", "tests/test_parse.py"]] * 12


def test_a_file_that_always_changes_with_another_is_named_where_it_did_not() -> None:
    [found] = find_missing_changes([*TOGETHER, *OTHERS], ["src/parse.py"])

    assert (found.path, found.changed, found.together, found.commits) == ("tests/test_parse.py", "src/parse.py", 12, 12)
    assert found.probability > 0.6


@pytest.mark.parametrize(
    ("history", "changed"),
    [
        ([*TOGETHER, *OTHERS], ["src/parse.py", "tests/test_parse.py"]),
        ([*TOGETHER, *OTHERS], ["src/never_seen.py"]),
        ([*TOGETHER[:2], *OTHERS], ["src/parse.py"]),
        ([*TOGETHER[:3], *([["src/parse.py"]] * 30), *OTHERS], ["src/parse.py"]),
        ([["src/parse.py", *(f"src/file{number}.py" for number in range(60))]] * 12, ["src/parse.py"]),
        ([], ["src/parse.py"]),
        ([*TOGETHER, *OTHERS], []),
    ],
    ids=["nothing is missing", "unknown", "too few commits", "seldom together", "sweeps", "no history", "no change"],
)
def test_nothing_is_named_where_the_history_does_not_say_so(history: list[list[str]], changed: list[str]) -> None:
    assert find_missing_changes(history, changed) == []


def test_the_order_of_the_changed_files_decides_nothing() -> None:
    history = [*TOGETHER, *([["src/parse.py", "src/lex.py", "tests/test_parse.py"]] * 6), *OTHERS]

    assert find_missing_changes(history, ["src/lex.py", "src/parse.py"]) == find_missing_changes(history, ["src/parse.py", "src/lex.py"])
