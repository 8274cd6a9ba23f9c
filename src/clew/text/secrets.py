"""Secrets: credentials in text are masked before anything is stored.

Credentials of known forms are found by the fixed words that their issuers begin them with, and by assignments to names that say what
they hold. What is masked keeps its length, and the beginning by which a reader knows what stood there, so that offsets and line
numbers stay true. The forms are those that the issuers document; a password that looks like any other word is not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MASK = b"*"
# A word that stands in each credential of a form, how many bytes stand before it there, the form, of which the first group is kept.
# Few and long words: each is one search through the text.
_FORMS = tuple(
    (word, before, re.compile(form))
    for words, before, form in (
        ((b"AKIA", b"ASIA"), 0, rb"(A...)[A-Z0-9]{16}\b"),  # AWS access key ids
        ((b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"), 0, rb"(gh._)[A-Za-z0-9]{30,255}\b"),  # GitHub
        ((b"github_pat_",), 0, rb"(github_pat_)[A-Za-z0-9_]{40,255}\b"),
        ((b"glpat-",), 0, rb"(glpat-)[A-Za-z0-9_\-]{20,64}"),  # GitLab
        # Anthropic, OpenAI, OpenRouter, and those that follow OpenAI's older form
        ((b"sk-",), 0, rb"(sk-(?:ant-|proj-|svcacct-|or-v1-))[A-Za-z0-9_\-]{20,200}|(sk-)[A-Za-z0-9]{32,200}\b"),
        ((b"k_live_", b"k_test_"), 1, rb"([sr]k_...._)[A-Za-z0-9]{16,128}\b"),  # Stripe
        ((b"xox",), 0, rb"(xox[abeoprs]-)[A-Za-z0-9\-]{10,200}"),  # Slack
        ((b"AIza",), 0, rb"(AIza)[A-Za-z0-9_\-]{35}"),  # Google
        ((b"GOCSPX-",), 0, rb"(GOCSPX-)[A-Za-z0-9_\-]{28}"),
        ((b"npm_",), 0, rb"(npm_)[A-Za-z0-9]{36}\b"),
        ((b"pypi-AgE",), 0, rb"(pypi-AgE)[A-Za-z0-9_\-]{50,300}"),
        ((b"hf_",), 0, rb"(hf_)[A-Za-z0-9]{30,64}\b"),  # Hugging Face
        ((b"_v1_",), 3, rb"(do[opr]_v1_)[a-f0-9]{64}\b"),  # DigitalOcean
        ((b"SG.",), 0, rb"(SG\.)[A-Za-z0-9_\-]{20,24}\.[A-Za-z0-9_\-]{39,50}"),  # SendGrid
        ((b"shp",), 0, rb"(shp(?:at|ss|ca|pa)_)[a-fA-F0-9]{32}\b"),  # Shopify
        ((b"eyJ",), 0, rb"(eyJ)[A-Za-z0-9_\-]{10,2000}\.eyJ[A-Za-z0-9_\-]{10,4000}\.[A-Za-z0-9_\-]{10,2000}"),  # JSON web tokens
        ((b"://",), 0, rb"(://[^\s:/@\"'\\]{1,100}:)[^\s:/@\"'\\<>${}]{3,200}(?=@)"),  # a password in an address
    )
    for word in words
)
_KEY_BLOCK = re.compile(rb"(PRIVATE KEY(?: BLOCK)?-----)((?:[A-Za-z0-9+/=\s:,\-]|\\[nrt]){20,20000}?)(-----END )")
_KEY_BYTE = re.compile(rb"\\[nrt]|[A-Za-z0-9+/=]")
# `aws_secret_access_key = …`, `"client_secret": "…"`, `PASSWORD=…`: the value is masked where it is no name and no reference.
_ASSIGNED = re.compile(rb"\w{0,30}(?:\\?[\"'])?\s{0,3}(?:=>|:=|[:=])\s{0,3}(?:\\?[\"'])?([A-Za-z0-9+/_\-.=!@#%^&*~]{12,200})")
_ASSIGNED_TO = (b"secret", b"api_key", b"apikey", b"api-key", b"_token", b"passw")


def mask(data: bytes) -> bytes:
    """Return the same bytes, of the same length, with the credentials in them masked. The same bytes again mask to themselves."""
    spans = [*_forms(data), *_assigned(data)]
    if spans:
        masked = bytearray(data)
        for start, end in spans:
            masked[start:end] = MASK * (end - start)
        data = bytes(masked)
    if b"PRIVATE KEY" in data:
        data = _KEY_BLOCK.sub(lambda found: found[1] + _KEY_BYTE.sub(_masked_byte, found[2]) + found[3], data)
    return data


def mask_text(text: str) -> str:
    """`mask` of text. Lone surrogates stay as they are."""
    raw = text.encode("utf-8", "surrogatepass")
    masked = mask(raw)
    return text if masked == raw else masked.decode("utf-8", "surrogatepass")


def _at(data: bytes, word: bytes, form: re.Pattern[bytes], before: int = 0) -> Iterator[re.Match[bytes]]:
    """Each place where a form stands that has this word in it, so many bytes behind its beginning."""
    at = data.find(word)
    while at >= 0:
        found = form.match(data, max(0, at - before))
        if found is not None:
            yield found
        at = data.find(word, max(found.end() if found else 0, at + len(word)))


def _forms(data: bytes) -> Iterator[tuple[int, int]]:
    for word, before, form in _FORMS:
        for found in _at(data, word, form, before):
            start = found.start()
            if not start or word == b"://" or not data[start - 1 : start].isalnum():
                yield found.end(1) if found[1] else found.end(2), found.end()


def _assigned(data: bytes) -> Iterator[tuple[int, int]]:
    lowered = data.lower()
    for word in _ASSIGNED_TO:
        for found in _at(lowered, word, _ASSIGNED):
            start, end = found.span(1)
            if _is_credential(data[start:end]):
                yield start, end


def _is_credential(value: bytes) -> bool:
    """Whether a value is neither a name nor a reference: letters and digits mixed, and nothing that a program would look up."""
    has_digit, has_letter = any(48 <= byte <= 57 for byte in value), any(byte > 64 for byte in value)
    return has_digit and has_letter and b"." not in value[:-1] and not value.startswith((b"process", b"os.", b"env", b"self", b"$"))


def _masked_byte(found: re.Match[bytes]) -> bytes:
    return found[0] if found[0][:1] == b"\\" else MASK
