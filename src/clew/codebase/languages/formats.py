"""Describe document and configuration formats that no grammar parses: their file names, and where they are split into sections."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec


class TextFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names and section patterns of one document or configuration format, as a table of `formats.toml` states them."""

    suffixes: str = ""
    file_names: str = ""
    interpreters: str = ""
    prefixes: str = ""
    section: str = ""
    config: str = ""
    code: str = ""
    keyed: str = ""

    @property
    def heading_pattern(self) -> re.Pattern[bytes]:
        """The compiled pattern of a heading; one that matches nothing where the format has none."""
        return re.compile((self.section or self.config or self.code or r"(?!)").encode(), re.MULTILINE)


TEXT_FORMATS = msgspec.toml.decode(Path(__file__).with_name("formats.toml").read_bytes(), type=dict[str, TextFormat])
