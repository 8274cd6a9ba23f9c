"""Swift: one node for class, struct, enum, actor and extension; computed properties hold code."""

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
(protocol_declaration) @def
(function_declaration) @def
(protocol_function_declaration) @def
(init_declaration) @def
(deinit_declaration) @def
(subscript_declaration) @def
(source_file (property_declaration) @def)
(property_declaration computed_value: (_)) @def
(typealias_declaration) @def
(comment) @comment
(multiline_comment) @comment
(line_str_text) @mask
(multi_line_str_text) @mask
(call_expression . (simple_identifier) @call)
(call_expression . (navigation_expression suffix: (navigation_suffix suffix: (simple_identifier) @call)))
(call_expression . (prefix_expression target: (simple_identifier) @call))
(constructor_expression constructed_type: (user_type (type_identifier) @call))
(parameter name: (simple_identifier) @local)
(lambda_parameter name: (simple_identifier) @local)
(pattern bound_identifier: (simple_identifier) @local)
(guard_statement bound_identifier: (simple_identifier) @local)
(if_statement bound_identifier: (simple_identifier) @local)
(while_statement bound_identifier: (simple_identifier) @local)
(import_declaration) @import
"""

KEYWORDS = words(
    "Any Self actor any as associatedtype async await borrowing break case catch class consuming continue convenience default "
    "defer deinit do dynamic else enum extension fallthrough false fileprivate final for func get guard if import in indirect "
    "infix init inout internal is isolated lazy let mutating nil nonisolated nonmutating open operator optional override package "
    "postfix precedencegroup prefix private protocol public repeat required rethrows return self set some static struct "
    "subscript super switch throw throws true try typealias unowned var weak where while willSet didSet "
    "Int Double Float Bool String Character Void available discardableResult objc escaping"
)

_ATTRIBUTES = frozenset(("attribute",))
_KINDS: dict[str, Kind] = {"class": "class", "struct": "struct", "enum": "enum", "extension": "extension", "actor": "class"}


def _draft(
    source: Source, node: Node, kind: Kind, name: str, *, bases: tuple[str, ...] = (), body: Node | None = None, qualifier: str = ""
) -> tuple[Draft, ...]:
    if not name:
        return ()
    body = body or node.child_by_field_name("body")
    start = after_annotations(source, node, _ATTRIBUTES)
    end = header_end(source, node, body)
    return (Draft(kind, name, node.start_byte, node.end_byte, start, end, bases, qualifier, has_body=body is not None),)


def _type(source: Source, node: Node) -> Iterable[Draft]:
    kind = (
        "interface"
        if node.type == "protocol_declaration"
        else _KINDS.get(source.text(node.child_by_field_name("declaration_kind")), "class")
    )
    bases = plain_bases(
        source.text(child.child_by_field_name("inherits_from")) for child in node.named_children if child.type == "inheritance_specifier"
    )
    return _draft(source, node, kind, plain_base(source.text(node.child_by_field_name("name"))), bases=bases)


def _member(source: Source, node: Node) -> Iterable[Draft]:
    if node.type == "deinit_declaration":
        return _draft(source, node, "method", "deinit")
    if node.type == "subscript_declaration":
        return _draft(source, node, "method", "subscript", body=child_of_type(node, "computed_property"))
    kind: Kind = "method" if node.type in ("init_declaration", "protocol_function_declaration") else "function"
    return _draft(source, node, kind, source.text(node.child_by_field_name("name")))


def _property(source: Source, node: Node) -> Iterable[Draft]:
    name = node.child_by_field_name("name")
    own = source.text(name.child_by_field_name("bound_identifier")) if name is not None else ""
    computed = node.child_by_field_name("computed_value")
    if computed is not None:
        return _draft(source, node, "function", own, body=computed)
    is_constant = source.text(child_of_type(node, "value_binding_pattern")) == "let"
    drafts = _draft(source, node, "constant" if is_constant else "variable", own)
    for draft in drafts:
        draft.signature_end = source.line_end(draft.signature_start, node.end_byte)
    return drafts


def _import(source: Source, node: Node) -> Iterable[Import]:
    path = source.text(child_of_type(node, "identifier"))
    if not path:
        return
    if any(child.type in ("struct", "class", "enum", "func", "protocol", "typealias", "var", "let") for child in node.children):
        yield dotted_import(path, line_of(node), is_wildcard=False)
    else:
        yield Import(path, (("*", "*"),), "", line_of(node), is_relative=False)


SWIFT = Language(
    name="swift",
    grammar=("tree_sitter_swift", "language"),
    query=QUERY,
    define={
        "class_declaration": _type,
        "protocol_declaration": _type,
        "function_declaration": _member,
        "protocol_function_declaration": _member,
        "init_declaration": _member,
        "deinit_declaration": _member,
        "subscript_declaration": _member,
        "property_declaration": _property,
        "typealias_declaration": lambda source, node: _draft(source, node, "type", source.text(node.child_by_field_name("name"))),
    },
    imports=_import,
    keywords=KEYWORDS,
)
