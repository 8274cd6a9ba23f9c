"""`clew compress`, as a person and as a machine call it, beside a model's server on the loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from calling import SOURCE, Call

from tests.enrich.compressing import SESSION, session_of
from tests.enrich.model_server import Reply, Server, served


@pytest.fixture
def server() -> Iterator[Server]:
    with served() as running:
        yield running


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    return session_of(tmp_path, 6)


def test_it_is_off_and_says_how_to_turn_it_on(clew: Call, repository: Path, transcript: Path) -> None:
    called = clew("compress", transcript, "--repo", repository)

    assert called.code == 2
    assert "no model is named, and nothing was sent" in called.err
    assert "http://localhost:11434/v1#NAME" in called.err


def test_a_session_is_compressed_and_a_second_call_asks_nothing(clew: Call, repository: Path, transcript: Path, server: Server) -> None:
    words = ("compress", transcript, "--repo", repository, "--model", f"{server.url}#small")

    first = clew(*words)
    asked = len(server.asked)
    second = clew("compress", SESSION, *words[2:], "--json").json

    assert first.code == 0, first.err
    assert first.text.startswith(f"{asked} parts of 1 session: {asked} asked for, 0 known already")
    assert "dropped: 0 claims about what its lines do not hold" in first.text
    assert {payload["model"] for payload in server.asked} == {"small"}
    assert (second["known"], second["asked"], len(server.asked)) == (asked, 0, asked)
    assert second["tokens"]["after"] < second["tokens"]["before"] / 2


def test_settings_choose_the_model_and_the_key_comes_from_the_environment_alone(
    clew: Call, repository: Path, transcript: Path, server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    (home / "config.toml").write_text(f'model = "anthropic+{server.url}#small"\nmodel_price = "1/5"\n')
    monkeypatch.setenv("CLEW_MODEL_KEY", "sk-very-secret")

    answer = clew("compress", transcript, "--repo", repository, "--json")

    assert answer.json["dollars"] == pytest.approx((answer.json["billed"]["sent"] + 5 * answer.json["billed"]["answered"]) / 1e6)
    assert {headers["x-api-key"] for headers in server.headers} == {"sk-very-secret"}
    assert "sk-very-secret" not in answer.text + answer.err
    assert all(b"sk-very-secret" not in file.read_bytes() for file in home.rglob("*") if file.is_file())


def test_a_dry_run_says_what_would_be_sent_where_and_what_it_costs(
    clew: Call, repository: Path, transcript: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("compress", transcript, "--repo", repository, "--model", f"{server.url}#small", "--dry-run")
    monkeypatch.setenv("CLEW_MODEL_PRICE", "3/15")

    plain, told = clew(*words), clew(*words, "--json").json

    assert server.asked == []
    assert f"would be sent to {server.url}/v1/chat/completions" in plain.text
    assert "about $0." in plain.text
    assert "nothing was sent" in plain.text
    assert not told["sent"]
    assert told["dollars"] == pytest.approx((3 * told["tokens"]["sent"] + 15 * told["tokens"]["answered"]) / 1e6)
    assert clew("compress", transcript, "--repo", repository, "--dry-run").code == 0  # nobody need be chosen for it


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply("sk-very-secret is not known", status=401), "status 401: … is not known"),
        (Reply("keep: L1", read=700), "only 700 of about"),
        (Reply("wait", status=429, headers={"Retry-After": "99999"}), "status 429: wait"),
    ],
    ids=["key", "window", "limit"],
)
def test_a_server_that_refuses_is_a_sentence_and_a_code(
    clew: Call, repository: Path, transcript: Path, server: Server, monkeypatch: pytest.MonkeyPatch, reply: Reply, words: str
) -> None:
    monkeypatch.setenv("CLEW_MODEL_KEY", "sk-very-secret")
    server.script = [reply]

    called = clew("compress", transcript, "--repo", repository, "--model", f"{server.url}#small")

    assert called.code == 5
    assert words in called.err
    assert "hint: " in called.err
    assert "Traceback" not in called.err
    assert "sk-very-secret" not in called.err


def test_what_was_compressed_before_a_server_failed_stands(clew: Call, repository: Path, transcript: Path, server: Server) -> None:
    words = ("compress", transcript, "--repo", repository, "--model", f"{server.url}#small")
    parts = clew(*words[:4], "--dry-run", "--json").json["parts"]
    honest, answered = server.answer, 0

    def breaks(text: str) -> str:
        nonlocal answered
        answered += 1
        if answered == 1:
            server.script = [Reply("gone", status=404)]
        return honest(text)

    server.answer = breaks
    assert clew(*words).code == 5

    again = clew(*words, "--json").json
    assert (again["known"], again["asked"]) == (1, parts - 1)


def test_a_process_that_is_killed_loses_no_answer_that_it_had(clew: Call, repository: Path, transcript: Path, server: Server) -> None:
    words = ("compress", str(transcript), "--repo", str(repository), "--model", f"{server.url}#small")
    parts = clew(*words[:4], "--dry-run", "--json").json["parts"]
    honest, second = server.answer, threading.Event()

    def stops_at_the_second(text: str) -> str:
        if len(server.asked) == 2:
            second.set()
            server.goes_on.wait(60)
        return honest(text)

    server.answer = stops_at_the_second
    killed = subprocess.Popen(
        [sys.executable, "-m", "clew", *words], env={**os.environ, "PYTHONPATH": str(SOURCE)}, stdout=subprocess.DEVNULL
    )
    assert second.wait(60)
    killed.kill()
    killed.wait()
    server.goes_on.set()
    server.answer = honest

    again = clew(*words, "--json").json
    assert (again["known"], again["asked"]) == (1, parts - 1)


def test_a_part_whose_answer_is_of_no_use_is_named(clew: Call, repository: Path, transcript: Path, server: Server) -> None:
    server.script = [Reply("Sorry."), Reply("Sorry.")]

    called = clew("compress", transcript, "--repo", repository, "--model", f"{server.url}#small")

    assert called.code == 0
    assert f"{SESSION}, part 1: it names no lines in the form" in called.err


def test_where_no_answer_is_of_any_use_the_code_says_so(clew: Call, repository: Path, transcript: Path, server: Server) -> None:
    server.answer = lambda _: "Sorry."

    called = clew("compress", transcript, "--repo", repository, "--model", f"{server.url}#small")

    assert called.code == 5
    assert "nothing that the model answered could be kept" in called.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "localhost:11434"), "is neither a path nor a URL"),
        (("--model", "anthropic"), "names no model"),
        (("--model", "anthropic#m"), "ANTHROPIC_API_KEY"),
        (("--model", "http://localhost#m", "--chunk-tokens", "10"), "too small"),
    ],
)
def test_what_makes_no_sense_is_refused(clew: Call, repository: Path, transcript: Path, words: tuple[str, ...], said: str) -> None:
    called = clew("compress", transcript, "--repo", repository, *words)

    assert called.code == 2
    assert said in called.err


def test_an_unknown_session_is_an_unknown_handle(clew: Call, repository: Path, server: Server) -> None:
    assert clew("compress", "nowhere", "--repo", repository, "--model", f"{server.url}#m").code == 4


def test_a_key_in_the_file_of_settings_is_refused_and_not_repeated(clew: Call, repository: Path, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text('compress_key = "sk-very-secret"\n')

    called = clew("status", "--repo", repository)

    assert called.code == 2
    assert "CLEW_MODEL_KEY" in called.err
    assert "sk-very-secret" not in called.err


def test_a_price_that_is_none_is_refused(clew: Call, repository: Path, transcript: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_MODEL_PRICE", "cheap")

    assert clew("compress", transcript, "--repo", repository, "--dry-run").code == 2


def test_options_and_settings_of_earlier_releases_still_work_with_a_warning(
    clew: Call, repository: Path, transcript: Path, server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("compress", transcript, "--repo", repository)
    by_option = clew(*words, "--endpoint", server.url, "--model", "small")
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(f'compress_endpoint = "{server.url}"\ncompress_timeout_s = 20\n')
    monkeypatch.setenv("CLEW_COMPRESS_MODEL", "large")
    by_setting = clew(*words)

    assert (by_option.code, by_setting.code) == (0, 0)
    assert f"are one option now: --model {server.url}#small" in by_option.err
    assert f'model = "{server.url}#large" says the same' in by_setting.err
    assert "compress_timeout_s is called model_timeout_s now" in by_setting.err
    assert {payload["model"] for payload in server.asked} == {"small", "large"}


@pytest.mark.parametrize("limit", [("--seconds", "0"), ("--tokens", "1")])
def test_a_bounded_run_leaves_the_rest_to_the_next_call(
    clew: Call, repository: Path, transcript: Path, server: Server, limit: tuple[str, str]
) -> None:
    words = ("compress", transcript, "--repo", repository, "--model", f"{server.url}#small", "--json")
    bounded = clew(*words, *limit).json
    asked = 0 if limit[0] == "--seconds" else 1

    assert (bounded["asked"], bounded["left"], len(server.asked)) == (asked, bounded["parts"] - asked, asked)
    rest = clew(*words).json
    assert (rest["known"], rest["asked"], rest["left"]) == (asked, rest["parts"] - asked, 0)


def test_a_bounded_run_keeps_what_earlier_runs_made_of_later_parts(clew: Call, repository: Path, transcript: Path, server: Server) -> None:
    words = ("compress", transcript, "--repo", repository, "--json", "--model")
    parts = clew(*words, f"{server.url}#small").json["parts"]
    clew(*words, f"{server.url}#large", "--tokens", "1")

    assert clew(*words, f"{server.url}#small").json["known"] >= parts - 1


def test_a_dry_run_says_the_minutes_once_the_model_was_measured(
    clew: Call, repository: Path, transcript: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("compress", transcript, "--repo", repository, "--dry-run", "--json")
    monkeypatch.setenv("CLEW_MODEL", f"{server.url}#small")
    before = clew(*words).json["minutes"]
    server.answer = lambda _: "one two three four five six seven"
    clew("models", "--measure", "--quiet")

    assert before is None
    assert clew(*words).json["minutes"] >= 0
