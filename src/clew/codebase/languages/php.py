"""PHP: variables carry a sigil, so whatever has none may name a symbol."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import, Kind
from clew.codebase.languages.description import ALL, Definition, Source, child_of_type, define, described, imported, table_in
from clew.codebase.paths import EXACT, LIKELY, WEAK, Candidate, PathIndex, certain, divided, joined


def _constant(source: Source, node: Node, kind: Kind) -> Iterable[Definition]:
    element = child_of_type(node, "const_element")
    return define(source, node, kind, name=source.text(element.named_child(0))) if element is not None else ()


def _imports(source: Source, node: Node) -> Iterable[Import]:
    if node.type != "namespace_use_declaration":
        text = source.text(node)
        module = "".join(text.replace('"', "'").split("'")[1::2])
        if "$" not in text:
            module = "./" + module.lstrip("/") if "__DIR__" in text and module else module
            yield from imported(node, module, ALL, is_relative=True)
        return
    group = node.child_by_field_name("body")
    prefix = source.text(child_of_type(node, "namespace_name")) + "\\" if group is not None else ""
    for clause in (group if group is not None else node).named_children:
        if clause.type != "namespace_use_clause":
            continue
        alias = source.field(clause, "alias")
        name = next((child for child in clause.named_children if child.type in ("qualified_name", "name")), None)
        module, _, last = (prefix + source.text(name)).strip("\\").rpartition("\\")
        if module and last:
            yield from imported(node, module, ((last, alias or last),))
        else:
            yield from imported(node, last, (), alias or last)


def _resolve(paths: PathIndex, path: str, imported: Import) -> Iterable[Candidate]:
    if imported.is_relative:
        base = joined(path, imported.module)
        found = certain(paths.first([base] if base else []) or paths.first([imported.module]))
        yield from found or divided(paths.ending(imported.module.lstrip("./")), WEAK)
        return
    for name, _ in imported.names or (("", ""),):
        parts = [part for part in (*imported.module.split("\\"), name) if part]
        rooted = paths.rooted("\\".join(parts), "\\")
        target = posixpath.join(*rooted) + ".php" if rooted is not None else ""
        if target in paths.paths:
            yield target, EXACT
            continue
        # The first parts of a namespace are often mapped to another folder, so that only the end can be matched.
        for start in range(len(parts)):
            if ending := paths.ending("/".join(parts[start:]) + ".php"):
                yield from divided(ending, LIKELY if len(parts) - start > 1 or len(parts) == 1 else WEAK)
                break


def _namespaces(folder: str, data: bytes) -> dict[str, str]:
    spaces = table_in(table_in(json.loads(data), "autoload"), "psr-4").items()
    return {space.rstrip("\\"): posixpath.join(folder, place).rstrip("/") for space, place in spaces if isinstance(place, str)}


PHP = described(
    __file__, "php", define={"const_declaration": _constant}, imports=_imports, resolve=_resolve, manifests={"composer.json": _namespaces}
)
