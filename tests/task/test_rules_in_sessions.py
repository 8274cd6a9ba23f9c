"""What the user demanded early in a session of many prompts is in force until the user takes it back, in seven languages."""

from __future__ import annotations

import pytest

from clew.task.tracker import state_at

RULE_TALK_END = {
    "en": (
        "Fix the importer. Never write into the archive folder.",
        "Never write into the archive folder.",
        [
            "what does this error mean?",
            "add a test for the empty file",
            "the second run is slower",
            "yes, go on",
            "show me the diff",
            "thanks!",
        ],
        "You may write into the archive folder again.",
    ),
    "de": (
        "Repariere den Import. Schreib niemals in den Archivordner.",
        "Schreib niemals in den Archivordner.",
        [
            "was bedeutet dieser Fehler?",
            "füge einen Test für die leere Datei hinzu",
            "der zweite Lauf ist langsamer",
            "ja, weiter",
            "danke!",
        ],
        "Du darfst jetzt wieder in den Archivordner schreiben.",
    ),
    "fr": (
        "Répare l'import. N'écris jamais dans le dossier d'archives.",
        "N'écris jamais dans le dossier d'archives.",
        [
            "que veut dire cette erreur ?",
            "ajoute un test pour le fichier vide",
            "le second passage est plus lent",
            "oui, continue",
            "merci !",
        ],
        "Tu peux de nouveau écrire dans le dossier d'archives.",
    ),
    "es": (
        "Arregla la importación. Nunca escribas en la carpeta de archivo.",
        "Nunca escribas en la carpeta de archivo.",
        ["¿qué significa este error?", "añade una prueba para el archivo vacío", "la segunda vez va más lento", "sí, sigue", "¡gracias!"],
        "Ya puedes escribir en la carpeta de archivo.",
    ),
    "ru": (
        "Почини импорт. Никогда не меняй файлы в архиве.",
        "Никогда не меняй файлы в архиве.",
        ["что значит эта ошибка?", "добавь тест на пустой файл", "второй запуск медленнее", "да, продолжай", "спасибо!"],
        "Теперь можно менять файлы в архиве.",
    ),
    "zh": (
        "修一下导入。绝对不要写入归档目录。",
        "绝对不要写入归档目录。",
        ["这个错误是什么意思？", "给空文件加个测试", "第二次运行更慢", "好的，继续", "谢谢！"],
        "现在可以写入归档目录了。",
    ),
    "ja": (
        "インポートを直して。アーカイブフォルダには絶対に書き込まないでください。",
        "アーカイブフォルダには絶対に書き込まないでください。",
        ["このエラーはどういう意味ですか？", "空のファイルのテストを追加して", "二回目のほうが遅い", "はい、続けて", "ありがとう！"],
        "もうアーカイブフォルダに書き込んでもいいです。",
    ),
}


@pytest.mark.parametrize("language", RULE_TALK_END)
def test_a_rule_stands_through_small_talk_until_it_is_taken_back(script, language: str) -> None:
    first, rule, talk, end = RULE_TALK_END[language]
    for words in [first, *talk, *talk, *talk]:
        script.user(words)
        script.agent("Done.")

    assert [each.text for each in state_at(script.observations).constraints] == [rule]

    script.user(end)

    assert state_at(script.observations).constraints == ()
