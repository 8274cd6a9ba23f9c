"""Which later word takes an earlier one back."""

from __future__ import annotations

import pytest

from clew.task.prompts import find_stated_rules
from clew.task.rules import find_withdrawn_rules


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("don't push yet", "ok, push it"),
        ("Don't touch the migrations.", "you can touch the migrations now"),
        ("Use a list for the totals.", "use a map instead of a list"),
        ("keep the old token reader", "never mind the old token reader, drop it"),
        ("Never commit to main.", "from now on commit to main"),
        ("always run the slow tests", "do not run the slow tests any more, never"),
        ('"Which table?"="tax"', '"Which table?"="vat"'),
    ],
)
def test_a_later_word_takes_the_earlier_one_back(earlier: str, later: str) -> None:
    assert find_withdrawn_rules(later, [earlier]) == [0]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("Never touch the database schema.", "You can change the database schema now, I made a backup."),
        ("The port should be 8080.", "The port should be 9090."),
        ("Committe niemals auf den Zweig main.", "Du darfst jetzt doch auf den Zweig main committen."),
        ("Il ne faut jamais toucher aux migrations.", "Tu peux de nouveau toucher aux migrations."),
        ("No hay que tocar las migraciones.", "Ya puedes tocar las migraciones."),
        ("Нельзя трогать миграции.", "Теперь можно трогать миграции."),
        ("不要修改迁移文件。", "现在可以修改迁移文件了。"),
        ("マイグレーションは変更しないでください。", "もうマイグレーションを変更してもいいです。"),
        ("Não mexa na pasta legado.", "Agora pode mexer na pasta legado."),
        ("Non toccare la cartella vecchio.", "Adesso puoi toccare la cartella vecchio."),
        ("Nie ruszaj katalogu stare.", "Możesz już ruszać katalog stare."),
        ("Blijf van de map oud af.", "Je mag nu wel aan de map oud zitten."),
        ("Eski klasörüne dokunma.", "Artık eski klasörüne dokunabilirsin."),
        ("Не чіпай теку старе.", "Тепер можна чіпати теку старе."),
        ("legacy 폴더는 건드리지 마.", "이제 legacy 폴더 건드려도 돼."),
    ],
)
def test_a_withdrawal_ends_the_rule_about_the_same_thing_in_fourteen_languages(earlier: str, later: str) -> None:
    assert find_withdrawn_rules(later, [earlier, "Never log the tokens.", "禁止使用全局变量", "Тесты обязательны."]) == [0]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("Never push to main.", "push it"),
        ("don't touch the migrations", "touch up the docs"),
        ("Use a list for the totals.", "use a map for the rates"),
        ("always run the tests", "always run the linter"),
        ("please keep the names", "please keep the names and the order"),
        ('"Which table?"="tax"', '"Which file?"="vat"'),
        ("don't use floats", "don't use floats for money either"),
    ],
)
def test_a_word_about_something_else_takes_nothing_back(earlier: str, later: str) -> None:
    assert find_withdrawn_rules(later, [earlier]) == []


def test_that_rule_is_the_only_one_there_is() -> None:
    assert find_withdrawn_rules("That rule no longer applies.", ["No new dependencies."]) == [0]
    assert find_withdrawn_rules("That rule no longer applies.", ["No new dependencies.", "Never touch the lockfile."]) == []


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("Don't touch the migrations.", "You may touch the fixtures now."),
        ("Run the linter before each commit.", "the linter no longer complains"),
        ("All errors must be logged.", "forget the login page, errors are shown in the log viewer now"),
        ("Der Ordner payments ist tabu.", "Der Ordner invoices ist frei."),
        ("Não mexa na pasta legado.", "A pasta nova já está pronta."),
    ],
)
def test_a_withdrawal_about_another_thing_ends_nothing(earlier: str, later: str) -> None:
    assert find_withdrawn_rules(later, [earlier, "Never log the tokens."]) == []


@pytest.mark.parametrize(
    "later",
    [
        "Apply that rule again.",
        "The rule applies.",
        "That rule is still needed.",
        "Do not forget the rule about main.",
        "The rule about main still applies.",
        "The ban is not lifted.",
        "You are still not allowed to push to main.",
        "You are not allowed to push to main.",
        "Are you allowed to push to main?",
        "Is it ok to push to main?",
        "Die Regel gilt.",
        "Vergiss die Regel nicht.",
        "N'oublie pas la règle.",
        "No olvides la regla.",
        "Правило действует.",
    ],
)
def test_a_word_that_a_rule_holds_or_a_question_takes_nothing_back(later: str) -> None:
    assert find_withdrawn_rules(later, ["Never push to main."]) == []


@pytest.mark.parametrize(
    "later", ["Forget the rule about main.", "The ban is lifted.", "Die Regel gilt nicht mehr.", "Правило больше не действует."]
)
def test_the_same_words_the_other_way_round_take_it_back(later: str) -> None:
    assert find_withdrawn_rules(later, ["Never push to main."]) == [0]


def test_of_several_rules_the_places_are_told() -> None:
    rules = ["Never use floats.", "don't push yet", "keep the names"]

    assert find_withdrawn_rules("Looks good. Now push it.", rules) == [1]
    assert find_withdrawn_rules("don't push yet", rules) == []
    assert find_withdrawn_rules("anything", []) == []


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("Don't commit anything.", "Ok now commit it."),
        ("Don't commit anything yet.", "Looks good, commit and push."),
        ("Keep the old endpoint.", "Remove the old endpoint, nobody uses it."),
        ("No comments in the code.", "Please add comments to the code now."),
        ("Ne fais pas de commit.", "Ok, fais le commit maintenant."),
        ("まだコミットしないでください。", "コミットしてください。"),
        ("Не коммить ничего.", "Хорошо, теперь закоммить."),
        ("N'ajoute pas de dépendances.", "Les nouvelles dépendances sont finalement autorisées."),
        ("データベースのスキーマは絶対に変更しないでください。", "スキーマは変更してもいいです。"),
    ],
)
def test_an_order_for_what_a_rule_forbade_takes_it_back(earlier: str, later: str) -> None:
    assert find_withdrawn_rules(later, [earlier]) == [0]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("Never push to main.", "Push the branch feature/x."),
        ("Never commit.", "Commit this one, please."),
        ("Don't check this in.", "Update this branch from dev/checkpoint-flag first."),
        ("Don't touch the tests.", "The tests fail, fix the code."),
        ("Don't commit anything.", "Did you commit it?"),
        ("Keep the public API stable.", "Remove the debug prints."),
        ("Keep the old endpoint.", "Keep the old endpoint, remove the new one."),
        ("Ne modifie jamais le schéma.", "Montre-moi le schéma."),
        ("不要修改数据库结构。", "数据库结构是什么样的？"),
    ],
)
def test_words_about_a_part_of_it_a_question_and_a_standing_rule_take_nothing_back(earlier: str, later: str) -> None:
    assert find_withdrawn_rules(later, [earlier]) == []


@pytest.mark.parametrize(
    "prompt",
    [
        "what does this do?\n\nif (x) {\n  // must never happen\n  throw new Error('never');\n}",
        "this fails:\n\nassert total must be 3\nE   AssertionError: value must not be None",
        "npm ERR! code ELIFECYCLE\nnpm ERR! This is probably not a problem with npm. You must never run as root.\n\nfix it",
        "why does it print so much?\n[WARN] config must not be empty\n2026-01-01 10:00:00 field must never be null",
        "-- schema\nCREATE TABLE t (id int NOT NULL); -- must not be changed\nexplain",
        'I got this:\n\nTraceback (most recent call last):\n  File "a.py", line 3, in <module>\nValueError: never deploy on Fridays',
    ],
)
def test_what_a_program_printed_and_code_are_no_rules_of_who_pasted_them(prompt: str) -> None:
    assert find_stated_rules(prompt) == ()


@pytest.mark.parametrize("rule", ["// comments must always be in English", "Don't touch foo();", "[IMPORTANT] never push to main."])
def test_a_sentence_that_looks_like_code_is_a_rule_where_it_stands_beside_no_code(rule: str) -> None:
    assert find_stated_rules(f"{rule}\nThen write the exporter.") == (rule,)
