"""Secrets are masked before anything is stored, and nothing else is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from credential_forms import Form, credentials, harmless, inside_json, left_over
from hypothesis import given
from hypothesis import strategies as st

from clew.text.secrets import mask_bytes, mask_lines, mask_text

SEEDS = (12, 13)
UNMASKED_OF_150_MAX, HARMLESS_MASKED_OF_100_MAX = 3, 1
PLACES: dict[str, Callable[[str], str]] = {
    "plain": str,
    "inside JSON": inside_json,
    "inside JSON twice": lambda text: inside_json(inside_json(text)),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_credentials_are_masked(place: Callable[[str], str], seed: int) -> None:
    forms = credentials(seed)
    missed = [form for form in forms if left_over(form, mask_text(place(form.text)))]

    assert len(forms) >= 150
    assert len(missed) * 150 <= UNMASKED_OF_150_MAX * len(forms), [form.source for form in missed]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_what_looks_like_a_credential_and_is_none_stays(place: Callable[[str], str], seed: int) -> None:
    forms = harmless(seed)
    masked = [form for form in forms if mask_text(place(form.text)) != place(form.text)]

    assert len(forms) >= 100
    assert len(masked) * 100 <= HARMLESS_MASKED_OF_100_MAX * len(forms), [form.source for form in masked]


@pytest.mark.parametrize("form", credentials(), ids=lambda form: form.source[:40])
def test_lines_and_json_stay_as_they_are_around_a_credential(form: Form) -> None:
    assert mask_text(form.text).count("\n") == form.text.count("\n")
    assert list(json.loads(mask_text(inside_json(form.text)))) == ["type", "text"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("curl -u bob:hunter2!x https://example.com", "curl -u bob:[masked:curl-user] https://example.com"),
        ("redis://:hunter2!x@cache:6379/0", "redis://:[masked:url-password]@cache:6379/0"),
        ('{"user": "bob", "password": "hunter2!x"}', '{"user": "bob", "password": "[masked:password]"}'),
        ("PGPASSWORD=hunter2x psql -h db", "PGPASSWORD=[masked:password] psql -h db"),
    ],
)
def test_what_stands_around_a_credential_stays(text: str, expected: str) -> None:
    assert mask_text(text) == expected


def test_the_same_credential_has_one_typed_placeholder_and_another_one_another() -> None:
    first, second = "ghp_" + "a1B2c3D4e5" * 3 + "F6g7H8", "ghp_" + "z9Y8x7W6v5" * 3 + "U4t3S2"
    here, there, other = mask_text(f"token: {first}"), mask_text(f"clone https://{first}@github.com/x/y"), mask_text(f"token: {second}")

    [placeholder] = re.findall(r"\[masked:[^\]]*\]", here)
    assert placeholder in there
    assert placeholder.startswith("[masked:github")
    assert placeholder not in other


def test_a_password_leaves_nothing_that_it_could_be_guessed_from() -> None:
    assert mask_text("PASSWORD=hunter2hunter2") == mask_text("PASSWORD=letmein123456") == "PASSWORD=[masked:password]"


def test_a_token_of_clew_itself_is_masked() -> None:
    token = "0123456789abcdef" * 4

    for text in (f"Authorization: Bearer {token}", f'{{"port": 4100, "token": "{token}"}}', f"clew token: {token}"):
        assert token not in mask_text(text)


KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\n{}-----END RSA " + "PRIVATE KEY-----\n"
LINES = ("MIIEpAIBAAKCAQEA" * 4 + "\n", "abcdEFGH0123+/xy" * 4 + "\n", "abcdefghijklmnop==\n")


@pytest.mark.parametrize("kept", range(1, 4), ids=["one line", "two lines", "all lines"])
@pytest.mark.parametrize("indent", ["", "    ", "> ", '    "', "   12\t"])
def test_a_private_key_is_masked_also_where_it_is_cut_off_quoted_or_numbered(kept: int, indent: str) -> None:
    whole = KEY.format("".join(LINES))
    lines = whole.splitlines(keepends=True)[: 1 + kept]
    text = "".join(indent + line for line in lines)
    masked = mask_text(text)

    assert not any(line[:12] in masked for line in LINES[:kept])
    assert masked.count("\n") == text.count("\n")
    inside = json.loads(mask_text(json.dumps({"text": text, "sourceToolAssistantUUID": "kept"})))
    assert not any(line[:12] in inside["text"] for line in LINES[:kept])
    assert inside["sourceToolAssistantUUID"] == "kept"


@given(st.lists(st.sampled_from([form.text for form in credentials()] + [form.text for form in harmless()]), max_size=6))
def test_masking_again_changes_nothing_and_lines_do_not_depend_on_their_neighbours(texts: list[str]) -> None:
    data = "\n".join(text.replace("\n", " ") for text in texts).encode()
    once, lines = mask_bytes(data), mask_lines(data)

    assert mask_bytes(once) == once
    assert mask_lines(lines) == lines
    assert lines == b"\n".join(mask_bytes(line) for line in data.split(b"\n"))


@given(st.binary(max_size=300))
def test_any_bytes_keep_their_lines_and_masking_again_changes_nothing(data: bytes) -> None:
    once = mask_bytes(data)

    assert once.count(b"\n") == data.count(b"\n")
    assert mask_bytes(once) == once


@pytest.mark.parametrize("line", [b'{"password":1.5e-07}', b'{"a":{"password":1.5e-07},"b":[1]}'])
def test_a_line_of_json_stays_json_where_a_bare_number_is_masked(line: bytes) -> None:
    """Else the line would count as broken, and the result that stands in it would be lost."""
    found = mask_lines(line)

    assert b"[masked:" in found
    json.loads(found)
    assert mask_lines(found) == found
