"""Scala: packages as Java's, with names that an import may change."""

from __future__ import annotations

from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import
from clew.codebase.languages.description import SourceFile, build_dotted_import, load_language
from clew.codebase.languages.java import link_java_import, resolve_java_import

_RENAMED = frozenset(("arrow_renamed_identifier", "as_renamed_identifier"))


def _imports(source: SourceFile, node: Node) -> Iterable[Import]:
    """Read `import a.b.C`, `import a.b._`, `import a.b.{C => D, E}` and `import a.b.C as D`."""
    package = ".".join(source.node_text(part) for part in node.children_by_field_name("path") if part.is_named)
    last = node.named_children[-1]
    if last.type in ("identifier", "stable_identifier"):
        return build_dotted_import(node, package)
    taken = last.named_children if last.type == "namespace_selectors" else [last]
    return tuple(found for each in taken for found in _taken(source, node, package, each))


def _taken(source: SourceFile, node: Node, package: str, each: Node) -> Iterable[Import]:
    if each.type in _RENAMED:
        name, alias = source.field_text(each, "name"), source.field_text(each, "alias")
        return build_dotted_import(node, f"{package}.{name}", alias=alias) if alias != "_" else ()
    if each.type in ("identifier", "type_identifier"):
        return build_dotted_import(node, f"{package}.{source.node_text(each)}")
    return build_dotted_import(node, package, is_wildcard=True)


SCALA = load_language(
    __file__, "scala", is_named_by_query=True, read_imports=_imports, resolve_import=resolve_java_import, link_import=link_java_import
)
