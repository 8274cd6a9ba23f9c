"""Secrets are masked before anything is stored, and nothing else is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.text.secrets import mask, mask_text

# Made of parts, so that no line of this file looks like a credential.
SECRETS = {
    "aws id": "AKIA" + "IOSFODNN7EXAMPLE",
    "github": "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789",
    "github, fine-grained": "github_pat_" + "11ABCDEFG0abcdefghijkl_" + "x1" * 20,
    "anthropic": "sk-ant-" + "api03-abcdef_ghijkl-mnop1234",
    "openai": "sk-" + "a1B2c3D4" * 5,
    "stripe": "sk_" + "live_" + "abcdefghijklmnop1234",
    "slack": "xoxb-" + "123456789012-abcdefghij",
    "google": "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "json web token": "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0" + "." + "dozjgNryP4J3jVmNHl0w5N",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("around", ["{}", "key: {}\n", "a '{}' b", "export X={}", "({})"])
def test_a_credential_of_a_known_form_is_masked_and_keeps_its_length(secret: str, around: str) -> None:
    text = around.format(secret)
    masked = mask_text(text)

    assert secret not in masked
    assert secret[-8:] not in masked
    assert len(masked) == len(text)
    assert masked.startswith(around.partition("{")[0])


@pytest.mark.parametrize(
    "line",
    [
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLE",
        '"client_secret": "abcDEF1234567890"',
        "PASSWORD=hunter2hunter2",
        "postgres://app:hunter22@db.internal/x",
        "API_KEY: 'abcDEF1234567890xyz'",
    ],
)
def test_a_value_assigned_to_a_telling_name_is_masked_also_inside_json(line: str) -> None:
    value = line.rpartition("@")[0].rpartition(":")[2] if "://" in line else line.rpartition("=" if "=" in line else ":")[2].strip(" \"'")

    assert value not in mask_text(line)
    inside = json.dumps({"text": line})
    assert value not in mask_text(inside)
    assert len(json.loads(mask_text(inside))["text"]) == len(line)


def test_a_private_key_is_masked_and_its_lines_stay() -> None:
    key = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabcdefghijklmnop==\n-----END RSA " + "PRIVATE KEY-----\n"

    assert mask_text(key).split("\n")[1:3] == ["*" * 16, "*" * 18]
    inside = json.loads(mask_text(json.dumps({"text": key, "next": "kept"})))
    assert inside["text"].split("\n")[1:3] == ["*" * 16, "*" * 18]
    assert inside["next"] == "kept"


@pytest.mark.parametrize(
    "line",
    [
        "password = get_password(user)",
        "access_token=self.token_value1",
        "api_key = os.environ['API_KEY_2']",
        "def secret_key_of(name): return name",
        "https://example.invalid:8080/path",
        "git@github.invalid:owner/name.git",
        "the task-list and the risk-taker; disk-usage-of-everything-there-is-on-it",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    ],
)
def test_what_is_no_credential_stays_as_it_is(line: str) -> None:
    assert mask_text(line) == line


@given(st.binary(max_size=300))
def test_any_bytes_keep_their_length_and_masking_again_changes_nothing(data: bytes) -> None:
    once = mask(data)

    assert len(once) == len(data)
    assert mask(once) == once
