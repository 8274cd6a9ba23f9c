"""Python: docs stand inside, decorators around, and names bind by assignment."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import
from clew.codebase.languages.drafts import Draft, Language, Source, dedent, line_of, plain_bases, words

QUERY = """
(function_definition) @def
(class_definition) @def
(module (expression_statement (assignment left: (identifier)) @def))
(module (if_statement (block (expression_statement (assignment left: (identifier)) @def))))
(module (try_statement (block (expression_statement (assignment left: (identifier)) @def))))
(decorated_definition) @wrap
(comment) @comment
(string_content) @mask
(keyword_argument name: (identifier) @mask)
(call function: (identifier) @call)
(call function: (attribute attribute: (identifier) @call))
(assignment left: (identifier) @local)
(assignment left: (pattern_list (identifier) @local))
(for_statement left: (identifier) @local)
(for_statement left: (pattern_list (identifier) @local))
(for_in_clause left: (identifier) @local)
(for_in_clause left: (pattern_list (identifier) @local))
(parameters (identifier) @local)
(parameters (list_splat_pattern (identifier) @local))
(parameters (dictionary_splat_pattern (identifier) @local))
(parameters (default_parameter name: (identifier) @local))
(parameters (typed_parameter . (identifier) @local))
(parameters (typed_default_parameter name: (identifier) @local))
(lambda_parameters (identifier) @local)
(as_pattern_target (identifier) @local)
(import_statement) @import
(import_from_statement) @import
(future_import_statement) @import
"""

KEYWORDS = words(
    "False None True and as assert async await break class continue def del elif else except finally for from global if "
    "import in is lambda nonlocal not or pass raise return try while with yield match case self cls super "
    "int str float bool bytes object dict list set tuple type len range print isinstance property staticmethod classmethod"
)

_QUOTE = re.compile(rb"^[A-Za-z]{0,2}(\"\"\"|'''|\"|')")


def clean(raw: bytes) -> str:
    """Return the text of a string literal, without quotes and common indentation."""
    found = _QUOTE.match(raw)
    if found is None:
        return ""
    quote = found.group(1)
    stop = len(raw) - len(quote) if raw.endswith(quote) and len(raw) >= found.end() + len(quote) else len(raw)
    text = raw[found.end() : stop].decode("utf-8", "replace")
    if "\n" not in text:
        return text.strip()
    return dedent(text)


def docstring_of(body: Node | None) -> Node | None:
    """Return the string node that documents a module, class or function, if its first statement is one."""
    if body is None or not body.named_child_count:
        return None
    first: Node | None = body.named_child(0)
    if first.type == "comment":  # a licence may have many lines
        first = next((child for child in body.named_children if child.type != "comment"), None)
    if first is None or first.type != "expression_statement" or first.child_count != 1:
        return None
    string = first.child(0)
    return string if string.type in ("string", "concatenated_string") else None


def _documented(source: Source, draft: Draft, body: Node | None) -> Draft:
    string = docstring_of(body)
    if string is not None:
        draft.docstring = clean(source.data[string.start_byte : string.end_byte])
        draft.doc_end = string.end_byte
    return draft


def _header_end(source: Source, node: Node, behind: Node) -> int:
    colon = source.data.find(b":", behind.end_byte, node.end_byte)
    return node.end_byte if colon < 0 else colon + 1


def _function(source: Source, node: Node) -> Iterable[Draft]:
    name = node.child_by_field_name("name")
    behind = node.child_by_field_name("return_type") or node.child_by_field_name("parameters") or name
    if name is None or behind is None:
        return ()
    start, end = node.start_byte, node.end_byte
    draft = Draft("function", source.text(name), start, end, start, _header_end(source, node, behind))
    return (_documented(source, draft, node.child_by_field_name("body")),)


def _class(source: Source, node: Node) -> Iterable[Draft]:
    name = node.child_by_field_name("name")
    if name is None:
        return ()
    arguments = node.child_by_field_name("superclasses")
    bases: tuple[str, ...] = ()
    if arguments is not None:
        bases = plain_bases(source.text(child) for child in arguments.named_children if child.type in _BASES)
    start, end = node.start_byte, node.end_byte
    header_end = _header_end(source, node, arguments or node.child_by_field_name("type_parameters") or name)
    draft = Draft("class", source.text(name), start, end, start, header_end, bases)
    return (_documented(source, draft, node.child_by_field_name("body")),)


_BASES = frozenset(("identifier", "attribute", "subscript"))


def _assignment(source: Source, node: Node) -> Iterable[Draft]:
    name = source.text(node.child_by_field_name("left"))
    start, end = node.start_byte, node.end_byte
    kind = "constant" if name.isupper() else "variable"
    return (Draft(kind, name, start, end, start, source.line_end(start, end), has_body=False),)


def _aliased(source: Source, node: Node) -> tuple[str, str]:
    """Return (name there, name here) of one imported name."""
    if node.type != "aliased_import":
        name = source.text(node)
        return name, name
    return source.text(node.child_by_field_name("name")), source.text(node.child_by_field_name("alias"))


def _import(source: Source, node: Node) -> Iterable[Import]:
    line = line_of(node)
    if node.type == "future_import_statement":
        return
    if node.type == "import_statement":
        for child in node.children_by_field_name("name"):
            module, alias = _aliased(source, child)
            yield Import(module, (), alias, line, is_relative=False)
        return
    module = source.text(node.child_by_field_name("module_name")).replace(" ", "")
    if any(child.type == "wildcard_import" for child in node.children):
        names: tuple[tuple[str, str], ...] = (("*", "*"),)
    else:
        names = tuple(_aliased(source, child) for child in node.children_by_field_name("name"))
    yield Import(module, names, "", line, is_relative=module.startswith("."))


PYTHON = Language(
    name="python",
    grammar=("tree_sitter_python", "language"),
    query=QUERY,
    define={"function_definition": _function, "class_definition": _class, "assignment": _assignment},
    imports=_import,
    keywords=KEYWORDS,
    docs_above=False,
    wrap_is_header=False,
    unended_bytes_max=0,
)
