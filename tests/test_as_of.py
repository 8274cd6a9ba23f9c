"""Answers as of a time, a commit or a branch: what was known then, and nothing that came later."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clew
from clew.engine import Engine
from clew.errors import NothingSaid, NothingStored, UnknownHandle, UnknownMoment, UsageError
from clew.records import AsOf, MatchKind, Packet
from clew.settings import Settings
from clew.usecases.write import NewNote

QUESTIONS = (
    "where is the tax rate of a country looked up?",
    "which database did we choose for the ledger, and why?",
    "pkg/b.py:2: what does `ask_ledger` do, and a.py?",
)
NOT_OF_THEN = frozenset({MatchKind.FILE_CHANGED, MatchKind.FILE_GONE})  # what became of a file is looked up on the disk
BODIES = (
    "RATES = {}\n\n\ndef rate_of(country: str) -> float:\n    return RATES.get(country, 1.0)  # the tax rate of a country\n",
    'def rate_of(country: str) -> float:\n    """Look the tax rate of a country up."""\n    return ask_ledger(country)\n',
    "from pkg.b import rate_of\n\n\nclass Ledger:\n    def total(self, country: str) -> float:\n        return rate_of(country)\n",
)
SAID = (
    "Which database do we choose for the ledger?",
    "We choose PostgreSQL for the ledger, because the tax rates of a country are looked up by many at once.",
    "From now on use SQLite for the ledger instead of PostgreSQL.",
    "Never change the tax rate of a country by hand.",
    "You may change the tax rate of a country by hand again.",
)


def git(root: Path, *words: str, at: str = "2026-02-01T12:00:00+00:00") -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    times = {**os.environ, "GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
    return subprocess.run(["git", *identity, *words], cwd=root, env=times, check=True, capture_output=True, text=True).stdout.strip()


def make_repository(folder: Path) -> Path:
    root = folder / "repo"
    (root / "pkg").mkdir(parents=True)
    (root / "README.md").write_text("# Money\n\nA ledger applies the tax rate of a country.\n")
    git(root, "init", "-q", "-b", "main")
    return root


class Session:
    """A transcript that grows by prompts, reads and edits, one minute after the other."""

    def __init__(self, folder: Path, name: str, branch: str = "main", day: str = "2026-01-01") -> None:
        self.path, self.name, self.branch, self.day, self.lines = folder / f"{name}.jsonl", name, branch, day, 0

    def add(self, kind: str, content: object, **more: object) -> None:
        self.lines += 1
        common = {
            "type": kind, "uuid": f"{self.name}-{self.lines}", "sessionId": self.name, "cwd": "/w", "version": "2.1.0",
            "gitBranch": self.branch, "timestamp": f"{self.day}T10:{self.lines:02}:00Z",
        }  # fmt: skip
        with self.path.open("a") as file:
            file.write(json.dumps({**common, "message": {"role": kind, "content": content}, **more}) + "\n")

    def say(self, text: str) -> None:
        self.add("user", text)
        self.add("assistant", [{"type": "text", "text": f"I see: {text}"}])

    def read(self, path: str, text: str) -> None:
        call = f"{self.name}-call-{self.lines}"
        self.add("assistant", [{"type": "tool_use", "id": call, "name": "Read", "input": {"file_path": f"/w/{path}"}}])
        self.add("user", [{"type": "tool_result", "tool_use_id": call, "content": text}])


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository(tmp_path)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with clew.open(settings=Settings(tmp_path / "home", jobs=1)) as engine:
        yield engine


def of_packet(packet: Packet) -> object:
    entries = [
        (
            entry.id,
            entry.resolution,
            entry.tokens,
            round(entry.weight, 5),
            entry.text,
            [why for why in entry.why if why.kind not in NOT_OF_THEN],
        )
        for entry in packet.entries
    ]
    return entries, packet.text, packet.remarks


def answers(engine: Engine, repo: Path, sessions: list[str], as_of: AsOf | None = None) -> dict[str, Any]:
    """What is answered, without what it was computed at."""
    found: dict[str, Any] = {}
    for question in QUESTIONS:
        found[f"packet: {question}"] = of_packet(engine.retrieve(repo, question, budget_tokens=3000, tokenizer="chars4", as_of=as_of))
        files = engine.rank_files(repo, question, limit=20, as_of=as_of)
        found[f"files: {question}"] = [(file.path, round(file.score, 5), file.name, file.line) for file in files.files]
        recalled = engine.recall(repo, question, confidence_min=0.0, as_of=as_of)
        found[f"recall: {question}"] = (
            [(turn.record.id, round(turn.score, 5), turn.why, turn.replaced_by, turn.status.is_live) for turn in recalled.turns],
            recalled.sessions, recalled.confidence,
        )  # fmt: skip
    for session in sessions:
        state = engine.describe_state(repo, session, as_of=as_of)
        found[f"state: {session}"] = {key: value for key, value in state.items() if key != "as_of"}
    return found


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(["pkg/a.py", "pkg/b.py", "pkg/c.py", "notes.md"]), st.sampled_from(BODIES)),
        st.tuples(st.just("remove"), st.sampled_from(["pkg/a.py", "pkg/b.py"]), st.just("")),
        st.tuples(st.just("commit"), st.sampled_from(["tax rates", "the ledger"]), st.just("")),
        st.tuples(st.just("say"), st.sampled_from(["s1", "s2"]), st.sampled_from(SAID)),
        st.tuples(st.just("read"), st.sampled_from(["s1", "s2"]), st.sampled_from(BODIES)),
        st.tuples(st.just("note"), st.sampled_from(["pkg/a.py", "README.md"]), st.sampled_from(SAID)),
    ),
    min_size=3, max_size=8,
)  # fmt: skip


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_an_answer_as_of_a_time_is_the_one_that_was_given_then(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("as-of")
    repo, sessions = make_repository(folder), {name: Session(folder, name) for name in ("s1", "s2")}
    values = Settings(folder / "home", jobs=1)
    given_then: list[tuple[AsOf, list[str], dict[str, Any]]] = []
    noted: set[str] = set()
    for verb, name, what in [("commit", "first", ""), *steps]:
        if verb == "write":
            (repo / name).write_text(what)
        elif verb == "remove":
            (repo / name).unlink(missing_ok=True)
        elif verb == "commit":
            git(repo, "add", "-A")
            git(repo, "commit", "-q", "--allow-empty", "-m", name)
        elif verb == "say":
            sessions[name].say(what)
        elif verb == "read":
            sessions[name].read("pkg/a.py", what)
        with clew.open(settings=values) as engine:
            engine.index(repo)
            begun = [session.path for session in sessions.values() if session.lines]
            engine.ingest(begun, repo=repo)
            if verb == "note" and what not in noted:  # a note in the same words takes the place and the time of the first
                noted.add(what)
                engine.write(repo, [NewNote(what, "decision", (name,) if (repo / name).is_file() else ())])
        known = [path.stem for path in begun]
        with clew.open(settings=values, is_read_only=True) as engine:
            given_then.append((AsOf(at_ns=time.time_ns()), known, answers(engine, repo, known)))
    with clew.open(settings=values, is_read_only=True) as engine:
        for as_of, known, wanted in given_then:
            found = answers(engine, repo, known, as_of)
            for name, answer in wanted.items():
                assert found[name] == answer, (name, as_of.at_ns)


def test_a_note_in_the_same_words_keeps_its_first_time(engine: Engine, repo: Path) -> None:
    (first,) = engine.write(repo, [NewNote("The ledger runs on PostgreSQL.", "decision")]).handles
    then = AsOf(at_ns=time.time_ns())
    before = engine.unfold(repo, first).record.at_ns
    (again,) = engine.write(repo, [NewNote("The ledger runs on PostgreSQL.", "decision")]).handles

    assert again == first
    assert engine.unfold(repo, again).record.at_ns == before < then.at_ns
    assert "ledger runs" in look_up(engine, repo, then, "what does the ledger run on?")


def look_up(engine: Engine, repo: Path, as_of: AsOf, question: str = QUESTIONS[0]) -> str:
    return engine.retrieve(repo, question, budget_tokens=3000, tokenizer="chars4", as_of=as_of).text


def test_an_answer_as_of_a_commit_is_of_its_files_and_of_what_was_said_by_then(engine: Engine, repo: Path, tmp_path: Path) -> None:
    early, late = Session(tmp_path, "early", day="2026-01-01"), Session(tmp_path, "late", day="2026-03-01")
    early.say("We choose PostgreSQL for the ledger.")
    late.say("From now on use SQLite for the ledger instead of PostgreSQL.")
    (repo / "pkg/a.py").write_text(BODIES[0])
    (repo / "pkg/new\n.py").write_text("def odd(): ...\n")
    (repo / "pkg/link.py").symlink_to("a.py")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "first")
    first = git(repo, "rev-parse", "HEAD")
    (repo / "pkg/a.py").write_text(BODIES[1])
    (repo / "pkg/logo.png").write_bytes(bytes(range(256)) * 9)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "second", at="2026-04-01T12:00:00+00:00")
    engine.index(repo)
    engine.ingest([early.path, late.path], repo=repo)
    before = engine.store.workspaces()
    as_of = engine.find_as_of(repo, first[:10])
    assert (as_of.commit, as_of.branch, as_of.at_ns // 10**9) == (first, "", 1769947200)
    assert "RATES.get" in look_up(engine, repo, as_of)
    assert "ask_ledger" not in look_up(engine, repo, as_of)
    assert "ask_ledger" in look_up(engine, repo, engine.find_as_of(repo, "HEAD"))
    recalled = engine.recall(repo, QUESTIONS[1], confidence_min=0.0, as_of=as_of)
    assert {turn.session for turn in recalled.turns} == {"early"}
    assert not any(turn.replaced_by for turn in recalled.turns)
    files = {file.path for file in engine.rank_files(repo, "logo png, link, odd, tax rate of a country", limit=20, as_of=as_of).files}
    assert not files & {"pkg/logo.png", "pkg/link.py"}
    assert engine.store.workspaces() == before


def test_an_answer_as_of_a_commit_equals_that_of_an_index_of_it(engine: Engine, repo: Path, tmp_path: Path) -> None:
    for at, body in enumerate(BODIES):
        (repo / "pkg" / f"{'abc'[at]}.py").write_text(body)
        (repo / "notes.md").write_text(f"# Notes\n\nThe tax rate, {at}.\n")
        git(repo, "add", "-A")
        git(repo, "commit", "-qm", f"tax rate {at}", at=f"2026-02-0{at + 1}T12:00:00+00:00")
    engine.index(repo)
    for name in ("HEAD~2", "HEAD~1", "HEAD"):
        there = tmp_path / name
        git(tmp_path, "clone", "-q", str(repo), str(there))
        git(there, "checkout", "-q", git(repo, "rev-parse", name))
        with clew.open(settings=Settings(tmp_path / f"home-{name}", jobs=1)) as other:
            other.index(there)
            wanted = other.retrieve(there, QUESTIONS[0], budget_tokens=3000, tokenizer="chars4")
        found = engine.retrieve(repo, QUESTIONS[0], budget_tokens=3000, tokenizer="chars4", as_of=engine.find_as_of(repo, name))
        assert of_packet(found) == of_packet(wanted), name


def test_an_answer_as_of_a_branch_is_of_its_sessions(engine: Engine, repo: Path, tmp_path: Path) -> None:
    on_main, on_other = Session(tmp_path, "m"), Session(tmp_path, "o", branch="sqlite-ledger")
    on_main.say("We choose PostgreSQL for the ledger.")
    on_other.say("We choose SQLite for the ledger.")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "first")
    git(repo, "branch", "sqlite-ledger")
    engine.index(repo)
    engine.ingest([on_main.path, on_other.path], repo=repo)
    as_of = engine.find_as_of(repo, "sqlite-ledger")
    assert as_of.branch == "sqlite-ledger"
    git(repo, "update-ref", "refs/remotes/origin/sqlite-ledger", "HEAD")
    assert engine.find_as_of(repo, "origin/sqlite-ledger") == as_of
    git(repo, "commit", "-q", "--allow-empty", "-m", "second")
    assert engine.find_as_of(repo, "main~1") == AsOf(at_ns=as_of.at_ns, commit=as_of.commit)
    assert {turn.session for turn in engine.recall(repo, QUESTIONS[1], confidence_min=0.0, as_of=as_of).turns} == {"o"}
    text = look_up(engine, repo, as_of, QUESTIONS[1])
    assert "SQLite" in text
    assert "PostgreSQL" not in text


def test_what_was_purged_since_is_named_and_not_shown(engine: Engine, repo: Path, tmp_path: Path) -> None:
    session = Session(tmp_path, "s1")
    session.say("We choose PostgreSQL for the ledger.")
    (repo / "pkg/a.py").write_text(BODIES[0])
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "first")
    engine.index(repo)
    engine.ingest([session.path], repo=repo)
    then = AsOf(at_ns=time.time_ns())
    (repo / "pkg/a.py").write_text(BODIES[1])
    engine.index(repo)
    engine.purge(repo, source="file:pkg/a.py", reason="private")
    engine.purge(repo, source="session:s1", reason="private")
    for as_of in (then, engine.find_as_of(repo, "HEAD")):
        packet = engine.retrieve(repo, QUESTIONS[0], budget_tokens=3000, tokenizer="chars4", as_of=as_of)
        assert "RATES" not in packet.text
        recalled = engine.recall(repo, QUESTIONS[1], confidence_min=0.0, as_of=as_of)
        assert recalled.turns == ()
        if as_of is then:
            assert any("purged since" in sentence for sentence in recalled.as_of.missing)
        else:
            assert any(sentence.startswith("pkg/a.py: ") and "purged" in sentence for sentence in packet.as_of.missing)


def test_the_state_of_a_transcript_as_of_a_time_ends_there(engine: Engine, repo: Path, tmp_path: Path) -> None:
    session = Session(tmp_path, "s1")
    for text in ("Fix the tax rate.", "Then fix the ledger.", "Then write the notes."):
        session.say(text)
    engine.index(repo)
    found = engine.describe_state(repo, str(session.path), as_of=engine.find_as_of(repo, "2026-01-01T10:03:30Z"))
    assert found == {**engine.describe_state(repo, str(session.path), at="3"), "as_of": found["as_of"]}
    assert (found["line"], found["as_of"]["instant"]) == (3, "2026-01-01T10:03:30Z")
    with pytest.raises(NothingSaid):
        engine.describe_state(repo, str(session.path), as_of=engine.find_as_of(repo, "2026-01-01T09:00Z"))
    with pytest.raises(UsageError):
        engine.describe_state(repo, str(session.path), at="3", as_of=engine.find_as_of(repo, "2026-01-02"))


def test_a_session_that_was_stored_later_is_not_known(engine: Engine, repo: Path, tmp_path: Path) -> None:
    session = Session(tmp_path, "s1")
    session.say("Fix the tax rate.")
    engine.index(repo)
    then = AsOf(at_ns=time.time_ns())
    engine.ingest([session.path], repo=repo)
    assert engine.recall(repo, "the tax rate", confidence_min=0.0, as_of=then).turns == ()
    with pytest.raises(NothingSaid):
        engine.describe_state(repo, "s1", as_of=then)


@pytest.mark.parametrize(
    "text", ["", " ", "2999-01-01", "2026-13-01", "2026-02-30T10:00", "nosuch", "--help", "HEAD:README.md", "main..main"]
)
def test_what_names_nothing_is_said(engine: Engine, repo: Path, text: str) -> None:
    git(repo, "commit", "-q", "--allow-empty", "-m", "first")
    with pytest.raises(UnknownMoment):
        engine.find_as_of(repo, text)


def test_a_time_before_anything_was_stored_is_said(engine: Engine, repo: Path) -> None:
    engine.index(repo)
    for ask in (engine.recall, lambda *asked, as_of: engine.rank_files(*asked, limit=3, as_of=as_of)):
        with pytest.raises(NothingStored) as caught:
            ask(repo, "the tax rate", as_of=engine.find_as_of(repo, "2026-01-01"))
        assert "the first is of" in str(caught.value)
    assert engine.recall(repo, "the tax rate").as_of.generation > 0


def test_the_first_instant_that_a_clock_counts_is_not_now(engine: Engine, repo: Path) -> None:
    engine.index(repo)
    with pytest.raises(NothingStored):
        engine.recall(repo, "the tax rate", as_of=engine.find_as_of(repo, "1970-01-01T00:00Z"))


@pytest.mark.parametrize("session", ["n" * 300, "/" + "n" * 5000])
def test_the_state_of_what_can_be_no_file_is_a_sentence(engine: Engine, repo: Path, session: str) -> None:
    engine.index(repo)
    for as_of in (None, AsOf(at_ns=time.time_ns())):
        with pytest.raises(UnknownHandle):
            engine.describe_state(repo, session, as_of=as_of)


def test_a_date_is_its_end_and_today_is_now(engine: Engine, repo: Path) -> None:
    before = time.time_ns()
    today = engine.find_as_of(repo, time.strftime("%Y-%m-%d")).at_ns
    assert before <= today <= time.time_ns()
    assert engine.find_as_of(repo, "2026-01-02").at_ns - engine.find_as_of(repo, "2026-01-01").at_ns == 86_400 * 10**9
    assert engine.find_as_of(repo, "2026-01-01T10:00:00.5Z").at_ns == 1767261600_500000000
