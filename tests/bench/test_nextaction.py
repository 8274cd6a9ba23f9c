"""The next action: the same cuts, each arm before the same words, and means of nats over cuts."""

from __future__ import annotations

from pathlib import Path

from bench.nextaction.__main__ import Answer, read_answers, summarise, table, windows
from bench.nextaction.cuts import CALLS, find_cuts
from tests.evaluation.conftest import work


def sessions(folder: Path) -> Path:
    work(with_summary=True).save(folder / "owner__one", "cc_one.jsonl")
    work(with_summary=False).save(folder / "owner__two", "cc_two.jsonl")
    work(with_summary=True).save(folder / "owner__two", "cc_three.jsonl")
    return folder


def answer(cut: str, arm: str, nats: float, *, project: str = "owner__one") -> Answer:
    return Answer(f"{cut} {arm}", cut, project, arm, nats, 10, nats / 2, 5, 100, 0.1)


def test_a_cut_is_the_first_compaction_and_of_other_projects_those_with_one_come_first(tmp_path: Path) -> None:
    cuts = list(find_cuts(sessions(tmp_path)))

    assert [bool(cut.case.summary) for cut in cuts] == [True, True, False]
    assert list(find_cuts(tmp_path)) == cuts


def test_the_next_calls_are_written_whole_with_what_is_form_and_what_is_value(tmp_path: Path) -> None:
    cut = next(find_cuts(sessions(tmp_path)))
    text = "".join(part.text for part in cut.parts)

    assert text.count(")\n") == CALLS
    assert "src/ledger.py" in "".join(part.text for part in cut.parts if part.is_value)
    assert not any("src/ledger.py" in part.text for part in cut.parts if not part.is_value)


def test_every_arm_is_of_the_summarys_size_and_one_without_a_window_is_left_out(tmp_path: Path) -> None:
    with_summary, *_, without = find_cuts(sessions(tmp_path))

    assert dict(windows(with_summary, ["nothing", "summary"]))["summary"] == with_summary.case.summary
    assert [arm for arm, _ in windows(without, ["nothing", "summary", "recency", "clew"])] == ["nothing", "recency", "clew"]


def test_a_mean_is_over_cuts_and_differences_are_of_cuts_that_both_arms_have() -> None:
    rows = [answer("a", "clew", 10), answer("a", "recency", 20), answer("b", "recency", 60), answer("c", "clew", 30)]
    found = summarise(rows)["groups"]["all"]  # pyright: ignore[reportIndexIssue, reportUnknownVariableType]

    assert found["clew"]["nats"]["mean"] == 2
    assert found["clew"]["less"]["recency"] == found["clew"]["less"]["recency"] | {"mean": -1, "n": 1}
    assert "| clew | 2 | 2.000" in table({"groups": {"all": found}})


def test_answers_of_a_killed_run_are_read_up_to_the_broken_line(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"key":"k","cut":"a","project":"p","arm":"clew","nats":1,"tokens":1,"value_nats":1,"value_tokens":1,'
                    '"window_tokens":1,"seconds":1}\n{"key":"k2","cu')  # fmt: skip

    assert [each.key for each in read_answers(path)] == ["k"]
    assert not list(read_answers(tmp_path / "none.jsonl"))
