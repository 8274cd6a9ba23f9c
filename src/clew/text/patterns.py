"""Regular expressions that are read from a TOML file beside the module that uses them.

The line breaks within a pattern, and the blanks that begin a line, are not part of it; `{name}` stands for the fragment of that
name in the table `fragments`. The other tables only group patterns: each pattern's name is unique in its file.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

_BREAK = re.compile(r"\n\s*")


class PatternFile(dict[str, re.Pattern[str]]):
    """The compiled regular expressions of one TOML file by name, each compiled at its first use. An unknown name raises KeyError."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        data: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        self._fragments = {name: _BREAK.sub("", text.lstrip()) for name, text in data.pop("fragments", {}).items()}
        self._written: dict[str, str] = {}
        for name, entry in data.items():
            self._written |= entry if isinstance(entry, dict) else {name: entry}

    def __missing__(self, name: str) -> re.Pattern[str]:
        self[name] = re.compile(self.expand(name))
        return self[name]

    def expand(self, name: str) -> str:
        """Return the regular expression of this name as text, with its `{fragments}` replaced. Raises KeyError for an unknown name."""
        text = _BREAK.sub("", self._written[name].lstrip())
        for fragment, meant in self._fragments.items():
            text = text.replace(f"{{{fragment}}}", meant)
        return text

    def search(self, name: str, text: str) -> re.Match[str] | None:
        """Return the first match of the pattern of this name in a text, None for none."""
        return self[name].search(text)
