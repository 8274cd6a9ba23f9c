"""What the reduce benchmark takes for needed: only what later calls use and earlier ones did not know."""

from __future__ import annotations

from bench.reduce import arms
from bench.reduce.needed import needed
from bench.reduce.outputs import Output
from clew.transcript.dialects.claude_code import DIALECT
from clew.transcript.reduce.reduction import OutputContext

TEXT = "\n".join(
    [
        "src/ledger/total.py:31: def round_half_up(value):",
        "src/ledger/store.py:7: class LedgerStore:",
        "    return quantize(value, exact=True)  # keep",
        "src/ledger/known.py:1: known_before = 1",
    ]
)


def output(*after: tuple[str, dict[str, object]], before: tuple[str, ...] = ("grep known_before src/ledger/known.py",)) -> Output:
    words = tuple((DIALECT.build_tool_call(tool, inputs), tuple(str(value) for value in inputs.values())) for tool, inputs in after)
    return Output("s", "p", 0, TEXT, OutputContext(), OutputContext(), before, words)


def test_a_target_stands_in_the_output_and_later_and_not_before() -> None:
    found = needed(
        output(("Bash", {"command": "grep -rn round_half_up src && grep known_before src/ledger/known.py && echo never_printed"}))
    )
    assert found.targets == {("name", "round_half_up")}


def test_a_view_near_a_named_line_and_an_edit_are_targets() -> None:
    found = needed(
        output(
            ("Read", {"file_path": "/w/src/ledger/total.py", "offset": 20}),
            ("Edit", {"file_path": "/w/a.py", "old_string": "    return quantize(value, exact=True)  # keep", "new_string": "x"}),
        )
    )
    assert ("place", "total.py:31") in found.targets
    assert ("edit", "return quantize(value, exact=True)  # keep") in found.targets
    assert ("path", "ledger/total.py") in found.targets


def test_only_shown_lines_hold_a_target() -> None:
    found = needed(output(("Bash", {"command": "grep -rn round_half_up src; cat src/ledger/store.py # LedgerStore"})))
    lines = TEXT.split("\n")
    assert found.held(lines[0])["name"] == (1, 2)
    assert found.held(TEXT)["name"] == (2, 2)
    assert found.held("")["path"] == (0, 1)


def test_no_arm_shows_more_than_its_tokens() -> None:
    costs = [float(cost) for cost in (5, 1, 9, 2, 4, 3)]
    for tokens in range(26):
        for chosen in (
            arms.tail(costs, tokens),
            arms.head(costs, tokens),
            arms.head_and_tail(costs, tokens),
            arms.lines_at_random(costs, tokens, "x"),
        ):
            assert chosen == sorted(set(chosen))
            assert sum(costs[at] for at in chosen) <= tokens
