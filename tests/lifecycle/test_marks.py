"""What a person marks by hand: pins and drops at compactions, corrections of the state; taken back, and reached by a purge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import clew
from clew.engine import Engine
from clew.errors import UsageError
from clew.lifecycle.marks import MARKS_PREFIX
from clew.records import ClaimPart, Correction, Record, make_handle
from clew.settings import Settings
from clew.store.ports import LOCAL
from clew.usecases.preview import CompactionPreview, Fate, PreviewedRecord
from tests.transcript.conftest import FOLDER, SESSION, ClaudeScript

BY = "a test"
RULE = "Never push to main."
OLD = [f"def helper_{at}(value):  # rarely looked at" for at in range(30)]


@dataclass
class Work:
    engine: Engine
    repo: Path
    transcript: Path

    def preview(self, budget: int = 900, *, at: str | None = None) -> CompactionPreview:
        return self.engine.preview_compaction(str(self.transcript), at=at, budget_tokens=budget, tokenizer="chars4", path=self.repo)

    def find(self, words: str, budget: int = 900) -> PreviewedRecord:
        return next(each for each in self.preview(budget).records if words in each.text)

    def compact(self, budget: int = 900) -> str:
        return self.engine.compact(str(self.transcript), at=None, budget_tokens=budget, tokenizer="chars4", path=self.repo).text

    def state(self, *, at: str | None = None, session: str = "") -> dict[str, Any]:
        return self.engine.describe_state(self.repo, session or str(self.transcript), at=at)

    def rules(self, *, at: str | None = None, session: str = "") -> list[str]:
        return [each["text"] for each in self.state(at=at, session=session)["constraints"]]

    def end_rule(self, uuid: str, *, now: str = "", is_everywhere: bool = False) -> str:
        said = Correction(ClaimPart.RULE, uuid, RULE, now, is_everywhere=is_everywhere)
        return self.engine.correct(self.repo, SESSION, said, by=BY)

    def marks(self) -> list[Record]:
        [(key, _)] = self.engine.store.roots()
        with self.engine.store.snapshot(LOCAL, key) as snapshot:
            return snapshot.records_of_sources(*(state.source for state in snapshot.source_states(MARKS_PREFIX)))

    def rule_records(self) -> dict[str, bool]:
        """Whether the record of the rule is live, by session."""
        [(key, _)] = self.engine.store.roots()
        with self.engine.store.snapshot(LOCAL, key) as snapshot:
            records = snapshot.of_subject(f"constraint:{RULE.lower()}")
            statuses = snapshot.statuses([record.id for record in records])
        return {record.session: status.is_live for record, status in zip(records, statuses, strict=True)}


def script(session: str = SESSION) -> ClaudeScript:
    made = ClaudeScript(session)
    made.prompt(f"Settle the ledger in src/ledger.py. {RULE}")
    made.read(f"{FOLDER}/src/old.py", OLD)
    for number in range(12):
        made.run(f"ls folder{number}", "\n".join(f"entry {at} of folder {number}, nothing else" for at in range(40)))
    made.prompt("Now settle `src/late.py` as well.")
    made.run("pytest -q", "3 passed in 0.02s")
    made.tell("Both are settled.")
    return made


@pytest.fixture(params=[False, True], ids=["read", "ingested"])
def work(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Work]:
    repo = tmp_path / "shop"
    (repo / ".git").mkdir(parents=True)
    with clew.open(settings=Settings(tmp_path / "home", jobs=1)) as engine:
        made = Work(engine, repo, script().save(tmp_path / "sessions"))
        if request.param:
            engine.ingest([made.transcript], repo=repo)
        yield made


def test_what_is_pinned_stands_first_and_says_so(work: Work) -> None:
    before = work.find("helper_3(")
    assert before.fate is not Fate.KEPT
    work.engine.pin(work.repo, before.record, first=3, last=5, by=BY)
    after, text = work.find("helper_3("), work.compact()

    assert {2, 3, 4} <= {at for first, last in after.shown for at in range(first, last + 1)}
    assert after.why[0].kind.value == "pinned"
    assert "## Pinned by the user" in text
    assert OLD[2] in text
    assert text.index(OLD[2]) < text.index("Last actions") if "Last actions" in text else True
    assert work.preview().packet.tokens <= 900


def test_a_pin_that_does_not_fit_is_named_and_said(work: Work) -> None:
    work.engine.pin(work.repo, work.find("helper_3(").record, by=BY)
    preview = work.preview(300)

    assert preview.unfitting == 1
    assert "Not all that was pinned fits" in preview.packet.text or "Pinned" not in preview.packet.text
    assert preview.packet.tokens <= 300
    assert work.preview(4000).unfitting == 0


def test_a_dropped_line_is_not_shown(work: Work) -> None:
    shown = work.find("3 passed", 3000)
    assert shown.shown
    work.engine.pin(work.repo, shown.record, is_dropped=True, by=BY)
    after = work.find("3 passed", 3000)

    assert not after.shown
    assert after.pins[0].mark.is_dropped
    some = work.find("helper_3(", 20_000)
    work.engine.pin(work.repo, some.record, first=2, last=30, is_dropped=True, by=BY)
    assert OLD[4] not in work.compact(20_000)


def test_a_pin_is_taken_back(work: Work) -> None:
    before, text = work.find("helper_3("), work.compact()
    handle = work.engine.pin(work.repo, before.record, by=BY)
    assert work.compact() != text
    work.engine.take_back(work.repo, [handle], by=BY)

    assert work.compact() == text
    assert work.find("helper_3(").pins == ()


def test_what_no_window_shows_is_not_pinned(work: Work) -> None:
    record = work.find("helper_3(").record
    for wrong in (replace(record, kind="constraint"), replace(record, session=""), replace(record, agent="a")):
        with pytest.raises(UsageError):
            work.engine.pin(work.repo, wrong, by=BY)
    with pytest.raises(UsageError):
        work.engine.pin(work.repo, record, first=9, last=3, by=BY)


def uuid_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def test_a_rule_that_the_user_ends_is_no_rule_until_it_is_said_again(work: Work) -> None:
    handle = work.end_rule(uuid_of(0))

    assert work.rules() == []
    assert RULE not in work.compact().partition("## Last actions")[0].partition("Rules")[2]
    assert work.rules(at="20") == [RULE]  # then it held
    made = script()
    made.prompt(f"Go on. {RULE}")
    work.transcript.write_bytes(made.bytes())
    assert work.rules() == [RULE]
    work.transcript.write_bytes(script().bytes())
    work.engine.take_back(work.repo, [handle], by=BY)
    assert work.rules() == [RULE]
    assert work.state()["corrections"] == []


def test_a_corrected_state_is_the_same_kept_and_made_again(work: Work) -> None:
    work.end_rule(uuid_of(0), now="Push to main only after review.")
    made = work.state()
    work.engine.ingest([work.transcript], repo=work.repo)
    kept = work.state(session=SESSION)

    for part in ("constraints", "goal", "request", "checks", "done", "corrections"):
        assert without_handles(kept[part]) == without_handles(made[part]), part
    [rule] = kept["constraints"]
    assert (rule["text"], rule["line"]) == ("Push to main only after review.", 0)


def without_handles(value: Any) -> Any:
    """A part of a state, without what only an ingested session has."""
    if isinstance(value, list):
        return [without_handles(each) for each in value]
    return {name: each for name, each in value.items() if name != "handle"} if isinstance(value, dict) else value


def test_a_rule_of_the_repository_ends_in_every_session_that_said_it_before(work: Work, tmp_path: Path) -> None:
    other = "22222222-2222-4333-8444-555555555555"
    file = script(other).save(tmp_path / "sessions")
    work.engine.ingest([work.transcript, file], repo=work.repo)
    assert work.rule_records() == {SESSION: True, other: True}
    handle = work.end_rule(uuid_of(0), is_everywhere=True)

    assert work.rules(session=other) == work.rules(session=SESSION) == []
    assert work.rule_records() == {SESSION: False, other: False}
    made = script(other)
    made.prompt("Good.")
    file.write_bytes(made.bytes())
    work.engine.ingest([file], repo=work.repo)
    assert work.rule_records() == {SESSION: False, other: False}
    work.engine.take_back(work.repo, [handle], by=BY)
    assert work.rule_records() == {SESSION: True, other: True}
    assert work.rules(session=other) == [RULE]


def test_other_claims_are_corrected(work: Work) -> None:
    state = work.state()
    [check] = state["checks"]
    work.engine.correct(work.repo, SESSION, Correction(ClaimPart.CHECK, check["uuid"], check["command"]), by=BY)
    goal = state["request"] or state["done"][-1]
    uuid = goal.get("request_uuid") or goal["uuid"]
    if state["request"] is None:
        work.engine.correct(work.repo, SESSION, Correction(ClaimPart.DONE, uuid, goal["text"]), by=BY)
        assert work.state()["request"]["text"] == goal["text"]
    work.engine.correct(work.repo, SESSION, Correction(ClaimPart.REQUEST, uuid, goal["text"], is_done=True), by=BY)
    after = work.state()

    assert after["checks"] == []
    assert goal["text"] in [each["text"] for each in after["done"]]


@pytest.mark.parametrize("is_taken_back", [False, True])
def test_a_purge_reaches_what_was_marked(work: Work, *, is_taken_back: bool) -> None:
    work.engine.ingest([work.transcript], repo=work.repo)
    prompt = next(each.record for each in work.preview().records if each.record.kind == "prompt")
    handles = [work.end_rule(uuid_of(0), now="The vault is secret-zanzibar."), work.engine.pin(work.repo, prompt, by=BY)]
    if is_taken_back:
        work.engine.take_back(work.repo, handles, by=BY)
    work.engine.purge(work.repo, handles=[make_handle(prompt.id)], reason="test")

    assert work.marks() == []
    work.engine.pin(work.repo, work.find("3 passed").record, by=BY)
    work.engine.purge(work.repo, source=f"session:{SESSION}", reason="test")
    assert work.marks() == []
