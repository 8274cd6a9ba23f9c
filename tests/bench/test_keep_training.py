"""Training of the networks that keep lines: what was needed after a cut is what later calls edited and named."""

from __future__ import annotations

from pathlib import Path

from clew.compaction.lines import LINE_FEATURES
from clew.compaction.names import NAME_FEATURES
from tests.evaluation.conftest import work
from train.keep.cuts import cuts_of


def test_a_line_that_was_edited_after_the_compaction_is_needed_and_a_name_that_was_searched_for(tmp_path: Path) -> None:
    work(with_summary=True).save(tmp_path / "sessions")
    cuts = list(cuts_of(tmp_path / "sessions"))
    assert cuts
    for cut in cuts:
        assert cut.lines.shape == (len(cut.edited), len(LINE_FEATURES))
        assert cut.names.shape == (len(cut.used), len(NAME_FEATURES))
    assert any(cut.edited.sum() == 1 for cut in cuts)
    assert any(0 < cut.used.sum() < len(cut.used) for cut in cuts)
