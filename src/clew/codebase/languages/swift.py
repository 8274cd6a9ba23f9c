"""Swift: one node for class, struct, enum, actor and extension; computed properties hold code. Its `import Module` names no file."""

from __future__ import annotations

from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import, SymbolKind
from clew.codebase.languages.description import (
    WILDCARD_NAMES,
    Definition,
    SourceFile,
    build_definition,
    build_dotted_import,
    build_import,
    find_child,
    load_language,
    normalize_base,
)

_KINDS: dict[str, SymbolKind] = {"struct": "struct", "enum": "enum", "extension": "extension"}


def _type(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    kind = _KINDS.get(source.field_text(node, "declaration_kind"), kind)
    return build_definition(source, node, kind, name=normalize_base(source.field_text(node, "name")))


def _unnamed(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    name = node.type.partition("_")[0]
    return build_definition(source, node, kind, name=name, body=find_child(node, "computed_property"))


def _property(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    pattern = node.child_by_field_name("name")
    name = source.field_text(pattern, "bound_identifier") if pattern is not None else ""
    computed = node.child_by_field_name("computed_value")
    if computed is not None:
        return build_definition(source, node, "function", name=name, body=computed)
    is_constant = source.node_text(find_child(node, "value_binding_pattern")) == "let"
    return build_definition(source, node, "constant" if is_constant else kind, name=name)


def _alias(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    return build_definition(source, node, kind, is_all_header=True)


def _imports(source: SourceFile, node: Node) -> Iterable[Import]:
    path = source.node_text(find_child(node, "identifier"))
    if find_child(node, "struct", "class", "enum", "func", "protocol", "typealias", "var", "let") is not None:
        return build_dotted_import(node, path)
    return build_import(node, path, WILDCARD_NAMES)


SWIFT = load_language(
    __file__,
    "swift",
    definition_readers={
        "class_declaration": _type,
        "protocol_declaration": _type,
        "deinit_declaration": _unnamed,
        "subscript_declaration": _unnamed,
        "property_declaration": _property,
        "typealias_declaration": _alias,
    },
    read_imports=_imports,
)
