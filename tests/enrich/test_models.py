"""Servers of models that misbehave, and those that do not: what is tried again, what is an error, and what is never shown."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from clew.engine import Engine
from clew.enrich.models import ChatCompressor, Compressor, DisabledCompressor, build_compressor
from clew.errors import (
    BadEndpoint,
    InvalidModelResponse,
    ModelError,
    ModelInputTruncated,
    ModelRefused,
    ModelUnreachable,
    NoCompressionModel,
)
from tests.enrich.compressing import compress, session_of, texts
from tests.enrich.model_server import Reply, Server


@pytest.mark.parametrize("spoken", ["", "anthropic+"])
def test_both_dialects_are_spoken_and_their_counts_are_told(
    engine: Engine, repo: Path, tmp_path: Path, server: Server, spoken: str
) -> None:
    speaks = build_compressor(f"{spoken}{server.url}/v1", "some-model", key="sk-very-secret", timeout_s=20)

    done = compress(engine, repo, session_of(tmp_path, 2), speaks)

    assert done.billed_in > 1000
    assert done.billed_out > 10
    headers = {name.lower(): value for name, value in server.headers[0].items()}
    assert (headers.get("x-api-key") or headers["authorization"].removeprefix("Bearer ")) == "sk-very-secret"
    assert b"sk-very-secret" not in b"".join(file.read_bytes() for file in engine.settings.data_dir.glob("*") if file.is_file())


@pytest.mark.parametrize(
    ("bad", "waited"),
    [
        (Reply("slow down", status=429, headers={"Retry-After": "7"}), [7.0]),
        (Reply("slow down", status=429), [1.0]),
        (Reply("oops", status=500), [1.0]),
        (Reply("overloaded", status=529, headers={"Retry-After": "soon"}), [1.0]),
        (Reply("- done: never [x]", hangs_up=True), [1.0]),
        (Reply(raw=b'{"choices": [{"mess'), [1.0]),
        (Reply(raw=b"[1, 2]"), [1.0]),
        (Reply(raw=b'{"choices": []}'), [1.0]),
    ],
    ids=["429 and when", "429", "500", "529 and no date", "hangs up", "broken JSON", "other JSON", "no choice"],
)
def test_what_may_pass_is_tried_again(
    engine: Engine, repo: Path, tmp_path: Path, server: Server, model: Compressor, waits: list[float], bad: Reply, waited: list[float]
) -> None:
    server.script = [bad]

    done = compress(engine, repo, session_of(tmp_path, 2), model)

    assert (done.asked, len(server.asked), waits) == (1, 2, waited)
    assert len(texts(engine, repo)) == 1


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (Reply("slow down", status=429), ModelRefused, "status 429 (4 times): slow down"),
        (Reply("oops", status=500), ModelRefused, "status 500"),
        (Reply("- done: never [x]", hangs_up=True), ModelUnreachable, "hung up before it had answered, 4 times"),
        (Reply(raw=b"<html>hello</html>"), InvalidModelResponse, "cannot be read"),
    ],
    ids=["429", "500", "hangs up", "a web page"],
)
def test_what_does_not_pass_is_an_error_after_a_few_tries(
    engine: Engine,
    repo: Path,
    tmp_path: Path,
    server: Server,
    model: Compressor,
    waits: list[float],
    bad: Reply,
    error: type[ModelError],
    words: str,
) -> None:
    server.script = [bad] * 4

    with pytest.raises(error, match=re.escape(words)):
        compress(engine, repo, session_of(tmp_path, 2), model)

    assert (len(server.asked), waits) == (4, [1.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (Reply("no such key: sk-very-secret", status=401), "no such key: …"),
        (Reply("no such model", status=404), "no such model"),
        (Reply("too large", status=413), "--chunk-tokens"),
        (Reply("go there", status=307, headers={"Location": "http://127.0.0.1:1/"}), "status 307"),
        (Reply("spent", status=429, headers={"Retry-After": "86400"}), "status 429: spent"),
        (Reply(raw=b"\xff\xfe no words", status=400), "status 400"),
    ],
    ids=["key", "model", "size", "redirect", "not before tomorrow", "no text"],
)
def test_what_will_not_pass_is_an_error_at_once_and_the_key_is_never_shown(
    engine: Engine, repo: Path, tmp_path: Path, server: Server, waits: list[float], bad: Reply, words: str
) -> None:
    server.script = [bad]

    with pytest.raises(ModelRefused, match=re.escape(words)) as raised:
        compress(
            engine, repo, session_of(tmp_path, 2), ChatCompressor(server.url, "m", key="sk-very-secret", timeout_s=20, wait=waits.append)
        )

    assert (len(server.asked), waits) == (1, [])
    assert "sk-very-secret" not in f"{raised.value} {raised.value!r} {vars(raised.value)}"


def test_an_answer_that_takes_too_long_is_an_error_and_not_tried_again(
    engine: Engine, repo: Path, tmp_path: Path, server: Server, waits: list[float]
) -> None:
    server.script = [Reply("- done: late [x]", waits=True)]

    with pytest.raises(ModelUnreachable, match=re.escape("no whole answer within 0.2 s")):
        compress(engine, repo, session_of(tmp_path, 2), ChatCompressor(server.url, "m", timeout_s=0.2, wait=waits.append))

    assert server.was_asked.wait(20)
    assert (len(server.asked), waits) == (1, [])


def test_a_server_that_reads_only_a_part_of_what_is_sent_is_found_out(
    engine: Engine, repo: Path, tmp_path: Path, server: Server, model: Compressor
) -> None:
    """Some servers cut a long request to their window without a word; what they then say is about something else."""
    server.script = [Reply("- done: it [x]", read=700)]

    with pytest.raises(ModelInputTruncated, match="only 700 of about"):
        compress(engine, repo, session_of(tmp_path, 2), model)


def test_nobody_at_the_address_is_an_error_at_once(engine: Engine, repo: Path, tmp_path: Path, waits: list[float]) -> None:
    with socket.socket() as held:  # bound and not listening: who connects is refused
        held.bind(("127.0.0.1", 0))
        with pytest.raises(ModelUnreachable, match="no server answers there"):
            compress(
                engine,
                repo,
                session_of(tmp_path, 2),
                ChatCompressor(f"http://127.0.0.1:{held.getsockname()[1]}", "m", timeout_s=5, wait=waits.append),
            )

    assert waits == []


@pytest.mark.parametrize(
    ("endpoint", "place"),
    [
        ("http://localhost:11434", "http://localhost:11434/v1/chat/completions"),
        ("http://localhost:11434/v1/", "http://localhost:11434/v1/chat/completions"),
        ("https://models.example.org/api/chat/completions?version=1", "https://models.example.org/api/chat/completions"),
        ("http://[::1]:8080", "http://[::1]:8080/v1/chat/completions"),
        ("anthropic", "https://api.anthropic.com/v1/messages"),
        ("anthropic+https://gateway.example.org", "https://gateway.example.org/v1/messages"),
    ],
)
def test_an_address_may_be_bare_or_whole(endpoint: str, place: str) -> None:
    assert build_compressor(endpoint, "m", key="k", timeout_s=1).place == place


@pytest.mark.parametrize(
    ("endpoint", "key", "words"),
    [
        ("localhost:11434", "", "is not an address"),
        ("ftp://localhost", "", "is not an address"),
        ("http://localhost:port", "", "port"),
        ("http://me:hunter2@localhost", "", "holds a name or a password"),
        ("http://models.example.org", "k", "unencrypted"),
        ("https://models.example.org", "a b", "the key in the environment is not one"),
    ],
)
def test_an_address_that_makes_no_sense_or_is_not_safe_is_refused(endpoint: str, key: str, words: str) -> None:
    with pytest.raises(BadEndpoint, match=words) as raised:
        build_compressor(endpoint, "m", key=key, timeout_s=1)

    assert "hunter2" not in str(raised.value)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    assert isinstance(build_compressor("", "m", timeout_s=1), DisabledCompressor)
    with pytest.raises(NoCompressionModel, match="--model"):
        build_compressor("http://localhost", "", timeout_s=1)
    with pytest.raises(NoCompressionModel, match="ANTHROPIC_API_KEY"):
        build_compressor("anthropic", "m", timeout_s=1)
