"""What is handed over at a compaction: within its budget, the most needed first, the user's words as they were."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.records import (
    CheckResult,
    DeadEnd,
    FileCheck,
    FileState,
    FileStatus,
    OpenError,
    PlanStep,
    TaskState,
    UserStatement,
    Verdict,
    WorkingFile,
    join_text,
)
from clew.task.tracker import TaskTracker
from clew.transcript.handoff import render_handoff as handed_over
from clew.transcript.parse import TranscriptReader

if TYPE_CHECKING:
    from conftest import ClaudeScript


def handoff(*told: Any, **more: Any) -> str:
    return join_text(handed_over(*told, **more))


REQUEST = "Round the total half up,\nand say so in the invoice.\n\nDon't touch the tax."
PASSED = FileCheck("pytest -q", "tests", Verdict.PASSED, "3 passed in 0.1s")
STATE = TaskState(
    goals=(UserStatement("Fix the cart.", "u0"), UserStatement("What is round_half_up?", "u1", 1), UserStatement(REQUEST, "u2", 2)),
    constraints=(UserStatement("Never push to main.", "u0"), UserStatement("Don't touch the tax.", "u2", 2)),
    working_set=(
        WorkingFile("/home/ada/.notes/a.md", "read", 9),
        WorkingFile("src/found.py", "search", 8),
        WorkingFile("src/old.py", "read", 3),
        WorkingFile("src/new.py", "read", 7),
        WorkingFile("src/cart.py", "edit", 6),
    ),
    open_errors=(OpenError("FAILED tests/test_cart.py::test_total - assert 3 == 4\nE   assert 3 == 4", "check:pytest", "u5", 5),),
    checks=(
        CheckResult("ruff check src", Verdict.PASSED, "All checks passed!"),
        CheckResult("pytest", Verdict.FAILED, "1 failed in 0.1s"),
    ),
    dead_ends=(DeadEnd("src/cart.py: `a` became `b`, put back", "assert 3 == 4", "u4", 4),),
    plan=(PlanStep("read", "completed"), PlanStep("fix", "in_progress"), PlanStep("test", "pending")),
    files=(
        FileState("src/tax.py", FileStatus.WRITTEN, checked_by=(PASSED,), was_tried=True, is_committed=True, commit="1a2b3c4"),
        FileState("src/cart.py", FileStatus.EDITED, 3),
    ),
    commands_ok=("npm run dev", "pytest"),
    last_message="I shall run the tests.",
    recent_identifiers=("round_half_up", "src/cart.py", "E0308"),
)
GOLDEN = """\
# Where the work stands

## Goal, as the user stated it
Fix the cart.

## Last request, verbatim
Round the total half up,
and say so in the invoice.

Don't touch the tax.

## What the agent had just said
> I shall run the tests.

## Constraints and remarks, in the user's words
- Never push to main.
- Don't touch the tax.

## Earlier requests, oldest first
- What is round_half_up?

## Plan
- [x] read
- [>] fix
- [ ] test

## Files changed
- src/tax.py: written, tests passed since: `pytest -q`, committed as 1a2b3c4
- src/cart.py: edited (3 changes), not checked since, no commit since

## Files read or named, latest first
src/new.py, src/old.py, src/found.py, /home/ada/.notes/a.md

## Latest checks
- passed: `ruff check src` — All checks passed!
- FAILED: `pytest` — 1 failed in 0.1s

## Open errors
- `pytest`: FAILED tests/test_cart.py::test_total - assert 3 == 4 | E   assert 3 == 4

## Dead ends: do not try again
- src/cart.py: `a` became `b`, put back — assert 3 == 4

## Commands that worked
- `npm run dev`

## Names in play
round_half_up, E0308
"""
IN_ORDER_OF_NEED = (  # one line of each section, the most needed first
    "Round the total half up,",
    "- [>] fix",
    "- Don't touch the tax.",
    "- src/cart.py: edited",
    "- `pytest`: FAILED",
    "src/new.py",
    "- src/cart.py: `a` became `b`, put back",
    "- FAILED: `pytest`",
    "Fix the cart.",
    "> I shall run the tests.",
    "- What is round_half_up?",
    "- `npm run dev`",
    "- [x] read",
    "round_half_up, E0308",
)


def quarter(text: str) -> int:
    return (len(text) + 3) // 4


def test_a_hand_off_that_fits_says_everything() -> None:
    assert handoff(STATE, quarter, 10_000) == GOLDEN


@pytest.mark.parametrize("budget_tokens", [-1, 0, 1, 7, 20, 40, 80, 120, 160, 200, 240, 280, 10_000])
def test_the_budget_is_never_exceeded(budget_tokens: int) -> None:
    assert quarter(handoff(STATE, quarter, budget_tokens)) <= max(budget_tokens, 0)


def test_a_smaller_budget_drops_sections_in_the_documented_order() -> None:
    """Counted in lines, with one line a section, so that every section costs the same."""
    state = replace(
        STATE,
        goals=(*STATE.goals[:2], UserStatement("Round the total half up,", "u2", 2)),
        constraints=STATE.constraints[1:],
        working_set=STATE.working_set[3:],
        checks=STATE.checks[1:],
        plan=STATE.plan[1:2],
        files=STATE.files[1:],
        recent_identifiers=("round_half_up, E0308",),
    )

    def lines(text: str) -> int:
        return text.count("\n")

    needed = [line for line in IN_ORDER_OF_NEED if line != "- [x] read"]
    shown_at = [next(budget for budget in range(99) if line in handoff(state, lines, budget)) for line in needed]

    assert shown_at == sorted(set(shown_at))


def test_of_dead_ends_the_likeliest_to_be_tried_again_are_bought_first() -> None:
    """They are shown in the order in which they were met."""
    ends = (
        DeadEnd("npm is not there", "", weight=0.4),
        DeadEnd("port 80 is taken", "", weight=0.9),
        DeadEnd("sed -i fails", "", weight=0.6),
    )
    state = TaskState(dead_ends=ends)

    shown = [handoff(state, lambda text: text.count("\n"), budget).split("\n")[3:-1] for budget in (4, 5, 6)]

    assert shown == [["- port 80 is taken"], ["- port 80 is taken", "- sed -i fails"], [f"- {end.text}" for end in ends]]


def test_finished_steps_go_before_open_ones() -> None:
    shown_at = [min(budget for budget in range(400) if line in handoff(STATE, quarter, budget)) for line in ("[ ] test", "[x] read")]

    assert shown_at == sorted(shown_at)


@pytest.mark.parametrize("budget_tokens", [120, 400])
def test_the_last_request_stays_whole_when_it_fits(budget_tokens: int) -> None:
    assert REQUEST in handoff(STATE, quarter, budget_tokens)


def test_a_request_that_does_not_fit_is_cut_between_lines_and_names_where_the_rest_is() -> None:
    long = "\n".join(f"Step {at}: do the thing number {at}." for at in range(200))
    state = replace(STATE, goals=(UserStatement("Fix the cart.", "u0"), UserStatement(long, "u9", 9)))

    text = handoff(state, quarter, 600, handles={"u9": "3k9"})

    kept = [line for line in text.split("\n") if line.startswith("Step ")]
    assert kept == long.split("\n")[: len(kept)]
    assert len(kept) > 20
    assert f"[… {200 - len(kept)} more lines: clew unfold 3k9]" in text
    assert "- `pytest`: FAILED" in text


def test_a_request_of_one_long_line_is_cut_between_words() -> None:
    long = " ".join(f"word{at}" for at in range(3000))

    text = handoff(TaskState(goals=(UserStatement(long, "u9"),)), quarter, 200)

    shown = text.split("## Last request, verbatim\n")[1].split(" [… whole: clew unfold u9]")[0]
    assert long.startswith(shown + " ")
    assert quarter(text) > 150


def test_a_fence_that_the_cut_opened_is_closed() -> None:
    long = "Do this:\n```\n" + "\n".join(f"line {at}" for at in range(500)) + "\n```"

    text = handoff(TaskState(goals=(UserStatement(long, "u9"),)), quarter, 200)

    assert sum(line == "```" for line in text.split("\n")) == 2


def test_an_assent_is_shown_with_what_it_assents_to() -> None:
    goals = UserStatement("Fix the cart.", "u0"), UserStatement("yes", "u2", 2)
    state = TaskState(goals=goals, last_message="Done.", answered_message="Shall I round half up?")

    text = handoff(state, quarter, 500)

    assert "Fix the cart.\n(then, to what the agent proposed: yes)" in text
    assert "> Shall I round half up?" in text
    assert "> Done." in text


def test_an_empty_session_hands_nothing_over() -> None:
    assert handoff(TaskState(), quarter, 1000) == ""


words = st.text(alphabet="ab `\n#_-./é日", max_size=60)


@given(
    st.lists(words, max_size=5),
    st.lists(words, max_size=5),
    st.lists(words, max_size=8),
    words,
    st.integers(-3, 300),
    st.sampled_from([quarter, len, lambda text: len(text.split()), lambda text: len(text.encode()) // 2 + text.count("\n") * 3]),
)
def test_no_state_and_no_tokenizer_exceeds_the_budget(goals, constraints, paths, message, budget_tokens, count) -> None:
    state = TaskState(
        goals=tuple(UserStatement(goal, f"u{at}", at) for at, goal in enumerate(goals)),
        constraints=tuple(UserStatement(constraint) for constraint in constraints),
        working_set=tuple(WorkingFile(path, "read", at) for at, path in enumerate(paths)),
        plan=tuple(PlanStep(path, "pending") for path in paths),
        files=tuple(FileState(path, FileStatus.EDITED) for path in paths),
        commands_ok=tuple(paths),
        last_message=message,
    )

    text = handoff(state, count, budget_tokens)

    assert text == "" or count(text) <= budget_tokens
    assert text == handoff(state, count, budget_tokens)


def test_the_bytes_are_the_same_in_every_process() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_handoff as t;"
        "sys.stdout.buffer.write(t.handoff(t.STATE, t.quarter, 200).encode())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert outputs == {handoff(STATE, quarter, 200).encode()}


def work(claude: ClaudeScript, *steps: tuple[str, str, str] | str) -> TaskState:
    """Calls as (tool, input, output), the agent's words as strings, the user's as strings that begin with "user: "."""
    for step in steps:
        if isinstance(step, str):
            claude.prompt(step.removeprefix("user: ")) if step.startswith("user: ") else claude.tell(step)
            continue
        tool, given, output = step
        inputs = {"command": given} if tool == "Bash" else {"file_path": given, "old_string": "a", "new_string": "b"}
        claude.answer(claude.call(tool, **inputs), output, is_error=output.startswith("Exit code"))
    tracker = TaskTracker(root="/w")
    for seen in TranscriptReader([claude.bytes()]).read_observations():
        tracker.observe(seen)
    return tracker.state()


def test_work_keeps_commands_that_worked_and_may_be_needed_again(claude: ClaudeScript) -> None:
    done = work(
        claude,
        ("Bash", "npm install", "ok"),
        ("Bash", "docker compose up -d", "ok"),
        ("Bash", "npm install", "ok"),
        ("Bash", "npm run dev", "Exit code 1\nno"),
        ("Bash", "ls src", "a.py"),
        ("Bash", "git push", "ok"),
        ("Bash", "python - <<'EOF'\nprint(1)\nEOF", "1"),
    )

    assert done.commands_ok == ("docker compose up -d", "npm install")


def test_work_remembers_the_agents_last_words_and_those_that_a_prompt_answered(claude: ClaudeScript) -> None:
    done = work(claude, "user: fix it", "Shall I?", "user: yes", "Done.", "user: <task-notification>x</task-notification>")

    assert (done.answered_message, done.last_message) == ("Shall I?", "Done.")
