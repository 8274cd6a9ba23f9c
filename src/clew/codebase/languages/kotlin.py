"""Kotlin: extension functions carry their receiver, companions are part of their class."""

from __future__ import annotations

from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import, Kind
from clew.codebase.languages.drafts import (
    Draft,
    Language,
    Source,
    after_annotations,
    child_of_type,
    header_end,
    line_of,
    plain_base,
    plain_bases,
    words,
)
from clew.codebase.languages.java import dotted_import

QUERY = """
(class_declaration) @def
(object_declaration) @def
(function_declaration) @def
(secondary_constructor) @def
(source_file (property_declaration) @def)
(type_alias) @def
(line_comment) @comment
(block_comment) @comment
(string_content) @mask
(character_literal) @mask
(call_expression . (identifier) @call)
(call_expression . (navigation_expression (identifier) @call .))
(parameter . (identifier) @local)
(variable_declaration . (identifier) @local)
(catch_block (identifier) @local)
(import) @import
(package_header (qualified_identifier) @package)
"""

KEYWORDS = words(
    "abstract actual annotation as break by catch class companion const constructor continue crossinline data delegate do "
    "dynamic else enum expect external false final finally for fun get if import in infix init inline inner interface internal "
    "is it lateinit noinline null object open operator out override package private protected public reified return sealed set "
    "super suspend tailrec this throw true try typealias typeof val value var vararg when where while field file "
    "Int Long Short Byte Float Double Boolean Char String Unit Any Nothing"
)

_ANNOTATIONS = frozenset(("annotation",))
_BODIES = ("class_body", "enum_class_body")


def _draft(
    source: Source, node: Node, kind: Kind, name: str, body: Node | None, bases: tuple[str, ...] = (), qualifier: str = ""
) -> tuple[Draft, ...]:
    if not name:
        return ()
    start = after_annotations(source, node, _ANNOTATIONS)
    end = header_end(source, node, body)
    return (Draft(kind, name, node.start_byte, node.end_byte, start, end, bases, qualifier, has_body=body is not None),)


def _type(source: Source, node: Node) -> Iterable[Draft]:
    kind: Kind = "class"
    modifiers = child_of_type(node, "modifiers")
    if any(child.type == "interface" for child in node.children):
        kind = "interface"
    elif modifiers is not None and any(source.text(child) == "enum" for child in modifiers.children):
        kind = "enum"
    specifiers = child_of_type(node, "delegation_specifiers")
    listed = specifiers.named_children if specifiers is not None else []
    names = [source.text(specifier).split(" by ", 1)[0] for specifier in listed]
    return _draft(source, node, kind, source.text(node.child_by_field_name("name")), child_of_type(node, *_BODIES), plain_bases(names))


def _function(source: Source, node: Node) -> Iterable[Draft]:
    receiver = ""
    for child in node.children:
        if child.type in ("user_type", "nullable_type"):
            receiver = plain_base(source.text(child))
        elif child.type == "identifier":
            break
    return _draft(
        source, node, "function", source.text(node.child_by_field_name("name")), child_of_type(node, "function_body"), (), receiver
    )


def _property(source: Source, node: Node) -> Iterable[Draft]:
    variable = child_of_type(node, "variable_declaration")
    name = source.text(variable.named_child(0)) if variable is not None and variable.named_child_count else ""
    for draft in _draft(source, node, "constant" if any(child.type == "val" for child in node.children) else "variable", name, None):
        draft.signature_end = source.line_end(draft.signature_start, node.end_byte)
        yield draft


def _import(source: Source, node: Node) -> Iterable[Import]:
    path = source.text(child_of_type(node, "qualified_identifier")).replace(" ", "")
    alias = source.text(child_of_type(node, "identifier"))
    if path:
        yield dotted_import(path, line_of(node), is_wildcard=any(child.type == "*" for child in node.children), alias=alias)


KOTLIN = Language(
    name="kotlin",
    grammar=("tree_sitter_kotlin", "language"),
    query=QUERY,
    define={
        "class_declaration": _type,
        "object_declaration": _type,
        "function_declaration": _function,
        "secondary_constructor": lambda source, node: _draft(source, node, "method", "constructor", child_of_type(node, "block")),
        "property_declaration": _property,
        "type_alias": lambda source, node: _draft(
            source, node, "type", source.text(node.child_by_field_name("type") or child_of_type(node, "identifier")), None
        ),
    },
    imports=_import,
    keywords=KEYWORDS,
    explosive_angles=True,
    unended_bytes_max=8_192,
    list_bytes_max=16_384,
)
