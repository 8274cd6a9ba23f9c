"""What the user said, and which of their sentences bind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.task.prompts import extract_typed_text, find_stated_rules, split_sentences, split_typed_parts
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


@pytest.mark.parametrize(
    "text",
    [
        "<ide_open_tabs>a.py\nNever close these.</ide_open_tabs>\nfix the cart",
        "<ide_terminal_output>it must never run</ide_terminal_output>\n<ide_visible_files>a.py</ide_visible_files>fix the cart",
        "# Context from my IDE setup:\n\n## Active file: src/a.py\n- a.py: Never close\n\n## My request for Codex:\nfix the cart",
    ],
)
def test_what_an_editor_adds_is_cut_from_the_users_words(text: str) -> None:
    assert extract_typed_text(text) == "fix the cart"
    assert find_stated_rules(extract_typed_text(text)) == ()
    assert "".join(part for part, _ in split_typed_parts(text)) == text
    assert "".join(part for part, is_typed in split_typed_parts(text) if is_typed).strip() == "fix the cart"


@pytest.mark.parametrize("text", ["why is <ide_x> empty?", "# Context from my IDE setup:\nit is slow"])
def test_words_that_only_look_like_an_editors_stay(text: str) -> None:
    assert extract_typed_text(text) == text


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
        "Do not rename the public methods.",
        "I don't want the token in the log.",
        "The name must not change.",
        "don’t amend commits",
        "Always run `fmt && lint` first.",
        "Committe niemals auf den Zweig main.",
        "Bitte niemals die Migrationen anfassen.",
        "Ne fais jamais de commit sur la branche main.",
        "Il ne faut jamais toucher aux migrations.",
        "No se debe tocar la rama main.",
        "No hay que tocar las migraciones.",
        "Не трогай миграции.",
        "Нельзя трогать миграции.",
        "绝对不要提交到 main 分支。",
        "禁止直接推送到 main。",
        "mainブランチには絶対にコミットしないでください。",
        "必ず先にテストを書いてください。",
    ],
)
def test_sentences_that_bind_are_kept_verbatim_in_seven_languages(sentence: str) -> None:
    assert find_stated_rules(sentence) == (sentence,)


@pytest.mark.parametrize(
    "sentence",
    [
        "let's never change this file (it is generated)",
        "import paths must never be relative",
        "return codes must never be ignored",
        "const names must never be lower case",
        "Never rename old => new in the API.",
        "#3 must never be merged",
        "$TMPDIR must never be deleted",
        "Never call `a && b`.",
        "Don't use foo();",
        "TRACE=1 must never be set in production",
        "[IMPORTANT] never push to main.",
        "http://localhost:8080 must never be hard coded",
    ],
)
def test_a_rule_that_looks_like_code_is_a_rule(sentence: str) -> None:
    assert find_stated_rules(sentence) == (sentence,)


@pytest.mark.parametrize(
    "text",
    [
        "I don't think that is right.",
        "Why does it never stop?",
        "they always come late",
        "It must have been the cache.",
        "we have only one shop",
        "```\nnever do this\n```",
        "> you must never do this",
        "    never = always(must)",
        "no problem",
        "yeah let's do it",
        "I wanted to ask about the cart.",
        "what should the name be?",
        "push it",
        "Fix the login page and add a test.",
        "can you run the tests again",
        "Kannst du die Tests noch einmal laufen lassen?",
        "Der Knopf ist kaputt.",
        "Peux-tu relancer les tests ?",
        "¿Puedes abrir un PR?",
        "Почему сборка падает?",
        "请修复登录页面。",
        "ログイン画面を修正してください。",
        "merci, parfait",
    ],
)
def test_requests_reports_questions_and_chat_bind_nobody(text: str) -> None:
    assert find_stated_rules(text) == ()


def test_sentences_end_at_the_stops_of_any_script() -> None:
    assert split_sentences("列表错了。不要提交！好吗？可以") == ["列表错了。", "不要提交！", "好吗？", "可以"]
    assert split_sentences("Сборка падает. Почему? v1.2 готова.") == ["Сборка падает.", "Почему?", "v1.2 готова."]


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


@pytest.mark.parametrize("filler", ["Der Knopf schickt das Formular doppelt ab. ", "按钮会重复提交表单。"])
def test_a_rule_in_the_middle_of_one_long_line_is_found(filler: str) -> None:
    assert find_stated_rules(f"{filler * 50}Never push to main. {filler * 50}") == ("Never push to main.",)
