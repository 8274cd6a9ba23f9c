"""Masking: what looks like a secret is taken out of a text before it leaves the machine.

Only forms that their issuers publish, and values behind a name that says what they are. It is a net with holes: what is no
known form passes. What must never leave the machine is purged, or not compressed by a server elsewhere.
"""

from __future__ import annotations

import re

MASK = "[masked]"

_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY( BLOCK)?-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY( BLOCK)?-----|\Z)", re.DOTALL
)
# Prefixes as published: AWS, GitHub, GitLab, Slack, Stripe, Anthropic and OpenAI, Google, npm, PyPI, Hugging Face; JSON web tokens.
_ISSUED = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{18,}|xox[abeoprs]-[\w-]{10,}"
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|sk-[\w-]{20,}|AIza[\w-]{30,}|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{40,}|hf_[A-Za-z0-9]{30,}"
    r"|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,})"
)
_IN_URL = re.compile(r"(?<=://)[^\s/:@'\"]{0,100}:([^\s/@'\"]{1,200})(?=@)")
_HEADER = re.compile(r"(?i)\b(?:bearer|basic)[ \t]+([A-Za-z0-9._~+/=-]{16,})")
_NAMED = re.compile(
    r"(?i)(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)[\w-]{0,30}"
    r"[\"'`]?[ \t]{0,4}[:=]{1,2}[ \t]{0,4}[\"'`]?([^\s\"'`,;(){}\[\]<>$]{8,200})"
)
_IS_VALUE = re.compile(
    r"(?=.*\d)(?=.*[A-Za-z])(?![A-Za-z]+\d{1,5}(?:[A-Z][a-z]+)+\Z)"
)  # not a name in code, nor a type such as `Uint8Array`


def masked(text: str) -> tuple[str, int]:
    """Return the text with MASK in the place of what looks like a secret, and how often. Cost: linear, about 50 ns a character."""
    count = 0

    def whole(_: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return MASK

    def inner(match: re.Match[str]) -> str:
        nonlocal count
        if match.re is _NAMED and (MASK in match[1] or not _IS_VALUE.match(match[1])):
            return match[0]
        count += 1
        start, end = match.start(1) - match.start(), match.end(1) - match.start()
        return match[0][:start] + MASK + match[0][end:]

    text = _KEY_BLOCK.sub(whole, text)
    text = _ISSUED.sub(whole, text)
    for pattern in (_IN_URL, _HEADER, _NAMED):
        text = pattern.sub(inner, text)
    return text, count
