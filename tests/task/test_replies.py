"""Replies of the user to the agent: assents, choices of what was offered, cancellations."""

from __future__ import annotations

import pytest

from clew.task.completion import find_completion
from clew.task.replies import Reply, asks_user, cancelled_steps, find_asked, find_proposal, read_options, read_reply

OFFER = """There are three ways:

1. Keep a heap of deadlines in memory.
2. Store the deadline in a table and poll it
   every second with an index.
3. Use a worker per shard.

Which one shall I take?"""


@pytest.mark.parametrize(
    "words",
    [
        "2", "2.", "(2)", "b)", "option 2", "the second one", "number two", "I like the polling one", "2, but every 5 seconds", "2 please",
        "let's go with option 2", "3 but apply the changes to this branch",
        "3 seems like a low hanging fruit", "2 scheint am einfachsten", "die zweite Variante", "nimm die zweite", "la deuxième",
        "la segunda", "第二个", "方案二", "选2", "2番目でお願いします", "二番で", "второй вариант", "Nummer 2 bitte", "the last one",
    ],
)  # fmt: skip
def test_a_choice_is_a_reply(words: str) -> None:
    reply = read_reply(words, OFFER)

    assert reply is not None
    assert not reply.is_request


@pytest.mark.parametrize(
    "words", ["2", "option 2", "the second one", "number two", "I like the polling one", "die zweite", "方案二", "вариант 2"]
)
def test_a_choice_resolves_to_the_text_of_the_option(words: str) -> None:
    reply = read_reply(words, OFFER)

    assert reply is not None
    assert [option.text for option in reply.chosen] == ["Store the deadline in a table and poll it\nevery second with an index."]


@pytest.mark.parametrize(
    ("message", "words", "chosen"),
    [
        (OFFER, "la segunda", "Store the deadline in a table and poll it\nevery second with an index."),
        (OFFER, "the middle one", "Store the deadline in a table and poll it\nevery second with an index."),
        ("We could (1) keep a heap, (2) poll a table, or (3) use a worker. Which one?", "2", "poll a table"),
        ("| # | way |\n|---|---|\n| 1 | a heap |\n| 2 | poll a table |\n\nWhich one?", "the second", "poll a table"),
        ("- **Heap**: in memory.\n- **Polling**: a table.\n\nWhich one do you want?", "polling please", "**Polling**: a table."),
    ],
)
def test_options_are_found_in_a_sentence_a_table_and_by_their_names(message: str, words: str, chosen: str) -> None:
    reply = read_reply(words, message)

    assert reply is not None
    assert [option.text.removesuffix(", or") for option in reply.chosen] == [chosen]


@pytest.mark.parametrize("words", ["👍", "✅ 👌", "sure, why not", "네, 계속해 주세요", "sim, continue", "ja graag", "sì, procedi"])
def test_a_sign_or_a_word_of_assent_displaces_no_request(words: str) -> None:
    assert read_reply(words, "I would poll the table. Shall I go on?") == Reply()


@pytest.mark.parametrize("words", ["❓", "🐛 in the cart", "fix it", "that is not it"])
def test_signs_and_words_that_name_no_option_are_requests(words: str) -> None:
    assert read_reply(words, OFFER) is None


def test_several_options_can_be_chosen() -> None:
    reply = read_reply("1 and 3", OFFER)

    assert reply is not None
    assert [option.mark for option in reply.chosen] == ["1", "3"]


@pytest.mark.parametrize(
    "words",
    ["2 tests fail now", "the second test fails", "fix it", "commit", "please add a test", "1. lint fails\n2. update from main", "停止"],
)
def test_other_words_are_a_request(words: str) -> None:
    assert read_reply(words, OFFER) is None


def test_a_choice_with_a_question_or_a_long_rest_is_also_a_request() -> None:
    reply = read_reply("2, but what happens when the index is missing?", OFFER)

    assert reply is not None
    assert reply.is_request
    assert [option.mark for option in reply.chosen] == ["2"]


def test_without_a_list_nothing_is_chosen() -> None:
    reply = read_reply("2", "Done.")

    assert reply is not None
    assert reply.chosen == ()


@pytest.mark.parametrize(
    ("message", "marks"),
    [
        ("**A) Small** - one file\n**B) Large** - many", ["a", "b"]),
        ("Option A: small\nOption B: large", ["a", "b"]),
        ("方案一：小\n方案二：大", ["1", "2"]),
        ("- one thing\n- another", ["", ""]),
        ("1. first list\n2. x\n\nText.\n\n1. second list\n2. y\n3. z", ["1", "2", "3"]),
        ("Only prose. I: no.", []),
        ("```\n1. in a file\n2. too\n```", []),
    ],
)
def test_options_are_read_from_the_last_list(message: str, marks: list[str]) -> None:
    assert [option.mark for option in read_options(message)] == marks


def test_what_was_asked_is_the_agents_last_question() -> None:
    assert find_asked("Is it so? No.\n\nShall I go on?\nTell me.") == "Shall I go on?"
    assert asks_user("Shall I go on?")
    assert not asks_user("Is it?\n\nNo.\n\nI fixed it.\n\nDone.")


def test_what_an_assent_assents_to_holds_the_option_that_the_agent_only_names_by_number() -> None:
    message = "Two ways:\n\n- Approach 1 - a journal file\n- Approach 2 - snapshots\n\nMy recommendation is approach 1. Ok?"
    assert find_proposal(message) == "1. Approach 1 - a journal file\nMy recommendation is approach 1. Ok?"
    assert find_proposal("1. a\n2. b\n\nOption 1 or option 2?") == "Option 1 or option 2?"
    assert find_proposal("Shall I go on?") == "Shall I go on?"


def test_a_report_that_begins_with_a_colon_is_quoted_with_what_is_done() -> None:
    assert find_completion("Done: the folder is deleted.\nNothing else.") == "Done: the folder is deleted."


STEPS = ("migrate handler 4", "write the docs", "add a changelog entry")


@pytest.mark.parametrize(
    ("words", "cancelled"),
    [
        ("Forget the plan, just fix the typo.", [0, 1, 2]),
        ("never mind", [0, 1, 2]),
        ("Ok, scrap that plan; add a health endpoint instead", [0, 1, 2]),
        ("Vergiss den Plan.", [0, 1, 2]),
        ("oublie tout ça", [0, 1, 2]),
        ("Olvida el plan", [0, 1, 2]),
        ("取消计划，只修复错别字", [0, 1, 2]),
        ("計画は中止して", [0, 1, 2]),
        ("Забудь про план", [0, 1, 2]),
        ("Skip the docs.", [1]),
        ("Stop the migration, we keep the old router.", [0]),
        ("Arrête la migration.", [0]),
        ("stop", []),
        ("Stop it!", []),
        ("stop, that is the wrong file", []),
        ("Stop the server before you write the docs.", []),
        ("the cancel button should be red", []),
        ("Drop the table users", []),
        ("go on with the plan", []),
    ],
)
def test_words_cancel_a_plan_or_the_steps_that_they_name(words: str, cancelled: list[int]) -> None:
    assert cancelled_steps(words, STEPS) == cancelled


@pytest.mark.parametrize(
    "message",
    [
        "Done. All 12 tests pass.",
        "I've deleted the old migrations.",
        "Fertig.",
        "C'est fait.",
        "Listo.",
        "已完成。",
        "完了しました。",
        "Готово.",
    ],
)
def test_a_report_of_finished_work_is_recognised(message: str) -> None:
    assert find_completion(message)


@pytest.mark.parametrize(
    "message",
    [
        "Done with the first part. Next I wire the worker.",
        "All tests pass. Shall I commit?", "I fixed two, but one still fails.",
        "Now handler 5.", "I continue.", "The plan is done when all tests pass.", "```\nDone.\n```",
        "The log says \"Done.\"", "", "Fertig, aber ein Test schlägt fehl.",
    ],
)  # fmt: skip
def test_what_leaves_something_open_is_no_report(message: str) -> None:
    assert find_completion(message) == ""


def test_a_number_chooses_from_a_numbered_table_and_not_from_bullets_behind_it() -> None:
    table = "| # | Title |\n|---|---|\n| 1 | Offload it |\n| 2 | Switch the keys |"
    message = f"{table}\n\nReply with a number, or:\n- `area` to filter\n- `q` to exit"
    reply = read_reply("2", message)

    assert reply is not None
    assert [option.text for option in reply.chosen] == ["Switch the keys"]


def test_the_evidence_of_finished_work_is_more_than_a_heading() -> None:
    assert find_completion("**Implemented:**\n- the end of a session is recorded") == "**Implemented:** - the end of a session is recorded"
