"""Swift: one node for class, struct, enum, actor and extension; computed properties hold code. Its `import Module` names no file."""

from __future__ import annotations

from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import, Kind
from clew.codebase.languages.description import (
    ALL,
    Definition,
    Source,
    child_of_type,
    define,
    described,
    dotted_import,
    imported,
    plain_base,
)

_KINDS: dict[str, Kind] = {"struct": "struct", "enum": "enum", "extension": "extension"}


def _type(source: Source, node: Node, kind: Kind) -> Iterable[Definition]:
    kind = _KINDS.get(source.field(node, "declaration_kind"), kind)
    return define(source, node, kind, name=plain_base(source.field(node, "name")))


def _unnamed(source: Source, node: Node, kind: Kind) -> Iterable[Definition]:
    name = node.type.partition("_")[0]
    return define(source, node, kind, name=name, body=child_of_type(node, "computed_property"))


def _property(source: Source, node: Node, kind: Kind) -> Iterable[Definition]:
    pattern = node.child_by_field_name("name")
    name = source.field(pattern, "bound_identifier") if pattern is not None else ""
    computed = node.child_by_field_name("computed_value")
    if computed is not None:
        return define(source, node, "function", name=name, body=computed)
    is_constant = source.text(child_of_type(node, "value_binding_pattern")) == "let"
    return define(source, node, "constant" if is_constant else kind, name=name)


def _alias(source: Source, node: Node, kind: Kind) -> Iterable[Definition]:
    return define(source, node, kind, is_all_header=True)


def _imports(source: Source, node: Node) -> Iterable[Import]:
    path = source.text(child_of_type(node, "identifier"))
    if child_of_type(node, "struct", "class", "enum", "func", "protocol", "typealias", "var", "let") is not None:
        return dotted_import(node, path)
    return imported(node, path, ALL)


SWIFT = described(
    __file__,
    "swift",
    define={
        "class_declaration": _type,
        "protocol_declaration": _type,
        "deinit_declaration": _unnamed,
        "subscript_declaration": _unnamed,
        "property_declaration": _property,
        "typealias_declaration": _alias,
    },
    imports=_imports,
)
