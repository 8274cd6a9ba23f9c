"""Kotlin: extension functions carry their receiver, companions are part of their class."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import, SymbolKind
from clew.codebase.languages.description import (
    Definition,
    SourceFile,
    build_definition,
    build_dotted_import,
    find_child,
    load_language,
    normalize_base,
    read_expression_path,
    read_type_path,
)
from clew.codebase.languages.java import link_java_import, resolve_java_import

_SHORT_TYPE = re.compile(rb"^[^\n\"]*\b(?:class|interface|object)\b[^\n\"]*\{[^\n\"]*\}", re.MULTILINE)
_TEST = re.compile(r"@(?:\w+\.)*(?:Parameterized|Repeated)?Test\b")
_LAST_MEMBER = re.compile(rb"(?<=[^\s{;,]) (?=\})")


def _with_ended_members(data: bytes) -> bytes:
    """End the last member of a type that is written on one line, as the grammar wants it: `class A { fun f() = 1;}`."""
    return _SHORT_TYPE.sub(lambda found: _LAST_MEMBER.sub(b";", found[0]), data)


def _type(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    modifiers = find_child(node, "modifiers")
    if find_child(node, "interface") is not None:
        kind = "interface"
    elif modifiers is not None and any(source.node_text(child) == "enum" for child in modifiers.children):
        kind = "enum"
    return build_definition(source, node, kind, body=find_child(node, "class_body", "enum_class_body"))


def _function(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    receiver = find_child(node, "user_type", "nullable_type", "identifier")
    qualifier = normalize_base(source.node_text(receiver)) if receiver is not None and receiver.type != "identifier" else ""
    if _TEST.search(source.node_text(find_child(node, "modifiers"))):
        kind = "test"  # the runner alone calls it: a name in a lambda like its own is of the lambda's receiver
    return build_definition(source, node, kind, body=find_child(node, "function_body"), qualifier=qualifier)


def _constructor(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    return build_definition(source, node, kind, name="constructor", body=find_child(node, "block"))


def _property(source: SourceFile, node: Node, _kind: SymbolKind) -> Iterable[Definition]:
    variable = find_child(node, "variable_declaration")
    name = source.node_text(variable.named_child(0)) if variable is not None else ""
    return build_definition(source, node, "constant" if find_child(node, "val") is not None else "variable", name=name)


def _alias(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    name = node.child_by_field_name("type") or find_child(node, "identifier")
    return build_definition(source, node, kind, name=source.node_text(name), is_all_header=True)


def _imports(source: SourceFile, node: Node) -> Iterable[Import]:
    path = source.node_text(find_child(node, "qualified_identifier")).replace(" ", "")
    alias = source.node_text(find_child(node, "identifier"))
    return build_dotted_import(node, path, is_wildcard=find_child(node, "*") is not None, alias=alias)


def _types(source: SourceFile, node: Node) -> Iterable[tuple[int, str, str]]:
    """Read `name: Type`, and `val name = Type(…)`."""
    inner = find_child(node, "variable_declaration") or node
    name, stated = inner.named_children[0], find_child(inner, "user_type", "nullable_type")
    value = node.named_child(node.named_child_count - 1) if node.type == "property_declaration" else None
    path = read_type_path(source.node_text(stated)) if stated is not None else read_expression_path(source, value)
    if name.type == "identifier" and path:
        yield name.start_byte, source.node_text(name), path


KOTLIN = load_language(
    __file__,
    "kotlin",
    definition_readers={
        "class_declaration": _type,
        "object_declaration": _type,
        "function_declaration": _function,
        "secondary_constructor": _constructor,
        "property_declaration": _property,
        "type_alias": _alias,
    },
    read_imports=_imports,
    resolve_import=resolve_java_import,
    link_import=link_java_import,
    read_types=_types,
    clean=_with_ended_members,
)
