"""A language is one file: nothing else has to know of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clew.codebase import languages
from clew.codebase.languages import LANGUAGES, detect_language, load_languages
from clew.engine import Engine
from clew.settings import Settings
from clew.store.memory import MemoryStore

CRYSTAL = r'''
"""Crystal, as far as Ruby's grammar reads it."""

from clew.codebase.languages.description import WILDCARD_NAMES, Language, build_import, split_words
from clew.codebase.path_index import join_relative, single_candidate


def _imports(source, node):
    return build_import(node, source.field_text(node, "arguments").strip(" ()\'\"") + ".cr", WILDCARD_NAMES, is_relative=True)


def _resolve(paths, path, imported):
    target = join_relative(path, imported.module)
    return single_candidate(target if target in paths.paths else None)


CRYSTAL = Language(
    name="crystal",
    grammar=("tree_sitter_ruby", "language"),
    query="""
(class) @class
(method) @function
(class superclass: (superclass (_) @base))
(comment) @comment
(call method: (identifier) @call)
((call method: (identifier) @_require) @import (#eq? @_require "require"))
""",
    suffixes="cr",
    interpreters="crystal",
    read_imports=_imports,
    resolve_import=_resolve,
    keywords=split_words("class def end"),
)
'''


@pytest.fixture
def crystal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One file more in the folder of languages."""
    (tmp_path / "languages").mkdir()
    (tmp_path / "languages" / "crystal.py").write_text(CRYSTAL)
    with monkeypatch.context() as patch:
        patch.setattr(languages, "__path__", [*languages.__path__, str(tmp_path / "languages")])
        load_languages()
        yield
    del LANGUAGES["crystal"], sys.modules["clew.codebase.languages.crystal"]
    load_languages()


@pytest.mark.usefixtures("crystal")
def test_a_language_is_one_file(tmp_path: Path) -> None:
    """Its files are recognised and read, what they define is found, and their imports couple them."""
    root = tmp_path / "ship"
    root.mkdir()
    (root / "knot.cr").write_text("# Ties ropes.\nclass Knot < Rope\n  def tighten\n    pull\n  end\nend\n")
    (root / "boat.cr").write_text('require "./knot"\n\ndef moor\n  1\nend\n')
    engine = Engine(MemoryStore(), Settings(tmp_path / "home", jobs=1))

    report = engine.index(root).report
    packet = engine.retrieve(root, "where is tighten defined?", budget_tokens=2000, tokenizer="chars4")
    _, impacted = engine.find_impact(root, [str(root / "knot.cr")], limit=5)

    assert report.languages["crystal"] == 2
    assert detect_language("run", b"#!/usr/bin/crystal\n") == "crystal"
    assert "Knot.tighten" in [entry.name for entry in packet.entries]
    assert [each.path for each in impacted] == ["boat.cr"]
