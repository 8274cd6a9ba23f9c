"""Python: docs stand inside, decorators around, and names bind by assignment."""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import, SymbolKind
from clew.codebase.languages.description import (
    WILDCARD_NAMES,
    Definition,
    ImportLink,
    SourceFile,
    build_import,
    dedent_docstring,
    load_language,
    read_declared_types,
    read_expression_path,
    read_type_path,
)
from clew.codebase.path_index import (
    LIKELY_MATCH,
    WEAK_MATCH,
    ImportCandidate,
    PathIndex,
    only_candidate,
    share_confidence,
    single_candidate,
)

_QUOTE = re.compile(rb"^[A-Za-z]{0,2}(\"\"\"|'''|\"|')")
_HEADER = ("return_type", "superclasses", "parameters", "type_parameters", "name")  # the last of them stands before the colon


def _definition(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    behind = next((found for field in _HEADER if (found := node.child_by_field_name(field)) is not None), None)
    name, body = source.field_text(node, "name"), node.child_by_field_name("body")
    if behind is None or not name:
        return ()
    start, end = node.start_byte, node.end_byte
    colon = source.data.find(b":", behind.end_byte, end)
    docstring, doc_end = _documentation(source, body) if body is not None else ("", 0)
    result = read_type_path(source.field_text(node, "return_type"))
    return (
        Definition(kind, name, start, end, start, end if colon < 0 else colon + 1, docstring=docstring, doc_end=doc_end, result=result),
    )


def _documentation(source: SourceFile, body: Node) -> tuple[str, int]:
    """Return the docstring of a module, class or function, if its first statement is a string, and where that ends."""
    first = next((child for child in body.named_children if child.type != "comment"), None)  # a licence may have many lines
    if first is None or first.type != "expression_statement" or first.child_count != 1:
        return "", 0
    string = first.child(0)
    if string.type not in ("string", "concatenated_string"):
        return "", 0
    return _unquoted(source.data[string.start_byte : string.end_byte]), string.end_byte


def _unquoted(raw: bytes) -> str:
    """Return the text of a string literal, without quotes and common indentation."""
    found = _QUOTE.match(raw)
    if found is None:
        return ""
    quote = found.group(1)
    stop = len(raw) - len(quote) if raw.endswith(quote) and len(raw) >= found.end() + len(quote) else len(raw)
    text = raw[found.end() : stop].decode("utf-8", "replace")
    return dedent_docstring(text) if "\n" in text else text.strip()


def _exports(source: SourceFile, node: Node) -> Iterable[tuple[str, str]]:
    """Read `__all__` where it is one list of strings; nothing where it is put together."""
    right = node.child_by_field_name("right")
    if right is None or right.type not in ("list", "tuple") or source.data.count(b"__all__") > 1:
        return
    for each in right.named_children:
        if each.type == "string":
            name = _unquoted(source.data[each.start_byte : each.end_byte])
            yield name, name


def _assignment(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    name = source.field_text(node, "left")
    start, end = node.start_byte, node.end_byte
    kind = "constant" if name.isupper() else "variable"
    return (Definition(kind, name, start, end, start, source.find_line_end(start, end), has_body=False),)


def _aliased(source: SourceFile, node: Node) -> tuple[str, str]:
    """Return (name there, name here) of one imported name."""
    if node.type == "aliased_import":
        return source.field_text(node, "name"), source.field_text(node, "alias")
    return source.node_text(node), source.node_text(node)


def _imports(source: SourceFile, node: Node) -> Iterable[Import]:
    names = [_aliased(source, child) for child in node.children_by_field_name("name")]
    if node.type == "future_import_statement":
        return
    if node.type == "import_statement":
        for module, alias in names:
            yield from build_import(node, module, (), alias)
        return
    module = source.field_text(node, "module_name").replace(" ", "")
    is_wildcard = any(child.type == "wildcard_import" for child in node.children)
    yield from build_import(node, module, WILDCARD_NAMES if is_wildcard else names, is_relative=module.startswith("."))


def _resolve(paths: PathIndex, path: str, imported: Import) -> Iterable[ImportCandidate]:
    """Ask for each name as a module of its own first: `from package import module`."""
    joint = "" if imported.module.endswith(".") else "."
    inner = [_module(paths, path, imported.module + joint + name) if name != "*" else [] for name, _ in imported.names]
    whole = _module(paths, path, imported.module) if not all(inner) or not inner else []
    return [candidate for found in inner or [whole] for candidate in found or whole]


def _link(paths: PathIndex, path: str, imported: Import) -> Iterable[ImportLink]:
    """Say where imported names stand; a package's submodules are names of its `__init__`."""
    module = imported.module
    if not imported.names:
        if whole := only_candidate(_module(paths, path, module)):
            yield imported.alias or module, (whole,), ""
        if not imported.alias and "." in module and (top := only_candidate(_module(paths, path, module.partition(".")[0]))):
            yield module.partition(".")[0], (top,), ""
        return
    whole = only_candidate(_module(paths, path, module))
    joint = "" if module.endswith(".") else "."
    for name, here in imported.names:
        if whole:
            yield here, (whole,), "" if name == "*" else name
        elif name != "*" and (inner := only_candidate(_module(paths, path, module + joint + name))):
            yield here, (inner,), ""


def _types(source: SourceFile, node: Node) -> Iterable[tuple[int, str, str]]:
    """Read `x: T`, `x = T(…)` and `with T(…) as x`."""
    if node.type == "as_pattern":
        target, value = node.child_by_field_name("alias"), node.named_child(0)
        name, path = source.node_text(target), read_expression_path(source, value)
        if target is not None and name.isidentifier() and path:
            yield target.start_byte, name, path
    elif node.type == "typed_parameter":
        name, path = source.node_text(node.named_child(0)), read_type_path(source.field_text(node, "type"))
        if name.isidentifier() and path:
            yield node.start_byte, name, path
    else:
        yield from read_declared_types(source, node)


def _module(paths: PathIndex, path: str, module: str) -> list[ImportCandidate]:
    name = module.lstrip(".")
    dots = len(module) - len(name)
    tail = name.replace(".", "/")
    if not dots:
        return _absolute(paths, path, tail)
    folder = path.rpartition("/")[0]
    for _ in range(dots - 1):
        if not folder:
            return []
        folder = folder.rpartition("/")[0]
    base = posixpath.join(folder, tail) if tail else folder
    endings = (".py", "/__init__.py", ".pyi", "/__init__.pyi", ".pyx")
    return single_candidate(paths.find_first([base + ending for ending in endings] if tail else [posixpath.join(base, "__init__.py")]))


def _absolute(paths: PathIndex, path: str, tail: str) -> list[ImportCandidate]:
    found = {
        candidate: candidate[: -len(tail) - len(ending)].rstrip("/")  # below which the module has its name
        for ending in (".py", ".pyi", ".pyx", "/__init__.py")
        for candidate in paths.find_paths_ending(tail + ending)
    }
    folder = path.rpartition("/")[0]
    is_standard = tail.split("/", 1)[0] in sys.stdlib_module_names
    proper = [candidate for candidate, root in found.items() if posixpath.join(root, "__init__.py") not in paths.paths]
    if is_standard:
        proper = [candidate for candidate in proper if found[candidate] in ("", "src", "lib", folder)]
    if proper:
        nearest = [candidate for candidate in proper if not found[candidate] or path.startswith(found[candidate] + "/")]
        # The closest root wins: a script's own folder, or the package root that the file lies in.
        longest = max((len(found[candidate]) for candidate in nearest), default=0)
        return share_confidence([candidate for candidate in nearest if len(found[candidate]) == longest] or proper, LIKELY_MATCH)
    beside = [candidate for candidate, root in found.items() if root == folder]
    return share_confidence(beside, WEAK_MATCH) if not is_standard else []


PYTHON = load_language(
    __file__,
    "python",
    definition_readers={"function_definition": _definition, "class_definition": _definition, "assignment": _assignment},
    read_imports=_imports,
    resolve_import=_resolve,
    read_docstring=_documentation,
    link_import=_link,
    read_exports=_exports,
    read_types=_types,
    self_words=frozenset(("self", "cls", "Self")),
)
