"""Java: everything stands in a type, annotations lead the modifiers."""

from __future__ import annotations

from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import, Kind
from clew.codebase.languages.drafts import Draft, Language, Source, after_annotations, child_of_type, declared, line_of, plain_bases, words

QUERY = """
(class_declaration) @def
(interface_declaration) @def
(enum_declaration) @def
(record_declaration) @def
(annotation_type_declaration) @def
(method_declaration) @def
(constructor_declaration) @def
(compact_constructor_declaration) @def
(line_comment) @comment
(block_comment) @comment
(string_fragment) @mask
(multiline_string_fragment) @mask
(character_literal) @mask
(method_invocation name: (identifier) @call)
(object_creation_expression type: (type_identifier) @call)
(object_creation_expression type: (generic_type (type_identifier) @call))
(object_creation_expression type: (scoped_type_identifier (type_identifier) @call .))
(local_variable_declaration declarator: (variable_declarator name: (identifier) @local))
(formal_parameter name: (identifier) @local)
(spread_parameter (variable_declarator name: (identifier) @local))
(lambda_expression parameters: (identifier) @local)
(inferred_parameters (identifier) @local)
(enhanced_for_statement name: (identifier) @local)
(catch_formal_parameter name: (identifier) @local)
(resource name: (identifier) @local)
(import_declaration) @import
(package_declaration (_) @package)
"""

KEYWORDS = words(
    "abstract assert boolean break byte case catch char class const continue default do double else enum extends final finally "
    "float for goto if implements import instanceof int interface long native new package private protected public record "
    "return sealed permits short static strictfp super switch synchronized this throw throws transient try var void volatile "
    "while yield true false null String Object Override"
)

_KINDS: dict[str, Kind] = {
    "class_declaration": "class",
    "interface_declaration": "interface",
    "enum_declaration": "enum",
    "record_declaration": "class",
    "annotation_type_declaration": "interface",
}
_ANNOTATIONS = frozenset(("annotation", "marker_annotation"))


def _type(source: Source, node: Node) -> Iterable[Draft]:
    clauses = (
        node.child_by_field_name("superclass"),
        node.child_by_field_name("interfaces"),
        child_of_type(node, "extends_interfaces"),
    )
    names: list[str] = []
    for clause in clauses:
        for child in clause.named_children if clause is not None else ():
            names += [source.text(name) for name in (child.named_children if child.type == "type_list" else (child,))]
    start = after_annotations(source, node, _ANNOTATIONS)
    return declared(source, node, _KINDS[node.type], bases=plain_bases(names), signature_start=start)


def _method(source: Source, node: Node) -> Iterable[Draft]:
    return declared(source, node, "method", signature_start=after_annotations(source, node, _ANNOTATIONS))


def dotted_import(path: str, line: int, *, is_wildcard: bool, alias: str = "") -> Import:
    """Return the import of a name by its full path: `a.b.C` takes C out of a.b."""
    if is_wildcard:
        return Import(path, (("*", "*"),), "", line, is_relative=False)
    module, _, name = path.rpartition(".")
    if not module:
        return Import(path, (), alias or path, line, is_relative=False)
    return Import(module, ((name, alias or name),), "", line, is_relative=False)


def _import(source: Source, node: Node) -> Iterable[Import]:
    path = source.text(child_of_type(node, "scoped_identifier", "identifier")).replace(" ", "")
    if path:
        yield dotted_import(path, line_of(node), is_wildcard=child_of_type(node, "asterisk") is not None)


JAVA = Language(
    name="java",
    grammar=("tree_sitter_java", "language"),
    query=QUERY,
    define={
        **dict.fromkeys(_KINDS, _type),
        "method_declaration": _method,
        "constructor_declaration": _method,
        "compact_constructor_declaration": _method,
    },
    imports=_import,
    keywords=KEYWORDS,
    explosive_angles=True,
    unended_bytes_max=8_192,
)
