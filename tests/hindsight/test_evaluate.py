"""Windows of the same size, judged by what was needed later."""

from __future__ import annotations

from pathlib import Path

import pytest

from clew.errors import UsageError
from clew.hindsight.arms import ARMS, summary_tokens
from clew.hindsight.evaluate import MEASURES, Plan, budgets_of, evaluate, judge, recovery, sessions_at
from clew.hindsight.report import summarise
from clew.hindsight.trial import Trial


@pytest.mark.parametrize("name", ARMS)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 1.0])
def test_no_window_is_longer_than_its_budget(trial: Trial, name: str, share: float) -> None:
    budget = int(trial.tokens * share)
    window = ARMS[name](trial, budget)

    assert window is None or trial.counter.count(window.text) <= budget


def test_the_summary_is_judged_at_its_own_size_alone(trial: Trial) -> None:
    own = summary_tokens(trial)

    assert ARMS["summary"](trial, own) is not None
    assert ARMS["summary"](trial, own + 1) is None


@pytest.mark.parametrize("budget", ["5 %", "10 %", "25 %"])
def test_the_oracle_wins_by_every_measure_and_hoarding_names_loses(trial: Trial, budget: str) -> None:
    judged = judge(trial, ARMS, budgets_of(trial, (0.05, 0.1, 0.25)))
    rows = {row.arm: row for row in judged.rows if row.budget == budget}

    for measure in ("files", "verbatim", "terms", "named", "repeats", "constraints"):
        best = max(row.value(measure) or 0.0 for row in rows.values())
        assert rows["oracle"].value(measure) == best == 1.0, measure
    assert (rows["hoard"].scores.named or 0.0) > (rows["recency"].scores.named or 0.0)
    assert all((rows["hoard"].scores.terms or 0.0) < (rows[arm].scores.terms or 0.0) for arm in ("oracle", "clew"))


def test_recency_shows_the_newest_lines_and_random_does_not_depend_on_the_run(trial: Trial) -> None:
    first, again = (ARMS["random"](trial, 500) for _ in range(2))
    newest = ARMS["recency"](trial, 200)

    assert first == again
    assert newest is not None
    assert newest.text.endswith("I have looked at everything.\n")
    assert newest.text in "".join(trial.texts)


def test_talk_comes_before_tool_results_and_the_newest_results_before_older_ones(trial: Trial) -> None:
    talk = sum(length for length, piece in zip(trial.lengths, trial.case.pieces, strict=True) if piece.kind != "result")
    window = ARMS["results"](trial, int(talk + trial.lengths[-2] + 2))

    assert window is not None
    assert "Settle the ledger." in window.text
    assert "folder of noise number 59" in window.text
    assert "from the ministry" not in window.text


def test_everything_comes_back_byte_for_byte(trial: Trial) -> None:
    """Every record by its handle, the lines from the kept transcript, and each handle that a window printed."""
    window = ARMS["clew"](trial, trial.tokens // 4)
    assert window is not None
    assert window.handles

    back = recovery(trial, window.handles)

    assert back.is_whole
    assert (back.size, back.handles) == (len(b"".join(trial.case.lines)), len(window.handles))
    assert back.records > 30


def test_a_handle_that_answers_to_nothing_is_counted_as_lost(trial: Trial) -> None:
    assert not recovery(trial, ["0000000z"]).is_whole


def test_nothing_of_the_sessions_reaches_the_users_store(compacted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_HOME", str(tmp_path / "home"))

    list(evaluate([compacted], Plan(shares=(0.1,))))

    assert not (tmp_path / "home").exists()


def test_a_transcript_that_cannot_be_read_is_named_and_the_others_are_judged(compacted: Path, whole: Path) -> None:
    gone = compacted.with_name("gone.jsonl")

    outcomes = list(evaluate([compacted, gone, whole], Plan(arms=("clew", "recency"), shares=(0.1,))))

    assert [len(outcome.cuts) for outcome in outcomes] == [1, 0, 1]
    assert "gone.jsonl" in outcomes[1].problem
    assert summarise(outcomes).problems == (outcomes[1].problem,)


def test_two_processes_find_what_one_finds(compacted: Path, whole: Path) -> None:
    plan = Plan(arms=("clew", "random"), shares=(0.1,))

    alone, spread = (summarise(list(evaluate([compacted, whole], plan, workers=workers))) for workers in (1, 2))

    assert alone.budgets == spread.budgets


def test_a_plan_with_an_arm_that_nobody_knows_says_which_there_are(compacted: Path) -> None:
    with pytest.raises(UsageError, match=r"'nonsense'.*\n.*clew, summary, recency"):
        list(evaluate([compacted], Plan(arms=("nonsense",))))


def test_the_report_says_how_far_clew_is_ahead_of_each_arm(compacted: Path, whole: Path) -> None:
    report = summarise(list(evaluate([compacted, whole], Plan(shares=(0.1,)))))
    [own, tenth] = report.budgets

    assert (report.cuts, report.compactions, report.too_short) == (2, 1, 0)
    assert (own.budget, own.cuts, tenth.budget, tenth.cuts) == ("summary", 1, "10 %", 2)
    assert set(tenth.ahead) == set(ARMS) - {"clew", "summary"}
    assert set(tenth.arms["clew"]) == set(MEASURES)
    assert report.recovery.is_whole


def test_who_can_price_a_session_is_asked_once_for_each(compacted: Path, whole: Path) -> None:
    plan = Plan(arms=("recency",), shares=(0.1,), reprice=_cheaper, priced_arms=("append", "schedule"))

    costs = summarise(list(evaluate([compacted, whole], plan))).costs

    assert (costs["append"].mean.mean, costs["append"].pooled, costs["append"].dearer) == (-0.25, -0.25, 0)
    assert (costs["append"].dollars, costs["append"].nothing_dollars) == (6.0, 8.0)
    assert (costs["schedule"].dearer, costs["schedule"].worst) == (2, 0.5)


def test_a_folder_gives_each_main_thread_once(compacted: Path, whole: Path) -> None:
    paths, problems = sessions_at([compacted.parent, compacted, compacted.parent / "nowhere"])

    assert paths == [compacted, whole]
    assert len(problems) == 1


class _Cheaper:
    def units(self, arm: str = "nothing") -> float:
        return {"nothing": 100.0, "append": 75.0, "schedule": 150.0}[arm]

    def dollars(self, arm: str = "nothing") -> float | None:
        return self.units(arm) / 25


def _cheaper(lines: object) -> _Cheaper:
    return _Cheaper()
