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
    AgentMessage,
    AgentReport,
    CheckResult,
    DeadEnd,
    EndedRequest,
    FileCheck,
    FileState,
    FileStatus,
    OpenError,
    PlanStep,
    TaskState,
    UserReply,
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
    messages=(AgentMessage("I shall run the tests.", "u6", 6),),
    recent_identifiers=("round_half_up", "src/cart.py", "E0308"),
)
GOLDEN = """\
# Where the work stands

## Last request, verbatim
Round the total half up,
and say so in the invoice.

Don't touch the tax.

## What remains of it
- [>] fix
- [ ] test

## First request of the session
Fix the cart.

## Done, with its evidence
- passed: `ruff check src` — All checks passed!

## Failed and open
- FAILED: `pytest`
FAILED tests/test_cart.py::test_total - assert 3 == 4
E   assert 3 == 4

## Constraints, in the user's words
- Never push to main.
- Don't touch the tax.

## Files changed
- src/tax.py: written, tests passed since: `pytest -q`, committed as 1a2b3c4
- src/cart.py: edited (3 changes), not checked since, not committed

## What the agent said last
> I shall run the tests.

## Earlier requests, oldest first
- What is round_half_up?

## Plan: finished steps
- [x] read

## Dead ends: do not try again
- src/cart.py: `a` became `b`, put back — assert 3 == 4

## Files read or named, latest first
src/new.py, src/old.py, src/found.py, /home/ada/.notes/a.md

## Commands that worked
- `npm run dev`

## Names in play
round_half_up, E0308
"""
IN_ORDER_OF_NEED = (  # one line of each section, the one that the smallest budget holds first
    "Round the total half up,",
    "- [>] fix",
    "- Don't touch the tax.",
    "- src/cart.py: edited",
    "src/new.py",
    "Fix the cart.",
    "- passed: `ruff check src`",
    "- What is round_half_up?",
    "- src/cart.py: `a` became `b`, put back",
    "- `npm run dev`",
    "- [x] read",
    "round_half_up, E0308",
)


def quarter(text: str) -> int:
    return (len(text) + 3) // 4


def test_a_rule_that_is_all_of_the_last_request_stands_once() -> None:
    rule = UserStatement("Never touch the tax.", "u9", 9)
    state = TaskState(question="", goals=(rule,), constraints=(rule,))

    assert handoff(state, quarter, 1_000).count("Never touch the tax.") == 1


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
        checks=STATE.checks[:1],
        open_errors=(),
        messages=(),
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
    assert "- FAILED: `pytest`" in text


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


def test_a_reply_is_shown_with_the_request_and_with_what_it_answers_or_chooses() -> None:
    replies = (
        UserReply("Shall I round half up?", "yes", "", "u2", 2),
        UserReply("Which one?", "2", "Poll a table.", "u3", 3),
        UserReply("Which colour?", "red", "red: as the logo", "u4", 4, is_typed=False),
    )
    state = TaskState(goals=(UserStatement("Fix the cart.", "u0"),), replies=replies, messages=(AgentMessage("Done."),))

    text = handoff(state, quarter, 500)

    assert "Fix the cart.\n(then, to the agent: yes)\n(in answer to:)\nShall I round half up?\n" in text
    assert "(then, to the agent: 2)\n(which chooses:)\nPoll a table.\n" in text
    assert "## Answers of the user to the agent\n- Which colour? → red (red: as the logo)\n" in text
    assert "> Done." in text


def test_replies_to_earlier_requests_stand_among_the_answers() -> None:
    goals = (
        UserStatement("Fix the cart.", "u0"),
        UserStatement("Now write the whole importer for the shop, with tests for every single row of it.", "u9", 9),
    )
    state = TaskState(goals=goals, replies=(UserReply("Which one?", "2", "Poll a table.", "u3", 3),))

    text = handoff(state, quarter, 500)

    assert "(then" not in text
    assert "- Which one? → 2 (Poll a table.)" in text


def test_words_that_continue_a_request_are_shown_with_it() -> None:
    goals = UserStatement("Migrate all.", "u0"), UserStatement("also add a check", "u2", 2, is_continuation=True)

    assert "Migrate all.\n(then, while the agent worked on it: also add a check)" in handoff(TaskState(goals=goals), quarter, 500)


def test_an_earlier_request_that_begins_like_the_last_one_is_told_from_it() -> None:
    """Else it reads as if the last one were done."""
    first, last = (f"Carry out this plan. {'Move each handler to the new router. ' * 20}{end}" for end in ("Without tests.", "With tests."))
    goals = UserStatement(first, "u0"), UserStatement(last, "u2", 2)

    text = handoff(TaskState(goals=goals, ended=(EndedRequest(goals[0], False, "All are moved."),)), quarter, 1500)

    assert "- an earlier request, which begins like the last one: Carry out this plan." in text


def test_finished_work_is_called_finished_with_its_evidence() -> None:
    goals = UserStatement("Drop the old table.", "u0"), UserStatement("Write the importer.", "u2", 2)
    checked = CheckResult("pytest -q", Verdict.PASSED, "3 passed", seq=5)
    ended = EndedRequest(goals[0], False, "I've dropped it."), EndedRequest(goals[1], False, "Done.", check=checked)

    text = handoff(TaskState(goals=goals, ended=ended, plan=(PlanStep("docs", "cancelled"),)), quarter, 500)

    assert "- nothing that is known: the agent reported that it is finished: “Done.”; passed since: `pytest -q` — 3 passed" in text
    assert "- Drop the old table. — done: “I've dropped it.”" in text
    assert "## Goal" not in text
    assert "docs" not in text


@pytest.mark.parametrize("budget_tokens", [150, 300, 600, 1200, 4000])
def test_the_agents_last_words_keep_their_share_from_their_end(budget_tokens: int) -> None:
    message = "\n".join(f"Conclusion {at} of the long report that the agent wrote." for at in range(400))

    text = handoff(replace(STATE, messages=(AgentMessage(message, "u8", 8),)), quarter, budget_tokens, handles={"u8": "7x2"})

    lines = [line for line in text.split("\n") if line.startswith("> Conclusion")]
    assert lines == [f"> {line}" for line in message.split("\n")[400 - len(lines) :]]
    assert quarter("\n".join(lines)) > 0.08 * budget_tokens
    assert f"[… {400 - len(lines)} lines before: clew unfold 7x2]" in text


@given(
    st.lists(st.lists(st.text(alphabet="ab .:é", min_size=1, max_size=300), min_size=1, max_size=6), min_size=1, max_size=6),
    st.integers(200, 3000),
)
def test_an_open_error_stands_with_its_evidence_byte_for_byte_or_with_its_handle(errors: list[list[str]], budget_tokens: int) -> None:
    texts = ["\n".join(lines) for lines in errors]
    state = replace(STATE, open_errors=tuple(OpenError(text, f"check:test{at}", f"e{at}", at) for at, text in enumerate(texts)))

    shown = handoff(state, quarter, budget_tokens, handles={f"e{at}": f"handle{at}" for at in range(len(texts))})

    for at, text in enumerate(texts):
        assert f"`test{at}`\n{text}\n" in shown or f"`test{at}` [… {text.count(chr(10)) + 1} lines: clew unfold handle{at}]" in shown


def test_a_check_that_a_subagent_ran_was_seen() -> None:
    file = FileState("src/tax.py", FileStatus.EDITED, checked_by=(replace(PASSED, seq=7),), was_tried=True, seq=5)
    seen = (WorkingFile("src/tax.py", "edit", 5),)

    assert "no check was seen" not in handoff(TaskState(files=(file,), working_set=seen), quarter, 1000)
    assert "no check was seen in this session" in handoff(TaskState(files=(replace(file, checked_by=()),), working_set=seen), quarter, 1000)


def test_a_failure_is_not_the_last_word_on_a_check_that_ran_since() -> None:
    checks = (CheckResult("tsc --noEmit", Verdict.NOT_SEEN, seq=9),)
    state = TaskState(open_errors=(OpenError("a.ts(1,1): error TS2322", "check:tsc --noEmit", "u5", 5),), checks=checks)

    text = handoff(state, quarter, 1000)

    assert "- no verdict seen in the last run, and failed before: `tsc --noEmit`\na.ts(1,1): error TS2322\n" in text
    assert text.count("tsc --noEmit") == 1


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
        messages=(AgentMessage(message, "um"),),
        replies=tuple(UserReply(path, message, message, f"u{at}", at) for at, path in enumerate(paths)),
        reports=(AgentReport("part", message, "ur", 99),),
        open_errors=tuple(OpenError(path, f"check:{path}", f"e{at}") for at, path in enumerate(paths)),
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


def test_work_remembers_the_agents_last_words_and_what_a_prompt_answered(claude: ClaudeScript) -> None:
    done = work(claude, "user: fix it", "Shall I?", "user: yes", "Done.", "user: <task-notification>x</task-notification>")

    assert [(reply.asked, reply.text) for reply in done.replies] == [("Shall I?", "yes")]
    assert done.last_message == "Done."


def test_a_moved_file_is_said_to_be_moved_once() -> None:
    state = TaskState(files=(FileState("b.py", FileStatus.MOVED, moved_from="a.py", is_committed=True, commit="1a2b3c4"),))

    assert "- b.py: moved from a.py, not checked since, committed as 1a2b3c4" in handoff(state, len, 2000)


def test_what_probably_binds_but_not_surely_is_not_called_a_constraint() -> None:
    rules = UserStatement("Never push to main.", "u0"), UserStatement("Make sure the extension runs.", "u1", probability=0.6)
    text = handoff(TaskState(question="", constraints=rules), len, 2000)

    assert "## Constraints, in the user's words\n- Never push to main." in text
    assert "## Also said by the user\n- Make sure the extension runs." in text


def test_a_file_is_named_once_and_a_folder_of_files_not_at_all() -> None:
    """A name that is the end of another path says nothing more, nor does a folder of what is listed."""
    names = ("src/shop/cart.py", "shop/cart.py", "cart.py", "src/shop", "src/shop/tax.py", "Makefile")
    state = replace(STATE, files=(), working_set=tuple(WorkingFile(name, "read", at) for at, name in enumerate(names)))
    listed = handoff(state, len, 4_000).partition("## Files read or named, latest first\n")[2].partition("\n")[0].split(", ")

    assert sorted(listed) == ["Makefile", "src/shop/cart.py", "src/shop/tax.py"]


def test_an_earlier_request_that_an_answer_shows_stands_once() -> None:
    """It says more with the question that it answers; a picture alone says nothing."""
    goals = tuple(
        UserStatement(text, f"u{at}", at)
        for at, text in enumerate(("Write the design.", "put it in the handler", "[image: image/png]", "Now review it."))
    )
    reply = UserReply("Where should it go?", "put it in the handler", uuid="u1", seq=1)
    text = handoff(replace(STATE, goals=goals, constraints=(), replies=(reply,)), len, 4_000)

    assert text.count("put it in the handler") == 1
    assert "[image" not in text


def test_an_answer_that_the_earlier_requests_show_stands_once() -> None:
    """The answers' share of the budget held the later ones only, so the request was bought first."""
    words = ("put it in the handler, as far as that goes", "name it after the shop, not after us", "leave the old one where it is")
    goals = tuple(UserStatement(text, f"u{at}", at) for at, text in enumerate(("Write the design.", *words, "Now review it.")))
    replies = tuple(UserReply(f"What of number {at}, then?", text, uuid=f"u{at}", seq=at) for at, text in enumerate(words, 1))
    state = TaskState(question="", goals=goals, replies=replies)

    for budget in range(300, 1_500, 20):
        text = handoff(state, len, budget)
        assert all(text.count(each) <= 1 for each in words)


def test_a_rule_in_what_the_user_answered_stands_once_though_the_agents_words_are_long() -> None:
    """What the agent had offered stands beside it and does not count."""
    goals = (UserStatement("Plan it.", "u0"), UserStatement("1. just point the subagent at the comment", "u1", 1))
    rule = UserStatement("just point the subagent at the comment", "u1", 1)
    reply = UserReply("Which approach? " * 9, "1. just point the subagent at the comment", "**Subagent** " * 20, "u1", 1)
    text = handoff(replace(STATE, goals=goals, constraints=(rule,), replies=(reply,)), len, 6_000)

    assert text.count("just point the subagent") == 1


def test_documents_need_no_check() -> None:
    written = replace(STATE, files=(FileState("docs/plan.md", FileStatus.WRITTEN, seq=9),), checks=(), open_errors=())

    assert "no check was seen" not in handoff(written, len, 4_000)
    assert "no check was seen" in handoff(replace(written, files=(FileState("src/cart.py", FileStatus.WRITTEN, seq=9),)), len, 4_000)
