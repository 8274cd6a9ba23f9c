"""Rust: methods stand in `impl` blocks, attributes above items, and macros hide calls in token trees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tree_sitter import Node

from clew.codebase.facts import Import
from clew.codebase.languages.drafts import Draft, Language, Source, declared, line_of, plain_base, plain_bases, valued, words

QUERY = """
(function_item) @def
(function_signature_item) @def
(struct_item) @def
(union_item) @def
(enum_item) @def
(trait_item) @def
(impl_item) @def
(mod_item body: (_)) @def
(const_item) @def
(static_item) @def
(type_item) @def
(macro_definition) @def
(attribute_item) @lead
(line_comment) @comment
(block_comment) @comment
(string_content) @mask
(char_literal) @mask
(raw_string_literal) @mask
(lifetime) @mask
(call_expression function: (identifier) @call)
(call_expression function: (field_expression field: (field_identifier) @call))
(call_expression function: (scoped_identifier name: (identifier) @call))
(call_expression function: (generic_function function: (identifier) @call))
(call_expression function: (generic_function function: (field_expression field: (field_identifier) @call)))
(call_expression function: (generic_function function: (scoped_identifier name: (identifier) @call)))
(macro_invocation macro: (identifier) @call)
(macro_invocation macro: (scoped_identifier name: (identifier) @call))
(token_tree (identifier) @call . (token_tree . "("))
(let_declaration pattern: (identifier) @local)
(parameter pattern: (identifier) @local)
(closure_parameters (identifier) @local)
(for_expression pattern: (identifier) @local)
(tuple_pattern (identifier) @local)
(tuple_struct_pattern type: (_) (identifier) @local)
(mut_pattern (identifier) @local)
(ref_pattern (identifier) @local)
(use_declaration) @import
(extern_crate_declaration) @import
(mod_item !body) @import
"""

KEYWORDS = words(
    "as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub "
    "ref return self Self static struct super trait true type unsafe use where while union i8 i16 i32 i64 i128 isize u8 u16 "
    "u32 u64 u128 usize f32 f64 bool char str String Vec Option Some None Result Ok Err Box derive"
)


def _impl(source: Source, node: Node) -> Iterable[Draft]:
    name = plain_base(source.text(node.child_by_field_name("type")))
    bases = plain_bases([source.text(node.child_by_field_name("trait"))])
    return declared(source, node, "extension", bases=bases, name=name)


def _struct(source: Source, node: Node) -> Iterable[Draft]:
    drafts = declared(source, node, "struct")
    body = node.child_by_field_name("body")
    for draft in drafts:
        if body is not None and body.type == "ordered_field_declaration_list":
            draft.signature_end = node.end_byte
    return drafts


def _trait(source: Source, node: Node) -> Iterable[Draft]:
    bounds = node.child_by_field_name("bounds")
    bases = plain_bases(source.text(child) for child in bounds.named_children if child.type != "lifetime") if bounds is not None else ()
    return declared(source, node, "trait", bases=bases)


def _value(source: Source, node: Node) -> Iterable[Draft]:
    return valued(source, node, "constant" if node.type == "const_item" else "variable", node.child_by_field_name("name"))


def _macro(source: Source, node: Node) -> Iterable[Draft]:
    return valued(source, node, "macro", node.child_by_field_name("name"))


def _import(source: Source, node: Node) -> Iterable[Import]:
    line = line_of(node)
    if node.type == "mod_item":
        yield Import(
            "self::" + source.text(node.child_by_field_name("name")),
            (),
            source.text(node.child_by_field_name("name")),
            line,
            is_relative=True,
        )
        return
    if node.type == "extern_crate_declaration":
        name = source.text(node.child_by_field_name("name"))
        yield Import(name, (), source.text(node.child_by_field_name("alias")) or name, line, is_relative=False)
        return
    argument = node.child_by_field_name("argument")
    if argument is None:
        return
    by_module: dict[str, list[tuple[str, str]]] = {}
    for path, here in _leaves(source, argument):
        module, _, name = path.removesuffix("::self").rpartition("::")
        by_module.setdefault(module or name, []).append((name, name if here == "self" else here))
    for module, names in by_module.items():
        is_relative = module.split("::", 1)[0] in ("self", "super")
        yield Import(module, tuple(name for name in names if name[0] != module), "", line, is_relative=is_relative)


def _leaves(source: Source, tree: Node) -> Iterator[tuple[str, str]]:
    """Return (path, name here) of each name that a use tree brings in."""
    todo = [("", tree)]
    while todo:
        prefix, node = todo.pop()
        if node.type == "scoped_use_list":
            prefix += source.text(node.child_by_field_name("path")) + "::"
            nested = node.child_by_field_name("list")
            todo += [(prefix, child) for child in reversed(nested.named_children)] if nested is not None else []
        elif node.type == "use_list":
            todo += [(prefix, child) for child in reversed(node.named_children)]
        elif node.type == "use_as_clause":
            yield prefix + source.text(node.child_by_field_name("path")), source.text(node.child_by_field_name("alias"))
        elif node.type == "use_wildcard":
            inner = source.text(node.named_child(0)) + "::" if node.named_child_count else ""
            yield prefix + inner + "*", "*"
        elif node.is_named and not node.type.endswith("comment"):
            path = source.text(node)
            yield prefix + path, path.rpartition("::")[2]


RUST = Language(
    name="rust",
    grammar=("tree_sitter_rust", "language"),
    query=QUERY,
    define={
        "function_item": lambda source, node: declared(source, node, "function"),
        "function_signature_item": lambda source, node: declared(source, node, "function"),
        "struct_item": _struct,
        "union_item": lambda source, node: declared(source, node, "struct"),
        "enum_item": lambda source, node: declared(source, node, "enum"),
        "trait_item": _trait,
        "impl_item": _impl,
        "mod_item": lambda source, node: declared(source, node, "namespace"),
        "const_item": _value,
        "static_item": _value,
        "type_item": lambda source, node: valued(source, node, "type", node.child_by_field_name("name")),
        "macro_definition": _macro,
    },
    imports=_import,
    keywords=KEYWORDS,
)
