"""How commands end, and which of their lines say why."""

from __future__ import annotations

import pytest

from clew.records import ToolResult
from clew.task.commands import analyse_command
from clew.task.outcomes import extract_failure_lines, find_summary_line, has_check_failed, has_failed
from clew.transcript.dialects.claude_code import parse_tool_result

PYTEST = """tests/test_cart.py F.

    def test_total():
>       assert total([1, 2]) == 4
E       assert 3 == 4

tests/test_cart.py:9: AssertionError
=========================== short test summary info ============================
FAILED tests/test_cart.py::test_total - assert 3 == 4
========================= 1 failed, 12 passed in 0.31s =========================
"""
GO = "=== RUN   TestTotal\n    cart_test.go:17: total = 3, want 4\n--- FAIL: TestTotal (0.00s)\nFAIL\nFAIL\tshop/cart\t0.2s\nFAIL\n"
TSC = "src/cart.ts(12,5): error TS2322: Type 'string' is not assignable to type 'number'.\nFound 1 error in src/cart.ts:12\n"
CARGO = "error[E0308]: mismatched types\n  --> src/cart.rs:7:9\n   |\nerror: could not compile `shop` due to 1 previous error\n"


def result(text: str, *, is_error: bool | None = None, exit_code: int | None = None) -> ToolResult:
    return parse_tool_result("Bash", text, is_error=is_error, exit_code=exit_code)


@pytest.mark.parametrize(
    ("text", "named", "sum_up"),
    [
        (PYTEST, "FAILED tests/test_cart.py::test_total - assert 3 == 4", "1 failed, 12 passed in 0.31s"),
        (GO, "--- FAIL: TestTotal (0.00s)", "cart_test.go:17: total = 3, want 4"),
        (TSC, "src/cart.ts(12,5): error TS2322: Type 'string' is not assignable to type 'number'.", "Found 1 error in src/cart.ts:12"),
        (CARGO, "error[E0308]: mismatched types", "error[E0308]: mismatched types"),
        ("Exit code 1\nTraceback (most recent call last):\n  ...\nKeyError: 'DE'\n", "KeyError: 'DE'", "KeyError: 'DE'"),
        ("Exit code 2\nsomething odd\n", "something odd", "something odd"),
    ],
)
def test_the_telling_lines_of_a_failure(text: str, named: str, sum_up: str) -> None:
    assert named in extract_failure_lines(text)
    assert len(extract_failure_lines(text)) <= 4
    assert find_summary_line(text, has_passed=False) == sum_up


@pytest.mark.parametrize(
    ("text", "sum_up"),
    [
        ("===== 13 passed in 0.31s =====\n", "13 passed in 0.31s"),
        ("Test Suites: 2 passed, 2 total\nTests:       9 passed, 9 total\n", "Tests:       9 passed, 9 total"),
        ("ok  \tshop/cart\t0.2s\nok  \tshop/tax\t0.1s\n", "2 packages ok"),
        ("\x1b[32mAll checks passed!\x1b[0m\n", "All checks passed!"),
        ("[lint] 0 issues.\n", "0 issues."),
        ("test result: ok. 3 passed; 0 failed\n", "test result: ok. 3 passed; 0 failed"),
        ("", ""),
    ],
)
def test_a_passed_check_is_summed_up_in_its_own_line(text: str, sum_up: str) -> None:
    assert find_summary_line(text, has_passed=True) == sum_up


@pytest.mark.parametrize(
    ("text", "more", "failed"),
    [
        ("fine", {"is_error": False}, False),
        ("fine", {}, False),
        ("Exit code 1\nno", {"is_error": True}, True),
        ("no", {"exit_code": 2}, True),
        ("Process exited with code 3\nOutput:\n", {}, True),
        ("The user doesn't want to proceed with this tool use.", {"is_error": True}, None),
        ("Command running in background with ID: b1", {}, None),
    ],
)
def test_a_result_tells_how_it_ended_or_nothing(text: str, more: dict[str, object], *, failed: bool | None) -> None:
    assert has_failed(result(text, **more)) is failed


@pytest.mark.parametrize(
    ("command", "text", "is_error", "failed"),
    [
        ("pytest | tail -3", PYTEST, False, True),
        ("pytest | tail -3", "13 passed in 0.31s", False, False),
        ("go test ./... 2>&1 | grep FAIL", "", True, None),
        ("go test ./... 2>&1 | grep FAIL", GO, False, True),
        ("pytest", "mentions 3 failed attempts", False, False),
        ("mise run lint | tail -3", "2 issues:\n* unused: 2", False, True),
    ],
)
def test_behind_a_pipe_the_output_decides(command: str, text: str, *, is_error: bool, failed: bool | None) -> None:
    assert has_check_failed(analyse_command(command), result(text, is_error=is_error)) is failed
