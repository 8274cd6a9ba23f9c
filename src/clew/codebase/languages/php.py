"""PHP: variables carry a sigil, so whatever has none may name a symbol."""

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
    line_of,
    plain_bases,
    valued,
    words,
)

QUERY = """
(class_declaration) @def
(interface_declaration) @def
(trait_declaration) @def
(enum_declaration) @def
(method_declaration) @def
(function_definition) @def
(program (const_declaration) @def)
(comment) @comment
(string_content) @mask
(nowdoc_string) @mask
(text) @mask
(function_call_expression function: (name) @call)
(function_call_expression function: (qualified_name (name) @call .))
(member_call_expression name: (name) @call)
(nullsafe_member_call_expression name: (name) @call)
(scoped_call_expression name: (name) @call)
(object_creation_expression (name) @call)
(object_creation_expression (qualified_name (name) @call .))
(namespace_use_declaration) @import
(require_expression) @import
(require_once_expression) @import
(include_expression) @import
(include_once_expression) @import
(namespace_definition name: (namespace_name) @package)
"""

KEYWORDS = words(
    "abstract and array as bool break callable case catch class clone const continue declare default do echo else elseif empty "
    "enddeclare endfor endforeach endif endswitch endwhile enum extends false final finally float fn for foreach from function "
    "global goto if implements include include_once instanceof insteadof int interface isset iterable list match mixed "
    "namespace never new null object or parent print private protected public readonly require require_once return self static "
    "string strict_types switch throw trait true try unset use var void while xor yield php __DIR__ __FILE__ __CLASS__"
)

_KINDS: dict[str, Kind] = {
    "class_declaration": "class",
    "interface_declaration": "interface",
    "trait_declaration": "trait",
    "enum_declaration": "enum",
}
_ATTRIBUTES = frozenset(("attribute_list",))


def _type(source: Source, node: Node) -> Iterable[Draft]:
    body = node.child_by_field_name("body")
    clauses = [child for child in node.named_children if child.type in ("base_clause", "class_interface_clause")]
    clauses += [child for child in body.named_children if child.type == "use_declaration"] if body is not None else []
    names = [source.text(name) for clause in clauses for name in clause.named_children if name.type in ("name", "qualified_name")]
    start = after_annotations(source, node, _ATTRIBUTES)
    return declared(source, node, _KINDS[node.type], bases=plain_bases(names), signature_start=start)


def _constants(source: Source, node: Node) -> Iterable[Draft]:
    element = child_of_type(node, "const_element")
    return valued(source, node, "constant", element.named_child(0)) if element is not None else ()


def _import(source: Source, node: Node) -> Iterable[Import]:
    line = line_of(node)
    if node.type != "namespace_use_declaration":
        text = source.text(node)
        parts = [part for part in text.replace('"', "'").split("'")[1::2] if part]
        if parts and "$" not in text:
            folder = "./" if "__DIR__" in text else ""
            yield Import((folder + "".join(parts).lstrip("/")) if folder else "".join(parts), (("*", "*"),), "", line, is_relative=True)
        return
    group = node.child_by_field_name("body")
    prefix = source.text(child_of_type(node, "namespace_name")) + "\\" if group is not None else ""
    for clause in (group if group is not None else node).named_children:
        if clause.type != "namespace_use_clause":
            continue
        alias = source.text(clause.child_by_field_name("alias"))
        name = next((child for child in clause.named_children if child.type in ("qualified_name", "name")), None)
        module, _, last = (prefix + source.text(name)).strip("\\").rpartition("\\")
        if last:
            yield Import(
                module or last, ((last, alias or last),) if module else (), "" if module else alias or last, line, is_relative=False
            )


def _member(source: Source, node: Node) -> Iterable[Draft]:
    kind: Kind = "method" if node.type == "method_declaration" else "function"
    return declared(source, node, kind, signature_start=after_annotations(source, node, _ATTRIBUTES))


PHP = Language(
    name="php",
    grammar=("tree_sitter_php", "language_php"),
    query=QUERY,
    define={
        **dict.fromkeys(_KINDS, _type),
        "method_declaration": _member,
        "function_definition": _member,
        "const_declaration": _constants,
    },
    imports=_import,
    keywords=KEYWORDS,
    sigil="$",
)
