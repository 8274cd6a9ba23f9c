"""C#: namespaces only name the package, and properties are methods where they hold code."""

from __future__ import annotations

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
    load_language,
    split_words,
)
from clew.codebase.path_index import LIKELY_MATCH, WEAK_MATCH, ImportCandidate, PathIndex, package_candidates, share_confidence


def _member(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    names = {
        "operator_declaration": f"operator {source.field_text(node, 'operator')}",
        "conversion_operator_declaration": f"operator {source.field_text(node, 'type')}",
        "indexer_declaration": "this[]",
        "destructor_declaration": f"~{source.field_text(node, 'name')}",
    }
    body = node.child_by_field_name("accessors") or node.child_by_field_name("value")
    body = body if body is not None and body.type in ("accessor_list", "arrow_expression_clause") else None
    return build_definition(source, node, kind, name=names.get(node.type), body=body)


def _imports(source: SourceFile, node: Node) -> Iterable[Import]:
    alias = source.field_text(node, "name")
    targets = [child for child in node.named_children if child.type in ("identifier", "qualified_name", "alias_qualified_name")]
    module = source.node_text(targets[-1]).replace("global::", "") if targets else ""
    return build_import(node, module, () if alias else WILDCARD_NAMES, alias)


def _resolve(paths: PathIndex, _path: str, imported: Import) -> Iterable[ImportCandidate]:
    dotted = "." + imported.module
    last = imported.module.rpartition(".")[2]
    if imported.alias or "." in imported.module:
        found = paths.find_paths_ending(imported.module.replace(".", "/") + ".cs")
        if found:
            return share_confidence(found, LIKELY_MATCH)
    # A project's folder is often called after its whole namespace, so folders may hold dots themselves.
    names = [name for name in paths.folders_by_name if name == last or name.endswith("." + last)]
    folders = [folder for name in names for folder in paths.folders_by_name[name] if ("." + folder.replace("/", ".")).endswith(dotted)]
    files = [file for folder in folders for file in paths.files_by_folder[folder] if file.endswith(".cs")]
    return package_candidates(files, WEAK_MATCH)


def _link(_paths: PathIndex, _path: str, imported: Import) -> Iterable[ImportLink]:
    place = ("cs", *imported.module.split("."))
    if imported.alias:
        yield imported.alias, place, ""
    else:
        yield "*", place, ""


CSHARP = load_language(
    __file__,
    "csharp",
    definition_readers=dict.fromkeys(
        split_words(
            "destructor_declaration operator_declaration conversion_operator_declaration indexer_declaration property_declaration "
            "method_declaration constructor_declaration local_function_statement"
        ),
        _member,
    ),
    read_imports=_imports,
    resolve_import=_resolve,
    link_import=_link,
)
