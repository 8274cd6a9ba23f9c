"""The task state beside a question: it leads where the question says little, and a wrong one does no harm."""

from __future__ import annotations

from pathlib import Path

import pytest

import clew
from clew.adapters.mcp.tools import ToolRequest, answer_impact, answer_recall
from clew.cli.outcome import run
from clew.engine import Engine
from clew.errors import UsageError
from clew.records import (
    AgentMessage,
    FileState,
    FileStatus,
    MatchKind,
    Remark,
    RemarkKind,
    TaskState,
    UserStatement,
    WorkingFile,
    join_text,
)
from clew.settings import Settings
from tests.transcript.conftest import FOLDER, ClaudeScript

PARTS = ("basket", "invoice", "parcel", "refund", "voucher", "warehouse", "customer", "catalogue")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A shop of several parts, each with a function of its own that the desk calls."""
    folder = tmp_path / "shop"
    for part in PARTS:
        (folder / part).mkdir(parents=True)
        (folder / part / "rules.py").write_text(
            f'"""Rules of the {part}."""\n\n\ndef check_{part}(amount):\n    """Check the amount of a {part}."""\n    return amount > 0\n'
        )
        (folder / part / "desk.py").write_text(
            f"from {part}.rules import check_{part}\n\n\ndef open_{part}(amount):\n    return check_{part}(amount)\n"
        )
    (folder / ".git").mkdir()
    return folder


@pytest.fixture
def engine(tmp_path: Path, tree: Path) -> Engine:
    engine = clew.open(settings=Settings(tmp_path / "home", jobs=1), is_in_memory=True)
    engine.index(tree)
    return engine


def working_on(part: str) -> TaskState:
    """The state of a session that has just changed the rules of one part."""
    path, name = f"{part}/rules.py", f"check_{part}"
    return TaskState(
        question=f"Let {name} refuse odd amounts",
        goals=(UserStatement(f"Let `{name}` in {path} refuse odd amounts", seq=1),),
        working_set=(WorkingFile(path, "edit", 4, 3),),
        files=(FileState(path, FileStatus.EDITED, seq=4),),
        recent_identifiers=(name, path),
        messages=(AgentMessage(f"`{name}` in {path} refuses odd amounts now."),),
        prompts=(1,),
    )


def first_files(engine: Engine, tree: Path, question: str, task: TaskState | None) -> list[str]:
    return [file.path for file in engine.rank_files(tree, question, limit=3, task=task).files]


@pytest.mark.parametrize("part", ["parcel", "voucher"])
def test_what_a_question_only_points_at_is_what_the_session_worked_on(engine: Engine, tree: Path, part: str) -> None:
    question = "and where is that called from?"

    assert {f"{part}/rules.py", f"{part}/desk.py"} <= set(first_files(engine, tree, question, working_on(part)))
    assert first_files(engine, tree, question, working_on(part)) != first_files(engine, tree, question, None)


@pytest.mark.parametrize("wrong", [part for part in PARTS if part != "invoice"])
def test_a_wrong_goal_does_not_displace_what_the_question_names(engine: Engine, tree: Path, wrong: str) -> None:
    """The drift drill: the state is of another task, and the question says what it is about."""
    question = "why does check_invoice accept nothing?"

    assert first_files(engine, tree, question, working_on(wrong))[0] == "invoice/rules.py"
    alone = engine.retrieve(tree, question, budget_tokens=300, tokenizer="chars4")
    led = engine.retrieve(tree, question, budget_tokens=300, tokenizer="chars4", task=working_on(wrong))
    for packet in (alone, led):
        assert any(entry.name == "check_invoice" and entry.is_whole for entry in packet.entries)


def test_a_long_text_keeps_its_own_words(engine: Engine, tree: Path) -> None:
    issue = "A refund of nothing is accepted\n\nThe check of a refund returns true for amounts below zero. " + "It should not. " * 20

    assert first_files(engine, tree, issue, working_on("parcel"))[0] == first_files(engine, tree, issue, None)[0]


def test_the_reader_is_told_what_the_state_did(engine: Engine, tree: Path) -> None:
    packet = engine.retrieve(tree, "and where is that called from?", budget_tokens=400, tokenizer="chars4", task=working_on("parcel"))

    kinds = {reason.kind for entry in packet.entries if entry.path == "parcel/rules.py" for reason in entry.why}
    assert kinds & {MatchKind.EXPECTED, MatchKind.TOUCHED, MatchKind.RECENTLY_NAMED}
    said = [word for entry in packet.entries for reason in entry.why if reason.kind is MatchKind.WORDS for word in reason.values]
    assert "parcel" not in said, "a word of the state is not called one of the question"


def test_a_name_that_is_nowhere_is_told_whatever_the_session_works_on(engine: Engine, tree: Path) -> None:
    alone = engine.rank_files(tree, "where is compute_levy defined?", limit=3)
    led = engine.rank_files(tree, "where is compute_levy defined?", limit=3, task=working_on("parcel"))

    assert led.remarks[0] == alone.remarks[0] == Remark(RemarkKind.NO_SUCH_NAME, ("compute_levy",))
    assert not any(file.score for file in led.files), "what the session works on is shown, and is no answer"


def test_without_names_impact_is_asked_of_what_the_session_changed(engine: Engine, tree: Path) -> None:
    given, found = engine.find_impact(tree, [], limit=5, task=working_on("parcel"))

    assert given == ["parcel/rules.py"]
    assert found[0].path == "parcel/desk.py"
    with pytest.raises(UsageError):
        engine.find_impact(tree, [], limit=5, task=TaskState())


def test_impact_says_of_a_file_that_the_session_has_changed_it(engine: Engine, tree: Path) -> None:
    _, found = engine.find_impact(tree, ["parcel/desk.py"], limit=5, task=working_on("parcel"))

    [rules] = [file for file in found if file.path == "parcel/rules.py"]
    assert rules.reasons[0].kind is MatchKind.IN_SESSION


def test_the_tools_of_an_agent_know_what_its_session_works_on(engine: Engine, tree: Path) -> None:
    asked = ToolRequest(engine, tree, "chars4", read_task=lambda: working_on("parcel"))

    impact = join_text(answer_impact(asked, {}))
    code = join_text(answer_recall(asked, {"question": "and where is that called from?", "where": "code"}))

    assert impact.startswith("Files that will probably change with parcel/rules.py")
    assert "parcel/desk.py" in impact
    assert code.index("=== parcel/") < min(code.find(f"=== {part}/") % 10**6 for part in PARTS if part != "parcel")
    with pytest.raises(UsageError):
        answer_impact(ToolRequest(engine, tree, "chars4"), {})


def test_a_session_that_is_named_counts_on_the_command_line(
    engine: Engine, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    claude = ClaudeScript()
    claude.prompt("Let `check_parcel` in parcel/rules.py refuse odd amounts")
    claude.edit(f"{FOLDER}/parcel/rules.py", "    return amount > 0", "    return amount > 0 and amount % 2 == 0", 6)
    claude.tell("`check_parcel` in parcel/rules.py refuses odd amounts now.")
    transcript = claude.save(tmp_path / "sessions")
    monkeypatch.setenv("CLEW_HOME", str(tmp_path / "home"))
    words = ["retrieve", "and where is that called from?", "--files", "--limit", "2", "--repo", str(tree), "--quiet"]

    assert run([*words, "--session", str(transcript)]) == 0
    led = capsys.readouterr().out.split()
    assert run(["impact", "--session", str(transcript), "--repo", str(tree), "--quiet", "--limit", "1"]) == 0
    impacted = capsys.readouterr().out

    assert set(led) == {"parcel/rules.py", "parcel/desk.py"}
    assert "parcel/desk.py" in impacted
    assert run([*words, "--session", "no-such-session"]) == 4
    assert run(["impact", "--repo", str(tree)]) == 2
