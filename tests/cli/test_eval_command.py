"""`clew eval`: what a person reads of their own sessions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from calling import Call

from tests.evaluation.conftest import work
from tests.transcript.conftest import SESSION


@pytest.fixture
def sessions(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two sessions that went on after a cut, one of them compacted, and one that is too short."""
    monkeypatch.setenv("CLEW_JOBS", "1")  # three short sessions are not worth the start of processes
    folder = tmp_path / "sessions"
    work(with_summary=True).save(folder)
    work(with_summary=False).save(folder, f"{SESSION[:-1]}6.jsonl")
    short = work(with_summary=False)
    short.records = short.records[:9]
    short.save(folder, f"{SESSION[:-1]}7.jsonl")
    return folder


def test_the_report_compares_clew_with_the_clients_own_summary(clew: Call, sessions: Path) -> None:
    called = clew("eval", sessions)

    assert called.code == 0
    said = " ".join(called.text.split())
    assert "at 2 cuts of 2 sessions (1 where the client compacted; 1 at 60 % of a session" in said
    assert "1 session too short to be judged" in said
    assert "At the size of the client's own summary: 1 cut" in said
    assert "clew − summary" in said
    assert "All that was folded comes back, byte for byte" in said
    assert "What this does not say" in said
    assert f"{SESSION}@" in said


def test_nothing_is_stored(clew: Call, sessions: Path, home: Path) -> None:
    clew("eval", sessions)

    assert not home.exists()


def test_json_has_every_cut_and_two_runs_under_two_hash_seeds_agree(process: Call, sessions: Path) -> None:
    first, second = (process("eval", str(sessions), "--json", "--budget", "10%", PYTHONHASHSEED=seed).json for seed in ("1", "2"))

    assert [cut["cut"].partition("@")[0] for cut in first["cuts_judged"]] == [SESSION, f"{SESSION[:-1]}6"]
    assert {window["arm"] for window in first["cuts_judged"][0]["windows"]} == {"clew", "recency"}
    for clock in ("made_ms", "made_ms_max"):
        assert first.pop(clock) > 0
        assert second.pop(clock) > 0
    assert first == second


def test_budgets_can_be_chosen(clew: Call, sessions: Path) -> None:
    found = clew("eval", sessions, "--json", "--budget", "summary", "--budget", "0.2").json

    names = [(at["budget"], list(at["means"])) for at in found["budgets"]]
    assert names == [("summary", ["clew", "summary", "recency"]), ("20 %", ["clew", "recency"])]


@pytest.mark.parametrize("value", ["0", "120%", "much"])
def test_a_budget_that_makes_no_sense_is_wrong_usage(clew: Call, sessions: Path, value: str) -> None:
    called = clew("eval", sessions, "--budget", value)

    assert called.code == 2
    assert "--budget" in called.err


def test_the_newest_transcripts_can_be_chosen(clew: Call, sessions: Path) -> None:
    for at, path in enumerate(sorted(sessions.iterdir())):
        os.utime(path, (1_700_000_000 - at, 1_700_000_000 - at))

    found = clew("eval", sessions, "--json", "--limit", "1").json

    assert [Path(cut["path"]).stem for cut in found["cuts_judged"]] == [SESSION]


def test_a_transcript_that_is_damaged_is_named_and_the_rest_is_judged(clew: Call, sessions: Path) -> None:
    (sessions / "broken.jsonl.xz").write_bytes(b"\xfd7zXZ\x00 and then nothing of the kind")

    called = clew("eval", sessions)

    assert called.code == 0
    assert "2 cuts of 2 sessions" in called.text
    assert "broken.jsonl.xz" in called.err


def test_where_nothing_can_be_read_the_answer_is_an_error(clew: Call, tmp_path: Path) -> None:
    called = clew("eval", tmp_path / "nowhere")

    assert (called.code, called.out) == (1, b"")
    assert "nowhere" in called.err


def test_sessions_that_all_ended_too_soon_are_no_error(clew: Call, sessions: Path) -> None:
    called = clew("eval", sessions / f"{SESSION[:-1]}7.jsonl")

    assert called.code == 0
    assert "The one session did not go on for long enough" in " ".join(called.text.split())


def test_without_a_folder_the_clients_own_transcripts_are_read(
    clew: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    missing = clew("eval", "--repo", repository)
    name = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in str(repository.resolve()))
    work(with_summary=True).save(tmp_path / "claude" / "projects" / name)

    assert missing.code == 2
    assert "Claude Code has no transcripts" in missing.err
    assert "1 cut of 1 session" in clew("eval", "--repo", repository).text
