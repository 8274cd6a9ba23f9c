"""Drafts: the words in which a language describes its definitions to the parser.

A language is a tree-sitter grammar, one query that captures the few nodes of interest, and small
functions that turn a captured node into `Draft`s and `Import`s. `clew.codebase.parse` does the rest
the same way for every language: nesting, docs, spans, names, counting.

What the query may capture:

| capture | meaning |
|---|---|
| def | a definition; handed to `Language.define` by its node type |
| wrap | a node around one definition that belongs to its span: decorators, `export`, `template<…>` |
| lead | a node right above a definition that belongs to its span: Rust and C# attributes |
| comment | a comment; docs are made of them, references are not |
| mask | text that holds no references: the contents of strings |
| call | the name in a call: the last identifier before the arguments |
| local | a name that is bound here; in a function it is no reference |
| import | handed to `Language.imports` |
| package | the name of the package or namespace that the file belongs to |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tree_sitter import Node

from clew.codebase.facts import Import, Kind

NAME_BYTES_MAX = 200  # a longer "name" comes from a broken tree; nobody looks one up

_SPACE = re.compile(rb"\s+")
_INDENT = re.compile(r"\n([ \t]*)[^\s]")


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one file, and how to read names out of them."""

    data: bytes

    def text(self, node: Node | None) -> str:
        """Return a node's text on one line, "" for no node or an absurdly long one."""
        if node is None:
            return ""
        start, end = node.start_byte, node.end_byte
        if end - start > NAME_BYTES_MAX:
            return ""
        raw = self.data[start:end]
        if b"\n" in raw or b" " in raw:
            raw = _SPACE.sub(b" ", raw).strip()
        return raw.decode("utf-8", "replace")

    def line_end(self, start: int, end: int) -> int:
        """Return where the line of `start` ends, at most `end`."""
        found = self.data.find(b"\n", start, end)
        return end if found < 0 else found


@dataclass(slots=True)
class Draft:
    """A definition on its way to becoming a Symbol; offsets in bytes.

    start, end     the node's own; the parser adds wrappers, attributes and docs.
    qualifier      what stands between the parent's name and this one: the receiver of a Go method.
    has_body       False for a signature in an interface, a prototype, an alias, a value.
    docstring      already known for languages whose docs stand inside; else found above.
    doc_end        where a docstring inside ends; 0 if there is none.
    """

    kind: Kind
    name: str
    start: int
    end: int
    signature_start: int
    signature_end: int
    bases: tuple[str, ...] = ()
    qualifier: str = ""
    has_body: bool = True
    docstring: str = ""
    doc_end: int = 0
    node_start: int = field(init=False)
    node_end: int = field(init=False)

    def __post_init__(self) -> None:
        self.node_start, self.node_end = self.start, self.end


Define = Callable[[Source, Node], Iterable[Draft]]
Imports = Callable[[Source, Node], Iterable[Import]]


@dataclass(frozen=True, slots=True)
class Language:
    """How one language is read.

    grammar          module and function that give the grammar: imported when the first such file comes.
    define           by node type.
    docs_above       docs are comments above the definition, or a string inside it.
    sigil            identifiers that start so are never references: `$` in PHP, `@` in Ruby.
    wrap_is_header   a wrapper's beginning is part of the signature (`export`, `template<…>`), or not (decorators).
    explosive_angles  its grammar explodes on `<` that are left open.
    list_bytes_max    its grammar explodes on broken lists that are longer; 0: on none.
    unended_bytes_max  its grammar may explode on broken expressions that are longer; 0: on none.
    """

    name: str
    grammar: tuple[str, str]
    query: str
    define: Mapping[str, Define]
    imports: Imports
    keywords: frozenset[str]
    docs_above: bool = True
    sigil: str = ""
    wrap_is_header: bool = True
    explosive_angles: bool = False
    list_bytes_max: int = 0
    unended_bytes_max: int = 32_768


def dedent(text: str) -> str:
    """Return a docstring without the indentation that its lines after the first share."""
    text = text.expandtabs() if "\t" in text else text
    shared = min(_INDENT.findall(text), key=len, default="")
    return (text.replace("\n" + shared, "\n") if shared else text).strip()


def words(text: str) -> frozenset[str]:
    """Return the words of a text: how keyword lists are written down."""
    return frozenset(text.split())


def line_of(node: Node) -> int:
    """Return the 1-based line on which a node starts."""
    return node.start_point[0] + 1


def child_of_type(node: Node, *types: str) -> Node | None:
    """Return the first child of one of these types."""
    for child in node.children:
        if child.type in types:
            return child
    return None


def header_end(source: Source, node: Node, body: Node | None) -> int:
    """Return where a header ends: behind the brace that opens the body, or at the node's end without one."""
    if body is None:
        return node.end_byte
    end = body.start_byte
    if source.data[end : end + 1] == b"{":
        return end + 1
    while end > node.start_byte and source.data[end - 1 : end].isspace():
        end -= 1
    return end


def after_annotations(source: Source, node: Node, annotations: frozenset[str]) -> int:
    """Return where a definition's header starts: behind the annotations that lead it.

    annotations  node types that are annotations; they may stand in a `modifiers` child or by themselves.
    """
    end = 0
    for child in node.children:
        if child.type in annotations:
            end = child.end_byte
            continue
        if child.type.endswith("modifiers"):
            rest = False
            for modifier in child.children:
                if modifier.type not in annotations:
                    rest = True
                    break
                end = modifier.end_byte
            if not rest:
                continue
        break
    if not end:
        return node.start_byte
    data, stop = source.data, node.end_byte
    while end < stop and data[end : end + 1].isspace():
        end += 1
    return end


def plain_base(text: str) -> str:
    """Return a base's name with dots and without type arguments: `a::B<T>` and `a.B[T]` are `a.B`."""
    for opening in "<[({":
        cut = text.find(opening)
        if cut >= 0:
            text = text[:cut]
    return text.replace("::", ".").replace("\\", ".").strip(" .&*?!")


def plain_bases(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names among some bases, each once, in order."""
    return tuple(dict.fromkeys(base for base in map(plain_base, texts) if base))


def declared(
    source: Source,
    node: Node,
    kind: Kind,
    *,
    bases: tuple[str, ...] = (),
    name: str | None = None,
    qualifier: str = "",
    signature_start: int = -1,
    body_field: str = "body",
) -> tuple[Draft, ...]:
    """Return the draft of a definition that has the fields `name` and `body`, as most have; nothing without a name."""
    own = source.text(node.child_by_field_name("name")) if name is None else name
    if not own:
        return ()
    body = node.child_by_field_name(body_field)
    start = node.start_byte if signature_start < 0 else signature_start
    end = header_end(source, node, body)
    return (Draft(kind, own, node.start_byte, node.end_byte, start, end, bases, qualifier, has_body=body is not None),)


def valued(source: Source, node: Node, kind: Kind, name: Node | None, *, signature_start: int = -1) -> tuple[Draft, ...]:
    """Return the draft of a value, an alias or a macro: its signature is its first line."""
    own = source.text(name)
    if not own:
        return ()
    start = node.start_byte if signature_start < 0 else signature_start
    return (Draft(kind, own, node.start_byte, node.end_byte, start, source.line_end(start, node.end_byte), has_body=False),)
