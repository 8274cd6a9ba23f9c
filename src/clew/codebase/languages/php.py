"""PHP: variables carry a sigil, so whatever has none may name a symbol."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import, SymbolKind
from clew.codebase.languages.description import (
    WILDCARD_NAMES,
    Definition,
    ImportLink,
    SourceFile,
    build_definition,
    build_import,
    find_child,
    get_table,
    load_language,
)
from clew.codebase.path_index import (
    EXACT_MATCH,
    LIKELY_MATCH,
    WEAK_MATCH,
    ImportCandidate,
    PathIndex,
    join_relative,
    share_confidence,
    single_candidate,
)


def _constant(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    element = find_child(node, "const_element")
    return build_definition(source, node, kind, name=source.node_text(element.named_child(0))) if element is not None else ()


def _imports(source: SourceFile, node: Node) -> Iterable[Import]:
    if node.type != "namespace_use_declaration":
        text = source.node_text(node)
        module = "".join(text.replace('"', "'").split("'")[1::2])
        if "$" not in text:
            module = "./" + module.lstrip("/") if "__DIR__" in text and module else module
            yield from build_import(node, module, WILDCARD_NAMES, is_relative=True)
        return
    group = node.child_by_field_name("body")
    prefix = source.node_text(find_child(node, "namespace_name")) + "\\" if group is not None else ""
    for clause in (group if group is not None else node).named_children:
        if clause.type != "namespace_use_clause":
            continue
        alias = source.field_text(clause, "alias")
        name = next((child for child in clause.named_children if child.type in ("qualified_name", "name")), None)
        module, _, last = (prefix + source.node_text(name)).strip("\\").rpartition("\\")
        if module and last:
            yield from build_import(node, module, ((last, alias or last),))
        else:
            yield from build_import(node, last, (), alias or last)


def _resolve(paths: PathIndex, path: str, imported: Import) -> Iterable[ImportCandidate]:
    if imported.is_relative:
        base = join_relative(path, imported.module)
        found = single_candidate(paths.find_first([base] if base else []) or paths.find_first([imported.module]))
        yield from found or share_confidence(paths.find_paths_ending(imported.module.lstrip("./")), WEAK_MATCH)
        return
    for name, _ in imported.names or (("", ""),):
        parts = [part for part in (*imported.module.split("\\"), name) if part]
        rooted = paths.find_root("\\".join(parts), "\\")
        target = posixpath.join(*rooted) + ".php" if rooted is not None else ""
        if target in paths.paths:
            yield target, EXACT_MATCH
            continue
        # The first parts of a namespace are often mapped to another folder, so that only the end can be matched.
        for start in range(len(parts)):
            if ending := paths.find_paths_ending("/".join(parts[start:]) + ".php"):
                yield from share_confidence(ending, LIKELY_MATCH if len(parts) - start > 1 or len(parts) == 1 else WEAK_MATCH)
                break


def _link(_paths: PathIndex, _path: str, imported: Import) -> Iterable[ImportLink]:
    if not imported.is_relative:
        place = ("php", *(part for part in imported.module.split("\\") if part))
        for name, here in imported.names:
            yield here, place, name
        if imported.alias:
            yield imported.alias, place, ""


def _namespaces(folder: str, data: bytes) -> dict[str, str]:
    spaces = get_table(get_table(json.loads(data), "autoload"), "psr-4").items()
    return {space.rstrip("\\"): posixpath.join(folder, place).rstrip("/") for space, place in spaces if isinstance(place, str)}


PHP = load_language(
    __file__,
    "php",
    definition_readers={"const_declaration": _constant},
    read_imports=_imports,
    resolve_import=_resolve,
    link_import=_link,
    manifest_readers={"composer.json": _namespaces},
)
