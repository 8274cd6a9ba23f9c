"""Ruby: bodies end with a word, so a header ends with its parameters; blocks of specs are tests."""

from __future__ import annotations

from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import, SymbolKind
from clew.codebase.languages.description import WILDCARD_NAMES, Definition, SourceFile, build_import, find_child, load_language
from clew.codebase.path_index import LIKELY_MATCH, WEAK_MATCH, ImportCandidate, PathIndex, join_relative, share_confidence, single_candidate

_CLASS_MAKERS = frozenset(("Struct", "Class", "Data"))


def _definition(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    name = node.child_by_field_name("name")
    behind = node.child_by_field_name("superclass") or node.child_by_field_name("parameters") or name
    path, qualifier = source.node_text(name), ""
    if kind in ("class", "namespace"):
        qualifier, _, path = path.replace("::", ".").rpartition(".")
    if behind is None or not path:
        return ()
    return (Definition(kind, path, node.start_byte, node.end_byte, node.start_byte, behind.end_byte, (), qualifier),)


def _constant(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    """Return the definition of a constant, or of a class that is made by `Struct.new … do`."""
    right = node.child_by_field_name("right")
    is_class = (
        right is not None
        and right.type == "call"
        and right.child_by_field_name("block") is not None
        and source.field_text(right, "receiver") in _CLASS_MAKERS
    )
    start, end = node.start_byte, node.end_byte
    header_end = source.find_line_end(start, end)
    return (Definition("class" if is_class else kind, source.field_text(node, "left"), start, end, start, header_end, has_body=is_class),)


def _block(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    """Return the definition of `describe "…" do` and of `define_method(:name) do`."""
    arguments, block = node.child_by_field_name("arguments"), node.child_by_field_name("block")
    if arguments is None or not arguments.named_child_count or block is None:
        return ()
    title = source.node_text(arguments.named_child(0)).strip("\"':")
    start, end = node.start_byte, node.end_byte
    return (Definition(kind, title, start, end, start, source.find_line_end(block.start_byte, block.end_byte)),)


def _imports(source: SourceFile, node: Node) -> Iterable[Import]:
    arguments = node.child_by_field_name("arguments")
    module = source.node_text(find_child(arguments, "string") if arguments is not None else None).strip("\"'")
    if "#{" not in module:
        yield from build_import(node, module, WILDCARD_NAMES, is_relative=source.field_text(node, "method") == "require_relative")


def _resolve(paths: PathIndex, path: str, imported: Import) -> Iterable[ImportCandidate]:
    module = imported.module if imported.module.endswith(".rb") else imported.module + ".rb"
    if imported.is_relative:
        base = join_relative(path, module)
        return single_candidate(base if base in paths.paths else None)
    found = paths.find_paths_ending(module)
    in_lib = [candidate for candidate in found if ("/" + candidate).endswith("/lib/" + module)]
    return share_confidence(in_lib or found, LIKELY_MATCH if in_lib else WEAK_MATCH) if in_lib or "/" in imported.module else ()


RUBY = load_language(
    __file__,
    "ruby",
    definition_readers={
        **dict.fromkeys(("class", "module", "method", "singleton_method"), _definition),
        "assignment": _constant,
        "call": _block,
    },
    read_imports=_imports,
    resolve_import=_resolve,
)
