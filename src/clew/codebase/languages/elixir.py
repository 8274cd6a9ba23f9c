"""Elixir: modules stand below one root wherever their files lie, and an alias gives one a shorter name."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import
from clew.codebase.languages.description import WILDCARD_NAMES, ImportLink, SourceFile, load_language
from clew.codebase.path_index import LIKELY_MATCH, ImportCandidate, PathIndex, share_confidence

_BRINGING = frozenset(("import", "use"))  # what brings in functions without their module's name
_NEW_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ALIAS = re.compile(r"\bas:\s*([A-Z]\w*)")
_MODULES = re.compile(r"([A-Z]\w*(?:\.[A-Z]\w*)*)(?:\.\{([^{}]*)\})?")


def _imports(source: SourceFile, node: Node) -> Iterable[Import]:
    """Read `alias A.B`, `alias A.B, as: C`, `alias A.{B, C}`, and `import`, `require` or `use` of a module."""
    how, _, text = source.node_text(node).partition(" ")
    found = _MODULES.match(text.strip())
    if found is None:
        return
    line = node.start_point[0] + 1
    inner = [each.strip() for each in found[2].split(",") if each.strip()] if found[2] else []
    for module in [f"{found[1]}.{each}" for each in inner] or [found[1]]:
        package, _, name = module.rpartition(".")
        alias = _ALIAS.search(text)
        if how == "import":
            yield Import(module, WILDCARD_NAMES, "", line, is_relative=False)
        elif how not in _BRINGING:
            yield Import(package, ((name, alias[1] if alias else name),), "", line, is_relative=False)
        else:
            yield Import(module, (), "", line, is_relative=False)


def _resolve(paths: PathIndex, _path: str, imported: Import) -> Iterable[ImportCandidate]:
    """Return the file that a module lies in where it is named after it, as `mix` and formatters have it."""
    for name, _ in imported.names or (("", ""),):
        module = imported.module if name in ("", "*") else ".".join(filter(None, (imported.module, name)))
        place = "/".join(_NEW_WORD.sub("_", part).lower() for part in module.split("."))
        yield from share_confidence([each for ending in (".ex", ".exs") for each in paths.find_paths_ending(place + ending)], LIKELY_MATCH)


def _link(_paths: PathIndex, _path: str, imported: Import) -> Iterable[ImportLink]:
    place = ("ex", *filter(None, imported.module.split(".")))
    for name, here in imported.names:
        yield ("*", place, "") if name == "*" else (here, place, name)


ELIXIR = load_language(__file__, "elixir", is_named_by_query=True, read_imports=_imports, resolve_import=_resolve, link_import=_link)
