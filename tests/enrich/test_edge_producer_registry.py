"""A producer of edges is one file: nothing else has to know of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import clew
from clew.enrich import producers
from clew.records import MatchKind, MatchReason
from clew.settings import Settings

DOCUMENTED = '''
"""Documents: a page that is called after a file describes it."""

from clew.enrich.edge_producer import CoupledFile, EdgeProducer


def propose(paths, state):
    return {f"docs/{name}.md": [CoupledFile(f"{name}.py", 0.9)] for name in (path[:-3] for path in paths if path.endswith(".py"))}


DOCUMENTS = EdgeProducer("describes", propose, "documents", "of documents")
'''


@pytest.fixture
def documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One file more in the folder of producers."""
    (tmp_path / "producers").mkdir()
    (tmp_path / "producers" / "documents.py").write_text(DOCUMENTED)
    with monkeypatch.context() as patch:
        patch.setattr(producers, "__path__", [*producers.__path__, str(tmp_path / "producers")])
        yield
    del sys.modules["clew.enrich.producers.documents"]


@pytest.mark.usefixtures("documented")
@pytest.mark.parametrize("is_in_memory", [False, True])
def test_a_producer_of_edges_is_one_file(tmp_path: Path, is_in_memory: bool) -> None:  # noqa: FBT001
    """Its edges are stored, counted, and say what changes with a file."""
    root = tmp_path / "ship"
    (root / "docs").mkdir(parents=True)
    (root / "sail.py").write_text("def hoist():\n    return 1\n")
    (root / "docs/sail.md").write_text("# Cloth\n\nOf wind.\n")
    (root / "docs/rope.md").write_text("# Hemp\n\nOf knots.\n")
    with clew.open(settings=Settings(tmp_path / "home", jobs=1), is_in_memory=is_in_memory) as engine:
        indexed = engine.index(root)
        _, impacted = engine.find_impact(root, [str(root / "sail.py")], limit=5)

    assert indexed.coupled.edges["documents"] == 1
    describes = MatchReason(MatchKind.PROPOSED, ("describes",))
    assert [(each.path, describes in each.reasons) for each in impacted if each.shares.get("proposed")] == [("docs/sail.md", True)]
