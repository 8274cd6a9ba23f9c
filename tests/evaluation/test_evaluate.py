"""Windows of the same size, judged by what was needed later."""

from __future__ import annotations

from pathlib import Path

import pytest

from clew.evaluation.evaluate import MEASURES, EvaluationOptions, check_recovery, evaluate_transcripts, find_main_transcripts
from clew.evaluation.prepared import PreparedCase
from clew.evaluation.report import build_report
from clew.evaluation.windows import WINDOW_BUILDERS


@pytest.mark.parametrize("name", WINDOW_BUILDERS)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 1.0])
def test_no_window_is_longer_than_its_budget(prepared: PreparedCase, name: str, share: float) -> None:
    budget = int(prepared.history_tokens * share)
    window = WINDOW_BUILDERS[name](prepared, budget)

    assert window is None or prepared.counter.count(window.text) <= budget


def test_the_summary_is_judged_at_its_own_size_alone(prepared: PreparedCase) -> None:
    own = prepared.summary_tokens

    assert WINDOW_BUILDERS["summary"](prepared, own) is not None
    assert WINDOW_BUILDERS["summary"](prepared, own + 1) is None


def test_recency_shows_the_newest_lines(prepared: PreparedCase) -> None:
    newest = WINDOW_BUILDERS["recency"](prepared, 200)

    assert newest is not None
    assert newest.text.endswith("I have looked at everything.\n")
    assert newest.text in "".join(prepared.texts)


def test_everything_comes_back_byte_for_byte(prepared: PreparedCase) -> None:
    """Every record by its handle, the lines from the kept transcript, and each handle that a window printed."""
    window = WINDOW_BUILDERS["clew"](prepared, prepared.history_tokens // 4)
    assert window is not None
    assert window.handles

    back = check_recovery(prepared, window.handles)

    assert back.is_whole
    assert (back.size, back.handles) == (len(b"".join(prepared.case.lines)), len(window.handles))
    assert back.records > 30


def test_a_handle_that_answers_to_nothing_is_counted_as_lost(prepared: PreparedCase) -> None:
    assert not check_recovery(prepared, ["0000000z"]).is_whole


def test_nothing_of_the_sessions_reaches_the_users_store(compacted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_HOME", str(tmp_path / "home"))

    list(evaluate_transcripts([compacted], EvaluationOptions(shares=(0.1,))))

    assert not (tmp_path / "home").exists()


def test_a_transcript_that_cannot_be_read_is_named_and_the_others_are_judged(compacted: Path, whole: Path) -> None:
    gone = compacted.with_name("gone.jsonl")

    outcomes = list(evaluate_transcripts([compacted, gone, whole], EvaluationOptions(shares=(0.1,))))

    assert [len(outcome.cuts) for outcome in outcomes] == [1, 0, 1]
    assert "gone.jsonl" in outcomes[1].problem
    assert build_report(outcomes).problems == (outcomes[1].problem,)


def test_two_processes_find_what_one_finds(compacted: Path, whole: Path) -> None:
    plan = EvaluationOptions(shares=(0.1,))

    alone, spread = (build_report(list(evaluate_transcripts([compacted, whole], plan, workers=workers))) for workers in (1, 2))

    assert alone.budgets == spread.budgets


def test_the_report_says_how_far_clew_is_ahead_and_at_how_many_cuts(compacted: Path, whole: Path) -> None:
    report = build_report(list(evaluate_transcripts([compacted, whole], EvaluationOptions(shares=(0.1,)))))
    [own, tenth] = report.budgets

    assert (report.cuts, report.compactions, report.too_short) == (2, 1, 0)
    assert (own.budget, own.cuts, tenth.budget, tenth.cuts) == ("summary", 1, "10 %", 2)
    assert list(tenth.leads) == ["recency"]
    assert set(tenth.means["clew"]) == set(MEASURES)
    assert (tenth.leads["recency"]["verbatim"].mean or 0) > 0
    assert (tenth.leads["recency"]["verbatim"].more, tenth.leads["recency"]["verbatim"].less) == (2, 0)
    assert report.recovery.is_whole


def test_a_folder_gives_each_main_thread_once(compacted: Path, whole: Path) -> None:
    paths, problems = find_main_transcripts([compacted.parent, compacted, compacted.parent / "nowhere"])

    assert paths == [compacted, whole]
    assert len(problems) == 1
