"""Formats: the files that no grammar reads, as `formats.toml` describes them: their names, and where they are cut."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec


class TextFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One format; `formats.toml` says what the fields mean."""

    suffixes: str = ""
    file_names: str = ""
    interpreters: str = ""
    prefixes: str = ""
    section: str = ""
    config: str = ""
    keyed: str = ""

    @property
    def heading_pattern(self) -> re.Pattern[bytes]:
        """The pattern of a heading; matches nothing where the format has none."""
        return re.compile((self.section or self.config or r"(?!)").encode(), re.MULTILINE)


TEXT_FORMATS = msgspec.toml.decode(Path(__file__).with_name("formats.toml").read_bytes(), type=dict[str, TextFormat])
