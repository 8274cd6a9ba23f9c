"""Decoding: source text in any encoding, as UTF-8.

UTF-16 and UTF-32 are known by their marks or their zeros; other bytes that are not UTF-8 by what the file says of itself, else by which
encoding gives letters that stand together as letters do. What none of them gives stays as it is.
"""

from __future__ import annotations

import codecs
import re

GUESSED_BYTES = 65_536  # of a file, from which its encoding is guessed
LIKELINESS_MIN = 0.6  # of an encoding that is guessed; guess

_SAID = re.compile(
    rb"""coding[:=][ \t]*["']?([-\w.]+)|<\?xml[^>]{0,80}\bencoding=["']([-\w.]+)|\bcharset=["']?([-\w.]+)|@charset[ \t]+"([-\w.]+)"""
)
_SAID_BYTES = 1_024  # of a file, in which it says its encoding
_KANA, _HANGUL = re.compile("[\u3040-\u30ff]"), re.compile("[\uac00-\ud7a3]")
_CYRILLIC = re.compile("(?<![A-Za-zА-яЁё])(?:[А-ЯЁ]?[а-яё]+|[А-ЯЁ]{2,})(?![A-Za-zА-яЁё])")  # words in the case that words are in
_LATIN = re.compile("(?<![À-ÿ])[À-ÖØ-öø-ÿ]{1,2}(?![À-ÿ])")
_HAN = re.compile("[\u4e00-\u9fff]")
_COMMON = frozenset("€“”„‘’–—…«»°§©®·•×\xa0、。，！？（）「」：；【】《》〜ー・")  # marks that stand in text of any script


def is_wide(head: bytes) -> bool:
    """Return whether bytes begin as UTF-16 or UTF-32 text does: with a mark of their order, or with letters each with a zero."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return True
    pairs = len(head) // 2
    odd, even = head[1 : 2 * pairs : 2].count(0), head[0 : 2 * pairs : 2].count(0)
    return pairs > 8 and max(odd, even) > 0.7 * pairs and min(odd, even) < 0.05 * pairs


def decode_source(data: bytes) -> tuple[bytes, str]:
    """Return text in another encoding as UTF-8, and everything else unchanged; of UTF-16 what cannot be decoded is replaced.

    Returns the bytes and the encoding's name, "" where they are unchanged, or where it does not give the same bytes back.
    Cost  of UTF-8 one look at each byte.
    """
    if is_wide(data[:8_192]):
        if data.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
            encoding = "utf-32"
        elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
            encoding = "utf-16"
        else:
            encoding = "utf-16-le" if data[1:8_192:2].count(0) > data[0:8_192:2].count(0) else "utf-16-be"
        return data.decode(encoding, "replace").encode(), ""
    try:
        data.decode()
    except UnicodeDecodeError:
        encoding = _find_encoding(data)
        if encoding:
            text = data.decode(encoding, "replace")
            return text.encode(), encoding if text.encode(encoding, "replace") == data else ""
    return data, ""


def _find_encoding(data: bytes) -> str:
    """Return the name of the encoding of bytes that are not UTF-8, "" where nothing tells it."""
    if said := _SAID.search(data[:_SAID_BYTES]):
        name = next(group for group in said.groups() if group).decode()
        try:
            if codecs.lookup(name).name != "utf-8":
                data.decode(name)
                return name
        except (LookupError, ValueError):  # an unknown name, or a wrong one: the bytes decide
            pass
    part = data[:GUESSED_BYTES]
    found = [
        (_likeliness(part, encoding), encoding) for encoding in ("cp1252", "cp1251", "koi8-r", "shift_jis", "euc_jp", "euc_kr", "gb18030")
    ]
    best, encoding = max(found, key=lambda pair: pair[0])
    return encoding if best >= LIKELINESS_MIN else ""


def _likeliness(data: bytes, encoding: str) -> float:
    """Return the share, 0 to 1, of the characters beyond ASCII that are letters and stand as letters of the encoding's scripts do."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as problem:
        if problem.start < len(data) - 4 or len(data) < GUESSED_BYTES:  # not a character that was cut
            return 0.0
        text = data[: problem.start].decode(encoding)
    count = sum(letter > "\x7f" and letter not in _COMMON for letter in text)
    if not count:
        return 0.0
    kana, han = len(_KANA.findall(text)), len(_HAN.findall(text))
    match encoding:
        case "cp1252":
            good = sum(map(len, _LATIN.findall(text)))
        case "cp1251" | "koi8-r":
            good = sum(map(len, _CYRILLIC.findall(text)))
        case "euc_kr":  # its syllables are Chinese characters in GB: so few of these begin with the same bytes by chance
            good = len(_HANGUL.findall(text))
        case "gb18030":
            good = 0.95 * han
        case _:
            good = kana + (han if kana else 0)
    return good / count
