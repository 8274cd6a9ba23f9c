"""The recall benchmark: labels do not reach the store, and its arms answer as they say."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

import clew
from bench.recall import arms
from bench.recall.arms import NaiveBm25
from bench.recall.source import LOCOMO, LONGMEMEVAL, Haystack, haystacks
from bench.recall.store import answer_of, recalled, remember
from clew.settings import Settings

DATE = "2023/05/{:02} (Mon) 10:00"
TALKS = {
    "answer_kite": [("user", "I bought a red kite at the harbour fair"), ("assistant", "Enjoy the wind!")],
    "other_1": [("user", "how do I boil an egg"), ("assistant", "seven minutes")],
    "other_2": [("user", "which paint dries fastest"), ("assistant", "acrylic paint does")],
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    question = {
        "question_id": "q1", "question_type": "single-session-user", "question": "What did I buy at the harbour fair?",
        "question_date": DATE.format(30), "answer_session_ids": ["answer_kite"], "answer_turns": [["answer_kite", 0]],
        "haystack_session_ids": list(TALKS), "haystack_session_keys": list(TALKS),
        "haystack_dates": [DATE.format(at + 1) for at in range(len(TALKS))], "abstention": False,
    }  # fmt: skip
    sessions = [{"key": key, "turns": [{"role": role, "content": text} for role, text in turns]} for key, turns in TALKS.items()]
    for name, rows in (("questions", [question]), ("sessions", sessions)):
        with lzma.open(tmp_path / f"longmemeval_s_{name}.jsonl.xz", "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    chat = {
        "speaker_a": "Ann", "speaker_b": "Bo", "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [{"speaker": "Ann", "dia_id": "D1:1", "text": "I sold my boat"}, {"speaker": "Bo", "dia_id": "D1:2", "text": "Oh no"}],
    }  # fmt: skip
    asked = [
        {"question": "What did Ann sell?", "category": 4, "evidence": ["D1:01; D1:2"]},
        {"question": "Nothing?", "category": 5, "evidence": ["D"]},
    ]
    with lzma.open(tmp_path / "locomo.json.xz", "wt") as file:
        json.dump([{"sample_id": "c", "conversation": chat, "qa": asked}], file)
    return tmp_path


def test_no_id_that_the_store_sees_says_where_the_answer_is(data: Path) -> None:
    [haystack] = haystacks(data, LONGMEMEVAL)

    assert all("answer" not in session.id for session in haystack.sessions)
    assert len({len(session.id) for session in haystack.sessions}) == 1
    [question] = haystack.questions
    assert question.gold_sessions < {session.id for session in haystack.sessions}


def test_evidence_is_read_as_it_stands_and_a_question_without_any_is_left_out(data: Path) -> None:
    [haystack] = haystacks(data, LOCOMO)

    [question] = haystack.questions
    assert question.gold_turns == {turn.uuid for turn in haystack.sessions[0].turns}


def test_every_arm_answers_over_the_same_haystack(data: Path) -> None:
    [haystack] = haystacks(data, LONGMEMEVAL)
    [question] = haystack.questions
    path = data / "place"
    path.mkdir()
    engine = clew.open(settings=Settings(data / "home", jobs=1), is_in_memory=True)

    assert remember(engine, path, haystack) == 3
    assert remember(engine, path, haystack) == 0
    found = answer_of(recalled(engine, path, haystack, question), haystack)
    [gold] = question.gold_sessions
    for answer in (found, NaiveBm25(haystack).answer(question), arms.oracle(haystack, question)):
        assert answer.sessions[0] == gold
        assert answer.turns[0] in question.gold_turns
    assert set(arms.random(haystack, question).sessions) == ids(haystack)
    bare = recalled(engine, path, haystack, question, without=question.gold_sessions, confidence_min=None)
    assert (bare.turns, bare.sessions) == ((), ())


def ids(haystack: Haystack) -> set[str]:
    return {session.id for session in haystack.sessions}
