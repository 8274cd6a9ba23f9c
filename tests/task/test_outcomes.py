"""How commands end, and which of their lines say why."""

from __future__ import annotations

import pytest

from clew.records import ToolResult
from clew.task.commands import analyse_command
from clew.task.outcomes import extract_failure_lines, has_failed, judge_check
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
    ("command", "text", "named", "evidence"),
    [
        ("pytest", PYTEST, "FAILED tests/test_cart.py::test_total - assert 3 == 4", "1 failed, 12 passed in 0.31s"),
        ("go test ./...", GO, "--- FAIL: TestTotal (0.00s)", "FAIL\tshop/cart\t0.2s"),
        ("npx tsc", TSC, "src/cart.ts(12,5): error TS2322: Type 'string' is not assignable to type 'number'.", TSC.partition("\n")[0]),
        ("cargo build", CARGO, "error[E0308]: mismatched types", "error: could not compile `shop` due to 1 previous error"),
        ("make check", "Exit code 1\nTraceback (most recent call last):\n  ...\nKeyError: 'DE'\n", "KeyError: 'DE'", "KeyError: 'DE'"),
        ("make check", "Exit code 2\nsomething odd\n", "something odd", "something odd"),
        ("ruff check -q", "Exit code 1", "", "exit status 1"),
    ],
)
def test_the_telling_lines_of_a_failure(command: str, text: str, named: str, evidence: str) -> None:
    lines = extract_failure_lines(text)
    assert named in (*lines, "")
    assert len(lines) <= 4
    verdict = judge_check(analyse_command(command), result(text, is_error=True))
    assert (verdict.value, verdict.evidence) == ("failed", evidence)


@pytest.mark.parametrize(
    ("command", "text", "evidence"),
    [
        ("pytest", "===== 13 passed in 0.31s =====\n", "13 passed in 0.31s"),
        ("npm test", "Test Suites: 2 passed, 2 total\nTests:       9 passed, 9 total\n", "Tests:       9 passed, 9 total"),
        ("go test ./...", "ok  \tshop/cart\t0.2s\nok  \tshop/tax\t0.1s\n", "ok  \tshop/tax\t0.1s"),
        ("ruff check", "\x1b[32mAll checks passed!\x1b[0m\n", "All checks passed!"),
        ("mise run lint", "[lint] 0 issues.\n", "0 issues."),
        ("cargo test", "test result: ok. 3 passed; 0 failed; 0 ignored\n", "test result: ok. 3 passed; 0 failed; 0 ignored"),
        ("npx tsc", "", "exit status 0"),
    ],
)
def test_the_evidence_of_a_passed_check_is_its_own_line(command: str, text: str, evidence: str) -> None:
    verdict = judge_check(analyse_command(command), result(text))
    assert (verdict.value, verdict.evidence) == ("passed", evidence)


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
    assert judge_check(analyse_command(command), result(text, is_error=is_error)).has_failed is failed
