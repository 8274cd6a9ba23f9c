"""What led nowhere, and what was only on its way."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.records import CallOutcome, DeadEnd, Observation, ObservationKind, TextReplacement, ToolCall, ToolKind, ToolResult
from clew.task.commands import analyse_command
from clew.task.dead_ends import SHOWN_CHARS_MAX, SHOWN_MAX, DeadEndDetector, DeadEndMemory, FinishedCall
from clew.task.tracker import state_at

REFUSED = "The user doesn't want to proceed with this tool use. The tool use was rejected. To tell you how to proceed, the user said:\n"
STOPPED = "The user doesn't want to proceed with this tool use. STOP what you are doing and wait for the user."
AT = "/home/ada/shop/cart.py"
RED = "Exit code 1\nFAILED tests/test_cart.py::test_total - assert 3 == 4\n1 failed in 0.1s"


def ends(script) -> list[DeadEnd]:
    return list(state_at(script.observations).dead_ends)


def refuse(script, words: str = "", old: str = "return total", new: str = "return round(total)") -> None:
    edit = {"file_path": AT, "old_string": old, "new_string": new}
    script.call("Edit", edit, f"{REFUSED}{words}" if words else STOPPED, is_error=True)


def test_a_refused_edit_says_what_was_meant_and_what_the_user_said_once_something_else_is_done(script) -> None:
    script.user("fix the total")
    refuse(script, "no, round in the view instead")
    assert ends(script) == []

    script.edit("view.py", "show(total)", "show(round(total))")
    (end,) = ends(script)
    assert (end.text, end.reason, end.sign) == (
        "Edit cart.py: `return total` became `return round(total)` (refused)",
        "no, round in the view instead",
        "refused",
    )


def test_a_refused_edit_that_is_made_after_all_is_none(script) -> None:
    refuse(script, "let us make a branch first")
    script.run("git checkout -b rounding", "Switched to a new branch 'rounding'")
    assert len(ends(script)) == 1

    script.edit("cart.py", "return total", "return round(total)")
    assert ends(script) == []


def test_refusals_without_words_are_explained_by_the_next_prompt(script) -> None:
    refuse(script)
    refuse(script, old="return tax", new="return round(tax)")
    script.user("the view rounds already")
    script.edit("view.py", "show(total)", "show(round(total))")

    assert [end.reason for end in ends(script)] == ["the view rounds already"] * 2


@pytest.mark.parametrize("words", ["yes", "/clear"])
def test_a_refusal_that_nobody_explains_is_none(script, words: str) -> None:
    refuse(script)
    script.user(words)
    script.edit("view.py", "show(total)", "show(round(total))")

    assert ends(script) == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("git commit -am 'round the total'", "is there a test for it?"),
        ("git push", "rebase first"),
        ("gh pr view 3", "I'll tell you what to do"),
        ("make deploy", ""),
    ],
)
def test_a_refused_command_that_looks_or_delivers_or_was_refused_without_words_is_none(script, command: str, words: str) -> None:
    script.run(command, f"{REFUSED}{words}" if words else STOPPED, fails=True)
    script.edit("view.py", "show(total)", "show(round(total))")

    assert ends(script) == []


def test_a_refused_command_is_a_dead_end_until_it_is_allowed(script) -> None:
    script.run("make deploy ENV=live", f"{REFUSED}not from this machine", fails=True)
    script.edit("view.py", "show(total)", "show(round(total))")
    assert [(end.text, end.reason) for end in ends(script)] == [("$ make deploy ENV=live (refused)", "not from this machine")]

    script.run("make deploy ENV=live", "done")
    assert ends(script) == []


def test_lines_that_are_replaced_after_an_objection_that_the_agent_accepts_are_a_dead_end(script) -> None:
    script.user("keep the address")
    script.edit("store.ts", "email: null", "email: localStorage.getItem('email')\nremember: localStorage.setItem('email', email)")
    script.user("I would rather not keep personal data in local storage")
    script.agent("Fair point. The server can return it with the session.")
    script.edit("store.ts", "email: localStorage.getItem('email')\nremember: localStorage.setItem('email', email)", "email: session.email")

    (end,) = ends(script)
    assert end.sign == "corrected"
    assert end.text == "store.ts: `email: localStorage.getItem('email')` `remember: localStorage.setItem('email', email)`, replaced"
    assert end.reason == ("I would rather not keep personal data in local storage / Fair point. The server can return it with the session.")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("great, now read it from the session", "I read it from the session now."),
        ("it prints\n```\nTypeError: email\n```", "You're right, that is a bug."),
    ],
)
def test_lines_that_are_replaced_on_the_way_are_none(script, words: str, answer: str) -> None:
    script.edit("store.ts", "email: null", "email: localStorage.getItem('email')\nremember: localStorage.setItem('email', email)")
    script.user(words)
    script.agent(answer)
    script.edit("store.ts", "email: localStorage.getItem('email')\nremember: localStorage.setItem('email', email)", "email: session.email")

    assert ends(script) == []


def test_an_edit_that_is_put_back_for_another_is_a_dead_end(script) -> None:
    script.edit("cart.py", "def total():\n    return cents", "def total():\n    return cents / 100")
    script.agent("The API expects cents. I put that back and divide in the view.")
    script.edit("cart.py", "    return cents / 100\n\nRATE", "    return cents\n\nRATE")
    assert ends(script) == []

    script.edit("view.py", "show(total)", "show(total / 100)")
    (end,) = ends(script)
    assert end.text == "cart.py: `return cents` became `return cents / 100`, put back"
    assert end.reason == "The API expects cents. I put that back and divide in the view."


def test_an_edit_that_is_put_back_before_a_green_check_was_an_experiment(script) -> None:
    script.edit("cart.py", "return total", "return broken(total)")
    script.run("pytest", RED, fails=True)
    script.edit("cart.py", "return broken(total)", "return total")
    script.run("pytest", "13 passed in 0.1s")
    script.edit("view.py", "show(total)", "show(total / 100)")

    assert ends(script) == []


def test_what_is_taken_back_and_made_again_is_none(script) -> None:
    script.edit("cart.py", "return total", "return round(total)")
    script.user("is there a test for this?")
    script.edit("cart.py", "return round(total)", "return total")
    assert len(ends(script)) == 1

    script.edit("cart.py", "return total", "return round(total)")
    assert ends(script) == []


@pytest.mark.parametrize("command", ["git checkout -- cart.py", "git restore cart.py", "git checkout .", "git reset --hard"])
def test_edits_that_git_takes_back_at_the_users_word_are_a_dead_end(script, command: str) -> None:
    script.edit("cart.py", "return total", "return round(total)")
    script.user("roll that back, the view will do it")
    script.run(command)

    (end,) = ends(script)
    assert end.text == f"1 edit of cart.py, undone by `{command}`: `return total` became `return round(total)`"
    assert end.reason == "roll that back, the view will do it"


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("git revert --no-edit HEAD", "commit round the total, reverted"),
        ("git reset --hard HEAD~1", "commit round the total, undone by `git reset --hard HEAD~1`"),
        ("git rebase --abort", "git rebase, given up with `git rebase --abort`"),
    ],
)
def test_a_commit_or_a_rebase_that_is_given_up_is_a_dead_end(script, command: str, text: str) -> None:
    script.edit("cart.py", "a", "b")
    script.run("git commit -am 'round the total'", "[fix 1a2b3c4] round the total\n 1 file changed")
    script.run(command, "ok")
    script.user("then round in the view")

    assert [end.text for end in ends(script)] == [text]


def test_a_file_that_is_written_and_removed_for_another_is_a_dead_end(script) -> None:
    script.call("Write", {"file_path": "/home/ada/shop/pad.js", "content": "export const pad = 1"})
    script.run("rm pad.js", "")
    script.edit("view.py", "show(total)", "show(total / 100)")

    assert [end.text for end in ends(script)] == ["pad.js, written and removed again"]


def test_a_file_that_moves_is_none(script) -> None:
    script.call("Write", {"file_path": "/home/ada/shop/pad.js", "content": "export const pad = 1"})
    script.run("rm pad.js", "")
    script.call("Write", {"file_path": "/home/ada/shop/lib/pad.js", "content": "export const pad = 1"})

    assert ends(script) == []


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("timeout 5 make", "Exit code 127\nzsh: command not found: timeout"),
        ("rq --version", "Exit code 127\nbash: line 1: rq: command not found"),
        ("python -m rq a.json", "Exit code 1\n/usr/bin/python: No module named rq"),
        ("gh issue list --flat", "Exit code 1\nunknown flag: --flat\n\nUsage: gh issue list [flags]"),
        ("git gc --dry-run", "Exit code 129\nerror: unknown option `dry-run'"),
        ("git checkout main", "Exit code 128\nfatal: 'main' is already checked out at '/home/ada/shop'"),
        ("gh api repos/a/b/pulls/comments/12/replies -f body=x", "Exit code 1\ngh: Not Found (HTTP 404)"),
        ("git add notes/plan.md", "Exit code 1\nThe following paths are ignored by one of your .gitignore files:\nnotes\nhint: Use -f"),
    ],
)
def test_a_tool_that_says_that_what_was_called_is_not_here_is_a_dead_end(script, command: str, output: str) -> None:
    script.run(command, output, fails=True)

    (end,) = ends(script)
    assert end.text == f"$ {command} (failed)"
    assert all(line in output for line in end.reason.split("files: ")[-1:])
    assert end.sign == "failed"


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("ls build", "Exit code 2\nls: cannot access 'build': No such file or directory"),
        ("grep -rn frobnicate src", "Exit code 1"),
        ("git status", "Exit code 128\nfatal: unable to read 1a2b3c4"),
        ("npm install", "Exit code 1\nnpm error network timeout"),
        ("pytest", RED),
        ("make test", "Exit code 1\ncart_test.go:9:2: undefined: newTestCart\nFAIL"),
        ("make run", "Exit code 1\nCart: command not found: checkout"),
        ("go test ./sub/...", "?   \tshop/sub\t[no test files]\nok  \tshop/cart\t0.1s"),
    ],
)
def test_what_merely_failed_or_found_nothing_is_none(script, command: str, output: str) -> None:
    script.run(command, output, fails=output.startswith("Exit"))
    script.edit("view.py", "show(total)", "show(total / 100)")

    assert ends(script) == []


@pytest.mark.parametrize(
    "said",
    [
        "Let me brainstorm: we could use a map, but that may not work for large carts.",
        "My theory is that the cache is stale. Confirmed: the cache was stale.",
        "That didn't work. Let me try another approach.",
        "The import is missing, which is why it fails. Let me add it.",
    ],
)
def test_what_the_agent_says_without_an_act_is_none(script, said: str) -> None:
    script.user("fix it")
    script.run("pytest", RED, fails=True)
    script.agent(said)
    script.edit("cart.py", "return total", "return round(total)")
    script.run("pytest", "13 passed in 0.1s")

    assert ends(script) == []


def test_a_search_without_a_match_and_a_question_are_none(script) -> None:
    script.call("Grep", {"pattern": "def frobnicate"}, "No matches found")
    script.user("try again please")

    assert ends(script) == []


def test_a_program_that_is_installed_after_all_is_none(script) -> None:
    script.run("rq a.json", "Exit code 127\nbash: rq: command not found", fails=True)
    script.run("rq a.json 2>/dev/null || echo none", "none")  # the absence is hidden
    assert len(ends(script)) == 1

    script.run("rq b.json", "{}")
    assert ends(script) == []


def test_a_tool_or_a_kind_of_agent_that_the_client_does_not_have_is_a_dead_end(script) -> None:
    script.call("Lookup", {"query": "x"}, "<tool_use_error>Error: No such tool available: Lookup</tool_use_error>", is_error=True)
    task = {"description": "look", "prompt": "look", "subagent_type": "reader"}
    script.call("Task", task, "Agent type 'reader' not found. Available agents: Explore", is_error=True)

    assert [end.text for end in ends(script)] == ["Lookup x (failed)", "Task with reader (failed)"]


def test_a_file_that_could_be_read_only_in_part_is_a_dead_end_until_it_is_read_whole(script) -> None:
    whole, part = {"file_path": AT}, {"file_path": AT, "offset": 1, "limit": 200}
    script.call("Read", whole, "File content (28895 tokens) exceeds maximum allowed tokens (25000).", is_error=True)
    assert ends(script) == []

    script.call("Read", part, "     1\ttotal = 0")
    (end,) = ends(script)
    assert (end.text, end.reason) == (
        "Read cart.py as a whole (failed)",
        "File content (28895 tokens) exceeds maximum allowed tokens (25000).",
    )

    script.call("Read", whole, "     1\ttotal = 0")
    assert ends(script) == []


def test_a_file_that_was_not_there_yet_is_none(script) -> None:
    script.call("Read", {"file_path": AT}, "File does not exist.", is_error=True)
    script.call("Write", {"file_path": AT, "content": "total = 0\n"}, "File created successfully")
    script.call("Read", {"file_path": AT, "offset": 1, "limit": 1}, "     1\ttotal = 0")

    assert ends(script) == []


def test_a_repository_that_does_not_exist_is_a_dead_end(script) -> None:
    said = "Could not resolve to a Repository with the name 'ada/cart'"
    script.run("gh pr comment 3 --repo ada/cart --body done", f"Exit code 1\nGraphQL: {said}. (repository)", fails=True)
    assert [end.reason for end in ends(script)] == [said]

    script.run("gh pr comment 3 --repo ada/cart --body done", "https://example.org/3")
    assert ends(script) == []


def test_a_foreign_tool_that_never_worked_is_a_dead_end_until_it_does(script) -> None:
    script.call("mcp__tracker__search", {"query": "a"}, "(0, dist.default) is not a function", is_error=True)
    assert ends(script) == []

    script.call("mcp__tracker__search", {"query": "b"}, "(0, dist.default) is not a function", is_error=True)
    assert [(end.text, end.reason) for end in ends(script)] == [("mcp__tracker__search b (failed)", "(0, dist.default) is not a function")]

    script.call("mcp__tracker__search", {"query": "b"}, "one hit")
    assert ends(script) == []


def test_long_entries_leave_room_for_the_rest_of_a_hand_off(script) -> None:
    for at in range(20):
        script.run(f"deploy-{at} --flag-{at} {'x' * 250}", f"Exit code 1\nunknown flag: --flag-{at} {'y' * 80}", fails=True)

    found = ends(script)
    assert 0 < sum(len(end.text) + len(end.reason) for end in found) <= SHOWN_CHARS_MAX


def test_a_state_shows_the_weightiest_and_no_more_than_a_hand_off_holds(script) -> None:
    for at in range(SHOWN_MAX):
        script.run(f"tool{at} x", f"Exit code 127\nbash: tool{at}: command not found", fails=True)
        refuse(script, "no, not like this", new=f"return round(total, {at})")
    script.edit("view.py", "show(total)", "show(total / 100)")

    found = ends(script)
    assert len(found) == SHOWN_MAX
    assert {end.sign for end in found} == {"refused"}


PIECES = st.sampled_from(
    [
        ("user", "no, not this", False),
        ("user", "go on with it then", False),
        ("agent", "You're right. Let me revert that and use a map instead.", False),
        ("agent", "I will add a helper to the cart first.", False),
        ("git stash", "", False),
        ("git stash pop", "", False),
        ("gh pr list --flat", "unknown flag: --flat", True),
        ("gh pr list", "ok", False),
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
        change = TextReplacement("a.py", f"{old} first line\n{old} second line", f"{new} first line\n{new} second line")
        call = ToolCall(
            "Edit",
            ToolKind.EDIT,
            arguments=text,
            path="a.py",
            edits=(change,),
        )
        attempts.observe_call(FinishedCall(replace(call, result=done), None, seen, has_failed=False, name_path=str))
    else:
        call = ToolCall("Bash", ToolKind.COMMAND, arguments=what, command=what, result=done)
        attempts.observe_call(FinishedCall(call, analyse_command(what), seen, has_failed=fails, name_path=str))


@given(st.lists(PIECES, max_size=20), st.integers(0, 20))
def test_attempts_put_down_and_taken_up_again_say_the_same(pieces: list[tuple[str, str, bool]], at: int) -> None:
    straight, cut = DeadEndDetector(), DeadEndDetector()
    for seq, piece in enumerate(pieces):
        if seq == at:
            cut = DeadEndDetector(msgspec.json.decode(msgspec.json.encode(cut.memory), type=DeadEndMemory))
        play(straight, seq, piece)
        play(cut, seq, piece)
        assert straight.take_changes() == cut.take_changes()

    assert straight.select_dead_ends() == cut.select_dead_ends()
