"""Files read and checked, and real git repositories made on the spot."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clew.codebase.facts import FileFacts
from clew.codebase.parse import parse_file
from tests.codebase.soundness import assert_sound

Git = Callable[..., str]


@pytest.fixture
def read() -> Callable[[str, str | bytes], FileFacts]:
    """Parse a text, and check what must be true of any."""

    def read_one(path: str, text: str | bytes) -> FileFacts:
        data = text.encode() if isinstance(text, str) else text
        facts = parse_file(path, data)
        assert_sound(facts, data)
        return facts

    return read_one


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Run git in a folder, without the machine's own configuration."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "HOME": str(tmp_path),
    }
    person = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always")

    def run(folder: Path, *arguments: str) -> str:
        command = ["git", *person, "-C", str(folder), *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    return run
