"""Where transcripts lie, whose they are, and which files beside them may be read."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clew.errors import NotReadable
from clew.transcript.follow import read_deltas, transcript_source
from clew.transcript.session_files import find_session_files, find_sessions, load_spilled_output

if TYPE_CHECKING:
    from conftest import ClaudeScript, CodexScript

SESSION = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def project(claude: ClaudeScript, codex: CodexScript, tmp_path: Path) -> Path:
    """A folder with a session and its subagent, a rollout below it, a stray subagent, and files of other kinds."""
    claude.prompt("hello")
    claude.save(tmp_path)
    helper = type(claude)(SESSION)
    helper.prompt("find it", isSidechain=True, agentId="a1b2")
    helper.tell("found", isSidechain=True, agentId="a1b2")
    helper.save(tmp_path / SESSION / "subagents", "agent-a1b2.jsonl")
    (tmp_path / SESSION / "subagents" / "agent-a1b2.meta.json").write_text(
        json.dumps({"agentType": "Explore", "description": "Find callers"})
    )
    helper.save(tmp_path, "agent-c3d4.jsonl")
    (tmp_path / SESSION / "tool-results").mkdir()
    (tmp_path / SESSION / "tool-results" / "log.jsonl").write_bytes(claude.bytes())
    (tmp_path / "2026").mkdir()
    codex.said("user", "hi")
    codex.save(tmp_path / "2026")
    (tmp_path / "other.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "loop").symlink_to(tmp_path)
    return tmp_path


def test_a_folder_gives_its_sessions_with_their_subagents(project: Path) -> None:
    found = [(session.path.name, session.client, session.id, session.agent, len(session.agents)) for session in find_sessions(project)]

    assert found == [
        (f"{SESSION}.jsonl", "claude-code", SESSION, "", 1),
        (f"rollout-2026-03-01T10-00-00-{SESSION}.jsonl", "codex", SESSION, "", 0),
        ("agent-c3d4.jsonl", "claude-code", SESSION, "c3d4", 0),
    ]


def test_a_session_tells_the_folder_that_it_began_in(project: Path) -> None:
    assert {session.cwd for session in find_sessions(project)} == {"/home/dev/shop"}


def test_a_subagents_file_is_a_source_of_its_own_under_its_session(project: Path) -> None:
    session = find_session_files(project / f"{SESSION}.jsonl")
    main, helper = session, find_session_files(*session.agents)

    assert [transcript_source(main), transcript_source(helper)] == [f"session:{SESSION}", f"session:{SESSION}/a1b2"]
    (delta,) = read_deltas(helper.path)
    assert delta.source == f"session:{SESSION}/a1b2"
    assert {(record.session, record.agent) for record in delta.records if record.kind != "transcript"} == {(SESSION, "a1b2")}
    assert [record.name for record in delta.records if record.kind == "brief"] == ["Brief (Explore: Find callers): find it"]


@pytest.mark.parametrize("name", [f"cc_{SESSION}.jsonl", f"{SESSION}.jsonl.xz", "talk.jsonl"])
def test_the_id_is_in_the_name_or_in_the_records(claude: ClaudeScript, tmp_path: Path, name: str) -> None:
    claude.prompt("hello")
    path = tmp_path / name
    path.write_bytes(lzma.compress(claude.bytes()) if name.endswith("xz") else claude.bytes())

    assert find_session_files(path).id == SESSION


def test_nothing_at_a_path_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotReadable):
        list(find_sessions(tmp_path / "none"))


def test_a_damaged_archive_says_so(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl.xz"
    path.write_bytes(b"not xz at all")

    with pytest.raises(NotReadable):
        find_session_files(path)


def test_what_cannot_be_read_hides_no_session(project: Path) -> None:
    """A damaged archive is given, so that its reader can say why; links that lead nowhere and pipes are no transcripts."""
    before = [session.path for session in find_sessions(project)]
    (project / "damaged.jsonl.xz").write_bytes(b"no archive")
    (project / "loop.jsonl").symlink_to("loop.jsonl")
    os.mkfifo(project / "pipe.jsonl")

    assert sorted(session.path for session in find_sessions(project)) == sorted([*before, project / "damaged.jsonl.xz"])
    with pytest.raises(NotReadable):
        list(read_deltas(project / "damaged.jsonl.xz"))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")

    with pytest.raises(NotReadable, match="no regular file"):
        list(find_sessions(tmp_path / "pipe.jsonl"))


def test_only_spilled_results_are_read_whatever_a_transcript_says(project: Path) -> None:
    session = find_session_files(project / f"{SESSION}.jsonl")
    home = project / SESSION / "tool-results"
    (home / "b.txt").write_text("spilled")
    (home / "link.txt").symlink_to(project / "notes.txt")
    elsewhere = project / "moved" / "tool-results"
    elsewhere.mkdir(parents=True)
    (elsewhere / "c.txt").write_text("old place")

    assert load_spilled_output(session, "/gone/tool-results/b.txt") == b"spilled"
    assert load_spilled_output(session, str(elsewhere / "c.txt")) == b"old place"
    for name in [
        str(project / "notes.txt"),
        "../notes.txt",
        "/etc/passwd",
        "tool-results/..",
        "",
        "x\0y",
        str(home / "link.txt"),
        str(home),
    ]:
        assert load_spilled_output(session, name) is None
