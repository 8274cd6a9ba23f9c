"""Source text in any encoding is read as what it says."""

from __future__ import annotations

import pytest

from clew.codebase.decoding import decode_source


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("// Größe\nclass A {}\n", "cp1252"), ("# naïve\n", "latin-1"), ("return '5 €'; // déjà vu\n", "cp1252"),
        ("# Проверка строки\n", "cp1251"), ("# Проверка строки\n", "koi8-r"), ("# 在庫を確認する\n", "shift_jis"),
        ("# 在庫を確認する\n", "euc_jp"), ("// 用户登录失败时锁定账号\n", "gbk"), ("/* 한국어 주석 */\n", "euc_kr"),
        ("int a; // Größe\n", "utf-16"), ("int abcdefgh;\n", "utf-16-le"), ("int a;\n", "utf-32"),
        ("# -*- coding: iso-8859-2 -*-\n# żółta łódź\n", "iso-8859-2"), ('<?xml version="1.0" encoding="big5"?><a>計算結果</a>', "big5"),
    ],
)  # fmt: skip
def test_what_is_no_utf8_is_decoded(text: str, encoding: str) -> None:
    assert decode_source(text.encode(encoding))[0].decode().lstrip("\ufeff") == text


@pytest.mark.parametrize("data", [b"", b"plain\n", "Größe 寻路\n".encode(), b"\xef\xbb\xbfimport os\n", bytes(range(128, 256)) * 3])
def test_what_nothing_tells_stays_as_it_is(data: bytes) -> None:
    assert decode_source(data) == (data, "")


def test_an_encoding_that_is_said_and_wrong_is_not_believed() -> None:
    assert "Größe" in decode_source("# -*- coding: ascii -*-\n# Größe\n".encode("latin-1"))[0].decode()
    assert "Größe" in decode_source("# -*- coding: no-such -*-\n# Größe\n".encode("latin-1"))[0].decode()
