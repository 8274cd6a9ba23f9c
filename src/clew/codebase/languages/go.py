"""Go: methods stand outside their types, and one declaration may define a list."""

from __future__ import annotations

from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import
from clew.codebase.languages.drafts import Draft, Language, Source, declared, line_of, plain_base, plain_bases, valued, words

QUERY = """
(function_declaration) @def
(method_declaration) @def
(type_declaration) @def
(method_elem) @def
(source_file (const_declaration) @def)
(source_file (var_declaration) @def)
(comment) @comment
(interpreted_string_literal_content) @mask
(raw_string_literal_content) @mask
(rune_literal) @mask
(call_expression function: (identifier) @call)
(call_expression function: (selector_expression field: (field_identifier) @call))
(type_conversion_expression type: (generic_type type: (type_identifier) @call))
(type_conversion_expression type: (generic_type type: (qualified_type name: (type_identifier) @call)))
(short_var_declaration left: (expression_list (identifier) @local))
(range_clause left: (expression_list (identifier) @local))
(parameter_declaration name: (identifier) @local)
(variadic_parameter_declaration name: (identifier) @local)
(var_spec name: (identifier) @local)
(const_spec name: (identifier) @local)
(import_spec) @import
(package_clause (package_identifier) @package)
"""

KEYWORDS = words(
    "break case chan const continue default defer else fallthrough for func go goto if import interface map package range "
    "return select struct switch type var nil true false iota any bool byte comparable complex64 complex128 error float32 "
    "float64 int int8 int16 int32 int64 rune string uint uint8 uint16 uint32 uint64 uintptr make new len cap append"
)

_KINDS = {"struct_type": "struct", "interface_type": "interface"}


def _method(source: Source, node: Node) -> Iterable[Draft]:
    receiver = node.child_by_field_name("receiver")
    kind = receiver.named_child(0).child_by_field_name("type") if receiver is not None and receiver.named_child_count else None
    return declared(source, node, "method", qualifier=plain_base(source.text(kind).replace("[", "<")))


def _types(source: Source, node: Node) -> Iterable[Draft]:
    specs = [child for child in node.named_children if child.type in ("type_spec", "type_alias")]
    for spec in specs:
        place = node if len(specs) == 1 and not _is_grouped(node) else spec
        name, body = spec.child_by_field_name("name"), spec.child_by_field_name("type")
        if body is None or body.type not in _KINDS:
            yield from valued(source, place, "type", name)
            continue
        brace = source.data.find(b"{", body.start_byte, body.end_byte)
        bases = plain_bases(source.text(base) for base in _embedded(body))
        header_end = body.end_byte if brace < 0 else brace + 1
        start, end = place.start_byte, place.end_byte
        yield Draft("struct" if body.type == "struct_type" else "interface", source.text(name), start, end, start, header_end, bases)


def _is_grouped(node: Node) -> bool:
    return any(child.type in ("(", "var_spec_list") for child in node.children)


def _embedded(body: Node) -> Iterable[Node]:
    """Return the types that a struct or an interface embeds."""
    if body.type == "interface_type":
        return [child for child in body.named_children if child.type == "type_elem"]
    fields = [field for child in body.named_children if child.type == "field_declaration_list" for field in child.named_children]
    types = [field.child_by_field_name("type") for field in fields if field.child_by_field_name("name") is None]
    return [kind for kind in types if kind is not None]


def _values(source: Source, node: Node) -> Iterable[Draft]:
    kind = "constant" if node.type == "const_declaration" else "variable"
    specs = [child for child in node.named_children if child.type in ("const_spec", "var_spec")]
    specs += [
        spec for child in node.named_children if child.type == "var_spec_list" for spec in child.named_children if spec.type == "var_spec"
    ]
    for spec in specs:
        yield from valued(source, spec if _is_grouped(node) else node, kind, spec.child_by_field_name("name"))


def _import(source: Source, node: Node) -> Iterable[Import]:
    path = source.text(node.child_by_field_name("path")).strip('"`')
    name = source.text(node.child_by_field_name("name"))
    if name == ".":
        yield Import(path, (("*", "*"),), "", line_of(node), is_relative=False)
    else:
        yield Import(path, (), "" if name == "_" else name or _package_name(path), line_of(node), is_relative=path.startswith("."))


def _package_name(path: str) -> str:
    """Return what a package is called by default: its last part that is no version."""
    before, _, last = path.rpartition("/")
    return before.rpartition("/")[2] if before and last[:1] == "v" and last[1:].isdigit() else last


GO = Language(
    name="go",
    grammar=("tree_sitter_go", "language"),
    query=QUERY,
    define={
        "function_declaration": lambda source, node: declared(source, node, "function"),
        "method_declaration": _method,
        "method_elem": lambda source, node: declared(source, node, "method"),
        "type_declaration": _types,
        "const_declaration": _values,
        "var_declaration": _values,
    },
    imports=_import,
    keywords=KEYWORDS,
)
