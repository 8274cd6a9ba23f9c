"""JavaScript, TypeScript and TSX: functions are values, so the name often stands in an assignment around them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import, Kind
from clew.codebase.languages.drafts import (
    Define,
    Draft,
    Language,
    Source,
    child_of_type,
    declared,
    header_end,
    line_of,
    plain_bases,
    valued,
    words,
)

_COMMON = """
(function_declaration) @def
(generator_function_declaration) @def
(class_declaration) @def
(method_definition) @def
(program (lexical_declaration) @def)
(program (variable_declaration) @def)
(export_statement declaration: (lexical_declaration) @def)
(export_statement declaration: (variable_declaration) @def)
(lexical_declaration (variable_declarator value: [(arrow_function) (function_expression) (generator_function) (class)])) @def
(variable_declaration (variable_declarator value: [(arrow_function) (function_expression) (generator_function) (class)])) @def
(expression_statement (assignment_expression
  left: [(member_expression) (identifier)]
  right: [(arrow_function) (function_expression) (generator_function) (class)])) @def
(variable_declarator value: (object (pair value: [(arrow_function) (function_expression) (generator_function)]) @def))
(assignment_expression right: (object (pair value: [(arrow_function) (function_expression) (generator_function)]) @def))
(export_statement value: (object (pair value: [(arrow_function) (function_expression) (generator_function)]) @def))
(expression_statement (call_expression arguments: (arguments . [(string) (template_string)]))) @def
(export_statement value: [(arrow_function) (function_expression) (class)]) @def
(export_statement) @wrap
(comment) @comment
(string_fragment) @mask
(escape_sequence) @mask
(regex_pattern) @mask
(regex_flags) @mask
(call_expression function: (identifier) @call)
(call_expression function: (member_expression property: [(property_identifier) (private_property_identifier)] @call))
(new_expression constructor: (identifier) @call)
(new_expression constructor: (member_expression property: (property_identifier) @call))
(variable_declarator name: (identifier) @local)
(shorthand_property_identifier_pattern) @local
(pair_pattern value: (identifier) @local)
(array_pattern (identifier) @local)
(assignment_pattern left: (identifier) @local)
(rest_pattern (identifier) @local)
(arrow_function parameter: (identifier) @local)
(catch_clause parameter: (identifier) @local)
(for_in_statement left: (identifier) @local)
(import_statement) @import
(export_statement source: (string)) @import
((call_expression function: (identifier) @_require arguments: (arguments . (string))) @import (#eq? @_require "require"))
(call_expression function: (import) arguments: (arguments . (string))) @import
"""

_JSX = """
(jsx_text) @mask
((jsx_opening_element name: (identifier) @mask) (#match? @mask "^[a-z]"))
((jsx_closing_element name: (identifier) @mask) (#match? @mask "^[a-z]"))
((jsx_self_closing_element name: (identifier) @mask) (#match? @mask "^[a-z]"))
(jsx_attribute (property_identifier) @mask)
"""

_FIELD = "(field_definition value: [(arrow_function) (function_expression)]) @def\n(formal_parameters (identifier) @local)\n"

_TYPED = """
(public_field_definition value: [(arrow_function) (function_expression)]) @def
(class_body (decorator) @lead)
(abstract_class_declaration) @def
(abstract_method_signature) @def
(class_body (method_signature) @def)
(interface_body (method_signature) @def)
(function_signature) @def
(interface_declaration) @def
(type_alias_declaration) @def
(enum_declaration) @def
(internal_module) @def
(module) @def
(ambient_declaration) @wrap
(expression_statement (internal_module)) @wrap
(required_parameter pattern: (identifier) @local)
(optional_parameter pattern: (identifier) @local)
"""

KEYWORDS = words(
    "abstract any arguments as async await boolean break case catch class const continue debugger declare default delete do "
    "else enum export extends false finally for from function get if implements import in infer instanceof interface is keyof "
    "let module namespace never new null number object of private protected public readonly require return satisfies set "
    "static string super switch symbol this throw true try type typeof undefined unknown var void while with yield constructor"
)

_TESTS = frozenset(("describe", "it", "test", "suite", "context", "specify", "bench", "fdescribe", "fit", "xit", "xdescribe"))
_EXPORTS = re.compile(r"^(?:module\.exports|exports|this|window|globalThis|self)(?:\.|$)")


def _function_value(value: Node | None) -> bool:
    return value is not None and value.type in ("arrow_function", "function_expression", "generator_function")


def _assigned(source: Source, place: Node, value: Node, kind: Kind, name: str, qualifier: str = "") -> Iterable[Draft]:
    """Return the draft of a function or a class that stands in an assignment; the assignment is its span."""
    if not name:
        return ()
    start, end = place.start_byte, place.end_byte
    bases = _heritage(source, value) if value.type == "class" else ()
    header = header_end(source, value, value.child_by_field_name("body"))
    return (Draft("class" if value.type == "class" else kind, name, start, end, start, header, bases, qualifier),)


def _variables(source: Source, node: Node) -> Iterable[Draft]:
    declarators = [child for child in node.named_children if child.type == "variable_declarator"]
    is_constant = any(child.type == "const" for child in node.children)
    for declarator in declarators:
        place = node if len(declarators) == 1 else declarator
        name, value = declarator.child_by_field_name("name"), declarator.child_by_field_name("value")
        if name is None or name.type != "identifier":
            continue
        if value is not None and (_function_value(value) or value.type == "class"):
            yield from _assigned(source, place, value, "function", source.text(name))
        elif not _is_require(source, value):
            yield from valued(source, place, "constant" if is_constant else "variable", name)


def _is_require(source: Source, value: Node | None) -> bool:
    if value is not None and value.type == "member_expression":
        value = value.child_by_field_name("object")
    return value is not None and value.type == "call_expression" and source.text(value.child_by_field_name("function")) == "require"


def _pair(source: Source, node: Node) -> Iterable[Draft]:
    key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
    return _assigned(source, node, value, "method", source.text(key).strip("\"'")) if value is not None else ()


def _field(source: Source, node: Node) -> Iterable[Draft]:
    name = node.child_by_field_name("name") or node.child_by_field_name("property")
    value = node.child_by_field_name("value")
    return _assigned(source, node, value, "method", source.text(name)) if value is not None else ()


def _statement(source: Source, node: Node) -> Iterable[Draft]:
    """Return the draft of `a.b = function …`, or of `it("…", …)`."""
    inner = node.named_child(0)
    if inner.type == "call_expression":
        return _test(source, node, inner)
    left, right = inner.child_by_field_name("left"), inner.child_by_field_name("right")
    if right is None or not (_function_value(right) or right.type == "class"):
        return ()
    path = source.text(left)
    kind: Kind = "method" if ".prototype." in path or path.startswith("this.") else "function"
    plain = _EXPORTS.sub("", path).replace(".prototype.", ".")
    qualifier, _, name = plain.rpartition(".")
    return _assigned(source, node, right, kind, name or source.text(right.child_by_field_name("name")) or "exports", qualifier)


def _test(source: Source, node: Node, call: Node) -> Iterable[Draft]:
    function = source.text(call.child_by_field_name("function"))
    arguments = call.child_by_field_name("arguments")
    if function.split(".", 1)[0] not in _TESTS or arguments is None:
        return ()
    title = source.text(arguments.named_child(0)).strip("\"'`")
    body = next((child.child_by_field_name("body") for child in arguments.named_children if _function_value(child)), None)
    if body is None or not title:
        return ()
    start, end = node.start_byte, node.end_byte
    return (Draft("test", title, start, end, start, header_end(source, node, body)),)


def _default_export(source: Source, node: Node) -> Iterable[Draft]:
    """Return the draft of `export default () => …`; one with a name of its own is captured by itself."""
    value = node.child_by_field_name("value")
    if value is None:
        return ()
    return _assigned(source, node, value, "function", source.text(value.child_by_field_name("name")) or "default")


def _heritage(source: Source, node: Node) -> tuple[str, ...]:
    heritage = child_of_type(node, "class_heritage", "extends_type_clause")
    if heritage is None:
        return ()
    texts: list[str] = []
    for child in heritage.named_children:
        if child.type in ("extends_clause", "implements_clause"):
            texts += [source.text(name) for name in child.named_children if name.type not in ("type_arguments", "call_expression")]
        else:
            texts.append(source.text(child))
    return plain_bases(text for text in texts if "(" not in text)


def _class(source: Source, node: Node) -> Iterable[Draft]:
    decorators = [child for child in node.children if child.type == "decorator"]
    start = node.start_byte
    if decorators:
        start = decorators[-1].end_byte
        while source.data[start : start + 1].isspace():
            start += 1
    return declared(source, node, "class", bases=_heritage(source, node), signature_start=start)


def _namespace(source: Source, node: Node) -> Iterable[Draft]:
    return declared(source, node, "namespace", name=source.text(node.child_by_field_name("name")).strip("\"'"))


def _quoted(source: Source, node: Node | None) -> str:
    return source.text(node).strip("\"'`")


def _import(source: Source, node: Node) -> Iterable[Import]:
    if node.type == "call_expression":
        return _required(source, node)
    module_node = node.child_by_field_name("source")
    names: list[tuple[str, str]] = []
    alias = ""
    for clause in node.named_children:
        if clause.type == "import_require_clause":
            module_node = clause.child_by_field_name("source")
            alias = source.text(clause.named_child(0))
        for part in clause.named_children if clause.type in ("import_clause", "export_clause") else [clause]:
            if part.type == "identifier" and clause.type == "import_clause":
                names.append(("default", source.text(part)))
            elif part.type in ("namespace_import", "namespace_export"):
                alias = source.text(part.named_child(0))
            elif part.type == "named_imports":
                names += [_specifier(source, specifier) for specifier in part.named_children if specifier.type == "import_specifier"]
            elif part.type == "export_specifier":
                names.append(_specifier(source, part))
    if node.type == "export_statement" and not names and not alias:
        names.append(("*", "*"))
    module = _quoted(source, module_node)
    return (Import(module, tuple(names), alias, line_of(node), is_relative=module.startswith(".")),) if module else ()


def _specifier(source: Source, node: Node) -> tuple[str, str]:
    name = source.text(node.child_by_field_name("name"))
    return name, source.text(node.child_by_field_name("alias")) or name


def _required(source: Source, node: Node) -> Iterable[Import]:
    """Return `require("x")` or `import("x")`, with the names that the declaration around it takes out."""
    arguments = node.child_by_field_name("arguments")
    module = _quoted(source, arguments.named_child(0) if arguments is not None else None)
    names: tuple[tuple[str, str], ...] = ()
    alias = ""
    parent = node.parent
    member = ""
    if parent is not None and parent.type == "member_expression":
        member = source.text(parent.child_by_field_name("property"))
        parent = parent.parent
    if parent is not None and parent.type in ("variable_declarator", "await_expression"):
        target = parent.child_by_field_name("name")
        if target is not None and target.type == "identifier":
            alias = source.text(target)
            if member:
                names, alias = ((member, alias),), ""
        elif target is not None and target.type == "object_pattern":
            names = tuple(_taken(source, child) for child in target.named_children)
    return (Import(module, names, alias, line_of(node), is_relative=module.startswith(".")),) if module else ()


def _taken(source: Source, node: Node) -> tuple[str, str]:
    """Return (name there, name here) of one name in `const { a, b: c } = require(…)`."""
    if node.type == "pair_pattern":
        return source.text(node.child_by_field_name("key")), source.text(node.child_by_field_name("value"))
    name = source.text(node).split("=", 1)[0].strip(" .")
    return name, name


_DEFINE: dict[str, Define] = {
    "function_declaration": lambda source, node: declared(source, node, "function"),
    "generator_function_declaration": lambda source, node: declared(source, node, "function"),
    "function_signature": lambda source, node: declared(source, node, "function"),
    "class_declaration": _class,
    "abstract_class_declaration": _class,
    "method_definition": lambda source, node: declared(source, node, "method"),
    "abstract_method_signature": lambda source, node: declared(source, node, "method"),
    "method_signature": lambda source, node: declared(source, node, "method"),
    "field_definition": _field,
    "public_field_definition": _field,
    "lexical_declaration": _variables,
    "variable_declaration": _variables,
    "expression_statement": _statement,
    "export_statement": _default_export,
    "pair": _pair,
    "interface_declaration": lambda source, node: declared(source, node, "interface", bases=_heritage(source, node)),
    "type_alias_declaration": lambda source, node: valued(source, node, "type", node.child_by_field_name("name")),
    "enum_declaration": lambda source, node: declared(source, node, "enum"),
    "internal_module": _namespace,
    "module": _namespace,
}


JAVASCRIPT = Language(
    name="javascript",
    grammar=("tree_sitter_javascript", "language"),
    query=_COMMON + _JSX + _FIELD,
    define=_DEFINE,
    imports=_import,
    keywords=KEYWORDS,
)

TYPESCRIPT = Language(
    name="typescript",
    grammar=("tree_sitter_typescript", "language_typescript"),
    query=_COMMON + _TYPED,
    define=_DEFINE,
    imports=_import,
    keywords=KEYWORDS,
)

TSX = Language(
    name="tsx",
    grammar=("tree_sitter_typescript", "language_tsx"),
    query=_COMMON + _JSX + _TYPED,
    define=_DEFINE,
    imports=_import,
    keywords=KEYWORDS,
)
