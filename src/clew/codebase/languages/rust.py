"""Rust: methods stand in `impl` blocks, attributes above items, and macros hide calls in token trees."""

from __future__ import annotations

import posixpath
import tomllib
from collections.abc import Iterable, Iterator

from tree_sitter import Node

from clew.codebase.facts import Import, SymbolKind
from clew.codebase.languages.description import (
    Definition,
    ImportLink,
    SourceFile,
    build_definition,
    build_import,
    get_text,
    load_language,
    normalize_base,
)
from clew.codebase.path_index import EXACT_MATCH, LIKELY_MATCH, WEAK_MATCH, ImportCandidate, PathIndex

_OUTSIDE = frozenset(("std", "core", "alloc", "proc_macro", "test"))


def _implementation(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    return build_definition(source, node, kind, name=normalize_base(source.field_text(node, "type")))


def _struct(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    body = node.child_by_field_name("body")
    for found in build_definition(source, node, kind):
        if body is not None and body.type == "ordered_field_declaration_list":
            found.signature_end = node.end_byte
        yield found


def _imports(source: SourceFile, node: Node) -> Iterable[Import]:
    name = source.field_text(node, "name")
    if node.type == "mod_item":
        yield from build_import(node, "self::" + name, (), name, is_relative=True)
    elif node.type == "extern_crate_declaration":
        yield from build_import(node, name, (), source.field_text(node, "alias") or name)
    elif (argument := node.child_by_field_name("argument")) is not None:
        by_module: dict[str, list[tuple[str, str]]] = {}
        for path, here in _leaves(source, argument):
            module, _, name = path.removesuffix("::self").rpartition("::")
            by_module.setdefault(module or name, []).append((name, name if here == "self" else here))
        for module, names in by_module.items():
            is_relative = module.split("::", 1)[0] in ("self", "super")
            yield from build_import(node, module, (name for name in names if name[0] != module), is_relative=is_relative)


def _leaves(source: SourceFile, tree: Node) -> Iterator[tuple[str, str]]:
    """Return (path, name here) of each name that a use tree brings in."""
    todo = [("", tree)]
    while todo:
        prefix, node = todo.pop()
        if node.type == "scoped_use_list":
            nested = node.child_by_field_name("list")
            prefix += source.field_text(node, "path") + "::"
            todo += [(prefix, child) for child in reversed(nested.named_children)] if nested is not None else []
        elif node.type == "use_list":
            todo += [(prefix, child) for child in reversed(node.named_children)]
        elif node.type == "use_as_clause":
            yield prefix + source.field_text(node, "path"), source.field_text(node, "alias")
        elif node.type == "use_wildcard":
            inner = source.node_text(node.named_child(0)) + "::" if node.named_child_count else ""
            yield prefix + inner + "*", "*"
        elif node.is_named and not node.type.endswith("comment"):
            path = source.node_text(node)
            yield prefix + path, path.rpartition("::")[2]


def _resolve(paths: PathIndex, path: str, imported: Import) -> Iterable[ImportCandidate]:
    base, parts, confidence = _start(paths, path, imported)
    if base is None:
        return []
    asked = [[*parts, name] if name != "*" else parts for name, _ in imported.names] or [parts]
    return [(target, confidence) for each in asked if (target := _file(paths, base, each)[0])]


def _link(paths: PathIndex, path: str, imported: Import) -> Iterable[ImportLink]:
    base, parts, _ = _start(paths, path, imported)
    if base is None:
        return
    for name, here in imported.names or (("", imported.alias or imported.module.rpartition("::")[2]),):
        target, rest = _file(paths, base, [*parts, name] if name not in ("", "*") else parts)
        if target and (target != path or rest):
            yield here, (target, *(rest if name == "*" else rest[:-1])), "" if name == "*" or not rest else rest[-1]


def _start(paths: PathIndex, path: str, imported: Import) -> tuple[str | None, list[str], float]:
    """Return the folder that an import's path starts from, None for one outside, the rest of the path, and the confidence."""
    parts = imported.module.split("::")
    folder, _, name = path.rpartition("/")
    home = folder if name in ("lib.rs", "main.rs", "mod.rs", "build.rs") else posixpath.join(folder, name[:-3])
    base: str | None = home
    confidence = EXACT_MATCH
    if parts[0] == "self":
        parts = parts[1:]
    elif parts[0] == "super":
        while parts and parts[0] == "super":
            base, parts = base.rpartition("/")[0], parts[1:]
    elif parts[0] == "crate":
        base, parts = _crate_root(paths, folder), parts[1:]
    else:
        base, parts, confidence = _other_crate(paths, home, parts)
    return base, parts, confidence


def _other_crate(paths: PathIndex, home: str, parts: list[str]) -> tuple[str | None, list[str], float]:
    """Return where a path without a keyword starts: a module beside this file, or a crate of the same workspace."""
    if parts[0] in _OUTSIDE:
        return None, parts, 0.0
    if paths.find_first((posixpath.join(home, parts[0] + ".rs"), posixpath.join(home, parts[0], "mod.rs"))):
        return home, parts, LIKELY_MATCH
    if parts[0] in paths.roots:
        return paths.roots[parts[0]], parts[1:], LIKELY_MATCH
    names = tuple(f"{name}/src" for name in (parts[0], parts[0].replace("_", "-")))
    roots = [each for each in paths.folders_by_name.get("src", []) if each.endswith(names) and f"{each}/lib.rs" in paths.paths]
    return (roots[0], parts[1:], WEAK_MATCH) if len(roots) == 1 else (None, parts, 0.0)


def _crate_root(paths: PathIndex, folder: str) -> str | None:
    while True:
        if paths.find_first((posixpath.join(folder, "lib.rs"), posixpath.join(folder, "main.rs"))):
            return folder
        if not folder:
            return None
        folder = folder.rpartition("/")[0]


def _file(paths: PathIndex, base: str, parts: list[str]) -> tuple[str | None, list[str]]:
    """Return the file of the longest part of a path that is a module, and the rest, which are names in it."""
    for count in range(len(parts), 0, -1):
        stem = posixpath.join(base, *parts[:count])
        if found := paths.find_first((stem + ".rs", stem + "/mod.rs")):
            return found, parts[count:]
    return paths.find_first((base + ".rs", *(posixpath.join(base, name) for name in ("mod.rs", "lib.rs", "main.rs")))), parts


def _crate(folder: str, data: bytes) -> dict[str, str]:
    name = get_text(tomllib.loads(data.decode("utf-8")), "package", "name")
    return {name.replace("-", "_"): posixpath.join(folder, "src")} if name else {}


RUST = load_language(
    __file__,
    "rust",
    definition_readers={"impl_item": _implementation, "struct_item": _struct},
    read_imports=_imports,
    resolve_import=_resolve,
    manifest_readers={"Cargo.toml": _crate},
    link_import=_link,
    ambient_imports=("crate",),
)
