"""Kotlin: extension functions carry their receiver, companions are part of their class."""

from __future__ import annotations

from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import, Kind
from clew.codebase.languages.description import Definition, Source, child_of_type, define, described, dotted_import, plain_base
from clew.codebase.languages.java import resolve_package


def _type(source: Source, node: Node, kind: Kind) -> Iterable[Definition]:
    modifiers = child_of_type(node, "modifiers")
    if child_of_type(node, "interface") is not None:
        kind = "interface"
    elif modifiers is not None and any(source.text(child) == "enum" for child in modifiers.children):
        kind = "enum"
    return define(source, node, kind, body=child_of_type(node, "class_body", "enum_class_body"))


def _function(source: Source, node: Node, kind: Kind) -> Iterable[Definition]:
    receiver = child_of_type(node, "user_type", "nullable_type", "identifier")
    qualifier = plain_base(source.text(receiver)) if receiver is not None and receiver.type != "identifier" else ""
    return define(source, node, kind, body=child_of_type(node, "function_body"), qualifier=qualifier)


def _constructor(source: Source, node: Node, kind: Kind) -> Iterable[Definition]:
    return define(source, node, kind, name="constructor", body=child_of_type(node, "block"))


def _property(source: Source, node: Node, _kind: Kind) -> Iterable[Definition]:
    variable = child_of_type(node, "variable_declaration")
    name = source.text(variable.named_child(0)) if variable is not None else ""
    return define(source, node, "constant" if child_of_type(node, "val") is not None else "variable", name=name)


def _alias(source: Source, node: Node, kind: Kind) -> Iterable[Definition]:
    name = node.child_by_field_name("type") or child_of_type(node, "identifier")
    return define(source, node, kind, name=source.text(name), is_all_header=True)


def _imports(source: Source, node: Node) -> Iterable[Import]:
    path = source.text(child_of_type(node, "qualified_identifier")).replace(" ", "")
    alias = source.text(child_of_type(node, "identifier"))
    return dotted_import(node, path, is_wildcard=child_of_type(node, "*") is not None, alias=alias)


KOTLIN = described(
    __file__,
    "kotlin",
    define={
        "class_declaration": _type,
        "object_declaration": _type,
        "function_declaration": _function,
        "secondary_constructor": _constructor,
        "property_declaration": _property,
        "type_alias": _alias,
    },
    imports=_imports,
    resolve=resolve_package,
)
