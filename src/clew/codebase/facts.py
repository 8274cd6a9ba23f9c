"""Define what the parser extracts from one file: its symbols, imports, calls and references.

All offsets are bytes into the file, half-open; all lines are 1-based and inclusive. The symbols of a
file form a tree that is stored flat, in order of start, parents before children: `symbols[0]` is
always the file itself (kind `module`), every other symbol lies inside its parent, and siblings do
not overlap. A symbol's *own text* is its span less the spans of its children; calls and references
are counted in own text, so summing over a file counts nothing twice.

Kinds, and what each means in every language:

| kind | meaning |
|---|---|
| module | the file itself; its own text is `FileFacts.gaps` |
| namespace | a named block of definitions: C++ and TypeScript `namespace`, Rust `mod`, Ruby `module` |
| class, interface, struct, enum, trait | as the language says; Swift `protocol` is an interface, unions are structs, records are classes |
| extension | members added to a type that is defined elsewhere: Rust `impl`, Swift `extension` |
| function, method | with or without a body; a method's parent (or receiver) is a type |
| test | a test block that has a sentence for a name: `it("…", …)`, RSpec's `describe "…" do` |
| constant, variable | at file or namespace level only; fields stay in the head of their class |
| type | an alias |
| macro | `#define`, `macro_rules!` |
| section | a heading of a document with what stands below it |
| config | a table, a key or a block of a configuration file |
| text | a block of lines with no better name: plain text, and long stretches of code outside every definition |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SymbolKind = Literal[
    "module",
    "namespace",
    "class",
    "interface",
    "struct",
    "enum",
    "trait",
    "extension",
    "function",
    "method",
    "test",
    "constant",
    "variable",
    "type",
    "macro",
    "section",
    "config",
    "text",
]
"""Kind of a symbol; the module's docstring says what each means."""

TYPE_KINDS: frozenset[SymbolKind] = frozenset(("class", "interface", "struct", "enum", "trait", "extension"))
FUNCTION_KINDS: frozenset[SymbolKind] = frozenset(("function", "method", "test"))

MODULE_QUALNAME = "<module>"  # of symbols[0]; no other symbol can be called so

UNKNOWN_RECEIVER = "?"  # of a name that follows a receiver which is no path of names

CallCount = tuple[str, str, int]
"""Calls in a symbol's own text: (called name, receiver, number of calls).

The receiver is as written, with dots, and `()` for arguments: `self.session`, `Parser.()`; "" for none, UNKNOWN_RECEIVER for a complex one.
"""

ReferenceCount = tuple[str, str, int]
"""An identifier used in a symbol's own text other than as a callee: (name, receiver as in CallCount, number of uses)."""

TypedName = tuple[str, str]
"""A name and what says its type, as paths with dots: (`self.session`, `Session.()`) for `self.session = Session(…)`, (`path`, `Path`)."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """One definition in a source file, or one section of a document, with its span, header and what it calls and refers to.

    qualname       parts joined by dots, in every language: `outer.inner`, Go and Rust methods `Type.name`;
                   headings of documents are joined by " > ". It may repeat in a file (overloads, property
                   setters, a struct and its impl): position tells them apart.
    parent         index into the file's symbols; -1 for the module alone.
    start, end     the span, with decorators and attributes, and with the comment above where docs stand above.
    signature_start, signature_end   the header: `def f(a) -> int:`, `func (r *T) X() error {`; without decorators
                   and docs. Definitions without a body end at their own end, values at their first line's end.
    head_end       end of what is shown of it in short form: signature and docstring; for a type and a
                   namespace everything before the first member that has a body.
    docstring      without its quotes, comment marks and common indentation; "" if none.
    bases          names inherited from or implemented, as written, with dots and without type arguments.
    result         the type that a function says it returns, as in TypedName; "" if it says none.
    bound          names that a function binds: parameters and variables.
    types          what the own text says of the types of names: parameters, variables, fields.
    is_local       no other file can name it: C's `static`.
    """

    kind: SymbolKind
    name: str
    qualname: str
    parent: int
    start: int
    end: int
    start_line: int
    end_line: int
    signature_start: int
    signature_end: int
    head_end: int
    docstring: str
    calls: tuple[CallCount, ...]
    references: tuple[ReferenceCount, ...]
    bases: tuple[str, ...]
    result: str = ""
    bound: tuple[str, ...] = ()
    types: tuple[TypedName, ...] = ()
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class Import:
    """One import, include, use or require statement of a source file, as written.

    module       `a.b`, `./x`, `std::fmt`, `net/http`, `sys/types.h`; relative Python imports keep their dots (`..a`).
    names        (name there, name here) of what is taken out of the module; ("*", "*") for everything.
    alias        the name that stands for the whole module here; "" if none.
    line         1-based.
    is_relative  the path starts from this file: leading dots, `#include "…"`, `require_relative`, `mod x;`.
    """

    module: str
    names: tuple[tuple[str, str], ...]
    alias: str
    line: int
    is_relative: bool


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What `parse_file` found in one file: language, symbols, imports and literals.

    literals   strings that read like names, each once: no space, some letters.
    is_whole   every byte was parsed by the language's grammar; for documents without a grammar always true.
    gaps       (start, end) in order of the bytes outside every top-level symbol.
    package    the package or namespace that the file says it is in, with dots; "" for none.
    exports    (name there, name here) of what it hands on under another name: `export default x`, `module.exports = x`.
    """

    path: str
    language: str
    symbols: tuple[Symbol, ...]
    imports: tuple[Import, ...]
    gaps: tuple[tuple[int, int], ...]
    is_whole: bool
    literals: tuple[str, ...] = ()
    package: str = ""
    exports: tuple[tuple[str, str], ...] = ()
