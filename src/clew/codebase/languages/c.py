"""C and C++: the name of a definition hides in its declarator, and headers declare what others define."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import, SymbolKind
from clew.codebase.languages.description import (
    WILDCARD_NAMES,
    Definition,
    SourceFile,
    build_definition,
    build_import,
    load_language,
    split_words,
)
from clew.codebase.path_index import LIKELY_MATCH, WEAK_MATCH, ImportCandidate, PathIndex, join_relative, share_confidence, single_candidate

_NAMES = split_words(
    "identifier field_identifier type_identifier qualified_identifier destructor_name operator_name operator_cast template_function"
)
_DECLARATORS = split_words(
    "pointer_declarator reference_declarator parenthesized_declarator function_declarator array_declarator init_declarator "
    "attributed_declarator"
)
_TYPES: dict[str, SymbolKind] = {
    "struct_specifier": "struct",
    "union_specifier": "struct",
    "enum_specifier": "enum",
    "class_specifier": "class",
}
_FILES = (".h", ".hpp", ".hh", ".hxx", ".c", ".cc", ".cpp", ".cxx", ".inl", ".ipp", ".inc", ".tpp", ".cuh", ".def")
_CONSTANT = re.compile(rb"(?:\w+\s+)*?(?:const|constexpr|constinit)\b")
_CPP_HEAD = re.compile(
    rb"^\s*(?:class\s+\w+[^;]*$|namespace\b|template\s*<|using\s+\w|public\s*:|private\s*:|protected\s*:"
    rb"|#\s*include\s*<(?:string|vector|memory|cstd\w+|iostream|map|utility|functional|type_traits|algorithm)>)|\w::\w",
    re.MULTILINE,
)


# A macro is written in capitals. What stands between `class` and the name, before the type of a function, or alone on a line is not C.
_CAPITALS = rb"[A-Z][A-Z0-9_]{2,}"
_MACROS = rb"%b(?:\([^()\n]*\))?(?:[ \t]+%b(?:\([^()\n]*\))?)*" % (_CAPITALS, _CAPITALS)
_NAMED = rb"[ \t]+[A-Za-z_][\w:]*(?:<[^;{}\n]*>)?[ \t]*(?:final[ \t]*)?[:{\r\n]"
_CLASS_ATTRIBUTE = re.compile(rb"(?<=\b(?:class|union) )[ \t]*\[\[[^\[\]\n]*\]\]|(?<=\bstruct )[ \t]*\[\[[^\[\]\n]*\]\]")
_CLASS_MACRO = re.compile(
    rb"(?<=\b(?:class|union) )[ \t]*%(M)b(?=%(N)b)|(?<=\bstruct )[ \t]*%(M)b(?=%(N)b)" % {b"M": _MACROS, b"N": _NAMED}
)
_LEADING_MACRO = re.compile(
    rb"(?:^|(?<=^extern )|(?<=^static ))[ \t]*%b(?=[ \t]+(?:virtual|static|inline|const|explicit|extern|template|constexpr)\b"
    rb"|[ \t]+[A-Za-z_][\w:<>*& \t]*[ \t*&]\(?[\w:<>~]+(?:operator[^\s\w(]{1,3})?\)?[ \t]*\("
    rb"|[ \t]+(?:\w+::)*(\w+)(?:<[^<>\n]*>)?::~?\1[ \t]*\()" % _CAPITALS,  # a constructor has no type before it
    re.MULTILINE,
)
_CALLING_MACRO = re.compile(  # between a function's type and its name
    rb"^([ \t]*(?:(?:extern|static|inline|virtual|const)[ \t]+)*(?!(?:return|else|case|new|delete|throw|goto|using|typename|friend|const"
    rb"|struct|enum|union|class|unsigned|signed|volatile|extern|static|inline|virtual)\b)[A-Za-z_][\w:<>]*[ \t*&]+)"
    rb"%b(?=[ \t]+[A-Za-z_][\w:<>~]*[ \t]*\()" % _CAPITALS,
    re.MULTILINE,
)
_TRAILING_MACRO = re.compile(  # behind a function's parameters
    rb"^(?![ \t]*#)([^\n]{0,300}\))[ \t]+%b(?=[ \t]*(?:\r?$|[{;:]|override\b|final\b))" % _CAPITALS, re.MULTILINE
)
_LONE_MACRO = re.compile(
    rb"^[ \t]*(?:%b(?:\([^;{}\n]*\))?[ \t]*)+\r?$(?!\r?\n[ \t]*\{)|^[ \t]+%b[ \t]+(?=\{[ \t]*\r?$)" % (_CAPITALS, _CAPITALS), re.MULTILINE
)
_ATTRIBUTE = re.compile(rb"__attribute__[ \t]*\(\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)\)")
_HEADER_MACRO = re.compile(
    rb"^(?!TEST)(%b\([ \t]*)([A-Za-z_]\w*)([ \t]*(?:,|\)[ \t\r\n]))(?=[^;{}()]*\)?[ \t\r]*\n?[ \t]*\{)" % _CAPITALS, re.MULTILINE
)
_BRANCH = re.compile(rb"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else|endif)\b", re.MULTILINE)


def _without_macros(data: bytes) -> bytes:
    """Blank what a preprocessor would take away, so that the grammar sees C: macros in capitals, attributes, and an `#else` that opens a
    second brace for the same body. The result is as long as `data`.
    """
    for pattern in (_ATTRIBUTE, _CLASS_ATTRIBUTE, _CLASS_MACRO, _LEADING_MACRO, _LONE_MACRO):
        data = pattern.sub(lambda found: b" " * len(found[0]), data)
    for pattern in (_CALLING_MACRO, _TRAILING_MACRO):
        data = pattern.sub(lambda found: found[1].ljust(len(found[0])), data)
    data = _HEADER_MACRO.sub(_as_header, data)
    if b"#el" not in data:
        return data
    kept, opened = bytearray(data), list[tuple[int, int]]()  # where the line of an `#if` begins, and its first other branch or 0
    for found in _BRANCH.finditer(data):
        what = found[1]
        if what.startswith(b"if"):
            opened.append((found.start(), 0))
        elif opened and what == b"endif":
            condition, start = opened.pop()
            part = data[start : found.start()] if start else b""
            if part.count(b"{") != part.count(b"}"):
                for first, last in ((condition, _line_end(data, condition)), (start, _line_end(data, found.start()))):
                    kept[first:last] = bytes(byte if byte in b"\r\n" else 32 for byte in data[first:last])
        elif opened and not opened[-1][1]:
            opened[-1] = opened[-1][0], found.start()
    return bytes(kept)


def _line_end(data: bytes, at: int) -> int:
    """Return where a directive ends that begins at `at`: lines that end in a backslash go on."""
    end = data.find(b"\n", at)
    while end > 0 and data[end - 1 : end] == b"\\":
        end = data.find(b"\n", end + 1)
    return end if end >= 0 else len(data)


def _as_header(found: re.Match[bytes]) -> bytes:
    """Write a macro that makes a function's header as one: `HANDLER(stop) ` as `int     stop()`, `CALL(read, int)` as `int  read( int)`."""
    # Of a macro with one argument, the parenthesis and the blank or line end behind it become a pair.
    return b"int".ljust(len(found[1])) + found[2] + (b"(" if found[3].endswith(b",") else b"()").rjust(len(found[3]))


def _declared_name(node: Node | None) -> tuple[Node | None, bool]:
    """Return the name at the bottom of a declarator, and whether it is a function's."""
    is_function = False
    while node is not None and node.type not in _NAMES:
        if node.type not in _DECLARATORS:
            return None, False
        is_function = node.type == "function_declarator" or (is_function and node.type == "parenthesized_declarator")
        inner = node.child_by_field_name("declarator")
        if inner is None:
            inner = next((child for child in node.named_children if child.type in _NAMES or child.type in _DECLARATORS), None)
        node = inner
    return node, is_function or (node is not None and node.type == "operator_cast")


def _path(source: SourceFile, name: Node) -> tuple[str, str]:
    """Return (qualifier with dots, name) of a name that may be qualified, without template arguments."""
    if name.type == "operator_cast":
        return "", "operator " + source.field_text(name, "type")
    text = source.node_text(name)
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


def _function(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    name, is_function = _declared_name(node.child_by_field_name("declarator"))
    if name is None:
        return ()
    if not is_function:
        # `class EXPORT Name : Base { … }`: an unknown macro makes the grammar see a function without parameters.
        seen = node.child_by_field_name("type")
        is_type = seen is not None and seen.type in ("class_specifier", "struct_specifier")
        return build_definition(source, node, _TYPES[seen.type], name=source.node_text(name)) if seen is not None and is_type else ()
    qualifier, own = _path(source, name)
    if "TEST" in own and own.isupper() and (arguments := _type_arguments(source, node)):
        return build_definition(source, node, "test", name=".".join(arguments))
    found = build_definition(source, node, "method" if qualifier else kind, name=own, qualifier=qualifier)
    for each in found:
        each.is_local = _is_local(source, node)
    return found


def _type_arguments(source: SourceFile, node: Node) -> list[str]:
    """The arguments of a macro that makes a function, such as the suite and the name of a test; none where they are parameters."""
    declarator = node.child_by_field_name("declarator")
    parameters = declarator.child_by_field_name("parameters") if declarator is not None else None
    given = parameters.named_children if parameters is not None else []
    if any(each.child_by_field_name("declarator") is not None or each.type != "parameter_declaration" for each in given):
        return []
    return [source.node_text(each) for each in given]


def _is_local(source: SourceFile, node: Node) -> bool:
    """Whether a function is one of its file alone: `static`, or in a namespace without a name; of a class's members none is."""
    around = node.parent
    if around is not None and around.type == "field_declaration_list":
        return False
    if any(child.type == "storage_class_specifier" and source.node_text(child) == "static" for child in node.children):
        return True
    while around is not None:
        if around.type == "namespace_definition" and around.child_by_field_name("name") is None:
            return True
        around = around.parent
    return False


def _declaration(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    """Return a prototype, a method without its body, or a value."""
    name, is_function = _declared_name(node.child_by_field_name("declarator"))
    if name is None or (node.type == "field_declaration" and not is_function):
        return ()
    qualifier, own = _path(source, name)
    if not is_function:
        kind = "constant" if _CONSTANT.match(source.data, node.start_byte, name.start_byte) else "variable"
    return build_definition(source, node, kind, name=own, qualifier=qualifier)


def _type(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    """Return a struct, union, enum or class with a body; one in a typedef is the typedef's."""
    name = node.child_by_field_name("name")
    if name is None or (node.parent is not None and node.parent.type == "type_definition"):
        return ()
    return build_definition(source, node, kind, name=_path(source, name)[1])


def _typedef(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    name, _ = _declared_name(node.child_by_field_name("declarator"))
    specifier = node.child_by_field_name("type")
    body = specifier.child_by_field_name("body") if specifier is not None and specifier.type in _TYPES else None
    return build_definition(source, node, _TYPES[specifier.type] if specifier and body else kind, name=source.node_text(name), body=body)


def _namespace(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    return build_definition(source, node, kind, name=source.field_text(node, "name").replace("::", ".").replace(" ", ""))


def _macro(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    for found in build_definition(source, node, kind):
        found.end = found.start + len(source.data[found.start : found.end].rstrip())
        found.signature_end = min(found.signature_end, found.end)
        yield found


def _imports(source: SourceFile, node: Node) -> Iterable[Import]:
    path = node.child_by_field_name("path")
    if path is not None and path.type in ("string_literal", "system_lib_string"):
        yield from build_import(node, source.node_text(path).strip('<>" '), WILDCARD_NAMES, is_relative=path.type == "string_literal")


def _resolve(paths: PathIndex, path: str, imported: Import) -> Iterable[ImportCandidate]:
    base = join_relative(path, imported.module)
    if imported.is_relative and base in paths.paths:
        return single_candidate(base)
    tail = posixpath.normpath(imported.module)
    while tail.startswith("../"):
        tail = tail[3:]
    found = [candidate for candidate in paths.find_paths_ending(tail) if candidate.endswith(_FILES) or imported.is_relative]
    if len(found) > 1:
        shared = [len(posixpath.commonprefix((path, candidate)).rpartition("/")[0]) for candidate in found]
        if max(shared):
            found = [candidate for candidate, length in zip(found, shared, strict=True) if length == max(shared)]
    return share_confidence(found, LIKELY_MATCH if imported.is_relative or "/" in tail else WEAK_MATCH)


C = load_language(
    __file__,
    "c",
    definition_readers={
        "function_definition": _function,
        "declaration": _declaration,
        "field_declaration": _declaration,
        "type_definition": _typedef,
        **dict.fromkeys(_TYPES, _type),
        "preproc_def": _macro,
        "preproc_function_def": _macro,
        "namespace_definition": _namespace,
    },
    read_imports=_imports,
    resolve_import=_resolve,
    clean=_without_macros,
)

CPP = load_language(__file__, "cpp", shared_suffixes={"h": _CPP_HEAD}, like=C)
