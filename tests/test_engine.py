"""The engine, through the doors that a user has: code and sessions in, packets out, nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clew
from clew.engine import Engine
from clew.errors import NotReadable, OriginalPurged, UnknownHandle, UnknownRecord, UsageError
from clew.records import MatchKind, Observation, ObservationKind, Record, RemarkKind, TaskState, Tier, WorkingFile
from clew.records.wording import describe_reason
from clew.settings import Settings, find_workspace
from clew.store.name_resolution import Names
from clew.transcript.dialects.claude_code import DIALECT
from clew.usecases.write import IncomingOutput
from tests.looking import look

CALC = '''"""Arithmetic on ledgers."""

from pkg.tax import rate_of


class Ledger:
    """Rows of money."""

    def total(self, country: str) -> float:
        """Add the rows up and apply the tax."""
        return sum(self.rows) * rate_of(country)
'''
TAX = '''RATES = {"de": 1.19}


def rate_of(country: str) -> float:
    """Look the tax rate up."""
    return RATES.get(country, 1.0)
'''


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg/__init__.py").write_text("")
    (root / "pkg/calc.py").write_text(CALC)
    (root / "pkg/tax.py").write_text(TAX)
    (root / "tests").mkdir()
    (root / "tests/test_calc.py").write_text("from pkg.calc import Ledger\n\n\ndef test_total():\n    assert Ledger().total('de') == 0\n")
    (root / "README.md").write_text("# Money\n\nA ledger applies the tax rate of a country.\n")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    values = Settings(tmp_path / "home", jobs=1)
    with clew.open(settings=values) as engine:
        yield engine


def record_line(uuid: str, kind: str, content: object, **more: object) -> str:
    common = {"type": kind, "uuid": uuid, "sessionId": "s1", "cwd": "/w", "timestamp": "2026-01-01T00:00:00Z", "version": "2.1.0"}
    return json.dumps({**common, "message": {"role": kind, "content": content}, **more})


@pytest.fixture
def session(tmp_path: Path) -> Path:
    lines = [
        record_line("u1", "user", "Fix the tax rate of Austria. Never change the public signature of rate_of."),
        record_line("a1", "assistant", [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "pytest tests"}}]),
        record_line(
            "r1", "user", [{"type": "tool_result", "tool_use_id": "t1", "content": "E  KeyError: 'at'\n1 failed", "is_error": True}]
        ),
        record_line("a2", "assistant", [{"type": "text", "text": "The table RATES lacks an entry for Austria, so I add ZEBRA_RATE."}]),
        record_line("u2", "user", "Good. And write a changelog entry about the zebra."),
    ]
    path = tmp_path / "s1.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def ask(engine: Engine, repo: Path, question: str = "where is the tax rate of a country looked up?", budget_tokens: int = 2000):
    return engine.retrieve(repo, question, budget_tokens=budget_tokens, tokenizer="chars4")


def test_a_question_finds_the_code_and_says_why(engine: Engine, repo: Path) -> None:
    engine.index(repo)

    packet = ask(engine, repo)
    best = packet.entries[0]

    assert (best.path, best.name, best.start, best.end) == ("pkg/tax.py", "rate_of", 4, 6)
    assert best.is_whole
    assert best.text.endswith(TAX[TAX.index("def ") :])
    assert any(reason.kind is MatchKind.WORDS for reason in best.why)


def test_a_session_that_edited_a_file_does_not_stand_for_it(engine: Engine, repo: Path, tmp_path: Path) -> None:
    """Not for its lines, not where the file is newer in the index than the session, and not once it is gone."""
    lines = [record_line("u1", "user", "Make pkg/tax.py longer.")]
    for at in range(3):
        edit = {"file_path": str(repo / "pkg/tax.py"), "old_string": "x\n" * 40, "new_string": "y\n" * 40}
        lines.append(record_line(f"a{at}", "assistant", [{"type": "tool_use", "id": f"t{at}", "name": "Edit", "input": edit}]))
        lines.append(record_line(f"r{at}", "user", [{"type": "tool_result", "tool_use_id": f"t{at}", "content": "y\n" * 40}]))
    (tmp_path / "s1.jsonl").write_text("\n".join(lines) + "\n")
    engine.index(repo)
    engine.ingest([tmp_path / "s1.jsonl"], repo=repo)

    def reasons(question: str) -> set[tuple[str, MatchKind]]:
        return {(entry.name, reason.kind) for entry in ask(engine, repo, question).entries for reason in entry.why}

    assert ("rate_of", MatchKind.LINE) in reasons("what is wrong at pkg/tax.py:5 and in README.md?")
    (repo / "pkg/tax.py").write_text(f"{TAX}\n\nOTHER = 1\n")
    engine.update(repo, ["pkg/tax.py"])
    assert engine.explain(repo, "pkg/tax.py").record.kind == "module"
    assert ("rate_of", MatchKind.LINE) in reasons("what is wrong at pkg/tax.py:5 and in README.md?")

    (repo / "pkg/tax.py").unlink()
    engine.update(repo, ["pkg/tax.py"])
    assert RemarkKind.NO_SUCH_PATH in {remark.kind for remark in ask(engine, repo, "pkg/tax.py").remarks}


@pytest.mark.parametrize("budget_tokens", [0, 1, 10, 60, 127, 500, 10_000_000])
def test_a_packet_fits_and_no_span_is_cut(engine: Engine, repo: Path, session: Path, budget_tokens: int) -> None:
    """What does not fit is left out whole, and what is shown stands in the file byte for byte."""
    engine.index(repo)
    engine.ingest([session], repo=repo)

    packet = ask(engine, repo, budget_tokens=budget_tokens)

    assert packet.tokens == -(-len(packet.text) // 4) <= budget_tokens
    for entry in packet.entries:
        if entry.path and entry.resolution.label in {"full", "folded"}:
            lines = (repo / entry.path).read_text().splitlines()[entry.start - 1 : entry.end]
            assert "\n".join(lines).rstrip("\n") in entry.text
    if budget_tokens > 1000:
        assert packet.shadow_price == 0.0


def test_every_handle_in_a_packet_unfolds_to_exact_bytes(engine: Engine, repo: Path, session: Path) -> None:
    engine.index(repo)
    engine.ingest([session], repo=repo)

    for entry in ask(engine, repo).entries:
        unfolded = engine.unfold(repo, entry.handle)
        if entry.path and not entry.session:
            assert unfolded.data in (repo / entry.path).read_bytes()
        if entry.is_whole:
            assert unfolded.data.decode().rstrip("\n") in entry.text


def test_a_handle_still_unfolds_after_its_file_has_changed(engine: Engine, repo: Path) -> None:
    """An old version is superseded, never overwritten."""
    engine.index(repo)
    handle = ask(engine, repo).entries[0].handle
    before = engine.unfold(repo, handle).data
    (repo / "pkg/tax.py").write_text(TAX.replace("1.0)", "2.0)"))

    engine.index(repo)

    assert engine.unfold(repo, handle).data == before
    assert not engine.explain(repo, handle).status.is_live
    assert len(engine.explain(repo, handle).versions) == 2
    assert "2.0)" in ask(engine, repo).text


def test_a_packet_never_shows_lines_that_are_no_longer_there(engine: Engine, repo: Path) -> None:
    """A file that it would show is read again if it has changed, or left out if it is gone; the index need not be run."""
    engine.index(repo)
    (repo / "pkg/tax.py").write_text("# moved down\n\n" + TAX.replace("1.0)", "2.0)"))
    changed = ask(engine, repo)
    (repo / "pkg/tax.py").unlink()
    gone = ask(engine, repo)

    assert (changed.entries[0].start, changed.entries[0].end) == (6, 8)
    assert "2.0)" in changed.text
    assert "pkg/tax.py" not in {entry.path for entry in gone.entries}


def test_every_file_of_a_packet_is_looked_at_however_many_have_changed(engine: Engine, tmp_path: Path) -> None:
    """What is read again may bring other files into the packet: these are looked at as well, round after round."""
    root = tmp_path / "many"
    root.mkdir()
    for number in range(8):
        (root / f"part{number}.py").write_text(f"def rate_{number}():\n    return {'rate ' * (9 - number)!r}\n")
    engine.index(root)
    for number in range(8):
        (root / f"part{number}.py").write_text(f"# nothing of that any more\ndef other_{number}():\n    return 'rate'\n")

    packet = engine.retrieve(root, "rate", budget_tokens=80, tokenizer="chars4")

    assert packet.entries
    assert "def rate_" not in packet.text


def test_a_memory_of_a_file_that_has_changed_since_says_so(engine: Engine, repo: Path, tmp_path: Path) -> None:
    """The session read the file in January; it was written since, and then removed."""
    call = {"type": "tool_use", "id": "t1", "name": "Read", "input": {"file_path": str(repo / "pkg/tax.py")}}
    result = {
        "type": "tool_result",
        "tool_use_id": "t1",
        "content": "".join(f"{n}\u2192{line}\n" for n, line in enumerate(TAX.split("\n"), 1)),
    }
    lines = [record_line("u1", "user", "Read the tax."), record_line("a1", "assistant", [call]), record_line("r1", "user", [result])]
    path = tmp_path / "s1.jsonl"
    path.write_text("".join(line.replace('"/w"', f'"{repo}"') + "\n" for line in lines))
    long_ago = 1_700_000_000
    os.utime(repo / "pkg/tax.py", (long_ago, long_ago))
    engine.index(repo)
    engine.ingest([path], repo=repo)

    def words() -> list[str]:
        return [
            describe_reason(entry.why[0]) for entry in ask(engine, repo, "tax rate").entries if entry.session and entry.path == "pkg/tax.py"
        ]

    before = words()
    (repo / "pkg/tax.py").write_text(TAX + "\n# more\n")
    changed = words()
    (repo / "pkg/tax.py").unlink()
    gone = words()

    assert before
    assert not any("its file" in word for word in before)
    assert set(changed) == {"its file has changed since"}
    assert set(gone) == {"its file is no longer there"}


def test_the_files_of_a_question_come_from_the_same_ranking(engine: Engine, repo: Path) -> None:
    engine.index(repo)

    found = engine.rank_files(repo, "where is the tax rate of a country looked up?", limit=3)
    best, packet = found.files[0], ask(engine, repo)

    assert (best.path, best.name, best.line, best.score) == ("pkg/tax.py", "rate_of", 4, 1.0)
    assert best.handle == packet.entries[0].handle
    assert best.why == packet.entries[0].why
    assert len(found.files) == 3
    assert [file.score for file in found.files] == sorted((file.score for file in found.files), reverse=True)


def test_a_list_of_files_holds_none_that_is_gone(engine: Engine, repo: Path) -> None:
    engine.index(repo)
    (repo / "pkg/tax.py").unlink()

    found = engine.rank_files(repo, "where is the tax rate of a country looked up?", limit=20)

    assert "pkg/tax.py" not in {file.path for file in found.files}
    assert found.files


def test_code_and_memory_stand_in_one_packet(engine: Engine, repo: Path, session: Path) -> None:
    engine.index(repo)
    engine.ingest([session], repo=repo)

    packet = ask(engine, repo, "the tax rate of Austria in rate_of")

    assert any(entry.path == "pkg/tax.py" for entry in packet.entries)
    assert any(entry.uuid == "u1" and entry.session == "s1" for entry in packet.entries)


def test_a_deadline_that_cannot_be_met_names_what_it_skipped(engine: Engine, repo: Path) -> None:
    engine.index(repo)

    packet = engine.retrieve(repo, "tax rate", budget_tokens=500, tokenizer="chars4", deadline_ms=0.0)

    assert {"files", "names", "paths", "diffuse", "fresh"} <= set(packet.skipped)
    assert packet.entries


def test_nothing_relevant_gives_an_empty_packet(engine: Engine, repo: Path) -> None:
    engine.index(repo)

    packet = ask(engine, repo, "xylophone quetzal")

    assert (packet.entries, packet.text.startswith("No evidence")) == ((), True)


def test_a_local_model_adds_a_channel(tmp_path: Path, repo: Path, session: Path) -> None:
    """A static model in a folder is used, at index time and for the question, and nothing is fetched."""
    model2vec = pytest.importorskip("model2vec", reason="the extra clew[vectors] is not installed")
    tokenizers = pytest.importorskip("tokenizers")
    words = ["[UNK]", "levy", "tax", "rate", "money"]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    vectors = np.array([[0, 0], [1, 0], [1, 0.1], [0.9, 0], [0, 1]], np.float32)
    model2vec.StaticModel(vectors, tokenizer, normalize=True).save_pretrained(tmp_path / "model")
    values = Settings(tmp_path / "home", jobs=1, embedder=str(tmp_path / "model"))
    with_model = clew.open(settings=values)
    with_model.index(repo)

    packet = ask(with_model, repo, "levy")

    assert "pkg/tax.py" in {entry.path for entry in packet.entries}
    assert packet.skipped == ()
    assert with_model.compact(str(session), at=None, budget_tokens=500, tokenizer="chars4", path=repo).skipped == ()
    with_model.close()


def test_a_model_that_is_not_there_is_a_clear_error(tmp_path: Path, repo: Path) -> None:
    values = Settings(tmp_path / "home", jobs=1, embedder=str(tmp_path / "nowhere"))
    with pytest.raises(NotReadable, match="embedder"):
        clew.open(settings=values, is_in_memory=True).index(repo)


# -- incremental equals rebuild -------------------------------------------------------------------

NAMES = ["pkg/a.py", "pkg/b.py", "lib/a.py", "go.mod", "web/x.ts", "web/y.ts", "notes.md"]
TEXTS = [
    "def one():\n    return two()\n",
    "from pkg.a import one\n\n\ndef two():\n    return one()\n",
    "class Thing:\n    def go(self):\n        pass\n",
    "module example.org/x\n",
    'import { y } from "./y";\nexport function x() { return y(); }\n',
    "export const y = () => 1;\n",
    "# Head\n\nsome words\n",
    "",
]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(NAMES), st.sampled_from(TEXTS)),
        st.tuples(st.just("remove"), st.sampled_from(NAMES), st.just("")),
        st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.tuples(st.just("index"), st.just(""), st.just("")),
    ),
    min_size=2,
    max_size=12,
)


def step(root: Path, verb: str, name: str, what: str) -> None:
    path = root / name
    if verb == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(what)
    elif verb == "remove" and path.exists():
        path.unlink()
    elif verb == "rename" and path.exists():
        (root / what).parent.mkdir(parents=True, exist_ok=True)
        path.replace(root / what)


def contents(engine: Engine, root: Path) -> object:
    """All that an index says: live records, and every link between them."""
    key, _ = find_workspace(root)
    index = look(engine.store, key).documents
    docs = np.flatnonzero(index.alive).astype(np.int32)
    links = Names(index).outgoing(docs)
    records: list[Record] = [
        record
        for state in look(engine.store, key).source_states("file:")
        for record in look(engine.store, key).records_of_sources(state.source)
    ]
    columns = (links.tails, links.heads, links.kinds, links.weights)
    named = sorted(
        (index.id_of(tail), index.id_of(head), kind, round(weight, 6))
        for tail, head, kind, weight in zip(*(column.tolist() for column in columns), strict=True)
    )
    return sorted(records, key=lambda record: record.id), named, sorted(index.id_of(int(doc)) for doc in docs)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_an_index_kept_up_to_date_equals_a_rebuild(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]) -> None:
    """After any series of edits, renames and deletions, and answers with the same bytes."""
    base = tmp_path_factory.mktemp("series")
    root = base / "repo"
    root.mkdir()
    kept = clew.open(settings=Settings(base / "kept", jobs=1))
    for verb, name, what in steps:
        if verb == "index":
            kept.index(root)
        else:
            step(root, verb, name, what)
    kept.index(root)
    fresh = clew.open(settings=Settings(base / "fresh", jobs=1), is_in_memory=True)
    fresh.index(root)

    assert contents(kept, root) == contents(fresh, root)
    assert ask(kept, root, "one two Thing words") == ask(fresh, root, "one two Thing words")
    kept.close()


def test_branch_switches_bring_back_what_became_true_again(engine: Engine, repo: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", str(repo), *who, *words], check=True, capture_output=True)

    git("add", "-A")
    git("commit", "-qm", "one")
    engine.index(repo)
    before = contents(engine, repo)
    git("switch", "-qc", "other")
    (repo / "pkg/tax.py").write_text("def rate_of(country):\n    return 3\n")
    (repo / "pkg/new.py").write_text("from pkg.tax import rate_of\n")
    git("add", "-A")
    git("commit", "-qm", "two")
    engine.index(repo)
    assert contents(engine, repo) != before

    git("switch", "-q", "-")
    engine.index(repo)

    assert contents(engine, repo) == before


def test_a_change_within_the_clock_s_resolution_is_seen(engine: Engine, repo: Path) -> None:
    """Same size and same time do not hide an edit that follows at once."""
    engine.index(repo)
    path = repo / "pkg/tax.py"
    times = path.stat()
    path.write_text(TAX.replace("1.19", "1.20"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    engine.index(repo)

    assert "1.20" in ask(engine, repo, "RATES").text


def test_named_files_can_be_brought_up_to_date_alone(engine: Engine, repo: Path) -> None:
    engine.index(repo)
    (repo / "pkg/tax.py").write_text(TAX.replace("rate_of", "levy_of"))

    engine.update(repo, ["pkg/tax.py"])

    assert "levy_of" in ask(engine, repo, "levy_of").text


# -- sessions -------------------------------------------------------------------------------------


def test_ingesting_twice_adds_nothing_and_growth_is_resumed(engine: Engine, repo: Path, session: Path) -> None:
    first = engine.ingest([session], repo=repo)
    again = engine.ingest([session], repo=repo)
    with session.open("a") as stream:
        stream.write(record_line("a3", "assistant", [{"type": "text", "text": "Done."}]) + "\n")
    grown = engine.ingest([session], repo=repo)

    assert (first.sessions, again.sessions, again.unchanged, grown.sessions) == (1, 0, 1, 1)
    assert again.records == 0
    assert 0 < grown.raw_bytes < 300


def test_compaction_looks_at_nothing_after_the_cut(engine: Engine, repo: Path, session: Path, tmp_path: Path) -> None:
    """Cutting a session before a record gives the packet of the session that ended there."""
    cut = engine.compact(str(session), at="a2", budget_tokens=600, tokenizer="chars4", path=repo)
    shorter = tmp_path / "short" / "s1.jsonl"
    shorter.parent.mkdir()
    shorter.write_text("".join(session.read_text().splitlines(keepends=True)[:3]))
    short = engine.compact(str(shorter), at=None, budget_tokens=600, tokenizer="chars4", path=repo)

    assert cut.text == short.text
    assert "ZEBRA" not in cut.text
    assert "Never change the public signature of rate_of." in cut.text
    assert cut.tokens <= 600


def test_a_session_is_compacted_by_its_id_as_from_its_file(engine: Engine, repo: Path, session: Path) -> None:
    by_path = engine.compact(str(session), at="4", budget_tokens=500, tokenizer="chars4", path=repo)
    by_id = engine.compact("s1", at="4", budget_tokens=500, tokenizer="chars4", path=repo)

    assert by_id.text == by_path.text


@pytest.mark.parametrize("budget_tokens", [0, 5, 50, 10_000_000])
def test_a_compaction_fits(engine: Engine, repo: Path, session: Path, budget_tokens: int) -> None:
    packet = engine.compact(str(session), at=None, budget_tokens=budget_tokens, tokenizer="chars4", path=repo)

    assert packet.tokens <= budget_tokens


def test_every_record_of_a_compaction_can_be_unfolded(engine: Engine, repo: Path, session: Path) -> None:
    for entry in engine.compact(str(session), at=None, budget_tokens=1000, tokenizer="chars4", path=repo).entries:
        assert engine.unfold(repo, entry.handle).data


@pytest.mark.parametrize("budget_tokens", [1000, 4000])
def test_a_compaction_adds_what_other_sessions_said_only_when_asked(
    engine: Engine, repo: Path, session: Path, tmp_path: Path, budget_tokens: int
) -> None:
    other = tmp_path / "s2.jsonl"
    told = record_line("v1", "user", "Write the changelog entry about the zebra under Unreleased: a zebra is good, but not shipped.")
    other.write_text(told.replace('"s1"', '"s2"') + "\n")
    engine.ingest([other], repo=repo)

    plain = engine.compact(str(session), at=None, budget_tokens=budget_tokens, tokenizer="chars4", path=repo)
    asked = engine.compact(str(session), at=None, budget_tokens=budget_tokens, tokenizer="chars4", path=repo, with_earlier=True)

    assert "Unreleased" not in plain.text
    assert "under Unreleased" in asked.text
    assert asked.tokens <= budget_tokens
    assert asked.entries[-1].session == "s2"
    assert asked.text.startswith("# Where the work stands")


def test_a_cut_that_is_not_there_is_said(engine: Engine, repo: Path, session: Path) -> None:
    with pytest.raises(UnknownRecord):
        engine.compact(str(session), at="nobody", budget_tokens=100, tokenizer="chars4", path=repo)
    with pytest.raises(UnknownHandle):
        engine.compact("no-such-session", at=None, budget_tokens=100, tokenizer="chars4", path=repo)
    with pytest.raises(UsageError):
        engine.compact(str(session), at=None, budget_tokens=-1, tokenizer="chars4", path=repo)


def test_what_is_written_live_is_durable_first_and_folded_then(engine: Engine, repo: Path, session: Path) -> None:
    """Long output comes back as its fold with a handle; a file that is being edited comes back whole; the transcript takes over."""
    long = "".join(f"line {number}\n" for number in range(4000))

    def seen(call_id: str, path: str) -> list[Observation]:
        asked = DIALECT.build_tool_call("Read", {"file_path": str(repo / path)})
        call = Observation("s1", 0, 0, f"c{call_id}", ObservationKind.CALL, "", tool="Read", call_id=call_id, call=asked)
        return [call, Observation("s1", 1, 1, f"r{call_id}", ObservationKind.RESULT, long, tool="Read", call_id=call_id)]

    reduced = engine.write(repo, seen("1", "pkg/log.txt"))
    whole = engine.write(repo, seen("2", "pkg/tax.py"), task=TaskState(working_set=(WorkingFile("pkg/tax.py", "edit", 0),)))

    assert len(reduced.text) < 0.6 * len(long) < len(long) <= len(whole.text)
    assert reduced.handles[0] in reduced.text
    assert long.encode() in engine.unfold(repo, reduced.handles[0]).data
    engine.ingest([session], repo=repo)
    assert not engine.explain(repo, reduced.handles[0]).status.is_live


def test_of_an_output_in_a_clients_session_only_the_original_of_a_shorter_form_is_stored(engine: Engine, repo: Path) -> None:
    """What stays whole, for its size or because the agent is editing that file, the client's own transcript will hold."""
    long = "".join(f"line {number} of a log that nobody will read again\n" for number in range(2000))

    def arrival(call_id: str, text: str, path: str) -> IncomingOutput:
        asked = DIALECT.build_tool_call("Read", {"file_path": str(repo / path)})
        return IncomingOutput(
            Observation("s1", 1, 1, f"r{call_id}", ObservationKind.RESULT, text, tool="Read", call_id=call_id, call=asked)
        )

    editing = TaskState(working_set=(WorkingFile("pkg/tax.py", "edit", 0),))
    written = engine.write(
        repo, [arrival("1", long, "pkg/log.txt"), arrival("2", "short\n", "pkg/log.txt"), arrival("3", long, "pkg/tax.py")], task=editing
    )
    chosen = engine.write(repo, [replace(arrival("4", long, ""), shorter="[a log, {handle}]", call_text="cat log")])

    shorter, short, edited = written.outputs
    assert (short.text, short.handle, edited.text, edited.handle) == ("short\n", "", long, "")
    assert shorter.handle in shorter.text
    assert len(shorter.text) < 0.6 * len(long)
    assert engine.unfold(repo, shorter.handle).data.decode() == long
    assert chosen.outputs[0].text == f"[a log, {chosen.outputs[0].handle}]"
    assert engine.unfold(repo, chosen.outputs[0].handle).data.decode() == long
    kept = [
        record
        for state in look(engine.store, find_workspace(repo)[0]).source_states()
        for record in look(engine.store, find_workspace(repo)[0]).records_of_sources(state.source)
    ]
    assert sorted(record.name for record in kept) == ["Output of Read " + str(repo / "pkg/log.txt"), "Output of cat log"]


# -- forget and purge -----------------------------------------------------------------------------


def test_forgetting_moves_and_proves_that_it_can_recall(engine: Engine, repo: Path, session: Path) -> None:
    """What nobody asked for since January is archived by now, still unfolds, and is found when nothing else answers."""
    engine.ingest([session], repo=repo)
    dry = engine.forget(repo, dry_run=True)
    moved = engine.forget(repo)

    assert len(moved.archived) + len(moved.folded) == len(dry.archived) + len(dry.folded) > 0
    assert (moved.recalled, moved.lost) == (len(moved.archived) + len(moved.folded), [])
    assert all(engine.unfold(repo, handle).data for handle in moved.archived)
    assert "zebra" in ask(engine, repo, "changelog entry about the zebra").text
    assert engine.forget(repo).archived == []


def test_a_named_record_goes_to_a_tier_and_back(engine: Engine, repo: Path, session: Path) -> None:
    engine.ingest([session], repo=repo)
    handle = ask(engine, repo, "zebra changelog").entries[0].handle

    engine.forget(repo, handles=[handle], tier=Tier.ARCHIVED)
    assert engine.explain(repo, handle).status.tier == Tier.ARCHIVED
    engine.forget(repo, handles=[handle], tier=Tier.HOT)
    assert engine.explain(repo, handle).status.tier == Tier.HOT


def test_only_purge_erases_and_it_leaves_a_tombstone(engine: Engine, repo: Path, session: Path) -> None:
    engine.ingest([session], repo=repo)
    handle = next(entry.handle for entry in ask(engine, repo, "ZEBRA_RATE Austria").entries if entry.uuid == "a2")

    engine.purge(repo, source="session:s1", reason="a key was in it")

    with pytest.raises((OriginalPurged, UnknownHandle)):
        engine.unfold(repo, handle)
    assert ask(engine, repo, "ZEBRA_RATE").entries == ()
    assert all(b"ZEBRA_RATE" not in file.read_bytes() for file in engine.settings.data_dir.rglob("*") if file.is_file())


def test_a_purged_record_lives_on_in_no_file(engine: Engine, repo: Path, session: Path) -> None:
    """Neither in its own text, nor in the transcript's lines, nor in the index; its neighbours do."""
    engine.ingest([session], repo=repo)
    handle = next(entry.handle for entry in ask(engine, repo, "ZEBRA_RATE Austria").entries if entry.uuid == "a2")

    engine.purge(repo, handles=[handle], reason="a key was in it")

    assert all(b"ZEBRA_RATE" not in file.read_bytes() for file in engine.settings.data_dir.rglob("*") if file.is_file())
    assert "changelog" in ask(engine, repo, "changelog entry").text
    packet = engine.compact("s1", at=None, budget_tokens=2000, tokenizer="chars4", path=repo)
    assert "ZEBRA_RATE" not in packet.text
    assert "KeyError: 'at'" in packet.text


# -- the same bytes -------------------------------------------------------------------------------


def test_two_processes_with_other_hash_seeds_print_the_same_bytes(repo: Path, session: Path, tmp_path: Path) -> None:
    def run(seed: str) -> bytes:
        env = {**os.environ, "PYTHONHASHSEED": seed, "CLEW_HOME": str(tmp_path / f"home{seed}")}
        base = [sys.executable, "-m", "clew"]
        subprocess.run([*base, "index", str(repo), "--json"], env=env, check=True, capture_output=True)
        subprocess.run([*base, "ingest", str(session), "--repo", str(repo), "--json"], env=env, check=True, capture_output=True)
        words = ["retrieve", "tax rate of Austria", "--repo", str(repo), "--budget", "700", "--json"]
        return subprocess.run([*base, *words], env=env, check=True, capture_output=True).stdout

    first, second = run("1"), run("2")

    assert json.loads(first)["entries"]
    assert first == second


def test_what_was_made_of_a_purged_record_goes_with_it(engine: Engine, repo: Path, session: Path) -> None:
    """A rule and a dead end repeat the words of a prompt or an output: neither they nor what is kept for the next line live on."""
    line = {"type": "user", "uuid": "z9", "parentUuid": None, "sessionId": "s1", "cwd": str(repo), "timestamp": "2026-03-02T10:00:00.000Z"}
    words = "Never print the key QUAGGA-77 anywhere."
    with session.open("a") as file:
        file.write(json.dumps({**line, "message": {"role": "user", "content": words}}) + "\n")
    engine.ingest([session], repo=repo)
    handle = next(entry.handle for entry in ask(engine, repo, "QUAGGA-77 key").entries if entry.kind == "prompt")

    engine.purge(repo, handles=[handle], reason="a key was in it")

    assert ask(engine, repo, "QUAGGA-77").entries == ()
    assert all(b"QUAGGA-77" not in file.read_bytes() for file in engine.settings.data_dir.rglob("*") if file.is_file())
