"""C#: namespaces only name the package, and properties are methods where they hold code."""

from __future__ import annotations

from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import, Kind
from clew.codebase.languages.description import ALL, Definition, Source, define, described, imported, words
from clew.codebase.paths import LIKELY, WEAK, Candidate, PathIndex, all_of, divided


def _member(source: Source, node: Node, kind: Kind) -> Iterable[Definition]:
    names = {
        "operator_declaration": f"operator {source.field(node, 'operator')}",
        "conversion_operator_declaration": f"operator {source.field(node, 'type')}",
        "indexer_declaration": "this[]",
        "destructor_declaration": f"~{source.field(node, 'name')}",
    }
    body = node.child_by_field_name("accessors") or node.child_by_field_name("value")
    body = body if body is not None and body.type in ("accessor_list", "arrow_expression_clause") else None
    return define(source, node, kind, name=names.get(node.type), body=body)


def _imports(source: Source, node: Node) -> Iterable[Import]:
    alias = source.field(node, "name")
    targets = [child for child in node.named_children if child.type in ("identifier", "qualified_name", "alias_qualified_name")]
    module = source.text(targets[-1]).replace("global::", "") if targets else ""
    return imported(node, module, () if alias else ALL, alias)


def _resolve(paths: PathIndex, _path: str, imported: Import) -> Iterable[Candidate]:
    dotted = "." + imported.module
    last = imported.module.rpartition(".")[2]
    if imported.alias or "." in imported.module:
        found = paths.ending(imported.module.replace(".", "/") + ".cs")
        if found:
            return divided(found, LIKELY)
    # A project's folder is often called after its whole namespace, so folders may hold dots themselves.
    names = [name for name in paths.folders_by_name if name == last or name.endswith("." + last)]
    folders = [folder for name in names for folder in paths.folders_by_name[name] if ("." + folder.replace("/", ".")).endswith(dotted)]
    files = [file for folder in folders for file in paths.by_folder[folder] if file.endswith(".cs")]
    return all_of(files, WEAK)


CSHARP = described(
    __file__,
    "csharp",
    define=dict.fromkeys(
        words(
            "destructor_declaration operator_declaration conversion_operator_declaration indexer_declaration property_declaration "
            "method_declaration constructor_declaration local_function_statement"
        ),
        _member,
    ),
    imports=_imports,
    resolve=_resolve,
)
