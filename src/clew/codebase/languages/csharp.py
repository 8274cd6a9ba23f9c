"""C#: namespaces only name the package, and properties are methods where they hold code."""

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
    declared,
    header_end,
    line_of,
    plain_bases,
    valued,
    words,
)

QUERY = """
(class_declaration) @def
(interface_declaration) @def
(struct_declaration) @def
(enum_declaration) @def
(record_declaration) @def
(delegate_declaration) @def
(method_declaration) @def
(constructor_declaration) @def
(destructor_declaration) @def
(operator_declaration) @def
(conversion_operator_declaration) @def
(indexer_declaration) @def
(local_function_statement) @def
(property_declaration value: (arrow_expression_clause)) @def
(property_declaration accessors: (accessor_list (accessor_declaration body: (_)))) @def
(comment) @comment
(string_literal_content) @mask
(verbatim_string_literal) @mask
(raw_string_literal) @mask
(character_literal) @mask
(string_content) @mask
(invocation_expression function: (identifier) @call)
(invocation_expression function: (generic_name (identifier) @call))
(invocation_expression function: (member_access_expression name: (identifier) @call))
(invocation_expression function: (member_access_expression name: (generic_name (identifier) @call)))
(invocation_expression function: (conditional_access_expression (member_binding_expression name: (identifier) @call)))
(invocation_expression function: (conditional_access_expression (member_binding_expression name: (generic_name (identifier) @call))))
(object_creation_expression type: (identifier) @call)
(object_creation_expression type: (generic_name (identifier) @call))
(object_creation_expression type: (qualified_name name: (identifier) @call))
(variable_declarator name: (identifier) @local)
(parameter name: (identifier) @local)
(parameter_list name: (identifier) @local)
(implicit_parameter) @local
(foreach_statement left: (identifier) @local)
(catch_declaration name: (identifier) @local)
(declaration_expression name: (identifier) @local)
(declaration_pattern name: (identifier) @local)
(using_directive) @import
(namespace_declaration name: (_) @package)
(file_scoped_namespace_declaration name: (_) @package)
"""

KEYWORDS = words(
    "abstract add alias and as ascending async await base bool break by byte case catch char checked class const continue "
    "decimal default delegate descending do double dynamic else enum equals event explicit extern false file finally fixed "
    "float for foreach from get global goto group if implicit in init int interface internal into is join let lock long "
    "managed nameof namespace new nint not notnull null object on operator or orderby out override params partial private "
    "protected public readonly record ref remove required return sbyte scoped sealed select set short sizeof stackalloc static "
    "string struct switch this throw true try typeof uint ulong unchecked unmanaged unsafe ushort using value var virtual void "
    "volatile when where while with yield"
)

_KINDS: dict[str, Kind] = {
    "class_declaration": "class",
    "interface_declaration": "interface",
    "struct_declaration": "struct",
    "enum_declaration": "enum",
    "record_declaration": "class",
}
_ATTRIBUTES = frozenset(("attribute_list",))


def _type(source: Source, node: Node) -> Iterable[Draft]:
    base_list = child_of_type(node, "base_list")
    names = [source.text(child) for child in base_list.named_children if child.type != "argument_list"] if base_list is not None else []
    kind = _KINDS[node.type]
    if kind == "enum":
        names = []  # the type that its numbers have
    return declared(source, node, kind, bases=plain_bases(names), signature_start=after_annotations(source, node, _ATTRIBUTES))


def _member(source: Source, node: Node) -> Iterable[Draft]:
    name: str | None = None
    if node.type == "operator_declaration":
        name = "operator " + source.text(node.child_by_field_name("operator"))
    elif node.type == "conversion_operator_declaration":
        name = "operator " + source.text(node.child_by_field_name("type"))
    elif node.type == "indexer_declaration":
        name = "this[]"
    elif node.type == "destructor_declaration":
        name = "~" + source.text(node.child_by_field_name("name"))
    start = after_annotations(source, node, _ATTRIBUTES)
    drafts = declared(source, node, "function" if node.type == "local_function_statement" else "method", name=name, signature_start=start)
    body = node.child_by_field_name("accessors") or node.child_by_field_name("value")
    for draft in drafts:
        if body is not None and body.type in ("accessor_list", "arrow_expression_clause"):
            draft.has_body, draft.signature_end = True, header_end(source, node, body)
    return drafts


def _import(source: Source, node: Node) -> Iterable[Import]:
    alias = source.text(node.child_by_field_name("name"))
    targets = [child for child in node.named_children if child.type in ("identifier", "qualified_name", "alias_qualified_name")]
    module = source.text(targets[-1]).replace("global::", "") if targets else ""
    if module:
        yield Import(module, () if alias else (("*", "*"),), alias, line_of(node), is_relative=False)


CSHARP = Language(
    name="csharp",
    grammar=("tree_sitter_c_sharp", "language"),
    query=QUERY,
    define={
        **dict.fromkeys(_KINDS, _type),
        "delegate_declaration": lambda source, node: valued(source, node, "type", node.child_by_field_name("name")),
        "method_declaration": _member,
        "constructor_declaration": _member,
        "destructor_declaration": _member,
        "operator_declaration": _member,
        "conversion_operator_declaration": _member,
        "indexer_declaration": _member,
        "local_function_statement": _member,
        "property_declaration": _member,
    },
    imports=_import,
    keywords=KEYWORDS,
    explosive_angles=True,
    unended_bytes_max=8_192,
)
