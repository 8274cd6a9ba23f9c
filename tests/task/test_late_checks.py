"""A verdict that comes after its call, of a background job or from the file behind an output, is the verdict of that check."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from clew.records import CallOutcome, FileTouch, FileView, Observation, ObservationKind, ToolCall, ToolKind, ToolResult
from clew.task.tracker import TaskTracker

SPILLED = "/p/s/tool-results/b1.txt"
PREVIEW = f"<persisted-output>\nOutput too large (299.8KB). Full output saved to: {SPILLED}\n\nPreview (first 2KB):\n1 failed in 3.2s\n"


@dataclass
class Session:
    """Runs commands and reads files, in their order."""

    tracker: TaskTracker = field(default_factory=TaskTracker)
    seq: int = 0

    def see(self, call: ToolCall, kind: ObservationKind = ObservationKind.RESULT) -> None:
        self.seq += 1
        about = Observation("s", self.seq, 1, f"u{self.seq}", kind, call.output, call_id=call.id, call=call, is_meta=True)
        self.tracker.observe(about)

    def run(self, command: str, result: ToolResult) -> None:
        self.see(ToolCall("Bash", ToolKind.COMMAND, "c", "{}", command=command, result=result))

    def read(self, path: str, text: str, view: FileView) -> None:
        self.see(ToolCall("Read", ToolKind.READ, "c", "{}", path=path, result=ToolResult(text, view=view)))

    def job(self, job: str, text: str, code: int | None) -> None:
        self.see(ToolCall("TaskOutput", ToolKind.OTHER, "c", "{}", job=job, result=ToolResult(text, job_exit_code=code)))

    def edit(self, path: str) -> None:
        touched = ToolCall("Edit", ToolKind.EDIT, "c", "{}", path=path, touches=(FileTouch(path, "edit"),), result=ToolResult("done"))
        self.see(touched)

    @property
    def checks(self) -> list[tuple[str, str]]:
        return [(check.verdict.value, check.evidence) for check in self.tracker.state().checks]


def started() -> ToolResult:
    return ToolResult("Command running in background with ID: b1", CallOutcome.UNKNOWN, job="b1")


@pytest.mark.parametrize(
    ("command", "text", "code", "seen"),
    [
        ("pytest -q", "<status>completed</status>\n9 passed in 0.2s", 0, ("passed", "9 passed in 0.2s")),
        ("pytest -q", "<status>completed</status>\n1 failed, 8 passed in 0.2s", 1, ("failed", "1 failed, 8 passed in 0.2s")),
        ("npx tsc", "", 0, ("passed", "exit status 0")),
        ("npx tsc | tail -1", "", 0, ("not seen", "")),
        ("pytest -q | tail -1", "1 failed, 8 passed in 0.2s", 0, ("failed", "1 failed, 8 passed in 0.2s")),
        ("pytest -q", "still running", None, ("not seen", "")),
    ],
)
def test_a_background_check_has_no_verdict_until_its_job_has_ended(
    command: str, text: str, code: int | None, seen: tuple[str, str]
) -> None:
    session = Session()
    session.run(command, started())
    assert session.checks == [("not seen", "")]

    session.job("b1", text, code)
    assert session.checks == [seen]
    assert len(session.tracker.state().open_errors) == (seen[0] == "failed")


def test_a_notice_of_the_client_ends_a_background_check() -> None:
    session = Session()
    session.run("pytest -q", started())
    notice = 'Background command "Run the tests" failed with exit code 1'
    session.see(ToolCall(job="b1", result=ToolResult(notice, CallOutcome.UNKNOWN, job_exit_code=1)), ObservationKind.PROMPT)

    assert session.checks == [("failed", notice)]


def test_the_file_behind_a_preview_decides() -> None:
    session = Session()
    session.run("pytest | cat", ToolResult(PREVIEW, exit_code=0, spilled=SPILLED))
    assert session.checks == [("not seen", "")]

    session.run(f"grep -c error {SPILLED}", ToolResult("0"))
    session.run(f"head -3 {SPILLED}", ToolResult("collected 9 items\na\nb"))
    assert session.checks == [("not seen", "")]

    session.run(f"tail -3 {SPILLED}", ToolResult("9 passed in 0.2s"))
    assert session.checks == [("passed", "9 passed in 0.2s")]


def test_a_read_of_the_file_behind_a_preview_decides_as_far_as_it_shows_the_end() -> None:
    session = Session()
    session.run("go test ./... | cat", ToolResult(PREVIEW, exit_code=0, spilled=SPILLED))
    session.read(SPILLED, "     1→ok  \tshop/cart\t0.2s", FileView(SPILLED, 1, 1, 900))
    assert session.checks == [("not seen", "")]

    session.read(SPILLED, "   899→ok  \tshop/cart\t0.2s\n   900→ok  \tshop/tax\t0.1s", FileView(SPILLED, 899, 2, 900))
    assert session.checks == [("passed", "ok  \tshop/tax\t0.1s")]


def test_an_output_that_was_written_to_a_file_decides_when_it_is_shown() -> None:
    session = Session()
    session.run("pytest -q > /tmp/log 2>&1; true", ToolResult())
    session.run("pytest -q tests/other | tail -1; cat /tmp/log", ToolResult("9 passed in 0.2s"))
    assert session.checks[0] == ("not seen", "")
    session.run("tail -2 /tmp/log", ToolResult("\n1 failed, 8 passed in 0.2s"))
    assert ("failed", "1 failed, 8 passed in 0.2s") in session.checks


def test_a_newer_run_is_not_overruled_by_a_late_verdict_of_an_older_one() -> None:
    session = Session()
    session.run("pytest -q", started())
    session.run("pytest -q", ToolResult("9 passed in 0.2s"))
    session.job("b1", "1 failed, 8 passed in 0.1s", 1)

    assert session.checks == [("passed", "9 passed in 0.2s")]
    assert session.tracker.state().open_errors == ()


def test_a_late_verdict_says_of_a_file_that_was_changed_since_nothing_new() -> None:
    session = Session()
    session.run("pytest -q", started())
    session.edit("src/cart.py")
    session.job("b1", "9 passed in 0.2s", 0)

    [check] = session.tracker.state().checks
    assert (check.verdict, check.is_stale) == ("passed", True)


@pytest.mark.parametrize(
    ("command", "text", "seen"),
    [
        ("pytest -q", "F...\n1 failed, 3 passed in 0.1s", ("failed", "1 failed, 3 passed in 0.1s")),
        ("pytest -q", "....\n4 passed in 0.1s", ("passed", "4 passed in 0.1s")),
        ("pytest -q", "....", ("not seen", "")),
        ("npm test", "> shop@1.0.0 lint\n✔ No ESLint warnings or errors", ("not seen", "")),
        ("npm test", "Tests:       1 failed, 2 passed, 3 total", ("failed", "Tests:       1 failed, 2 passed, 3 total")),
        ("go test ./...", "ok  \tshop/cart\t0.2s", ("not seen", "")),
    ],
)
def test_the_output_of_a_job_that_may_still_run_decides_only_what_it_says_for_good(command: str, text: str, seen: tuple[str, str]) -> None:
    session = Session()
    session.run(command, started())
    session.read("/tmp/jobs/b1.output", text, FileView("/tmp/jobs/b1.output", 1, text.count("\n") + 1, text.count("\n") + 1))

    assert session.checks == [seen]
