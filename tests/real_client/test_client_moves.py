"""The client moves: a release that writes other records, has other hooks or tells other fields than those that were tried fails here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clew.adapters.claude_code.plugin_files import HOOKS_FILE, TEMPLATE_DIR
from tests.real_client.client import installed
from tests.real_client.known import FILE, found, hooks_of, unknown

pytestmark = pytest.mark.real_client


def test_no_record_hook_or_field_is_new(version: str, tmp_path: Path) -> None:
    """Else: read what is new, teach the readers what it means, then `python -m tests.real_client.known`, and review the diff."""
    assert unknown(json.loads(FILE.read_text()), found(tmp_path, version)) == []


def test_what_is_new_is_named() -> None:
    known = {"records": {"user": ["uuid"]}, "payloads": {"Stop": ["cwd"]}, "hooks": {"Stop": []}}
    now = {"records": {"user": ["uuid", "shape"]}, "payloads": {"Stop": ["cwd"]}, "hooks": {"Stop": [], "Start": []}}

    assert unknown(known, now) == ["records: user has shape", "hooks: Start is new, with no fields"]


def test_every_hook_that_is_asked_for_exists(version: str) -> None:
    assert set(json.loads((TEMPLATE_DIR / HOOKS_FILE).read_text())["hooks"]) <= hooks_of(installed(version))
