"""Go: methods stand outside their types, and one declaration may define a list."""

from __future__ import annotations

import re
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
    normalize_base,
)
from clew.codebase.path_index import (
    CANDIDATES_MAX,
    EXACT_MATCH,
    LIKELY_MATCH,
    WEAK_MATCH,
    ImportCandidate,
    PathIndex,
    join_relative,
    package_candidates,
)

_TYPES: dict[str, SymbolKind] = {"struct_type": "struct", "interface_type": "interface"}
_MODULE = re.compile(rb"^module[ \t]+\"?([^\s\"]+)", re.MULTILINE)


def _method(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    receiver = node.child_by_field_name("receiver")
    first = receiver.named_child(0) if receiver is not None else None
    return build_definition(
        source, node, kind, qualifier=normalize_base(source.field_text(first, "type").replace("[", "<")) if first is not None else ""
    )


def _types(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    specs = [child for child in node.named_children if child.type in ("type_spec", "type_alias")]
    for spec in specs:
        place = node if len(specs) == 1 and not _is_grouped(node) else spec
        body = spec.child_by_field_name("type")
        if body is None or body.type not in _TYPES:
            yield from build_definition(source, spec, kind, place=place)
            continue
        for found in build_definition(source, spec, _TYPES[body.type], body=body, place=place):
            brace = source.data.find(b"{", body.start_byte, body.end_byte)
            found.signature_end = body.end_byte if brace < 0 else brace + 1
            yield found


def _is_grouped(node: Node) -> bool:
    return any(child.type in ("(", "var_spec_list") for child in node.children)


def _values(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    lists = [node, *(child for child in node.named_children if child.type == "var_spec_list")]
    for spec in (child for each in lists for child in each.named_children if child.type in ("const_spec", "var_spec")):
        yield from build_definition(source, spec, kind, place=spec if _is_grouped(node) else node)


def _imports(source: SourceFile, node: Node) -> Iterable[Import]:
    path, name = source.field_text(node, "path").strip('"`'), source.field_text(node, "name")
    if name == ".":
        return build_import(node, path, WILDCARD_NAMES)
    return build_import(node, path, (), "" if name == "_" else name or _package_name(path), is_relative=path.startswith("."))


def _package_name(path: str) -> str:
    """Return what a package is called by default: its last part that is no version."""
    before, _, last = path.rpartition("/")
    return before.rpartition("/")[2] if before and last[:1] == "v" and last[1:].isdigit() else last


def _resolve(paths: PathIndex, path: str, imported: Import) -> Iterable[ImportCandidate]:
    """Match the end of an import path with a folder; the standard library has no dot in its first part."""
    module = imported.module
    if imported.is_relative:
        return _package(paths, join_relative(path, module), EXACT_MATCH)
    rooted = paths.find_root(module, "/")
    if rooted is not None:
        return _package(paths, "/".join(part for part in rooted if part), EXACT_MATCH)
    parts = module.split("/")
    has_host = "." in parts[0]
    for start in range(len(parts) if has_host else len(parts) > 1):
        tail = "/".join(parts[start:])
        folders = [
            folder for folder in paths.find_folders_ending(tail) if any(name.endswith(".go") for name in paths.files_by_folder[folder])
        ]
        exact = [folder for folder in folders if folder == tail]
        if folders:
            matched = exact or folders
            confidence = (LIKELY_MATCH if exact else WEAK_MATCH) / len(matched)
            return [each for folder in matched if len(matched) <= CANDIDATES_MAX for each in _package(paths, folder, confidence)]
    return ()


def _link(paths: PathIndex, path: str, imported: Import) -> Iterable[ImportLink]:
    folders = {found.rpartition("/")[0] for found, _ in _resolve(paths, path, imported)}
    if len(folders) == 1:
        yield "*" if imported.names else imported.alias, ("go", folders.pop()), ""


def _package(paths: PathIndex, folder: str | None, confidence: float) -> list[ImportCandidate]:
    files = [] if folder is None else paths.files_by_folder.get(folder, [])
    return package_candidates([path for path in files if path.endswith(".go") and not path.endswith("_test.go")], confidence)


def _module(folder: str, data: bytes) -> dict[str, str]:
    found = _MODULE.search(data)
    return {found.group(1).decode("utf-8", "replace"): folder} if found else {}


GO = load_language(
    __file__,
    "go",
    definition_readers={
        "method_declaration": _method,
        "type_declaration": _types,
        "const_declaration": _values,
        "var_declaration": _values,
    },
    read_imports=_imports,
    resolve_import=_resolve,
    manifest_readers={"go.mod": _module},
    link_import=_link,
)
