"""Recall: what earlier sessions say of a question, through the engine, on small conversations."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import clew
from clew.engine import Engine
from clew.recall.heading import make_turn_heading
from clew.recall.recall import Recalled
from clew.recall.when import find_dates
from clew.records import MatchKind, MatchReason, Observation, ObservationKind, join_text
from clew.records.wording import describe_reason
from clew.settings import Settings
from clew.task.subjects import find_replaced
from clew.usecases.write import NewNote

SMALL_TALK = (
    ("hello there, how are things", "fine, what shall we do"),
    ("tell me a story about a whale", "once there was a whale who sang"),
    ("which paint dries fastest on wood", "acrylic dries within an hour"),
    ("how do I boil an egg", "seven minutes in boiling water"),
)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return clew.open(settings=Settings(tmp_path / "home", jobs=1), is_in_memory=True)


def say(engine: Engine, path: Path, session: str, day: str, *turns: str) -> None:
    """Write turns of one session, the user's first, then the agent's, by turns."""
    at_ns = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000_000_000
    kinds = (ObservationKind.PROMPT, ObservationKind.MESSAGE)
    engine.write(
        path,
        [Observation(session, at, at, f"{session}-{at}", kinds[at % 2], text, at_ns=at_ns + at) for at, text in enumerate(turns)],
    )


def small_talk(engine: Engine, path: Path) -> None:
    for at, turns in enumerate(SMALL_TALK):
        say(engine, path, f"talk-{at}", f"2025-01-0{at + 1}", *turns)


def ask(engine: Engine, path: Path, question: str, *, only: tuple[str, ...] | None = None, exclude: tuple[str, ...] = ()) -> Recalled:
    asked_ns = int(datetime(2025, 6, 15, tzinfo=UTC).timestamp()) * 1_000_000_000
    return engine.recall(path, question, only=only, exclude=exclude, asked_ns=asked_ns)


def test_the_turn_that_answers_comes_first_with_its_session(engine: Engine, tmp_path: Path) -> None:
    small_talk(engine, tmp_path)
    say(engine, tmp_path, "s", "2025-05-01", "the flaky upload test needs a fixed clock", "noted, I freeze the clock there")

    found = ask(engine, tmp_path, "what did the flaky upload test need?")

    assert found.turns[0].record.uuid == "s-0"
    assert found.sessions[0][0] == "s"
    assert "upload" in found.turns[0].why[-1].values


def test_an_answer_without_the_questions_words_is_found_beside_them(engine: Engine, tmp_path: Path) -> None:
    small_talk(engine, tmp_path)
    say(engine, tmp_path, "s", "2025-05-01", "where do the nightly backups of the ledger go?", "to the cold bucket in Frankfurt")

    found = ask(engine, tmp_path, "nightly backups of the ledger")

    assert [turn.record.uuid for turn in found.turns[:2]] == ["s-0", "s-1"]
    assert found.turns[1].why == (MatchReason(MatchKind.BESIDE),)


@pytest.mark.parametrize("question", ["which kubernetes ingress annotations did the gateway rollout need?", "", "?!"])
def test_what_nobody_spoke_of_is_answered_with_nothing(engine: Engine, tmp_path: Path, question: str) -> None:
    small_talk(engine, tmp_path)

    found = ask(engine, tmp_path, question)

    assert (found.turns, found.sessions) == ((), ())


def test_sessions_can_be_left_out_and_named(engine: Engine, tmp_path: Path) -> None:
    for session in ("a", "b", "c"):
        say(engine, tmp_path, session, "2025-05-01", "the invoice parser drops the last row", f"seen in {session}")

    question = "which row does the invoice parser drop?"

    assert {turn.session for turn in ask(engine, tmp_path, question, exclude=("a",)).turns} <= {"b", "c"}
    assert {turn.session for turn in ask(engine, tmp_path, question, only=("b",)).turns} == {"b"}


def test_a_time_that_the_question_names_speaks_for_the_sessions_of_that_time(engine: Engine, tmp_path: Path) -> None:
    small_talk(engine, tmp_path)
    for session, day in (("march", "2025-03-10"), ("may", "2025-05-20"), ("june", "2025-06-02")):
        say(engine, tmp_path, session, day, "we tuned the cache of the map server", "done")

    assert ask(engine, tmp_path, "how did we tune the cache in March?").sessions[0][0] == "march"
    assert ask(engine, tmp_path, "how did we tune the cache in May?").sessions[0][0] == "may"


def test_what_was_said_anew_stands_above_what_it_replaces_and_both_are_there(engine: Engine, tmp_path: Path) -> None:
    small_talk(engine, tmp_path)
    say(engine, tmp_path, "old", "2025-02-01", "we use npm to install packages, please use npm to install packages here", "ok")
    say(engine, tmp_path, "new", "2025-05-01", "install packages: use pnpm instead of npm", "ok")

    turns = [turn for turn in ask(engine, tmp_path, "do we use npm to install packages?").turns if turn.record.kind == "prompt"]

    assert [turn.session for turn in turns[:2]] == ["new", "old"]
    assert turns[1].replaced_by == turns[0].record.id
    assert "pnpm instead of npm" in describe_reason(turns[1].why[0])


def test_what_was_said_later_of_the_same_subject_stands_first_whatever_its_words(engine: Engine, tmp_path: Path) -> None:
    small_talk(engine, tmp_path)
    asked = "Which inference server serves the ranking model?"
    say(engine, tmp_path, "old", "2025-02-01", asked, "We use vLLM as inference server of the ranking model, on port 8001.")
    say(engine, tmp_path, "new", "2025-05-01", "Give the ranking model SGLang as inference server.", "Done, the ranking model has it.")

    found = ask(engine, tmp_path, asked)

    assert found.sessions[0][0] == found.turns[0].session == "new"
    assert {turn.session for turn in found.turns} == {"new", "old"}
    assert ask(engine, tmp_path, "Which inference server served the ranking model in February?").sessions[0][0] == "old"


def test_what_the_agent_said_is_marked_where_the_user_has_replaced_it(engine: Engine, tmp_path: Path) -> None:
    say(
        engine,
        tmp_path,
        "old",
        "2025-02-01",
        "Which server do we use for the ranking model?",
        "We use vLLM as server for the ranking model.",
    )
    say(engine, tmp_path, "new", "2025-05-01", "Switch the server of the ranking model from vLLM to SGLang.", "Done.")

    turns = {turn.record.uuid: turn for turn in ask(engine, tmp_path, "server of the ranking model").turns}

    assert turns["old-1"].replaced_by == turns["new-0"].record.id
    assert "replaced by" in join_text(make_turn_heading(turns["old-1"]))
    assert join_text(make_turn_heading(turns["new-0"])).endswith("prompt, 2025-05-01, session new")


def test_a_replaced_note_says_so(engine: Engine, tmp_path: Path) -> None:
    for text in ("the ranking model is served by vLLM", "the ranking model is served by SGLang"):
        engine.write(tmp_path, [NewNote(text, subject="server")])

    newer, older = ask(engine, tmp_path, "by what is the ranking model served?").turns

    assert "SGLang" in newer.record.name
    assert "replaced by" in join_text(make_turn_heading(older))
    assert "replaced" not in join_text(make_turn_heading(newer))


def test_a_packet_says_of_what_was_said_when_and_what_has_replaced_it(engine: Engine, tmp_path: Path) -> None:
    for text in ("the ranking model is served by vLLM", "the ranking model is served by SGLang"):
        engine.write(tmp_path, [NewNote(text, subject="server")])
    say(engine, tmp_path, "old", "2025-03-01", "the staging port?", "The staging port is 8080.")
    say(engine, tmp_path, "new", "2025-05-01", "The staging port is now 9090.", "Noted.")

    text = join_text(engine.retrieve(tmp_path, "ranking model staging port", budget_tokens=1000, tokenizer="claude").spans)
    lines = dict(zip(text.split("\n")[1:], text.split("\n"), strict=False))
    assert ", replaced by [" in lines["the ranking model is served by vLLM"]
    assert "replaced" not in lines["the ranking model is served by SGLang"]
    assert "message, 2025-03-01, replaced by [" in lines["The staging port is 8080."]
    assert lines["The staging port is now 9090."].endswith("prompt, 2025-05-01")


def test_the_running_session_is_asked_only_for_what_its_window_no_longer_holds(engine: Engine, tmp_path: Path) -> None:
    at_ns = 1_700_000_000_000_000_000
    kinds = (ObservationKind.PROMPT, ObservationKind.BOUNDARY, ObservationKind.PROMPT)
    texts = ("the flaky upload test needs a fixed clock", "Conversation compacted", "does the flaky upload test need a fixed clock?")
    seen = [
        Observation("now", n, n, f"now-{n}", kind, text, at_ns=at_ns + n) for n, (kind, text) in enumerate(zip(kinds, texts, strict=True))
    ]

    engine.write(tmp_path, seen[:1])
    assert engine.recall(tmp_path, "the flaky upload test", running="now").turns == ()
    engine.write(tmp_path, seen[1:])
    assert [turn.record.uuid for turn in engine.recall(tmp_path, "the flaky upload test", running="now").turns] == ["now-0"]


def test_two_runs_and_two_stores_answer_alike(engine: Engine, tmp_path: Path) -> None:
    other = clew.open(settings=Settings(tmp_path / "other", jobs=1), is_in_memory=True)
    for each, order in ((engine, SMALL_TALK), (other, tuple(reversed(SMALL_TALK)))):
        for turns in order:
            say(each, tmp_path, turns[0].split()[0], "2025-01-01", *turns)

    question = "what dries fastest on wood, and how long do eggs boil?"

    first, again, of_other = (ask(each, tmp_path, question) for each in (engine, engine, other))
    assert first == again
    assert first.turns
    assert without_write_times(first) == without_write_times(of_other)


def without_write_times(found: Recalled) -> Recalled:
    """The two stores were not written at the same time."""
    return replace(found, turns=tuple(replace(turn, status=replace(turn.status, recorded_at_ns=0)) for turn in found.turns))


ASKED = date(2025, 6, 15)  # a Sunday


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("what did I say two weeks ago?", "2025-06-01", "2025-06-01"),
        ("a couple of days ago", "2025-06-13", "2025-06-13"),
        ("yesterday's bug", "2025-06-14", "2025-06-14"),
        ("in March", "2025-03-01", "2025-03-31"),
        ("in September", "2024-09-01", "2024-09-30"),
        ("on 2024-02-29", "2024-02-29", "2024-02-29"),
        ("on May 3rd", "2025-05-03", "2025-05-03"),
        ("the 3rd of May, 2023", "2023-05-03", "2023-05-03"),
        ("last Friday", "2025-06-13", "2025-06-13"),
        ("in the past 3 months", "2025-03-17", "2025-06-15"),
        ("during 2023", "2023-01-01", "2023-12-31"),
    ],
)
def test_a_time_is_read_as_somebody_means_it_who_asks_on_that_day(text: str, first: str, last: str) -> None:
    [span] = find_dates(text, ASKED)

    assert (span.first.isoformat(), span.last.isoformat()) == (first, last)
    assert span.compute_nearness(span.first) == span.compute_nearness(span.last) == 1.0


@pytest.mark.parametrize(
    "text", ["it may fail", "version 3.11.7", "on 2024-02-31", "half of 9/99", "", "line 12 of march.py", "999 years ago"]
)
def test_what_is_no_time_is_read_as_none_or_breaks_nothing(text: str) -> None:
    assert [span for span in find_dates(text, ASKED) if span.first > ASKED] == []


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("We use Jenkins for the builds.", "We migrated from Jenkins to Woodpecker."),
        ("Please use black for formatting.", "Use ruff for formatting."),
        ("I live in Paris.", "I moved to Berlin in May."),
        ("Rachel works at Acme.", "Rachel joined Initech."),
        ("Our default branch is main.", "Our default branch is now trunk."),
        ("Keep using moment for dates.", "Replace moment with dayjs."),
        ("We use yarn here.", "We no longer use yarn."),
    ],
)
def test_the_latest_statement_of_a_subject_wins(older: str, newer: str) -> None:
    said = [("older", 1, 0, older, True), ("newer", 2, 0, newer, True)]

    assert {old: new for old, (new, _) in find_replaced(said).items()} == {"older": "newer"}
    assert find_replaced([("newer", 1, 0, newer, True), ("older", 2, 0, newer, True)]) == {}


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("The problem is a race in the queue.", "The problem is a missing lock."),
        ("Use ruff for formatting.", "Use pytest for tests."),
        ("We moved to Postgres.", "We moved to the next step."),
        ("Should we use yarn?", "Use pnpm instead of yarn."),
        ("Rachel lives in Chicago.", "Tom lives in Boston."),
        ("Never use moment.", "Replace moment with dayjs."),
    ],
)
def test_what_speaks_of_something_else_replaces_nothing(older: str, newer: str) -> None:
    assert find_replaced([("older", 1, 0, older, True), ("newer", 2, 0, newer, True)]) == {}


def test_a_statement_that_was_replaced_twice_names_the_newest() -> None:
    said = [("a", 1, 0, "I live in Paris.", True), ("b", 2, 0, "I moved to Berlin.", True), ("c", 3, 0, "I moved to Rome.", True)]

    assert {old: new for old, (new, _) in find_replaced(said).items()} == {"a": "c", "b": "c"}


def test_a_word_is_found_in_its_irregular_forms(engine: Engine, tmp_path: Path) -> None:
    small_talk(engine, tmp_path)
    say(engine, tmp_path, "s", "2025-05-01", "yesterday I bought a second monitor for the desk", "nice, which size?")

    assert ask(engine, tmp_path, "when did I buy a monitor?").turns[0].record.uuid == "s-0"


def test_of_two_people_the_one_who_is_named_comes_first(engine: Engine, tmp_path: Path) -> None:
    small_talk(engine, tmp_path)
    said = ("Mira: my favourite trail goes along the river", "noted", "Jonas: my favourite trail goes over the ridge", "noted too")
    say(engine, tmp_path, "s", "2025-05-01", *said)

    first = {name: ask(engine, tmp_path, f"Which trail is the favourite of {name}?").turns[0] for name in ("Mira", "Jonas")}

    assert (first["Mira"].record.uuid, first["Jonas"].record.uuid) == ("s-0", "s-2")


def test_the_same_words_are_recalled_once_whoever_stored_them(engine: Engine, tmp_path: Path) -> None:
    small_talk(engine, tmp_path)
    for session in ("first", "resumed"):
        say(engine, tmp_path, session, "2025-05-01", "the invoice parser drops\nthe last row", "the invoice  parser drops the last row")

    turns = ask(engine, tmp_path, "which row does the invoice parser drop?").turns

    assert [" ".join(turn.record.name.split()) for turn in turns].count("the invoice parser drops the last row") <= 1
    assert len([turn for turn in turns if turn.session in ("first", "resumed")]) == 1


def test_the_probability_of_an_answer_is_higher_where_one_stands(engine: Engine, tmp_path: Path) -> None:
    small_talk(engine, tmp_path)
    question = "what did the flaky upload test need?"
    before = ask(engine, tmp_path, question)
    say(engine, tmp_path, "s", "2025-05-01", "the flaky upload test needs a fixed clock", "noted, I freeze the clock there")
    after = ask(engine, tmp_path, question)

    assert 0.0 <= before.confidence < after.confidence <= 1.0
    assert (before.turns, bool(after.turns)) == ((), True)


def test_what_a_subagent_of_the_running_session_said_is_not_recalled(engine: Engine, tmp_path: Path) -> None:
    at_ns = 1_700_000_000_000_000_000
    said = Observation("now", 0, 0, "now-0", ObservationKind.MESSAGE, "the flaky upload test needs a fixed clock", agent="a1", at_ns=at_ns)
    engine.write(tmp_path, [said])

    assert engine.recall(tmp_path, "what does the flaky upload test need?", running="now", confidence_min=0.0).turns == ()
    assert len(engine.recall(tmp_path, "what does the flaky upload test need?", running="other", confidence_min=0.0).turns) == 1
