"""Languages: which one a file is in, and how each is read.

Grammars are imported when the first file of their language comes; a process that reads Python alone
never loads the others.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import cast

import tree_sitter

from clew.codebase.languages.c import CPP, C
from clew.codebase.languages.csharp import CSHARP
from clew.codebase.languages.drafts import Language
from clew.codebase.languages.go import GO
from clew.codebase.languages.java import JAVA
from clew.codebase.languages.javascript import JAVASCRIPT, TSX, TYPESCRIPT
from clew.codebase.languages.kotlin import KOTLIN
from clew.codebase.languages.names import language_of
from clew.codebase.languages.php import PHP
from clew.codebase.languages.python import PYTHON
from clew.codebase.languages.ruby import RUBY
from clew.codebase.languages.rust import RUST
from clew.codebase.languages.swift import SWIFT

LANGUAGES: dict[str, Language] = {
    language.name: language for language in (PYTHON, JAVASCRIPT, TYPESCRIPT, TSX, GO, RUST, JAVA, C, CPP, CSHARP, RUBY, PHP, KOTLIN, SWIFT)
}

__all__ = ["LANGUAGES", "Language", "grammar_of", "language_of"]


@cache
def grammar_of(name: str) -> tuple[tree_sitter.Language, tree_sitter.Query]:
    """Return the grammar of a language in `LANGUAGES` and its compiled query; some milliseconds the first time."""
    language = LANGUAGES[name]
    module, function = language.grammar
    pointer = cast("object", getattr(importlib.import_module(module), function)())
    grammar = tree_sitter.Language(pointer)
    return grammar, tree_sitter.Query(grammar, language.query)
