"""Detect the language of a file, and load the grammars and queries that parse it.

A language is one module in this folder that makes a `Language`: it is found here, and nothing else lists it. Grammars are imported
when the first file of their language comes; a process that reads Python alone never loads the others.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import cast

import tree_sitter

from clew.codebase.languages.description import Language, load_tables
from clew.codebase.languages.formats import TEXT_FORMATS

LANGUAGES: dict[str, Language] = {}  # name → language, of all that a grammar parses
_SHEBANG = re.compile(rb"#!\s*(\S+)(?:[ \t]+(.*))?")

EMBEDDING = frozenset(("vue", "svelte", "astro"))  # formats that hold several languages

__all__ = ["EMBEDDING", "LANGUAGES", "Language", "detect_language", "get_code_language", "load_grammar", "load_languages"]


def load_languages() -> None:
    """Fill `LANGUAGES` (name → Language) from the modules of this folder; runs once at import, again in tests that add a module."""
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
        LANGUAGES.update({each.name: each for each in vars(module).values() if isinstance(each, Language)})
    for file in sorted(Path(__file__).parent.glob("*.toml")):
        if file.name != "formats.toml" and not file.with_suffix(".py").exists():
            LANGUAGES.update({each.name: each for each in load_tables(file)})
    _tables.cache_clear()


def get_code_language(name: str) -> Language | None:
    """Return the language that the code of a file is in: its own, or that of the scripts in a Vue, Svelte or Astro file; None for none."""
    return LANGUAGES.get("typescript" if name in EMBEDDING else name)


@cache
def load_grammar(name: str) -> tuple[tree_sitter.Language, tree_sitter.Query]:
    """Return the tree-sitter grammar of a language in `LANGUAGES` and its compiled query; some milliseconds the first time, then cached."""
    language = LANGUAGES[name]
    module, function = language.grammar
    grammar = tree_sitter.Language(cast("object", getattr(importlib.import_module(module), function)()))
    return grammar, tree_sitter.Query(grammar, language.query)


def detect_language(path: str, head: bytes = b"") -> str | None:
    """Return the name of the language or document format of a file, None if neither its name nor its first bytes tell.

    path  relative or not, with "/".
    head  the file's first bytes, if at hand: for scripts without an extension, and for endings that two languages share.
    """
    by_name, by_suffix, by_interpreter, by_prefix = _tables()
    name = path.rpartition("/")[2].lower()
    if name in by_name:
        return by_name[name]
    first, *rest = name[1:].split(".", 1)
    if rest and (found := by_prefix.get(name[:1] + first)) and not name.endswith((".py", ".md")):
        return found
    stem, _, suffix = name.rpartition(".")
    if stem and suffix in by_suffix:
        shared = (each for each in LANGUAGES.values() if suffix in each.shared_suffixes)
        return next((each.name for each in shared if each.shared_suffixes[suffix].search(head)), by_suffix[suffix])
    return by_interpreter.get(_interpreter(head))


@cache
def _tables() -> tuple[dict[str, str], dict[str, str], dict[str, str], dict[str, str]]:
    """Return the names of languages and formats by file name, by suffix, by interpreter and by the beginning of a file name."""
    known = [*TEXT_FORMATS.items(), *LANGUAGES.items()]

    def table(named: Iterable[tuple[str, str]]) -> dict[str, str]:
        return {word: name for name, words in named for word in words.split()}

    return (
        table((name, each.file_names) for name, each in known),
        table((name, each.suffixes) for name, each in known),
        table((name, each.interpreters) for name, each in known),
        table((name, each.prefixes) for name, each in TEXT_FORMATS.items()),
    )


def _interpreter(head: bytes) -> str:
    """Return the program of a `#!` line without its version, "" without one."""
    found = _SHEBANG.match(head)
    if found is None:
        return ""
    program = found.group(1).rpartition(b"/")[2]
    if program == b"env":
        named = [word for word in (found.group(2) or b"").split() if not word.startswith(b"-") and b"=" not in word]
        program = named[0].rpartition(b"/")[2] if named else b""
    return program.decode("ascii", "replace").rstrip("0123456789.")


load_languages()
