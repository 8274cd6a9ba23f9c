"""C and C++: the name of a definition hides in its declarator, and headers declare what others define."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import, Kind
from clew.codebase.languages.drafts import Draft, Language, Source, child_of_type, declared, header_end, line_of, plain_bases, valued, words

_COMMON = """
(function_definition) @def
(translation_unit (declaration) @def)
(declaration_list (declaration) @def)
(linkage_specification body: (declaration) @def)
(preproc_if (declaration) @def)
(preproc_ifdef (declaration) @def)
(preproc_else (declaration) @def)
(preproc_elif (declaration) @def)
(type_definition) @def
(struct_specifier body: (_)) @def
(union_specifier body: (_)) @def
(enum_specifier body: (_)) @def
(preproc_def value: (_)) @def
(preproc_function_def) @def
(comment) @comment
(string_content) @mask
(char_literal) @mask
(system_lib_string) @mask
(call_expression function: (identifier) @call)
(call_expression function: (field_expression field: (field_identifier) @call))
(init_declarator declarator: (identifier) @local)
(declaration declarator: (identifier) @local)
(parameter_declaration declarator: (identifier) @local)
(pointer_declarator declarator: (identifier) @local)
(array_declarator declarator: (identifier) @local)
(preproc_params (identifier) @local)
(preproc_include) @import
"""

_CPP = """
(class_specifier body: (_)) @def
(namespace_definition) @def
(alias_declaration) @def
(concept_definition) @def
(field_declaration_list (declaration) @def)
(field_declaration declarator: (function_declarator)) @def
(field_declaration declarator: (pointer_declarator)) @def
(field_declaration declarator: (reference_declarator)) @def
(template_declaration (declaration) @def)
(template_declaration) @wrap
(raw_string_content) @mask
(call_expression function: (qualified_identifier name: (identifier) @call))
(call_expression function: (qualified_identifier name: (qualified_identifier name: (identifier) @call)))
(call_expression function: (qualified_identifier name: (qualified_identifier name: (qualified_identifier name: (identifier) @call))))
(call_expression function: (qualified_identifier name: (template_function name: (identifier) @call)))
(call_expression function: (qualified_identifier name: (qualified_identifier name: (template_function name: (identifier) @call))))
(call_expression function: (template_function name: (identifier) @call))
(call_expression function: (field_expression field: (template_method name: (field_identifier) @call)))
(new_expression type: (type_identifier) @call)
(new_expression type: (template_type name: (type_identifier) @call))
(new_expression type: (qualified_identifier name: (type_identifier) @call))
(reference_declarator (identifier) @local)
(for_range_loop declarator: (identifier) @local)
(structured_binding_declarator (identifier) @local)
(optional_parameter_declaration declarator: (identifier) @local)
"""

_C_WORDS = (
    "auto break case char const continue default do double else enum extern float for goto if inline int long register restrict "
    "return short signed sizeof static struct switch typedef union unsigned void volatile while _Bool bool true false NULL "
    "size_t ssize_t ptrdiff_t uint8_t uint16_t uint32_t uint64_t int8_t int16_t int32_t int64_t uintptr_t intptr_t "
    "define include ifdef ifndef endif elif undef pragma defined error"
)
KEYWORDS = words(_C_WORDS)
CPP_KEYWORDS = KEYWORDS | words(
    "alignas alignof and asm bitand bitor catch class co_await co_return co_yield compl concept consteval constexpr constinit "
    "const_cast decltype delete dynamic_cast explicit export final friend mutable namespace new noexcept not nullptr operator or "
    "override private protected public reinterpret_cast requires static_assert static_cast template this thread_local throw try "
    "typeid typename using virtual wchar_t xor std string vector"
)

_NAMES = frozenset(
    (
        "identifier",
        "field_identifier",
        "type_identifier",
        "qualified_identifier",
        "destructor_name",
        "operator_name",
        "operator_cast",
        "template_function",
    )
)
_DECLARATORS = frozenset(
    (
        "pointer_declarator",
        "reference_declarator",
        "parenthesized_declarator",
        "function_declarator",
        "array_declarator",
        "init_declarator",
        "attributed_declarator",
    )
)
_CONSTANT = re.compile(rb"(?:\w+\s+)*?(?:const|constexpr|constinit)\b")


def _declared_name(node: Node | None) -> tuple[Node | None, bool]:
    """Return the name at the bottom of a declarator, and whether it is a function's."""
    is_function = False
    while node is not None and node.type not in _NAMES:
        if node.type not in _DECLARATORS:
            return None, False
        is_function = node.type == "function_declarator"
        inner = node.child_by_field_name("declarator")
        if inner is None:
            inner = next((child for child in node.named_children if child.type in _NAMES or child.type in _DECLARATORS), None)
        node = inner
    return node, is_function or (node is not None and node.type == "operator_cast")


def _path(source: Source, name: Node) -> tuple[str, str]:
    """Return (qualifier with dots, name) of a name that may be qualified, without template arguments."""
    if name.type == "operator_cast":
        return "", "operator " + source.text(name.child_by_field_name("type"))
    text = source.text(name)
    operator = text.find("operator")
    tail = text[operator:] if operator >= 0 and name.type in ("operator_name", "qualified_identifier") else ""
    head = text[: len(text) - len(tail)]
    depth, kept = 0, list[str]()
    for character in head:
        depth += character == "<"
        if not depth:
            kept.append(character)
        depth -= character == ">" and depth > 0
    parts = [part.strip() for part in ("".join(kept) + tail).split("::")]
    return ".".join(part for part in parts[:-1] if part), parts[-1]


def _function(source: Source, node: Node) -> Iterable[Draft]:
    declarator = node.child_by_field_name("declarator")
    name, is_function = _declared_name(declarator)
    if name is None:
        return ()
    body = node.child_by_field_name("body")
    if not is_function:
        # `class EXPORT Name : Base { … }`: an unknown macro makes the grammar see a function without parameters.
        kind = node.child_by_field_name("type")
        is_type = kind is not None and kind.type in ("class_specifier", "struct_specifier")
        return (
            declared(source, node, "class" if kind and kind.type == "class_specifier" else "struct", name=source.text(name))
            if is_type
            else ()
        )
    qualifier, own = _path(source, name)
    start, end = node.start_byte, node.end_byte
    kind_: Kind = "method" if qualifier else "function"
    return (Draft(kind_, own, start, end, start, header_end(source, node, body), (), qualifier, has_body=body is not None),) if own else ()


def _declaration(source: Source, node: Node) -> Iterable[Draft]:
    """Return the draft of a prototype, of a method without its body, or of a value."""
    name, is_function = _declared_name(node.child_by_field_name("declarator"))
    if name is None:
        return ()
    qualifier, own = _path(source, name)
    start, end = node.start_byte, node.end_byte
    if is_function:
        return (Draft("function", own, start, end, start, end, (), qualifier, has_body=False),) if own else ()
    if node.type == "field_declaration":
        return ()
    kind: Kind = "constant" if _CONSTANT.match(source.data, start, name.start_byte) else "variable"
    return (Draft(kind, own, start, end, start, source.line_end(start, end), (), qualifier, has_body=False),) if own else ()


_SPECIFIERS: dict[str, Kind] = {
    "struct_specifier": "struct",
    "union_specifier": "struct",
    "enum_specifier": "enum",
    "class_specifier": "class",
}


def _specifier(source: Source, node: Node) -> Iterable[Draft]:
    """Return the draft of a struct, union, enum or class with a body; one in a typedef is the typedef's."""
    parent = node.parent
    if parent is not None and parent.type == "type_definition":
        return ()
    name = node.child_by_field_name("name")
    return declared(
        source, node, _SPECIFIERS[node.type], name=_path(source, name)[1] if name is not None else "", bases=_bases(source, node)
    )


def _bases(source: Source, node: Node) -> tuple[str, ...]:
    clause = child_of_type(node, "base_class_clause")
    if clause is None:
        return ()
    return plain_bases(
        source.text(child) for child in clause.named_children if child.type in ("type_identifier", "qualified_identifier", "template_type")
    )


def _typedef(source: Source, node: Node) -> Iterable[Draft]:
    name, _ = _declared_name(node.child_by_field_name("declarator"))
    specifier = node.child_by_field_name("type")
    if name is None:
        return ()
    body = specifier.child_by_field_name("body") if specifier is not None and specifier.type in _SPECIFIERS else None
    if specifier is None or body is None:
        return valued(source, node, "type", name)
    start, end = node.start_byte, node.end_byte
    return (Draft(_SPECIFIERS[specifier.type], source.text(name), start, end, start, header_end(source, node, body)),)


def _namespace(source: Source, node: Node) -> Iterable[Draft]:
    name = source.text(node.child_by_field_name("name"))
    return declared(source, node, "namespace", name=name.replace("::", ".").replace(" ", "")) if name else ()


def _macro(source: Source, node: Node) -> Iterable[Draft]:
    drafts = valued(source, node, "macro", node.child_by_field_name("name"))
    for draft in drafts:
        draft.end = draft.node_end = draft.start + len(source.data[draft.start : draft.end].rstrip())
    return drafts


def _alias(source: Source, node: Node) -> Iterable[Draft]:
    return valued(source, node, "type", node.child_by_field_name("name"))


def _import(source: Source, node: Node) -> Iterable[Import]:
    path = node.child_by_field_name("path")
    text = source.text(path)
    if path is not None and path.type in ("string_literal", "system_lib_string"):
        yield Import(text.strip('<>" '), (("*", "*"),), "", line_of(node), is_relative=path.type == "string_literal")


_DEFINE = {
    "function_definition": _function,
    "declaration": _declaration,
    "field_declaration": _declaration,
    "type_definition": _typedef,
    **dict.fromkeys(_SPECIFIERS, _specifier),
    "preproc_def": _macro,
    "preproc_function_def": _macro,
    "namespace_definition": _namespace,
    "alias_declaration": _alias,
    "concept_definition": _alias,
}

C = Language(
    name="c",
    grammar=("tree_sitter_c", "language"),
    query=_COMMON,
    define=_DEFINE,
    imports=_import,
    keywords=KEYWORDS,
    explosive_angles=True,
    unended_bytes_max=8_192,
)

CPP = Language(
    name="cpp",
    grammar=("tree_sitter_cpp", "language"),
    query=_COMMON + _CPP,
    define=_DEFINE,
    imports=_import,
    keywords=CPP_KEYWORDS,
    explosive_angles=True,
    unended_bytes_max=8_192,
)
