"""Parts of long texts: what a question asks for is shown, though the whole that it stands in is too long, or is no function."""

from __future__ import annotations

from pathlib import Path

import clew
from clew.packet.parts import PART_LINES, PARTS_MAX, find_gaps, find_parts
from clew.settings import Settings


def test_parts_lie_where_the_terms_are_and_do_not_leave_their_stretch() -> None:
    lines = [f"line {at}" for at in range(200)]
    lines[50], lines[150] = "open the valve", "the valve is shut"

    parts = find_parts("\n".join(lines), [(0, 99), (140, 155)], {"valve": 2.0, "shut": 3.0})

    assert [first <= at <= last for (first, last, _), at in zip(parts, (150, 50), strict=True)] == [True, True]
    assert all(last - first < PART_LINES for first, last, _ in parts)
    assert 140 <= parts[0][0] <= parts[0][1] <= 155
    assert sum(share for *_, share in parts) == 1.0
    assert len(parts) == PARTS_MAX


def test_parts_of_one_stretch_do_not_overlap() -> None:
    lines = ["the valve" if at in (40, 47, 60) else f"line {at}" for at in range(200)]

    parts = sorted(find_parts("\n".join(lines), [(0, 199)], {"valve": 1.0}))

    assert len(parts) == PARTS_MAX
    assert parts[0][1] < parts[1][0]


def test_signs_that_grow_in_lower_case_do_not_move_the_lines() -> None:
    lines = ["\u0130" * 40, *(f"line {at}" for at in range(60)), "the valve"]

    [(first, last, _)] = find_parts("\n".join(lines), [(0, 61)], {"valve": 1.0})

    assert (last, last - first + 1) == (61, PART_LINES)


def test_a_text_without_the_terms_has_no_parts() -> None:
    assert not find_parts("a\nb\n", [(0, 1)], {"valve": 1.0})
    assert not find_parts("valve\nb\n", [(1, 1)], {"valve": 1.0})
    assert not find_parts("valve\n", [(0, 0)], {})


def test_gaps_are_what_is_not_covered() -> None:
    assert find_gaps(10, [(2, 3), (3, 5), (8, 9)]) == [(0, 1), (6, 7)]
    assert find_gaps(3, []) == [(0, 2)]
    assert not find_gaps(3, [(0, 2)])


def test_the_likely_lines_of_a_long_function_are_shown(tmp_path: Path) -> None:
    steps = "".join(f"    step_{at} = load({at})\n" for at in range(600))
    text = f"def build():\n{steps}    app.arg('nonprintable_notation', 'caret')\n{steps}\n\ndef end():\n    pass\n"
    root = tmp_path / "repo"
    root.mkdir()
    (root / "app.py").write_text(text)
    with clew.open(settings=Settings(tmp_path / "home", jobs=1), is_in_memory=True) as engine:
        engine.index(root)
        packet = engine.retrieve(root, "nonprintable_notation should take unicode", budget_tokens=1_000, tokenizer="chars4")

    entry = next(entry for entry in packet.entries if "nonprintable_notation" in entry.text)
    assert (entry.name, entry.is_whole) == ("build", False)
    assert entry.start <= 602 <= entry.end
    assert entry.text.splitlines()[1:] == text.splitlines()[entry.start - 1 : entry.end]
    assert packet.tokens + packet.fence_tokens <= 1_000


def test_lines_around_a_quoted_place_are_shown_once(tmp_path: Path) -> None:
    steps = [f"    step_{at} = load({at})" for at in range(900)]
    for at in (600, 636, 644, 650, 655):
        steps[at] = "    valve = open_valve('mooring')"
    root = tmp_path / "repo"
    root.mkdir()
    (root / "app.py").write_text("def build():\n" + "\n".join(steps) + "\n")
    with clew.open(settings=Settings(tmp_path / "home", jobs=1), is_in_memory=True) as engine:
        engine.index(root)
        packet = engine.retrieve(root, "the mooring valve fails at app.py:602 in build", budget_tokens=3_000, tokenizer="chars4")

    shown = [line for entry in packet.entries if entry.name == "build" for line in range(entry.start, entry.end + 1)]
    assert 602 in shown
    assert len(shown) == len(set(shown))


def test_what_stands_between_the_members_of_a_type_is_shown(tmp_path: Path) -> None:
    """An annotation of the type, and what stands behind its members and is no symbol."""
    root = tmp_path / "repo"
    root.mkdir()
    (root / "Api.java").write_text(
        '@Path("/harbour")\npublic class Api {\n  public String one() { return "x"; }\n  static { register("mooring-fees"); }\n}\n'
    )
    with clew.open(settings=Settings(tmp_path / "home", jobs=1), is_in_memory=True) as engine:
        engine.index(root)
        texts = [
            engine.retrieve(root, question, budget_tokens=800, tokenizer="chars4").text for question in ("harbour", "register mooring-fees")
        ]

    assert '@Path("/harbour")' in texts[0]
    assert 'register("mooring-fees")' in texts[1]
