"""What couples files that no parser sees: history, names and sessions, through the engine, on small real repositories."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path

import msgspec
import numpy as np
import pytest

import clew
from clew.engine import Engine
from clew.enrich.history import Commit, decode_commits
from clew.records import Edge, EdgeKind, SourceState, make_id
from clew.settings import Settings, find_workspace
from clew.store.bm25 import TermList, score_words
from clew.store.name_resolution import Names
from clew.text.postings import FIELD_COUNT
from tests.looking import look

Open = Callable[[str], Engine]
SECONDS = count(1_700_000_000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty work tree."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "--initial-branch=main")
    return folder


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Open an engine over a store of its own, by the store's name."""
    with ExitStack() as stores:

        def engine(name: str) -> Engine:
            values = Settings(tmp_path / name, jobs=1)
            return stores.enter_context(clew.open(settings=values))

        yield engine


@pytest.fixture
def engine(opened: Open) -> Engine:
    return opened("home")


def git(root: Path, *words: str) -> str:
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "n"), ("EMAIL", "n@example.org"))}
    dates = {f"GIT_{role}_DATE": f"{next(SECONDS)} +0000" for role in ("AUTHOR", "COMMITTER")}  # no two commits in one second
    environment = {**os.environ, **who, **dates, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", "-C", str(root), *words], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(root: Path, message: str, files: Mapping[str, str] | None = None) -> str:
    """Write files and commit all that has changed; return the commit's hash."""
    for name, text in (files or {}).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", message)
    return git(root, "rev-parse", "HEAD")


def pairs(engine: Engine, root: Path, kind: EdgeKind = EdgeKind.CO_CHANGES) -> dict[tuple[str, str], float]:
    """(tail, head) by path → weight of the stored edges of one kind that hold for the files as they are now."""
    key, _ = find_workspace(root)
    files = {
        make_id("code", state.source, state.digest): state.source.removeprefix("file:")
        for state in look(engine.store, key).source_states("file:")
    }
    edges: list[Edge] = look(engine.store, key).edges(list(files))
    return {
        (files[edge.tail], files[edge.head]): edge.weight for edge in edges if edge.kind is kind and {edge.tail, edge.head} <= files.keys()
    }


def contents(engine: Engine, root: Path) -> list[str]:
    """All that the jobs left: states, records and edges."""
    key, _ = find_workspace(root)
    found: list[str] = []
    for prefix in ("history:", "cochange:", "together:", "coupling:"):
        for state in look(engine.store, key).source_states(prefix):
            found.append(repr(state))
            found += [repr(record) for record in look(engine.store, key).records_of_sources(state.source)]
    return [*found, repr(sorted(pairs(engine, root).items()))]


def knots_and_sails(root: Path, times: int = 4) -> None:
    """A history in which knots and sails change together, and rope alone."""
    commit(root, "begin", {"knots.py": "K = 0\n", "sails.py": "S = 0\n", "rope.py": "R = 0\n"})
    for time in range(1, times + 1):
        commit(root, f"tighten knots {time}", {"knots.py": f"K = {time}\n", "sails.py": f"S = {time}\n"})
        commit(root, f"longer rope {time}", {"rope.py": f"R = {time}\n"})


def test_files_that_changed_together_are_coupled_and_others_are_not(engine: Engine, root: Path) -> None:
    """The edge says how sure it is: never more than the share of commits, and less for few of them."""
    knots_and_sails(root)
    engine.index(root)

    found = pairs(engine, root)

    assert set(found) == {("knots.py", "sails.py"), ("sails.py", "knots.py")}
    assert 0.5 < found["knots.py", "sails.py"] < 1.0


def test_an_edited_file_keeps_its_couplings_after_the_next_index(engine: Engine, root: Path) -> None:
    """An edge ends with the content that it was made from, and is proposed anew for the new one."""
    knots_and_sails(root)
    engine.index(root)
    before = pairs(engine, root)
    (root / "knots.py").write_text("K = 'edited'\n", encoding="utf-8")

    engine.update(root, ["knots.py"])
    between = pairs(engine, root)
    engine.index(root)

    assert between == {}
    assert pairs(engine, root) == before


def test_any_series_of_runs_leaves_what_one_run_leaves(engine: Engine, opened: Open, root: Path) -> None:
    """New commits, an amended one, a rename, another branch and a merge: kept up to date equals made anew."""
    knots_and_sails(root)
    engine.index(root)
    commit(root, "more", {"knots.py": "K = 9\n", "rope.py": "R = 9\n"})
    engine.index(root)
    git(root, "commit", "-q", "--amend", "-m", "much more")
    engine.index(root)
    git(root, "mv", "sails.py", "canvas.py")
    commit(root, "rename")
    engine.index(root)
    git(root, "checkout", "-q", "-b", "side", "HEAD~3")
    commit(root, "aside", {"rope.py": "R = 'aside'\n", "knots.py": "K = 'aside'\n"})
    engine.index(root)
    git(root, "checkout", "-q", "main")
    git(root, "merge", "-q", "-X", "ours", "side")
    engine.index(root)

    fresh = opened("other")
    fresh.index(root)

    assert ("knots.py", "canvas.py") in pairs(engine, root), "a renamed file keeps what was known of it"
    assert contents(engine, root) == contents(fresh, root)


def test_commits_are_found_by_their_words_and_lead_to_files(engine: Engine, root: Path) -> None:
    """A message's words find the commit; what it changed is joined with the files that are there now."""
    knots_and_sails(root, times=1)
    told = commit(root, "stop the bowline from slipping", {"knots.py": "K = 'bowline'\n"})
    engine.index(root)
    key, _ = find_workspace(root)
    index = look(engine.store, key).documents

    asked = [TermList((("bowlin", 1.0),))]
    [found] = score_words(index, asked, np.ones(FIELD_COUNT, np.float32), prefix="history:", b=np.zeros(FIELD_COUNT, np.float32), k1=1.2)
    [doc] = np.flatnonzero(found.by_document)
    [record] = look(engine.store, key).records([index.id_of(int(doc))])
    links = Names(index).outgoing(np.array([doc], np.int32))

    assert (record.kind, record.digest) == ("commit", told)
    assert "knots.py" in record.full_text.inline
    assert [index.paths[index.path_codes[head]] for head in links.heads] == ["knots.py"]


def test_commits_stand_in_no_packet_by_themselves(engine: Engine, root: Path) -> None:
    """A packet shows code and sessions; history only helps to find them."""
    knots_and_sails(root)
    commit(root, "stop the bowline from slipping", {"knots.py": "K = 'loop'\n"})
    engine.index(root)

    packet = engine.retrieve(root, "why does the bowline slip? see knots.py", budget_tokens=2000, tokenizer="chars4")

    assert packet.entries
    assert {entry.kind for entry in packet.entries}.isdisjoint({"commit"})


def test_a_sweep_over_many_files_couples_none(engine: Engine, root: Path) -> None:
    """A commit that touches everything says nothing of any two files."""
    names = [f"f{number:02}.py" for number in range(30)]
    commit(root, "begin", {"readme.md": "# begin\n"})
    for time in range(3):
        commit(root, f"format {time}", dict.fromkeys(names, f"x = {time}\n"))

    engine.index(root)

    assert pairs(engine, root) == {}


def test_nothing_later_than_head_is_known(engine: Engine, root: Path) -> None:
    """Whoever stands at an old commit sees its ancestors alone."""
    knots_and_sails(root)
    later = commit(root, "later", {"knots.py": "K = 'later'\n"})
    git(root, "checkout", "-q", "HEAD~1")

    engine.index(root)

    key, _ = find_workspace(root)
    assert look(engine.store, key).of_subject(f"commit:{later}") == []


def test_a_commit_that_was_rewritten_is_forgotten(engine: Engine, root: Path) -> None:
    """What was amended away is no longer live, though it can still be unfolded."""
    knots_and_sails(root)
    old = commit(root, "a slip of the pen", {"rope.py": "R = 7\n"})
    engine.index(root)
    git(root, "commit", "-q", "--amend", "-m", "no slip")
    engine.index(root)

    key, _ = find_workspace(root)
    [record] = look(engine.store, key).of_subject(f"commit:{old}")
    assert [standing.is_live for standing in look(engine.store, key).statuses([record.id])] == [False]


def test_a_run_in_which_nothing_changed_writes_nothing(engine: Engine, root: Path) -> None:
    """The second of two runs leaves the generation as it was."""
    knots_and_sails(root)
    for name in ("knots.py", "sails.py", "rope.py"):
        os.utime(root / name, (1_700_000_000, 1_700_000_000))
    engine.index(root)
    key, _ = find_workspace(root)
    generation = look(engine.store, key).generation

    engine.index(root)

    assert look(engine.store, key).generation == generation


@pytest.mark.parametrize("harm", ["no commit", "broken head", "missing objects", "no repository"])
def test_history_that_cannot_be_read_is_named_and_stops_nothing(engine: Engine, root: Path, harm: str) -> None:
    """Code is indexed all the same; only damage is a problem, and a repository without commits is none."""
    if harm == "no commit":
        (root / "knots.py").write_text("K = 0\n", encoding="utf-8")
    else:
        knots_and_sails(root)
    if harm == "broken head":
        (root / ".git" / "HEAD").write_text("nonsense\n", encoding="utf-8")
    elif harm == "missing objects":
        shutil.rmtree(root / ".git" / "objects")
        (root / ".git" / "objects").mkdir()
    elif harm == "no repository":
        shutil.rmtree(root / ".git")

    indexed = engine.index(root)

    assert indexed.report.read >= 1
    assert [problem.partition(":")[0] for problem in indexed.report.problems] == (
        ["history"] if harm in {"broken head", "missing objects"} else []
    )
    assert pairs(engine, root) == {}


def test_couplings_go_with_their_repository(engine: Engine, root: Path) -> None:
    """A folder that is no repository any more has no history."""
    knots_and_sails(root)
    engine.index(root)
    shutil.rmtree(root / ".git")

    engine.index(root)

    key, _ = find_workspace(root)
    assert pairs(engine, root) == {}
    assert not look(engine.store, key).documents.is_commit.whole[look(engine.store, key).documents.alive].any()


def test_another_repository_in_the_environment_is_not_read(
    engine: Engine, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIT_DIR, as hooks set it, leads nowhere."""
    knots_and_sails(root)
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))

    assert engine.index(root).commits == 9


def test_a_shallow_clone_is_named(engine: Engine, root: Path, tmp_path: Path) -> None:
    """The edge of a shallow clone shows every file as new and couples none of them."""
    knots_and_sails(root)
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth", "2", root.as_uri(), str(shallow)], check=True)

    indexed = engine.index(shallow)

    assert indexed.commits == 2
    assert any("shallow" in problem for problem in indexed.report.problems)
    assert pairs(engine, shallow) == {}


@pytest.mark.parametrize(
    ("test", "code"),
    [
        ("tests/test_knots.py", "src/knots.py"),
        ("src/knots_test.go", "src/knots.go"),
        ("web/knots.spec.ts", "web/knots.ts"),
        ("test/KnotsTest.java", "main/Knots.java"),
        ("spec/knots_spec.rb", "lib/knots.rb"),
    ],
)
def test_a_test_is_coupled_with_what_it_is_called_after(engine: Engine, root: Path, test: str, code: str) -> None:
    """By name alone, with no history."""
    for name in (test, code, "other/sails.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x\n", encoding="utf-8")

    engine.index(root)

    assert set(pairs(engine, root, EdgeKind.TESTS)) == {(test, code)}


def test_of_several_namesakes_the_nearest_is_tested(engine: Engine, root: Path) -> None:
    """Folders that a test shares with a file tell which one is meant."""
    for name in ("tests/net/test_io.py", "src/net/io.py", "src/disk/io.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x = 1\n", encoding="utf-8")

    engine.index(root)

    assert set(pairs(engine, root, EdgeKind.TESTS)) == {("tests/net/test_io.py", "src/net/io.py")}


def test_files_that_a_session_edited_are_coupled(engine: Engine, root: Path, tmp_path: Path) -> None:
    """What was edited in one session; what was only read is not."""
    for name in ("knots.py", "sails.py", "rope.py"):
        (root / name).write_text("x = 1\n", encoding="utf-8")
    engine.index(root)
    transcript = tmp_path / "s1.jsonl"
    transcript.write_text("".join(session(root, "s1", edits=("knots.py", "sails.py"), reads=("rope.py",))), encoding="utf-8")

    engine.ingest([transcript], repo=root)

    assert set(pairs(engine, root, EdgeKind.EDITED_TOGETHER)) == {("knots.py", "sails.py"), ("sails.py", "knots.py")}


def test_a_purged_session_couples_nothing(engine: Engine, root: Path, tmp_path: Path) -> None:
    """What only it knew is gone with it."""
    for name in ("knots.py", "sails.py"):
        (root / name).write_text("x = 1\n", encoding="utf-8")
    engine.index(root)
    transcript = tmp_path / "s1.jsonl"
    transcript.write_text("".join(session(root, "s1", edits=("knots.py", "sails.py"), reads=())), encoding="utf-8")
    engine.ingest([transcript], repo=root)
    before = pairs(engine, root, EdgeKind.EDITED_TOGETHER)

    engine.purge(root, source="session:s1", reason="private")

    assert before
    assert pairs(engine, root, EdgeKind.EDITED_TOGETHER) == {}


def session(root: Path, name: str, *, edits: Sequence[str], reads: Sequence[str]) -> Iterator[str]:
    """Lines of a transcript in which files are edited and read."""
    common = {"sessionId": name, "cwd": str(root), "timestamp": "2026-01-01T00:00:00Z", "version": "2.1.0"}
    yield json.dumps({**common, "type": "user", "uuid": "u0", "message": {"role": "user", "content": "Tighten the knots."}}) + "\n"
    calls = [("Edit", path, {"old_string": "x = 1", "new_string": "x = 2"}) for path in edits] + [("Read", path, {}) for path in reads]
    for at, (tool, path, more) in enumerate(calls):
        use = {"type": "tool_use", "id": f"t{at}", "name": tool, "input": {"file_path": str(root / path), **more}}
        answer = {"type": "tool_result", "tool_use_id": f"t{at}", "content": "done"}
        for role, part in (("assistant", use), ("user", answer)):
            line = {**common, "type": role, "uuid": f"{role}{at}", "message": {"role": role, "content": [part]}}
            yield json.dumps(line) + "\n"


def test_commits_of_one_second_stand_as_git_lists_them() -> None:
    """A rename that was committed in the second of what it renames still comes after it."""
    older, newer = Commit("f" * 40, 7, ["a.py", "b.py"]), Commit("0" * 40, 7, ["c.py"], [("a.py", "c.py")])
    state = SourceState("history:0", "", 2, 0, "indexed", msgspec.json.encode([newer, older]).decode())

    assert decode_commits([state]) == [newer, older]
    assert decode_commits([replace(state, note=msgspec.json.encode([older, newer]).decode())]) == [older, newer]
