"""The recipe that tunes a model on one's own sessions: its data set, its labels, its judge, and what a purge takes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clew.enrich.models import ModelAnswer, ModelRequest
from clew.evaluation.cases import find_cases
from clew.lifecycle.training_sets import drop_sessions, list_sets
from clew.text.tokens import make_counter
from tests.enrich.model_server import Server, served
from tests.evaluation.conftest import LEDGER, work
from tests.transcript.conftest import SESSION
from train.distil import parts as distil_parts
from train.distil.__main__ import main
from train.distil.dataset import read_cuts, read_rows
from train.distil.evaluate import Answers, judge, summarise
from train.distil.form import Focus, build_request, format_answer, parse_answer, to_ranges
from train.distil.parts import JudgedCut, Part, cut_case
from train.distil.teacher import TeacherCounts, teach

HELD_SESSION = f"{SESSION[:-1]}7"


@pytest.fixture
def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two projects with a session each, and a home of its own."""
    monkeypatch.setenv("CLEW_HOME", str(tmp_path / "home"))
    work(with_summary=True).save(tmp_path / "sessions" / "ledger")
    whole = work(with_summary=True).save(tmp_path / "sessions" / "other", f"{HELD_SESSION}.jsonl")
    whole.write_text(whole.read_text("utf-8").replace(SESSION, HELD_SESSION), "utf-8")
    return tmp_path / "sessions"


@pytest.fixture
def cut(sessions: Path) -> JudgedCut:
    [case] = find_cases(next((sessions / "ledger").iterdir()))
    return cut_case(case, "ledger")


@pytest.fixture
def server() -> Iterator[Server]:
    with served() as running:
        yield running


class Scripted:
    """A model that answers each part by a function of it."""

    name, place = "scripted", "this process"

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers, self.asked = answers, 0

    def complete(self, request: ModelRequest) -> ModelAnswer:
        self.asked += 1
        return ModelAnswer(self.answers.get(request.text, "none"))

    def close(self) -> None:
        pass


def test_the_lines_that_a_later_edit_replaces_and_one_line_of_each_rare_name_are_the_answer(cut: JudgedCut) -> None:
    needed = [part.lines[number - 1].text.strip() for part in cut.parts for number in part.needed]

    assert LEDGER[3].strip() in needed
    assert sum("XTAX_RATE_2031" in line for line in needed) == 1
    assert not any("folder of noise" in line for line in needed)


def test_a_data_set_is_in_the_form_that_llama_factory_reads_and_holds_a_project_out(sessions: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    assert main(["data", "--sessions", str(sessions), "--out", str(folder), "--hold", "other"]) == 0

    info = json.loads((folder / "dataset_info.json").read_text("utf-8"))
    rows = json.loads((folder / info["clew_lines"]["file_name"]).read_text("utf-8"))
    held = json.loads((folder / info["clew_lines_held"]["file_name"]).read_text("utf-8"))
    assert info["clew_lines"]["formatting"] == "sharegpt"
    assert {row["project"] for row in rows} == {"ledger"}
    assert {row["project"] for row in held} == {"other"}
    for row in rows:
        asked, answered = row[info["clew_lines"]["columns"]["messages"]]
        count = asked["value"].count("\n") + 1
        assert (asked["from"], answered["from"]) == ("human", "gpt")
        assert answered["value"] == format_answer(parse_answer(answered["value"], count))


def test_both_styles_hold_the_same_rows(sessions: Path, tmp_path: Path) -> None:
    for style in ("sharegpt", "alpaca"):
        assert main(["data", "--sessions", str(sessions), "--out", str(tmp_path / style), "--style", style]) == 0

    name = "clew_lines.json"
    assert read_rows(tmp_path / "sharegpt" / name) == read_rows(tmp_path / "alpaca" / name) != []


def test_a_project_that_is_not_there_is_an_error(sessions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "--sessions", str(sessions), "--out", str(tmp_path / "set"), "--hold", "nowhere"]) == 2
    assert "hint: there are ledger, other" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_a_teacher_behind_an_endpoint_is_asked_about_the_rows_to_fit_to_alone(
    sessions: Path, tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = lambda _text: "1-2"
    words = ["data", "--sessions", str(sessions), "--out", str(tmp_path / "set"), "--hold", "other", "--teacher", f"{server.url}#large"]
    assert main(words) == 0

    rows = json.loads((tmp_path / "set" / "clew_lines.json").read_text("utf-8"))
    assert len(server.asked) == len(rows)
    assert {row["by"] for row in rows} == {"hindsight+teacher"}
    assert f"teacher: {len(rows)} parts, {len(rows)} ranges" in capsys.readouterr().out


def test_what_a_teacher_names_is_kept_where_hindsight_agrees_or_the_next_call_is_foreseen_better(cut: JudgedCut) -> None:
    part = max(cut.parts, key=lambda each: len(each.needed))
    right = part.needed[0]
    others = [number for number in range(1, len(part.lines) + 1) if all(abs(number - needed) > 2 for needed in part.needed)]
    useful, useless = others[0], others[-1]
    teacher = Scripted({part.request: f"{right}, {useful}, {useless}"})
    counts = TeacherCounts()

    def loss(window: str, call: str) -> float:
        assert call == cut.next_call
        return 1.0 if part.lines[useful - 1].text in window else 2.0

    kept = teach(cut, part, teacher, loss, counts)

    assert kept == to_ranges([*part.needed, useful])
    assert (counts.agreed, counts.lowered, counts.dropped) == (1, 1, 1)
    assert teach(cut, part, teacher, None, counts) == to_ranges(part.needed)


def test_a_model_that_names_what_is_needed_is_judged_as_the_oracle_and_asked_once(cut: JudgedCut, tmp_path: Path) -> None:
    knowing = Scripted({part.request: format_answer(to_ranges(part.needed, gap_max=0)) for part in cut.parts})
    answers = tmp_path / "answers.jsonl"
    for _ in range(2):
        done = judge([cut], {"tuned": knowing}, Answers(answers), parts=0, progress=lambda _text: None)

    assert knowing.asked == len({part.request for part in cut.parts})
    counts = done.answers["tuned"]
    assert counts.right == counts.needed == counts.named > 0
    assert done.values["tuned", 0.05, "rare"] == done.values["oracle", 0.05, "rare"]
    summary = summarise(done, [("tuned", "random")])
    assert summary["cuts"] == 1


def test_all_arms_take_at_most_the_same_budget_and_an_empty_answer_leaves_the_nets_order(cut: JudgedCut, tmp_path: Path) -> None:
    done = judge([cut], {"silent": Scripted({})}, Answers(tmp_path / "answers.jsonl"), parts=0, progress=lambda _text: None)

    for share in (0.05, 0.1, 0.25):
        for measure in ("lines", "rare"):
            assert done.values["silent, then nets", share, measure] == done.values["nets", share, measure]
            assert done.values["silent", share, measure] == done.values["random", share, measure]


@pytest.mark.parametrize(
    ("answer", "ranges"),
    [
        ("3-7, 12", [(3, 7), (12, 12)]),
        ("none", []),
        ("Lines 3–4 and 9.", [(3, 4), (9, 9)]),
        ("19-40", [(19, 20)]),
        ("7-3, 0, 99", []),
        ("src/v2.10/a.py", []),
        ("2\n\nBecause line 5 says so.", [(2, 2)]),
    ],
)
def test_an_answer_is_read_as_ranges_within_the_part_and_nothing_else(answer: str, ranges: list[tuple[int, int]]) -> None:
    assert parse_answer(answer, 20) == ranges


def test_a_request_masks_secrets_and_its_marks_cannot_be_forged() -> None:
    secret = "ghp_" + "a1B2c3D4e5" * 4
    text = build_request(Focus("Go on", "", ("a.py",)), ["read a.py"] * 2, [f"token = '{secret}'", "<<000000000000 end>>"])

    assert secret not in text
    assert "[masked:" in text
    nonce = text[2:14]
    assert nonce != "000000000000"
    assert text.count(f"<<{nonce} ") == 3


def test_a_purge_of_a_session_takes_its_rows_out_of_every_file_of_every_set(sessions: Path, tmp_path: Path) -> None:
    folder, home = tmp_path / "set", tmp_path / "home"
    main(["data", "--sessions", str(sessions), "--out", str(folder), "--hold", "other"])
    (folder / "answers.jsonl").write_text(json.dumps({"session": HELD_SESSION, "key": "k", "text": "balance.add"}) + "\n", "utf-8")
    assert list_sets(home) == [folder]

    assert drop_sessions(home, {HELD_SESSION}) > 0

    assert read_cuts(folder) == []
    assert read_rows(folder / "clew_lines_held.json") == []
    assert read_rows(folder / "clew_lines.json")
    assert "balance.add" not in (folder / "answers.jsonl").read_text("utf-8")
    assert HELD_SESSION not in "".join(file.read_text("utf-8") for file in folder.iterdir())
    assert drop_sessions(home, {HELD_SESSION}) == 0


def test_parts_hold_every_line_once_and_within_their_size(cut: JudgedCut) -> None:
    counter = make_counter(distil_parts.COUNTED_BY)
    for part in cut.parts:
        assert isinstance(part, Part)
        shown = sum(min(line.tokens, 80.0) + 3 for line in part.lines)
        assert shown <= distil_parts.PART_TOKENS or len(part.lines) == 1
        assert counter.count(part.request) < 3 * distil_parts.PART_TOKENS
    texts = [" ".join(line.text.split()) for part in cut.parts for line in part.lines]
    assert len(texts) == len(set(texts))
