"""What a client has cut is known by its notice, and no verdict is read off what is left of it."""

from __future__ import annotations

import pytest

from clew.records import Observation, ObservationKind, ToolCall, ToolKind, ToolResult
from clew.task.commands import analyse_command
from clew.task.outcomes import has_failed, judge_check
from clew.task.tracker import TaskTracker
from clew.task.truncation import find_notice_lines, parse_truncation_notice
from clew.transcript.dialects.claude_code import parse_tool_result

PREVIEW = (
    "<persisted-output>\nOutput too large (299.8KB). Full output saved to: /p/s/tool-results/b1.txt\n\nPreview (first 2KB):\n"
    "collected 900 items\n400 passed in 3.21s\n...\n</persisted-output>"
)
FAILING_PREVIEW = PREVIEW.replace("400 passed in 3.21s", "FAILED tests/test_a.py::test_b - assert 1\n1 failed in 3.21s")
MIDDLE = "Exit code 1\ncollected 900 items\n\n... [3500 characters truncated] ...\n\nlast line\n1 failed, 899 passed in 3.21s"


@pytest.mark.parametrize(
    ("text", "is_preview", "path", "line"),
    [
        (PREVIEW, True, "/p/s/tool-results/b1.txt", (0, 1)),
        ("Error: result (90,000 characters) exceeds maximum allowed tokens. Output has been saved to /p/s/tool-results/m.txt.\nFormat",
         True, "/p/s/tool-results/m.txt", (0, 0)),
        (MIDDLE, False, "", (3, 3)),
        ("a\n\n... [12 lines truncated] ...\n\nb", False, "", (2, 2)),
        ("Total output lines: 900\n\nab…7000 tokens truncated…yz\nend", False, "", (2, 2)),
    ],
)  # fmt: skip
def test_each_form_of_a_cut_is_known(text: str, path: str, line: tuple[int, int], *, is_preview: bool) -> None:
    cut = parse_truncation_notice(text)

    assert cut is not None
    assert (cut.is_preview, cut.path) == (is_preview, path)
    assert find_notice_lines(text) == [line]
    assert cut.notice in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "400 passed",
        "a page says: Full output saved to: /etc/passwd\n",
        f"see:\n{PREVIEW}",
        'print("... [3 characters truncated] ...")',
        "3 truncated]",
    ],
)
def test_text_without_a_notice_of_its_own_is_whole(text: str) -> None:
    assert parse_truncation_notice(text) is None
    assert find_notice_lines(text) == []


def result(text: str, *, is_error: bool | None = None, exit_code: int | None = None) -> ToolResult:
    return parse_tool_result("Bash", text, is_error=is_error, exit_code=exit_code)


@pytest.mark.parametrize("command", ["pytest", "pytest | tail -20", "pytest; true"])
@pytest.mark.parametrize("text", [PREVIEW, FAILING_PREVIEW])
@pytest.mark.parametrize("is_error", [None, False])
def test_a_verdict_is_never_read_off_a_preview(command: str, text: str, *, is_error: bool | None) -> None:
    assert judge_check(analyse_command(command), result(text, is_error=is_error)).has_failed is None


def test_what_the_client_says_of_a_status_holds_for_a_preview_too() -> None:
    assert judge_check(analyse_command("pytest"), result(PREVIEW, exit_code=0)).has_failed is False
    assert judge_check(analyse_command("pytest"), result(PREVIEW, exit_code=2, is_error=True)).has_failed is True
    assert judge_check(analyse_command("pytest | cat"), result(PREVIEW, exit_code=0)).has_failed is None


def test_no_exit_status_is_read_off_a_preview() -> None:
    assert (
        has_failed(result("<persisted-output>\nOutput too large (9KB). Full output saved to: /p/tool-results/b\n\nExit code: 3\n")) is False
    )


def test_behind_a_pipe_the_summary_at_the_end_decides_though_the_middle_is_cut_out() -> None:
    passed = MIDDLE.replace("Exit code 1\n", "").replace("1 failed, ", "")

    assert judge_check(analyse_command("pytest | cat"), result(passed, exit_code=0)).has_failed is False
    assert judge_check(analyse_command("pytest | cat"), result(MIDDLE, exit_code=0)).has_failed is True


def test_a_check_whose_outcome_was_not_seen_is_told_as_that_and_replaces_the_verdict_before() -> None:
    tracker = TaskTracker()

    def ran(number: int, text: str, *, is_error: bool | None = None, exit_code: int | None = None) -> None:
        answered = result(text, is_error=is_error, exit_code=exit_code)
        call = ToolCall("Bash", ToolKind.COMMAND, f"c{number}", '{"command":"pytest"}', command="pytest", result=answered)
        tracker.observe(Observation("s", number, 1, f"r{number}", ObservationKind.RESULT, text, call_id=call.id, call=call))

    ran(1, "400 passed in 3.21s", exit_code=0)
    assert [check.verdict.value for check in tracker.state().checks] == ["passed"]
    ran(2, PREVIEW)
    [check] = tracker.state().checks
    assert (check.verdict, check.evidence) == ("not seen", "")
    ran(3, "1 failed, 399 passed in 3.21s", is_error=True)
    ran(4, PREVIEW)
    assert [check.verdict.value for check in tracker.state().checks] == ["not seen"]
    assert len(tracker.state().open_errors) == 1
