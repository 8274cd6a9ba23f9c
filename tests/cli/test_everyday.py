"""What a person types, and what comes back: the whole path on three small files and the session that ships."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from calling import Call

from clew.samples import TIES
from tests.fences import opened, without_marks

QUESTION = "How is a bowline tied, and why are ties never broken by document number?"
SESSION = "c1e3a57e-0d5f-4b6a-9a2e-7f4d2b8c6e10"


@pytest.fixture
def filled(clew: Call, repository: Path) -> Path:
    """The repository, indexed, with the sample session ingested."""
    assert clew("index", repository).code == 0
    assert clew("ingest", TIES, "--repo", repository).code == 0
    return repository


def test_index_reads_what_changed_and_says_what_it_did(clew: Call, repository: Path) -> None:
    first, second = (clew("index", repository, "--json").json for _ in range(2))
    (repository / "src" / "sails.py").unlink()
    third = clew("index", repository, "--json").json

    assert (first["files"], first["read"], first["unchanged"]) == (3, 3, 0)
    assert second["unchanged"] == 3
    assert third["removed"] == 1
    assert first["root"] == str(repository)
    assert "3 files" in clew("index", repository).text or "2 files" in clew("index", repository).text


def test_the_sample_session_is_read_whole_and_a_second_time_not_at_all(clew: Call, repository: Path) -> None:
    first, second = (clew("ingest", TIES, "--repo", repository, "--json").json for _ in range(2))

    assert (first["sessions"], first["broken_lines"], first["unknown"], first["problems"]) == (1, 0, {}, [])
    assert first["records"] > 20
    assert first["workspaces"][0]["sessions"] == [SESSION]
    assert (second["sessions"], second["unchanged"], second["records"]) == (0, 1, 0)


def test_one_packet_holds_code_and_memory_within_the_budget_and_says_why(clew: Call, filled: Path) -> None:
    packet = clew("retrieve", QUESTION, "--repo", filled, "--budget", "1500", "--json").json

    assert 0 < packet["tokens"] <= packet["budget"] == 1500
    code = [entry for entry in packet["entries"] if "session" not in entry]
    said = [entry for entry in packet["entries"] if "session" in entry]
    assert any(entry["name"] == "tie_bowline" and entry["path"] == "src/knots.py" for entry in code)
    assert any(entry["uuid"] for entry in said)
    assert {entry["session"] for entry in said} == {SESSION}
    assert all(entry["why"] for entry in packet["entries"])
    lines = (filled / "src" / "knots.py").read_text().splitlines()
    [bowline] = [entry for entry in code if entry["name"] == "tie_bowline"]
    assert lines[bowline["start"] - 1].startswith("def tie_bowline")


def test_standard_output_is_the_text_of_the_packet_in_a_fence(clew: Call, filled: Path) -> None:
    words = ("retrieve", QUESTION, "--repo", filled, "--budget", "800")
    plain, packet = clew(*words), clew(*words, "--json").json

    assert without_marks(plain.text) == packet["text"]
    assert "bowline" in opened(plain.text).inside[0]
    assert f"{packet['tokens'] + packet['fence_tokens']:,} of 800 tokens" in plain.err


def test_files_alone_are_one_path_a_line_and_the_reasons_on_demand(clew: Call, filled: Path) -> None:
    words = ("retrieve", QUESTION, "--repo", filled, "--files", "--limit", "2")
    plain, table, listed = clew(*words), clew(*words, "--table"), clew(*words, "--json").json["files"]

    assert plain.text.splitlines() == [file["path"] for file in listed]
    assert (listed[0]["path"], listed[0]["name"], listed[0]["line"]) == ("src/knots.py", "tie_bowline", 11)
    assert len(listed) == 2
    assert "best symbol" in table.text
    assert "words: " in table.text
    assert clew("retrieve", QUESTION, "--repo", filled, "--limit", "2").code == 2


@pytest.mark.parametrize("tokenizer", ["chars4", "o200k"])
def test_the_tokenizer_is_the_readers_choice(clew: Call, filled: Path, tokenizer: str) -> None:
    packet = clew("retrieve", QUESTION, "--repo", filled, "--tokenizer", tokenizer, "--budget", "700", "--json").json

    assert packet["tokenizer"] == tokenizer
    assert packet["tokens"] + packet["fence_tokens"] <= 700


def test_a_map_needs_no_question_and_no_index(clew: Call, repository: Path) -> None:
    plain = clew("map", repository, "--budget", "300")
    packet, table = clew("map", repository, "--budget", "300", "--json").json, clew("map", repository / "src", "--table")

    assert opened(plain.text).inside == (packet["text"].removesuffix("\n"),)
    assert "was never indexed" in plain.err
    assert packet["question"] == ""
    assert packet["tokens"] <= 300
    assert "def tie_bowline(rope: Rope) -> str:" in plain.text
    assert f"map of {repository / 'src'}" in table.text
    assert "README" not in table.text
    assert clew("map", repository / "nowhere").code == 1


def test_a_question_may_come_on_standard_input(clew: Call, filled: Path) -> None:
    told = clew("retrieve", QUESTION, "--repo", filled, "--json")
    piped = clew("retrieve", "-", "--repo", filled, "--json", stdin=QUESTION.encode())

    assert piped.json["entries"] == told.json["entries"]


def test_a_deadline_that_is_too_short_is_kept_by_leaving_stages_out(clew: Call, filled: Path) -> None:
    packet = clew("retrieve", QUESTION, "--repo", filled, "--deadline-ms", "0", "--json").json

    assert "diffuse" in packet["skipped"]
    assert packet["entries"]


def test_a_repository_that_was_never_indexed_is_indexed_first(clew: Call, repository: Path) -> None:
    called = clew("retrieve", "bowline", "--repo", repository)

    assert called.code == 0
    assert "tie_bowline" in called.text
    assert "was never indexed; indexing it first" in called.err
    assert "never indexed" not in clew("retrieve", "bowline", "--repo", repository).err


@pytest.mark.parametrize(
    "words",
    [
        ("retrieve", QUESTION, "--json"),
        ("retrieve", QUESTION, "--files", "--json"),
        ("impact", "src/knots.py", "--json"),
        ("map", "--json"),
    ],
)
def test_the_same_call_gives_the_same_bytes_under_any_hash_seed(process: Call, filled: Path, words: tuple[str, ...]) -> None:
    words = (*words, "--repo", str(filled)) if words[0] != "map" else (words[0], str(filled), words[1])
    first, second = (process(*words, PYTHONHASHSEED=seed) for seed in ("1", "2"))

    assert first.code == 0, first.err
    assert first.out == second.out


def test_every_handle_of_a_packet_unfolds_to_the_bytes_that_were_read(clew: Call, filled: Path) -> None:
    for entry in clew("retrieve", QUESTION, "--repo", filled, "--budget", "600", "--json").json["entries"]:
        unfolded = clew("unfold", entry["handle"], "--repo", filled)
        told = clew("unfold", entry["handle"], "--repo", filled, "--json").json
        assert unfolded.code == 0
        assert told["text"].encode() == unfolded.out
        assert told["bytes"] == len(unfolded.out)
        if "session" not in entry:
            assert unfolded.out in (filled / entry["path"]).read_bytes()


def test_unfold_gives_bytes_that_are_no_text_as_they_are(clew: Call, repository: Path) -> None:
    raw = b"# caf\xe9 and rope\n\ndef splice():\n    return 'caf\xe9'\n"
    (repository / "splice.py").write_bytes(raw)
    packet = clew("retrieve", "splice", "--repo", repository, "--json").json
    [splice] = [entry for entry in packet["entries"] if entry["name"] == "splice"]
    unfolded = clew("unfold", splice["handle"], "--repo", repository)

    assert unfolded.code == 0
    assert b"caf\xe9" in unfolded.out
    assert unfolded.out in raw
    assert "base64" in clew("unfold", splice["handle"], "--repo", repository, "--json").json


def test_explain_names_what_a_record_hangs_on(clew: Call, filled: Path) -> None:
    packet = clew("retrieve", "tie_bowline", "--repo", filled, "--json").json
    [bowline] = [entry for entry in packet["entries"] if entry["name"] == "tie_bowline"]
    explained = clew("explain", bowline["handle"], "--repo", filled, "--json").json

    assert explained["is_live"]
    assert explained["source"] == "file:src/knots.py"
    assert any("hoist" in link["name"] for link in explained["links"])
    assert (explained["importance"]["uses"], explained["importance"]["outcome"]) == (0, 1)
    assert explained["importance"]["dependents"] > 0
    assert "never used, 1 record rests on it, true now" in clew("explain", bowline["handle"], "--repo", filled).text
    assert "true now" in clew("explain", bowline["handle"], "--repo", filled).text


def test_explain_names_the_version_that_replaced_an_old_one(clew: Call, filled: Path) -> None:
    [old] = [entry for entry in clew("retrieve", "hoist sail", "--repo", filled, "--json").json["entries"] if entry["name"] == "hoist"]
    (filled / "src" / "sails.py").write_text('def hoist(rope):\n    """Hoist the sail by hand."""\n    return rope\n')
    clew("index", filled)
    explained = clew("explain", old["handle"], "--repo", filled, "--json").json

    assert not explained["is_live"]
    assert explained["superseded_by"]
    assert len(explained["versions"]) == 2
    assert b"on a bowline" in clew("unfold", old["handle"], "--repo", filled).out


def test_status_says_where_the_data_lives_and_how_much_there_is(clew: Call, filled: Path, home: Path) -> None:
    status = clew("status", "--repo", filled, "--json").json

    assert status["database"] == str(home / "clew.db")
    assert (status["files"], status["sessions"]) == (3, 1)
    assert status["here"]["root"] == str(filled)
    assert "3 files, 1 session" in clew("status", "--repo", filled).text


def test_status_of_an_unknown_repository_says_how_to_begin(clew: Call, tmp_path: Path) -> None:
    assert "clew index" in clew("status", "--repo", tmp_path).text


def test_compact_fits_the_budget_and_keeps_what_the_user_forbade(clew: Call, filled: Path) -> None:
    by_file = clew("compact", TIES, "--budget", "1200", "--repo", filled, "--json").json
    by_id = clew("compact", SESSION, "--budget", "1200", "--repo", filled, "--json").json

    assert by_file["tokens"] <= 1200
    assert "Never break ties by document number" in by_file["text"]
    assert by_file == by_id
    assert all(entry["session"] == SESSION for entry in by_file["entries"])


def test_compact_at_a_record_knows_nothing_of_what_came_after(clew: Call, filled: Path) -> None:
    early = clew("compact", TIES, "--at", "14", "--budget", "4000", "--repo", filled, "--json").json

    assert "lexsort" not in early["text"]
    assert clew("compact", TIES, "--at", "no-such-record", "--budget", "4000", "--repo", filled).code in (2, 4)


def test_forget_by_handle_goes_both_ways_and_loses_nothing(clew: Call, filled: Path) -> None:
    [entry] = [e for e in clew("retrieve", "tie_bowline", "--repo", filled, "--json").json["entries"] if e["name"] == "tie_bowline"]
    away = clew("forget", entry["handle"], "--repo", filled, "--json").json
    assert (away["archived"], away["recalled"], away["lost"]) == ([entry["id"]], 1, [])
    assert clew("explain", entry["handle"], "--repo", filled, "--json").json["tier"] == "archived"

    clew("forget", entry["handle"], "--tier", "hot", "--repo", filled)
    assert clew("explain", entry["handle"], "--repo", filled, "--json").json["tier"] == "hot"


def test_a_dry_run_moves_nothing(clew: Call, filled: Path) -> None:
    [entry] = [e for e in clew("retrieve", "tie_bowline", "--repo", filled, "--json").json["entries"] if e["name"] == "tie_bowline"]
    told = clew("forget", entry["handle"], "--dry-run", "--repo", filled, "--json").json

    assert told["archived"] == [entry["id"]]
    assert clew("explain", entry["handle"], "--repo", filled, "--json").json["tier"] == "hot"


def test_purge_erases_and_leaves_a_tombstone(clew: Call, filled: Path, home: Path) -> None:
    [entry] = [e for e in clew("retrieve", "hoist", "--repo", filled, "--json").json["entries"] if e["name"] == "hoist"]
    refused = clew("purge", entry["handle"], "--reason", "a secret", "--repo", filled)
    assert refused.code == 2
    assert "--yes" in refused.err

    purged = clew("purge", "--path", "src/sails.py", "--reason", "a secret", "--yes", "--repo", filled, "--json")
    assert purged.code == 0
    assert purged.json["records"] > 0
    gone = clew("unfold", entry["handle"], "--repo", filled)
    assert gone.code == 4
    assert b"Hoist the sail on a bowline" not in b"".join(file.read_bytes() for file in home.iterdir() if file.is_file())


def test_purge_of_a_session_takes_all_of_it(clew: Call, filled: Path) -> None:
    assert clew("purge", "--session", SESSION, "--reason", "not mine", "--yes", "--repo", filled).code == 0

    assert clew("status", "--repo", filled, "--json").json["sessions"] == 0
    assert clew("purge", "--session", SESSION, "--reason", "again", "--yes", "--repo", filled).code == 4


def test_ingest_without_a_name_takes_the_transcripts_of_this_repository(
    clew: Call, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = clew("ingest", "--repo", repository)
    assert refused.code == 2
    assert "Claude Code has no transcripts" in refused.err

    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in str(repository))
    folder = tmp_path / "claude" / "projects" / plain
    folder.mkdir(parents=True)
    (folder / f"{SESSION}.jsonl").write_bytes(TIES.read_bytes())
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    assert clew("ingest", "--repo", repository, "--json").json["sessions"] == 1


def test_ingest_without_a_name_finds_the_sessions_of_work_trees_that_are_gone(
    clew: Call, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / ".git").mkdir(exist_ok=True)
    folders = {"a": repository / ".claude/worktrees/gone", "b": repository / "docs", "c": tmp_path / "elsewhere"}
    for name, cwd in folders.items():
        kept = tmp_path / "claude/projects" / name
        kept.mkdir(parents=True)
        prompt = {"type": "user", "sessionId": name, "uuid": f"{name}1", "cwd": str(cwd), "message": {"role": "user", "content": "Go on."}}
        (kept / f"{name}.jsonl").write_text(json.dumps(prompt) + "\n")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))

    [workspace] = clew("ingest", "--repo", repository, "--json").json["workspaces"]

    assert workspace["sessions"] == ["a", "b"]


@pytest.mark.parametrize(
    ("words", "forbidden"),
    [
        (("--version",), ("numpy", "apsw", "rich", "tree_sitter", "msgspec", "clew.engine", "clew.records")),
        (("--help",), ("numpy", "apsw", "rich", "tree_sitter", "clew.engine")),
        (
            ("retrieve", "bowline", "--quiet"),
            ("rich", "tree_sitter", "pathspec", "multiprocessing", "clew.transcript.parse", "clew.codebase.parse"),
        ),
        (
            ("retrieve", "bowline", "--json"),
            ("rich", "tree_sitter", "pathspec", "multiprocessing", "clew.transcript.parse", "clew.codebase.parse"),
        ),
    ],
)
def test_a_command_imports_only_what_it_runs(filled: Path, home: Path, words: tuple[str, ...], forbidden: tuple[str, ...]) -> None:
    script = "import sys; from clew.cli.outcome import run; run(sys.argv[1:]); print('\\n'.join(sys.modules), file=sys.stderr)"
    command = [sys.executable, "-c", script, *words]
    done = subprocess.run(command, cwd=filled, capture_output=True, text=True, check=True, env=_environment(home))
    imported = set(done.stderr.splitlines())

    assert "clew.cli.app" in imported
    assert not imported & set(forbidden)


def _environment(home: Path) -> dict[str, str]:
    import os

    return {**os.environ, "CLEW_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2] / "src")}


def test_what_is_pinned_is_kept_and_listed_and_taken_back(clew: Call, filled: Path) -> None:
    window = clew("compact", SESSION, "--budget", "1500", "--repo", filled, "--json").json
    handle = window["entries"][-1]["handle"]
    pinned = clew("pin", handle, "--lines", "1", "--repo", filled, "--json").json["pins"]

    assert [(each["handle"], each["first"], each["last"], each["is_dropped"]) for each in pinned] == [(handle, 1, 1, False)]
    assert "## Pinned by the user" in clew("compact", SESSION, "--budget", "1500", "--repo", filled).text
    assert handle in clew("pin", "--repo", filled).text
    assert clew("pin", handle, "--undo", "--repo", filled).text == "nothing is pinned\n"
    assert clew("pin", handle, "--undo", "--repo", filled).code == 4
    assert clew("pin", handle, "--lines", "x", "--repo", filled).code == 2
    assert clew("pin", "--drop", "--repo", filled).code == 2
