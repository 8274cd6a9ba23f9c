"""What led nowhere, and what was only on its way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.records import CallOutcome, DeadEnd, Observation, ObservationKind, TextReplacement, ToolCall, ToolKind, ToolResult
from clew.task.commands import analyse_command
from clew.task.dead_ends import SHOWN_CHARS_MAX, SHOWN_MAX, DeadEndDetector, FinishedCall
from clew.task.tracker import state_at

REFUSED = "The user doesn't want to proceed with this tool use. The tool use was rejected. To tell you how to proceed, the user said:\n"
STOPPED = "The user doesn't want to proceed with this tool use. STOP what you are doing and wait for the user."
RED = "Exit code 1\nFAILED tests/test_cart.py::test_total - assert 3 == 4\n1 failed in 0.1s"


def ends(script) -> list[DeadEnd]:
    return list(state_at(script.observations).dead_ends)


def test_a_refused_call_says_what_was_meant_and_what_the_user_said(script) -> None:
    script.user("fix the total")
    edit = {"file_path": "/home/ada/shop/cart.py", "old_string": "total", "new_string": "round(total)"}
    script.call("Edit", edit, f"{REFUSED}no, round in the view instead", is_error=True)

    (end,) = ends(script)
    assert (end.text, end.reason, end.sign) == (
        "Edit cart.py: `total` became `round(total)` (refused)",
        "no, round in the view instead",
        "refused",
    )


def test_a_refusal_without_words_is_explained_by_the_next_prompt(script) -> None:
    script.user("ship it")
    script.run("git push --force", STOPPED, fails=True)
    script.user("that is wrong, never force it")

    (end,) = ends(script)
    assert (end.text, end.reason) == ("$ git push --force (refused)", "that is wrong, never force it")


def test_a_refused_call_that_is_allowed_later_is_no_dead_end(script) -> None:
    script.run("make deploy", STOPPED, fails=True)
    script.run("make deploy", "done")

    assert ends(script) == []


def test_a_plan_that_is_taken_up_in_a_fresh_session_was_not_refused(script) -> None:
    script.call("ExitPlanMode", {"plan": "# Rounding\n1. round"}, STOPPED, is_error=True)
    script.user("Implement the following plan:\n\n# Rounding\n1. round")

    assert ends(script) == []


def test_a_plan_refused_twice_is_one_dead_end_with_both_reasons(script) -> None:
    script.call("ExitPlanMode", {"plan": "# Rounding\n1. round"}, f"{REFUSED}too complex", is_error=True)
    script.call("ExitPlanMode", {"plan": "# Rounding\n1. round less"}, f"{REFUSED}still too complex", is_error=True)

    (end,) = ends(script)
    assert (end.text, end.reason) == ("the plan “Rounding” (refused)", "too complex / still too complex")


def test_a_user_who_turns_the_agent_round_ends_what_it_was_doing(script) -> None:
    script.user("make the rows open")
    script.agent("I'll add a click debounce to every row component.")
    script.edit("rows.ts", "onOpen", "debounced(onOpen)")
    script.user("no, only open on a double click, like the browser does")
    script.agent("You're right, that is simpler.")

    (end,) = ends(script)
    assert end.text == "I'll add a click debounce to every row component. (changed rows.ts) `onOpen` became `debounced(onOpen)`"
    assert end.reason == "no, only open on a double click, like the browser does"
    assert end.weight == 0.8


def test_a_correction_quotes_what_was_said_of_the_thing_it_speaks_of_and_how_the_agent_puts_it(script) -> None:
    script.user("share the folder")
    script.agent("I read the schema first. The invoice table gets a column for the currency. Tests come last.")
    script.edit("schema.sql", "id int", "id int, currency text")
    script.user("the currency should not be a column of the invoice, we have accounts for that")
    script.agent("You're right. The currency belongs to the account instead of the invoice.")

    (end,) = ends(script)
    assert "The invoice table gets a column for the currency." in end.text
    assert end.reason.endswith("The currency belongs to the account instead of the invoice.")


def test_a_theory_ends_with_the_sentence_that_refutes_it(script) -> None:
    script.agent("The upload fails because the session token may have expired before the last request.")
    script.run("grep -rn ttl config", "config/auth.toml:3: ttl = 3600")
    script.agent("The token lives for an hour. The upload takes four seconds, so that's not the issue.")

    (end,) = ends(script)
    assert end.text == "Theory: The upload fails because the session token may have expired before the last request."
    assert end.reason == "The token lives for an hour. The upload takes four seconds, so that's not the issue."


def test_a_theory_that_nothing_speaks_of_again_is_none(script) -> None:
    script.agent("The upload fails because the session token may have expired before the last request.")
    script.agent("The invoice view is not rounded. I round it now.")

    assert ends(script) == []


@pytest.mark.parametrize(
    ("tool", "arguments", "output", "text", "reason"),
    [
        ("Read", {"file_path": "/home/ada/shop/log.txt"}, "File content (9MB) exceeds maximum allowed size (256KB).",
         "Read log.txt (too large)",
         "File content (9MB) exceeds maximum allowed size (256KB)."),
        ("Grep", {"pattern": "def frobnicate"}, "No matches found", "Searches without a match: `def frobnicate`", "No matches found"),
        ("WebFetch", {"url": "https://example.org/api", "prompt": "Is there a bulk call?"},
         "There is **no mention of a bulk call** in this page.",
         "WebFetch https://example.org/api Is there a bulk call?", "There is **no mention of a bulk call** in this page."),
    ],
)  # fmt: skip
def test_a_look_up_that_gave_nothing_is_a_dead_end(
    script, tool: str, arguments: dict[str, str], output: str, text: str, reason: str
) -> None:
    script.call(tool, arguments, output)

    (end,) = ends(script)
    assert (end.text, end.reason) == (text, reason)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("cart_test.go:9:2: undefined: newTestCart\nFAIL", "cart_test.go:9:2: undefined: newTestCart"),
        (
            "cart.go:7:2: error is not checked (errcheck)\n\tx, _ := open(name)\n1 issues:",
            "cart.go:7:2: error is not checked (errcheck) | x, _ := open(name)",
        ),
        ("Error: No tests found.\nMake sure that arguments are patterns.", "Error: No tests found."),
    ],
)
def test_a_check_that_says_what_is_not_there_or_not_allowed_is_a_dead_end(script, output: str, reason: str) -> None:
    script.run("make test", f"Exit code 1\n{output}", fails=True)
    script.run("make test", "ok")

    (end,) = ends(script)
    assert (end.text, end.reason) == ("$ make test (failed)", reason)


def test_a_command_that_fails_in_the_background_is_known_by_its_own_name(script) -> None:
    script.run("make web", "Command running in background with ID: b12")
    script.call("TaskOutput", {"task_id": "b12"}, "error TS2305: Module has no exported member 'Cart'.")

    (end,) = ends(script)
    assert (end.text, end.reason) == ("$ make web (failed)", "error TS2305: Module has no exported member 'Cart'.")


def test_a_look_that_failed_is_a_dead_end_until_it_works(script) -> None:
    script.run("ls build", "Exit code 2\nls: cannot access 'build': No such file or directory", fails=True)

    (end,) = ends(script)
    assert (end.text, end.reason) == ("$ ls build (failed)", "ls: cannot access 'build': No such file or directory")

    script.run("ls build", "cart.js")
    assert ends(script) == []


def test_a_command_that_says_an_error_and_succeeds_is_a_dead_end(script) -> None:
    script.run("seed-db --all | tail -1", "error: no such table: carts")

    (end,) = ends(script)
    assert (end.text, end.reason) == ("$ seed-db --all | tail -1 (said an error)", "error: no such table: carts")


def test_long_entries_leave_room_for_the_rest_of_a_hand_off(script) -> None:
    for at in range(20):
        script.run(f"deploy-{at} {'x' * 250}", f"Exit code 1\nunknown flag: --{at}-{'y' * 300}", fails=True)

    found = ends(script)
    assert 0 < sum(len(end.text) + len(end.reason) for end in found) <= SHOWN_CHARS_MAX


def test_a_program_whose_absence_is_hidden_stays_a_dead_end(script) -> None:
    script.run("docker ps", "Exit code 127\ncommand not found: docker", fails=True)
    script.run("docker ps 2>/dev/null || echo none", "none")

    assert [end.text for end in ends(script)] == ["$ docker ps (failed)"]


def test_a_tool_that_answers_with_a_heading_is_quoted_by_its_error(script) -> None:
    script.call(
        "mcp__browser__click", {"element": "Save", "ref": "e14"}, "### Result\nTimeoutError: e14 is covered by a dialog", is_error=True
    )

    (end,) = ends(script)
    assert (end.text, end.reason) == ("mcp__browser__click Save e14 (failed)", "TimeoutError: e14 is covered by a dialog")


def test_a_prompt_after_an_interruption_is_a_correction(script) -> None:
    script.user("clean up")
    script.agent("Let me delete the fixtures of the old tests now.")
    script.add(ObservationKind.NOTE, "[Request interrupted by user]", tool="interrupted")
    script.user("the fixtures are used by the e2e suite")

    (end,) = ends(script)
    assert end.reason == "the fixtures are used by the e2e suite"


def test_a_next_request_ends_nothing(script) -> None:
    script.user("fix the total")
    script.agent("Fixed the total of the cart with a helper.")
    script.user("great, now add a test for the tax")

    assert ends(script) == []


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("timeout 5 make", "Exit code 127\nzsh: command not found: timeout"),
        ("rq --version", "Exit code 127\nbash: line 1: rq: command not found"),
        ("python x.py", "Exit code 1\nModuleNotFoundError: No module named 'yaml'"),
        ("gh issue list --flat", "Exit code 1\nunknown flag: --flat"),
        ("docker ps", "Exit code 1\nCannot connect to the Docker daemon at unix:///var/run/docker.sock."),
        ("git checkout main", "Exit code 128\nfatal: 'main' is already checked out at '/home/ada/shop'"),
        ("curl https://x.example", "Exit code 6\ncurl: (6) Could not resolve host: x.example"),
    ],
)
def test_a_tool_that_says_that_the_way_is_closed_is_a_dead_end(script, command: str, output: str) -> None:
    script.run(command, output, fails=True)

    (end,) = ends(script)
    assert end.text == f"$ {command} (failed)"
    assert end.reason in output
    assert end.sign == "failed"


def test_a_program_that_is_installed_after_all_is_no_dead_end(script) -> None:
    script.run("rq a.json | head", "bash: rq: command not found")
    assert len(ends(script)) == 1

    script.run("rq b.json", "{}")
    assert ends(script) == []


def test_a_tool_that_the_client_does_not_have_is_a_dead_end(script) -> None:
    script.call("Task", {"description": "look"}, "<tool_use_error>Error: No such tool available: Task</tool_use_error>", is_error=True)

    assert [end.text for end in ends(script)] == ["Task look (failed)"]


def test_a_command_that_failed_and_was_replaced_by_another_way_is_a_dead_end(script) -> None:
    script.run("git push origin fix", "Exit code 1\nerror: failed to push some refs", fails=True)
    script.run("ls", "a.py")
    assert ends(script) == []

    script.run("git push origin HEAD:fix", "done")
    (end,) = ends(script)
    assert end.text == "$ git push origin fix (failed; `git push origin HEAD:fix` worked)"
    assert end.reason == "error: failed to push some refs"

    script.run("git push origin fix", "done")
    assert ends(script) == []


def test_red_tests_that_turn_green_are_no_dead_end(script) -> None:
    script.run("pytest", RED, fails=True)
    script.agent("The test fails because the total is not rounded yet. Let me fix that.")
    script.edit("cart.py", "total", "round(total)")
    script.run("pytest", "13 passed in 0.1s")

    assert ends(script) == []


@pytest.mark.parametrize(
    "said",
    [
        "Hmm, that approach won't work. Let me rethink.",
        "The store package can't import from cart (circular import), so I'll pass a callback instead.",
        "My earlier assumption was wrong: the hook runs twice.",
        "The search index doesn't support prefixes. Let me use a scan instead.",
        "Let me revert that and return the address from the server.",
        "I give up on the mock server; a recorded reply is enough.",
    ],
)
def test_what_the_agent_says_it_gave_up_or_could_not_do_is_a_dead_end(script, said: str) -> None:
    script.user("fix it")
    script.agent(said)

    (end,) = ends(script)
    assert end.text in said
    assert end.sign == "said"


@pytest.mark.parametrize(
    "said",
    [
        "All tests pass. Let me commit.",
        "If the cache is cold this doesn't work, as users know.",
        "Should we use another approach?",
        "The cart has no rounding. Now I will add it.",
        "I'll check whether the index supports prefixes.",
    ],
)
def test_what_the_agent_says_on_its_way_is_none(script, said: str) -> None:
    script.user("fix it")
    script.agent(said)

    assert ends(script) == []


@pytest.mark.parametrize(
    ("commands", "text"),
    [
        (["git revert --no-edit HEAD"], "commit round the total, reverted"),
        (["git reset --hard HEAD~1"], "commit round the total, undone by `git reset --hard HEAD~1`"),
    ],
)
def test_a_commit_that_is_taken_back_is_a_dead_end(script, commands: list[str], text: str) -> None:
    script.edit("cart.py", "a", "b")
    script.run("git commit -am 'round the total'", "[fix 1a2b3c4] round the total\n 1 file changed")
    for command in commands:
        script.run(command, "ok")

    assert [end.text for end in ends(script)] == [text]


def test_a_package_or_a_file_that_is_removed_again_is_a_dead_end(script) -> None:
    script.run("npm install left-pad", "added 1 package")
    script.call("Write", {"file_path": "/home/ada/shop/pad.js", "content": "x"})
    script.run("npm uninstall left-pad && rm pad.js", "removed 1 package")

    assert [end.text for end in ends(script)] == [
        "package left-pad, installed and removed again",
        "pad.js, written and removed again",
    ]


def test_an_edit_is_put_back_also_when_it_is_cut_otherwise(script) -> None:
    script.edit("cart.py", "def total():\n    return cents", "def total():\n    return cents / 100")
    script.edit("cart.py", "    return cents / 100\n\nRATE", "    return cents\n\nRATE")

    (end,) = ends(script)
    assert end.text == "cart.py: `return cents` became `return cents / 100`, put back"


def test_a_state_shows_the_weightiest_and_no_more_than_a_hand_off_holds(script) -> None:
    for at in range(3 * SHOWN_MAX):
        edit = {"file_path": f"/home/ada/shop/m{at}.py", "old_string": "a", "new_string": "b"}
        script.call("Edit", edit, f"{REFUSED}no, not like this" if at % 2 else STOPPED, is_error=True)

    found = ends(script)
    assert len(found) == SHOWN_MAX
    assert min(end.weight for end in found) > 0.5


PIECES = st.sampled_from(
    [
        ("user", "no, not this", False),
        ("user", "go on with it then", False),
        ("agent", "You're right. Let me revert that and use a map instead.", False),
        ("agent", "I will add a helper to the cart first.", False),
        ("git stash", "", False),
        ("git stash pop", "", False),
        ("git push origin a", "Exit code 1\nrejected", True),
        ("git push origin b", "ok", False),
        ("rq x", "rq: command not found", True),
        ("make deploy", STOPPED, True),
        ("pytest", RED, True),
        ("edit", "a b", False),
        ("edit", "b a", False),
    ]
)


def play(attempts: DeadEndDetector, seq: int, piece: tuple[str, str, bool]) -> None:
    what, text, fails = piece
    seen = Observation("s", seq, seq, f"u{seq}", ObservationKind.RESULT, text, is_error=fails)
    done = ToolResult(text, CallOutcome.FAILED if fails else CallOutcome.OK)
    if what == "user":
        attempts.observe_prompt(text, seen)
    elif what == "agent":
        attempts.observe_message(text, seen)
    elif what == "edit":
        old, _, new = text.partition(" ")
        call = ToolCall("Edit", ToolKind.EDIT, arguments=text, path="a.py", edits=(TextReplacement("a.py", f"{old} line", f"{new} line"),))
        attempts.observe_call(FinishedCall(replace(call, result=done), None, seen, has_failed=False, name_path=str))
    else:
        call = ToolCall("Bash", ToolKind.COMMAND, arguments=what, command=what, result=done)
        attempts.observe_call(FinishedCall(call, analyse_command(what), seen, has_failed=fails, name_path=str))


@given(st.lists(PIECES, max_size=20), st.integers(0, 20))
def test_attempts_put_down_and_taken_up_again_say_the_same(pieces: list[tuple[str, str, bool]], at: int) -> None:
    straight, cut = DeadEndDetector(), DeadEndDetector()
    for seq, piece in enumerate(pieces):
        if seq == at:
            cut = DeadEndDetector(cut.dump_state())
        play(straight, seq, piece)
        play(cut, seq, piece)
        assert straight.take_changes() == cut.take_changes()

    assert straight.select_dead_ends() == cut.select_dead_ends()
