"""Requests of a session: which is the last, what stands with it, which are done or cancelled."""

from __future__ import annotations

import pytest

from clew.records import ObservationKind, PlanStep
from clew.task.tracker import state_at
from clew.transcript.parse import TranscriptReader
from tests.transcript.conftest import ClaudeScript

OFFER = "Two ways:\n\n1. Keep a heap in memory.\n2. Poll a table with an index.\n\nWhich one?"


def work_on(script, *said: str) -> None:
    script.edit("src/a.py", "a", "b")
    for text in said:
        script.agent(text)


def test_a_choice_keeps_the_request_and_tells_the_chosen_text(script) -> None:
    script.user("Design the scheduler.")
    script.agent(OFFER)
    script.user("2, but every 5 seconds")
    work_on(script, "Next I wire the worker.")
    state = state_at(script.observations)

    assert [goal.text for goal in state.goals] == ["Design the scheduler."]
    assert [(reply.text, reply.chosen) for reply in state.replies] == [("2, but every 5 seconds", "Poll a table with an index.")]
    assert not any("every 5" in stated.text for stated in state.constraints)


def test_a_finished_request_says_so_with_its_evidence_and_leaves_no_order_behind(script) -> None:
    script.user("Delete every migration under legacy/. Never touch the others.")
    script.run("rm -r legacy/migrations")
    script.run("pytest -q", "3 passed in 0.1s")
    script.agent("I've deleted the legacy migrations.")
    finished = state_at(script.observations)
    script.user("Write the importer.")
    after = state_at(script.observations)

    assert [(end.request.text[:6], end.evidence, end.check and end.check.evidence) for end in finished.ended] == [
        ("Delete", "I've deleted the legacy migrations.", "3 passed in 0.1s")
    ]
    assert [end.request.text[:6] for end in after.ended] == ["Delete"]
    assert "Never touch the others." in [stated.text for stated in after.constraints]
    assert not any("Delete" in stated.text for stated in after.constraints)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda script: script.run("pytest -q", "1 failed in 0.1s", fails=True),
        lambda script: script.call("TodoWrite", {"todos": [{"content": "docs", "status": "pending"}]}),
    ],
    ids=["a check failed", "a step is open"],
)
def test_nothing_is_called_finished_against_the_evidence(script, spoil) -> None:
    script.user("Write the importer.")
    work_on(script)
    spoil(script)
    script.agent("Done.")

    assert state_at(script.observations).ended == ()


@pytest.mark.parametrize("last", ["Done. Shall I commit it?", "Next I write the tests.", "I have fixed it, but a test still fails."])
def test_an_open_word_of_the_agent_claims_nothing(script, last: str) -> None:
    script.user("Write the importer.")
    work_on(script, last)

    assert state_at(script.observations).ended == ()


def test_a_call_after_the_report_or_a_doubt_of_the_user_takes_the_claim_back(script) -> None:
    script.user("Fix the total.")
    work_on(script, "Done.")
    script.run("ls")
    assert state_at(script.observations).ended == ()

    script.agent("Done.")
    script.user("it is still wrong")
    assert state_at(script.observations).ended == ()


def test_a_question_without_work_is_not_finished_work(script) -> None:
    script.user("What does it do?")
    script.agent("Done.")

    assert state_at(script.observations).ended == ()


def test_a_cancelled_plan_has_no_open_steps(script) -> None:
    script.user("Migrate all handlers.")
    script.call(
        "TodoWrite", {"todos": [{"content": "handler 1", "status": "completed"}, {"content": "handler 2", "status": "in_progress"}]}
    )
    script.user("Forget the plan. Add a health endpoint instead.")
    state = state_at(script.observations)

    assert state.plan == (PlanStep("handler 1", "completed"), PlanStep("handler 2", "cancelled"))
    assert [(end.request.text, end.is_cancelled) for end in state.ended] == [("Migrate all handlers.", True)]


def test_words_typed_after_stopping_the_work_continue_the_request(script) -> None:
    script.user("Replace the cache by SQLite.")
    script.agent("I replace it with pickle first.")
    script.add(ObservationKind.NOTE, "[Request interrupted by user]", tool="interrupted")
    script.user("no pickle! sqlite as I said")

    assert [(goal.text, goal.is_continuation) for goal in state_at(script.observations).goals] == [
        ("Replace the cache by SQLite.", False),
        ("no pickle! sqlite as I said", True),
    ]


def test_a_plan_that_is_pasted_after_stopping_the_work_is_a_request_of_its_own(script) -> None:
    plan = "Carry out this plan.\n" + "\n".join(f"- move handler {at} to the new router, with its tests" for at in range(30))
    script.user("Where else is the router used?")
    script.add(ObservationKind.NOTE, "[Request interrupted by user]", tool="interrupted")
    script.user(plan)

    assert [(goal.text, goal.is_continuation) for goal in state_at(script.observations).goals][-1] == (plan, False)


def test_a_request_that_is_stopped_and_typed_again_is_the_request_and_no_addition_to_the_one_before(script) -> None:
    script.user("Back to main, please.")
    script.agent("On main. What's next?")
    for _ in range(2):
        script.user("Give the login page its footer again, with the status in it.")
        script.add(ObservationKind.NOTE, "[Request interrupted by user]", tool="interrupted")
    script.user("Give the login page its footer again, with the status in it.")

    goal = state_at(script.observations).goals[-1]
    assert (goal.text, goal.is_continuation, goal.times) == ("Give the login page its footer again, with the status in it.", False, 3)


def test_code_that_a_request_quotes_cancels_nothing(script) -> None:
    script.user("Move the handlers.")
    script.user("And end like this:\n```go\nif err != nil {\n    cancel()\n    os.Exit(1)\n}\n```")

    assert state_at(script.observations).ended == ()


@pytest.mark.parametrize("words", ["its perfect", "this is great", "looks fine", "it is good, thanks"])
def test_praise_is_an_assent_and_no_request(script, words: str) -> None:
    script.user("Write the plan.")
    script.agent("Here it is. Does it look complete?")
    script.user(words)

    assert [goal.text for goal in state_at(script.observations).goals] == ["Write the plan."]


def test_a_typed_answer_right_after_a_question_stands_with_it(script) -> None:
    script.user("Fix the total.")
    script.agent("Where shall the rounding go?")
    script.user("into the session handler")

    reply = state_at(script.observations).replies[-1]
    assert (reply.asked, reply.text) == ("Where shall the rounding go?", "into the session handler")


def test_what_subagents_report_is_kept(script) -> None:
    script.user("Split the module.")
    script.call("Task", {"description": "part A", "prompt": "do A"}, "Part A: 2 tests still fail.")

    assert [(report.title, report.text) for report in state_at(script.observations).reports] == [("part A", "Part A: 2 tests still fail.")]


def test_the_place_is_known_from_the_clients_record_git_and_gh(script) -> None:
    script.user("Fix the total.", branch="fix-total")
    script.run("git commit -qam x", "")
    script.run("git commit -am 'round half up'", "[fix-total 1a2b3c4] round half up\n 1 file changed")
    script.run("git push", "To github.com:ada/shop.git\n   0a0b0c0..1a2b3c4  fix-total -> fix-total")
    script.run("gh pr view 136 --comments", "title: x")
    script.run("cat log.txt", "[other 9f9f9f9] not a commit of this session\nhttps://github.com/ada/shop/pull/7")
    place = state_at(script.observations).place

    assert (place.branch, place.pull_request, place.pushed) == ("fix-total", "136", "fix-total at 1a2b3c4")
    assert [(commit.digest, commit.subject) for commit in place.commits] == [("1a2b3c4", "round half up")]


def test_the_clients_notice_of_a_failed_background_check_is_a_failed_check(claude_notice) -> None:
    state = state_at(claude_notice)

    assert [(check.command, check.verdict.value) for check in state.checks] == [("pytest -q", "failed")]


@pytest.fixture
def claude_notice():
    made = ClaudeScript()
    made.prompt("Run the tests.")
    call = made.call("Bash", command="pytest -q", run_in_background=True)
    made.answer(call, "Command running in background with ID: b1a2")
    made.prompt(
        "<task-notification>\n<task-id>b1a2</task-id>\n<status>failed</status>\n"
        '<summary>Background command "pytest -q" failed with exit code 1</summary>\n</task-notification>'
    )
    return list(TranscriptReader([made.bytes()]).read_observations())


def test_a_step_left_open_is_done_where_the_agents_last_word_is_that_all_are(script) -> None:
    script.user("Write the exporter.")
    todos = [{"content": name, "status": "pending", "activeForm": "x"} for name in ("exporter", "docs")]
    script.call("TodoWrite", {"todos": todos})
    script.edit("exp.py", "a", "b")
    script.agent("The exporter is written. The docs come next.")
    assert {step.status for step in state_at(script.observations).plan} == {"pending"}

    script.agent("Done. All steps are complete.")
    state = state_at(script.observations)
    assert {step.status for step in state.plan} == {"completed"}
    assert [ended.request.text for ended in state.ended] == ["Write the exporter."]

    script.user("Now release it.")
    assert {step.status for step in state_at(script.observations).plan} == {"completed"}


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("The plan is cancelled.", []),
        ("Let's abandon this plan and start over.", []),
        ("The docs are not needed any more.", ["exporter"]),
        ("What is the plan?", ["exporter", "docs"]),
    ],
)
def test_steps_end_with_what_the_user_cancels(script, words: str, left: list[str]) -> None:
    script.user("Write the exporter.")
    todos = [{"content": name, "status": "pending", "activeForm": "x"} for name in ("exporter", "docs")]
    script.call("TodoWrite", {"todos": todos})
    script.user(words)

    assert [step.text for step in state_at(script.observations).plan if step.status == "pending"] == left


@pytest.mark.parametrize(("kind", "reports"), [("local_bash", []), ("local_agent", [("", "Three callers.")])])
def test_what_a_command_in_the_background_printed_is_no_report_of_a_subagent(kind: str, reports: list[tuple[str, str]]) -> None:
    claude = ClaudeScript()
    claude.prompt("Find all callers of price.")
    output = f"<retrieval_status>success</retrieval_status>\n\n<task_id>b1</task_id>\n\n<task_type>{kind}</task_type>\n\n"
    output += "<status>completed</status>\n\n<output>\nThree callers.\n</output>"
    claude.answer(claude.call("TaskOutput", task_id="b1"), output)

    observations = list(TranscriptReader([claude.bytes()]).read_observations())
    assert [(report.title, report.text) for report in state_at(observations).reports] == reports
