"""What the agent is doing, told from what happened."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.records import Observation, ObservationKind, TaskState
from clew.task.question import build_question_state
from clew.task.tracker import IDENTIFIERS_MAX, TaskTracker, state_at

FAILED = "Exit code 1\nFAILED tests/test_cart.py::test_total - assert 3 == 4\n1 failed in 0.1s\n"


def test_goals_are_requests_and_the_last_one_is_always_there(script) -> None:
    script.user("Round the total half up.")
    script.user("<task-notification>done</task-notification>")
    script.user("Base directory for this skill: /x", is_meta=True)
    script.user("also in the invoice\n\n  please")
    script.user("a subagent's prompt", agent="a1")

    goals = state_at(script.observations).goals

    assert [goal.text for goal in goals] == ["Round the total half up.", "also in the invoice\n\n  please"]
    assert goals[0].uuid == "u0"


def test_an_assent_displaces_no_request_and_stands_with_what_it_answers(script) -> None:
    script.user("Fix the total")
    script.agent("The total is cut.\nShall I round half up?")
    script.user("yes")
    state = state_at(script.observations)

    assert [goal.text for goal in state.goals] == ["Fix the total"]
    assert [(reply.asked, reply.text) for reply in state.replies] == [("Shall I round half up?", "yes")]

    script.user("now the tax")
    assert [goal.text for goal in state_at(script.observations).goals] == ["Fix the total", "now the tax"]


def test_constraints_come_from_prompts_and_refusals_and_answers_stand_with_their_question(script) -> None:
    script.user("Fix the total. Never touch the migrations.")
    script.call(
        "Bash",
        {"command": "git push"},
        "The user doesn't want to proceed with this tool use. the user said:\ndon't push yet, please",
        is_error=True,
    )
    script.call("AskUserQuestion", {"questions": []}, 'User has answered your questions: "Which?"="tax". You can now continue.')
    script.agent("I will never do that.")

    assert [stated.text for stated in state_at(script.observations).constraints] == [
        "Never touch the migrations.",
        "don't push yet, please",
    ]
    assert [(reply.asked, reply.text, reply.is_typed) for reply in state_at(script.observations).replies] == [("Which?", "tax", False)]


def test_the_working_set_says_how_each_file_was_last_touched(script) -> None:
    script.user("fix total in @src/cart.py")
    script.call("Read", {"file_path": "/home/ada/shop/src/cart.py"})
    script.edit("src/cart.py", "a", "b")
    script.call("Grep", {"pattern": "total", "path": "/home/ada/shop"}, "Found 2 files\nsrc/tax.py\nsrc/cart.py")
    script.run("cd docs && sed -n '1,20p' guide.md")
    script.run("echo x > notes.md")
    script.call("Read", {"file_path": "/etc/hosts.conf"})
    script.call("Read", {"file_path": "/tmp/scratch/a.txt"})

    state = state_at(script.observations)

    assert [(file.path, file.last, file.touches) for file in state.working_set] == [
        ("src/tax.py", "search", 1),
        ("src/cart.py", "search", 4),
        ("docs/guide.md", "read", 1),
        ("notes.md", "write", 1),
        ("/etc/hosts.conf", "read", 1),
    ]


def test_an_edit_that_failed_changed_nothing(script) -> None:
    script.call(
        "Edit",
        {"file_path": "/home/ada/shop/a.py", "old_string": "a", "new_string": "b"},
        "<tool_use_error>not found</tool_use_error>",
        is_error=True,
    )

    assert [(file.path, file.last) for file in state_at(script.observations).working_set] == [("a.py", "mention")]


def test_a_file_named_by_its_end_is_the_file_that_is_known(script) -> None:
    script.call("Read", {"file_path": "/home/ada/shop/src/cart.py"})
    script.user("look at cart.py and tax.py again")
    script.call("Read", {"file_path": "/home/ada/shop/src/tax.py"})

    assert [(file.path, file.last) for file in state_at(script.observations).working_set] == [
        ("src/cart.py", "read"),
        ("src/tax.py", "read"),
    ]


def test_an_error_is_open_until_the_same_command_passes(script) -> None:
    script.run("pytest tests/test_cart.py 2>&1", FAILED, fails=True)
    state = state_at(script.observations)
    assert [(error.subject, error.text) for error in state.open_errors] == [
        ("check:pytest tests/test_cart.py", "FAILED tests/test_cart.py::test_total - assert 3 == 4")
    ]
    assert [(check.command, check.verdict, check.evidence) for check in state.checks] == [
        ("pytest tests/test_cart.py", "failed", "1 failed in 0.1s")
    ]

    script.run("FOO=1 pytest tests/test_cart.py", "13 passed in 0.1s")
    state = state_at(script.observations)
    assert state.open_errors == ()
    assert [(check.verdict, check.evidence) for check in state.checks] == [("passed", "13 passed in 0.1s")]


def test_a_broader_run_that_passes_closes_a_narrower_error_and_not_the_other_way_round(script) -> None:
    script.run("pytest tests/test_cart.py -x", FAILED, fails=True)
    script.run("pytest", "13 passed in 1s")
    assert state_at(script.observations).open_errors == ()

    script.run("pytest", FAILED, fails=True)
    script.run("pytest tests/test_cart.py -x", "1 passed in 0.1s")
    assert len(state_at(script.observations).open_errors) == 1


def test_a_chain_that_failed_is_settled_when_each_of_its_parts_has_passed(script) -> None:
    script.run("ruff check src && pytest", FAILED, fails=True)
    script.run("ruff check src", "All checks passed!")
    assert len(state_at(script.observations).open_errors) == 1

    script.run("pytest", "13 passed in 1s")
    state = state_at(script.observations)
    assert state.open_errors == ()
    assert [check.command for check in state.checks] == ["ruff check src", "pytest"]


def test_a_check_behind_a_pipe_fails_by_its_output(script) -> None:
    script.run("pytest | tail -3", FAILED.removeprefix("Exit code 1\n"))

    assert [check.verdict for check in state_at(script.observations).checks] == ["failed"]


def test_a_search_that_found_nothing_is_no_error_and_a_failed_push_is_one(script) -> None:
    script.run("grep -rn total src", "Exit code 1", fails=True)
    script.run("ls nowhere", "Exit code 2\nls: nowhere: No such file", fails=True)
    script.run("git status", "Exit code 128\nfatal: not a git repository", fails=True)
    script.run("cd x && git push origin main", "Exit code 1\nfatal: no upstream", fails=True)
    assert [(error.subject, error.text) for error in state_at(script.observations).open_errors] == [
        ("command:git push", "fatal: no upstream")
    ]

    script.run("git push -u origin fix", "done")
    assert state_at(script.observations).open_errors == ()


def test_what_the_user_refused_has_no_outcome(script) -> None:
    script.run("pytest", "The user doesn't want to proceed with this tool use.", fails=True)

    state = state_at(script.observations)
    assert state.checks == ()
    assert state.open_errors == ()


def test_prints_for_debugging_that_are_taken_out_again_are_no_dead_end(script) -> None:
    script.edit("src/cart.py", "return total", "print(total)\nreturn total")
    script.edit("src/cart.py", "print(total)\nreturn total", "return total")

    assert state_at(script.observations).dead_ends == ()


@pytest.mark.parametrize(
    "commands",
    [
        ["git commit -m done", "git checkout -- src/cart.py"],
        ["git checkout main"],
        ["git restore --staged src/cart.py"],
        ["git checkout -- src/other.py"],
        ["git stash && pytest; git stash pop"],
        ["git stash", "git stash pop"],
        ["git stash && git checkout main && git pull"],
        ["git reset --hard origin/main"],
    ],
)
def test_other_uses_of_git_give_nothing_up(script, commands: list[str]) -> None:
    script.edit("src/cart.py", "a", "b")
    script.run("pytest", FAILED, fails=True)
    for command in commands:
        script.run(command)

    assert state_at(script.observations).dead_ends == ()


def test_the_plan_follows_every_kind_of_list(script) -> None:
    script.call("TodoWrite", {"todos": [{"content": "read", "status": "completed"}, {"content": "fix", "status": "in_progress"}]})
    assert [(step.text, step.status) for step in state_at(script.observations).plan] == [("read", "completed"), ("fix", "in_progress")]

    script.call("update_plan", {"plan": [{"step": "test", "status": "pending"}]})
    assert [(step.text, step.status) for step in state_at(script.observations).plan] == [("test", "pending")]


def test_tasks_are_updated_by_their_number(script) -> None:
    script.call("TaskCreate", {"subject": "fix"}, "Task #1 created successfully: fix")
    script.call("TaskCreate", {"subject": "test"}, "Task #2 created successfully: test")
    script.call("TaskCreate", {"subject": "drop"}, "Task #3 created successfully: drop")
    script.call("TaskUpdate", {"taskId": "1", "status": "completed"})
    script.call("TaskUpdate", {"taskId": "2", "status": "in_progress"})
    script.call("TaskUpdate", {"taskId": "3", "status": "deleted"})

    assert [(step.text, step.status) for step in state_at(script.observations).plan] == [("fix", "completed"), ("test", "in_progress")]


def test_a_patch_counts_as_edits_of_its_files(script) -> None:
    update = "*** Update File: src/cart.py\n@@\n-return total\n+return round(total)\n"
    patch = f"*** Begin Patch\n{update}*** Add File: src/tax.py\n+x = 1\n*** End Patch"
    back = "*** Begin Patch\n*** Update File: src/cart.py\n@@\n-return round(total)\n+return total\n*** End Patch"
    script.call("apply_patch", patch)
    script.call("apply_patch", json.dumps({"input": back}))

    state = state_at(script.observations)
    assert [(file.path, file.last) for file in state.working_set] == [("src/tax.py", "write"), ("src/cart.py", "edit")]

    script.user("round in the view then")
    assert len(state_at(script.observations).dead_ends) == 1


def test_other_clients_shells_are_shells(script) -> None:
    script.call("shell_command", {"command": "cat a.py", "workdir": "/home/ada/shop/src"})
    script.call("exec_command", {"cmd": "pytest"}, "1 passed in 0.1s", exit_code=0)
    script.call("shell", {"command": ["bash", "-lc", "cat b.py"]})

    state = state_at(script.observations)
    assert [file.path for file in state.working_set] == ["src/a.py", "b.py"]
    assert [check.command for check in state.checks] == ["pytest"]


def test_of_a_subagent_only_its_changes_count(script) -> None:
    script.call("Read", {"file_path": "/home/ada/shop/a.py"}, agent="x")
    script.call("Edit", {"file_path": "/home/ada/shop/b.py", "old_string": "a", "new_string": "b"}, agent="x")
    script.call("Bash", {"command": "pytest"}, FAILED, agent="x", is_error=True)

    state = state_at(script.observations)
    assert [file.path for file in state.working_set] == ["b.py"]
    assert (state.checks, state.open_errors) == ((), ())


def test_recent_identifiers_look_rare_and_the_newest_are_last(script) -> None:
    script.user("the round_half_up of Cart")
    script.call("Grep", {"pattern": "totalWithTax", "path": "/home/ada/shop"}, "No files found")
    script.agent("It is `round_half_up` again, see src/cart.py and E0308.")

    assert state_at(script.observations).recent_identifiers == ("totalWithTax", "src/cart.py", "round_half_up", "E0308")


def test_names_that_are_long_gone_are_not_recent(script) -> None:
    script.user("an old_name here")
    for at in range(60):
        script.agent(f"step {at}")

    assert state_at(script.observations).recent_identifiers == ()


def test_the_question_and_the_root_are_the_callers(script) -> None:
    script.call("Read", {"file_path": "/home/ada/shop/src/a.py"})

    state = state_at(script.observations, question="where?", root="/home/ada")
    assert state.question == "where?"
    assert state.working_set[0].path == "shop/src/a.py"


def test_no_observation_gives_an_empty_state() -> None:
    assert state_at([]) == TaskState()


def test_a_question_alone_gives_the_same_nouns() -> None:
    state = build_question_state("`total` fails in src/cart.py:9, never in tax.py\nTypeError: no total\nwith round_half_up(x)")

    assert state.question.startswith("`total`")
    assert [file.path for file in state.working_set] == ["tax.py", "src/cart.py"]
    assert [error.text for error in state.open_errors] == ["TypeError: no total"]
    assert set(state.recent_identifiers) >= {"total", "round_half_up", "TypeError", "src/cart.py"}
    assert build_question_state("") == TaskState()


PIECES = st.sampled_from(
    [
        (ObservationKind.PROMPT, "", "fix the cart. Never push."),
        (ObservationKind.PROMPT, "", "yes"),
        (ObservationKind.MESSAGE, "", "That didn't work. Let me try a different approach."),
        (ObservationKind.CALL, "Bash", '{"command":"pytest tests/a.py"}'),
        (ObservationKind.CALL, "Bash", '{"command":"git checkout -- a.py"}'),
        (ObservationKind.CALL, "Edit", '{"file_path":"/w/a.py","old_string":"x_one","new_string":"y_two"}'),
        (ObservationKind.CALL, "Edit", '{"file_path":"/w/a.py","old_string":"y_two","new_string":"x_one"}'),
        (ObservationKind.CALL, "Edit", "cut off {"),
        (ObservationKind.CALL, "TodoWrite", '{"todos":[{"content":"c","status":"odd"},7,null]}'),
        (ObservationKind.CALL, "TaskCreate", '{"subject":"s"}'),
        (ObservationKind.RESULT, "", "Task #1 created"),
        (ObservationKind.RESULT, "", FAILED),
        (ObservationKind.RESULT, "", "13 passed in 0.1s"),
        (ObservationKind.NOTE, "", "mode"),
        (ObservationKind.SUMMARY, "", "so far"),
    ]
)


@st.composite
def sessions(draw: st.DrawFn) -> list[Observation]:
    made: list[Observation] = []
    for seq, (kind, tool, text) in enumerate(draw(st.lists(PIECES, max_size=40))):
        fails = draw(st.sampled_from([None, True, False])) if kind is ObservationKind.RESULT else None
        call = f"c{seq - (kind is ObservationKind.RESULT)}"
        made.append(
            Observation(
                "s", seq, seq, f"u{seq}", kind, text, tool=tool, call_id=call, arguments=text if tool else "", is_error=fails, cwd="/w"
            )
        )
    return made


@given(sessions(), st.integers(0, 40))
def test_a_tracker_after_a_prefix_is_the_task_of_that_prefix(session: list[Observation], cut: int) -> None:
    """Asking on the way changes nothing: neither the state of the prefix nor that of the whole."""
    tracker = TaskTracker()
    for observation in session[:cut]:
        tracker.observe(observation)
        tracker.state()
    assert tracker.state() == state_at(session[:cut])

    for observation in session[cut:]:
        tracker.observe(observation)
    assert tracker.state() == state_at(session)


@given(sessions())
def test_every_tuple_has_its_newest_last(session: list[Observation]) -> None:
    state = state_at(session)
    for part in (state.goals, state.constraints, state.working_set, state.open_errors, state.checks, state.dead_ends):
        assert [thing.seq for thing in part] == sorted(thing.seq for thing in part)


def test_names_are_those_mentioned_last_however_many_came_before(script) -> None:
    for at in range(40):
        script.agent(f"I read first_name_{at} and second_name_{at} and third_name_{at}.")
    script.agent("Back to first_name_3.")

    names = state_at(script.observations).recent_identifiers
    assert len(names) == IDENTIFIERS_MAX
    assert names[-4:] == ("first_name_39", "second_name_39", "third_name_39", "first_name_3")


@pytest.mark.parametrize(
    ("command", "output", "is_stale"),
    [
        ("git checkout -- cart.py", "", True),
        ("git reset --hard HEAD~1", "HEAD is now at 1a2b3c4 x", True),
        ("git pull", "Updating 1a2b3c4..2b3c4d5\n ring.py | 2 +-", True),
        ("git switch main", "Switched to branch 'main'", True),
        ("git pull", "Already up to date.", False),
        ("git switch -c fix", "Switched to a new branch 'fix'", False),
        ("git status", " M cart.py", False),
        ("git add -A && git commit -qm x", "", False),
    ],
)
def test_a_check_is_of_before_once_git_has_changed_the_files(script, command: str, output: str, is_stale: bool) -> None:  # noqa: FBT001
    script.user("fix the cart")
    script.edit("cart.py", "a", "b")
    script.run("pytest -q", "3 passed in 0.1s")
    script.run(command, output)

    assert [check.is_stale for check in state_at(script.observations).checks] == [is_stale]


def test_a_script_that_passed_has_not_once_a_check_that_runs_it_fails_in_it(script) -> None:
    """What else that check runs keeps what is known of it."""
    script.call("Bash", {"command": "pnpm run check-types"}, "> shop@0.0.1 check-types /w\n> tsc --noEmit\n")
    script.call("Bash", {"command": "pnpm lint"}, "> shop@0.0.1 lint /w\n> eslint src\n")
    headers = "Exit code 2\n> shop@0.0.1 compile /w\n> pnpm run check-types && pnpm lint\n\n> shop@0.0.1 check-types /w\n> tsc --noEmit\n\n"
    script.call("Bash", {"command": "pnpm run compile"}, f"{headers}src/cart.ts(5,1): error TS1005: ';' expected.", is_error=True)

    checks = {check.command: check.verdict for check in state_at(script.observations).checks}
    assert checks == {"pnpm lint": "passed", "pnpm run compile": "failed"}


def test_a_whole_that_passed_has_not_once_a_part_of_it_fails_with_nothing_changed_between(script) -> None:
    script.edit("cart.py", "a", "b")
    script.run("pytest -q", "4 passed in 0.1s")
    script.run("pytest -q tests/test_cart.py", "1 failed, 1 passed in 0.1s", fails=True)

    assert [(check.command, check.verdict) for check in state_at(script.observations).checks] == [
        ("pytest -q tests/test_cart.py", "failed")
    ]


def test_words_of_the_agents_list_beside_its_steps_are_no_names(script) -> None:
    script.call("TodoWrite", {"todos": [{"content": "wire job_queue", "status": "in_progress", "activeForm": "x"}]})

    assert state_at(script.observations).recent_identifiers == ("job_queue",)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([("git reset --soft HEAD~1", "")], []),
        ([("git reset --hard HEAD~1", "HEAD is now at 0a0a0a0 before")], []),
        ([("git commit --amend --no-edit", "[main 2b3c4d5] fix\n 1 file changed")], ["2b3c4d5 fix "]),
        ([("git rebase main", "Successfully rebased and updated refs/heads/x.")], [" fix "]),
        ([("git -C ../other commit -am y", "[main 3c4d5e6] y\n 1 file changed")], ["1a2b3c4 fix ", "3c4d5e6 y /home/ada/other"]),
    ],
)
def test_the_commits_of_a_session_are_those_that_stand_each_with_its_repository(
    script, runs: list[tuple[str, str]], expected: list[str]
) -> None:
    script.edit("cart.py", "a", "b")
    script.run("git commit -am fix", "[main 1a2b3c4] fix\n 1 file changed, 1 insertion(+)")
    for command, output in runs:
        script.run(command, output)

    made = state_at(script.observations).place.commits
    assert [f"{commit.digest} {commit.subject} {commit.folder}" for commit in made] == expected


@pytest.mark.parametrize(
    ("command", "output", "state"),
    [
        ("gh pr merge 12 --squash", "", "merged"),
        ("gh pr merge --squash | tail -1", "✓ Squashed and merged pull request x/y#12 (fix)", "merged"),
        ("gh pr merge 12 --auto", "", ""),
        ("gh pr merge 12 || true", "GraphQL: Pull request is not mergeable", ""),
        ("gh pr close 12", "", "closed"),
        ("gh pr view 12", "", ""),
    ],
)
def test_what_became_of_the_pull_request_is_said_where_a_command_says_it(script, command: str, output: str, state: str) -> None:
    script.run("gh pr create --fill", "https://github.com/x/y/pull/12")
    script.run(command, output)

    place = state_at(script.observations).place
    assert (place.pull_request, place.pull_state) == ("12", state)
