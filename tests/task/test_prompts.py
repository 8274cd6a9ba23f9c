"""What the user said, and which of their sentences bind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.task.prompts import extract_typed_text, find_implied_rules, find_stated_rules
from clew.task.replies import is_assent


@pytest.mark.parametrize(
    "text",
    [
        "<task-notification>\n<task-id>b1</task-id>\n</task-notification>\nRead the output file.",
        "<local-command-stdout>Bye!</local-command-stdout>",
        "<system-reminder>Do not mention this.</system-reminder>",
        "<command-name>/clear</command-name>\n<command-message>clear</command-message>\n<command-args></command-args>",
        "[Request interrupted by user for tool use]",
        "This session is being continued from a previous conversation that ran out of context.",
        "<bash-input>git status</bash-input>",
        "# AGENTS.md instructions for /home/ada/shop\n<INSTRUCTIONS>Never push.</INSTRUCTIONS>",
        "<environment_context><cwd>/x</cwd></environment_context>",
        "  ",
    ],
)
def test_machine_prompts_say_nothing(text: str) -> None:
    assert extract_typed_text(text) == ""


def test_the_users_words_stay_as_they_are_around_a_machines_block() -> None:
    assert extract_typed_text("fix  the cart\n<system-reminder>no</system-reminder>\nand the tax") == "fix  the cart\n\nand the tax"


def test_a_slash_command_with_words_is_a_request() -> None:
    text = "<command-message>review</command-message>\n<command-name>/review</command-name>\n<command-args>the cart</command-args>"

    assert extract_typed_text(text) == "/review the cart"


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "Ok, continue",
        "2",
        "b)",
        "yes please",
        "yeah let's do it",
        "go ahead!",
        "option 2",
        "approved",
        "ok 👍",
        "ja, mach weiter",
        "好的",
        "oui, vas-y",
        "sí, adelante",
        "はい、お願いします",
        "да, продолжай",
        "Yes, go on.",
    ],
)
def test_assent_is_no_request(text: str) -> None:
    assert is_assent(text)


@pytest.mark.parametrize(
    "text", ["yes, but only in the cart", "commit", "why?", "option 3 without the tests", "停止", "stop", "2 tests fail", "push it"]
)
def test_a_request_is_no_assent(text: str) -> None:
    assert not is_assent(text)


@pytest.mark.parametrize(
    "sentence",
    [
        "Never push to main.",
        "please don't touch the migrations",
        "do not stash anything, read the files you need",
        "Make sure the docs are consistent.",
        "I don't want the token in the log.",
        "The name must not change.",
        "Use a map instead of a list.",
        "only change the cart",
        "no, use the tax table",
        "and always run the tests first",
        "Errors should never be swallowed.",
        "keep each commit with working code please (no half-done states)",
        "let's not leave the tests to the very end...",
        "I want the notice only the first time.",
        "I'd like one client id for all environments",
        "we should use the strong types wherever we can",
        "let's go with B",
        "3 but apply the changes to this branch",
        "yes, but leave the docs alone",
        "put it in the session handler",
        "That is not correct, the stop hook fires at the end of a turn.",
        "let's do this as a separate PR",
        "it doesn’t make sense to commit in a broken state",
        "don’t amend commits",
        "before you do that, pull in latest",
        "Always run `fmt && lint` first.",
        "Important: the API stays as it is.",
    ],
)
def test_sentences_that_bind_are_kept_verbatim(sentence: str) -> None:
    assert find_stated_rules(f"Here is the thing. {sentence}\nThanks.") == (sentence,)


@pytest.mark.parametrize(
    "text",
    [
        "I don't think that is right.",
        "Why does it never stop?",
        "would it be easier to use a map instead of a list",
        "they always come late",
        "It must have been the cache.",
        "we have only one shop",
        "```\nnever do this\n```",
        "> you must never do this",
        "2024-01-02 10:00 WARN you must not do this",
        "    never = always(must)",
        "cart.go:1:2: avoid this name",
        "no problem",
        "yeah let's do it",
        "I wanted to ask about the cart.",
        "what should the name be?",
        "push it",
        "a) why we are not passing the type",
    ],
)
def test_reports_questions_code_and_logs_bind_nobody(text: str) -> None:
    assert find_stated_rules(text) == ()


def test_of_a_document_what_orders_or_bounds_binds() -> None:
    text = (
        "# Plan\n\n## Cart\nThe total is rounded in the view.\n- Do not rename `Cart`.\n- The command does NOT check the stock.\n\n"
        "## Tax\nA new file holds the rates. Keep the old table (still needed for invoices)."
    )

    assert find_stated_rules(text) == (
        "Do not rename `Cart`.",
        "The command does NOT check the stock.",
        "Keep the old table (still needed for invoices).",
    )


def test_a_long_document_is_read_whole() -> None:
    text = f"# Plan\n\n## One\n{'It is so. ' * 400}\n- Never rename `Cart`.\n{'It is so. ' * 400}\n## Two\nEnd."

    assert find_stated_rules(text) == ("Never rename `Cart`.",)


@pytest.mark.parametrize(
    "text",
    [
        "can we also log the refusals?",
        "should we also warn in that block?",
        "A. is fine, ensure we log",
        "intentional - keep it local!",
        "probably makes sense to round that first",
    ],
)
def test_a_wish_or_a_choice_in_passing_binds(text: str) -> None:
    assert find_stated_rules(text) == (text,)


def test_what_stands_under_a_heading_of_rules_binds_in_a_document_too() -> None:
    rules = "## Constraints\n- Public names stay.\n- Python 3.9 is the oldest."
    text = f"# Plan\n\n## Cart\n- Round the total.\n\n{rules}\n\n## Tax\n- Add a table."

    assert find_stated_rules(text) == ("Public names stay.", "Python 3.9 is the oldest.")


def test_a_list_of_rules_binds_line_by_line_however_deep() -> None:
    text = "Please follow these rules:\n- tabs, four wide\n- tests beside the code\n    - never skip one\n\nThen fix the cart.\n- the total"

    assert find_stated_rules(text) == ("tabs, four wide", "tests beside the code", "never skip one")


def test_of_a_slash_command_the_words_bind() -> None:
    assert find_stated_rules("/run-plan keep each commit working, please") == ("keep each commit working, please",)


def test_of_a_pasted_log_only_the_users_ends_are_read() -> None:
    log = "\n".join(f"line {at}: you must not worry about {at}." for at in range(2000))

    found = find_stated_rules(f"Never retry.\n\n\n{log}\n\n\nAlways log it.")

    assert found[0] == "Never retry."
    assert found[-1] == "Always log it."
    assert not any("1000" in sentence for sentence in found)


@given(st.text(max_size=600))
def test_what_binds_stands_in_the_prompt(text: str) -> None:
    assert all(sentence in text for sentence in find_stated_rules(text))


@pytest.mark.parametrize("text", ["the header is sticky on mobile too", "rates come from the ledger, the cart only shows them"])
def test_what_is_said_without_a_word_of_command_is_said_in_passing(text: str) -> None:
    assert find_implied_rules(text) == (text,)


@pytest.mark.parametrize(
    "text",
    [
        "commit and push it please",
        "ok, run the tests again",
        "why is the header not sticky?",
        "yes, go ahead",
        "I've seen that before on mobile",
        "the header is still not showing on mobile",
        "ahh that would be it yes",
        "/review the whole change with care",
        "the header is sticky on mobile too. " * 20,
    ],
)
def test_orders_for_one_act_questions_reports_and_pastes_are_not(text: str) -> None:
    assert find_implied_rules(text) == ()
