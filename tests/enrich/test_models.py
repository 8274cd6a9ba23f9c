"""Servers of models that misbehave, and those that do not: what is tried again, what is an error, and what is never shown."""

from __future__ import annotations

import re
import socket
import struct
from pathlib import Path

import pytest

from clew.engine import Engine
from clew.enrich.models import ChatModel, DisabledModel, GgufModel, KnownModels, Model, ModelRequest, measure_model, open_model
from clew.enrich.models.gguf_header import read_gguf_header
from clew.errors import (
    BadEndpoint,
    BadModelFile,
    BadModelName,
    InvalidModelResponse,
    ModelError,
    ModelInputTruncated,
    ModelRefused,
    ModelsNotInstalled,
    ModelStopped,
    ModelUnreachable,
    NoModel,
)
from clew.settings import model_api_key
from tests.enrich.compressing import compress, session_of, texts
from tests.enrich.model_server import Reply, Server


@pytest.mark.parametrize("spoken", ["", "anthropic+"])
def test_both_dialects_are_spoken_and_their_counts_are_told(
    engine: Engine, repo: Path, tmp_path: Path, server: Server, spoken: str
) -> None:
    speaks = open_model(f"{spoken}{server.url}/v1#some-model", folder=tmp_path, key="sk-very-secret", timeout_s=20)

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
        (Reply("keep: L1", hangs_up=True), [1.0]),
        (Reply(raw=b'{"choices": [{"mess'), [1.0]),
        (Reply(raw=b"[1, 2]"), [1.0]),
        (Reply(raw=b'{"choices": []}'), [1.0]),
    ],
    ids=["429 and when", "429", "500", "529 and no date", "hangs up", "broken JSON", "other JSON", "no choice"],
)
def test_what_may_pass_is_tried_again(
    engine: Engine, repo: Path, tmp_path: Path, server: Server, model: Model, waits: list[float], bad: Reply, waited: list[float]
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
        (Reply("keep: L1", hangs_up=True), ModelUnreachable, "hung up before it had answered, 4 times"),
        (Reply(raw=b"<html>hello</html>"), InvalidModelResponse, "cannot be read"),
    ],
    ids=["429", "500", "hangs up", "a web page"],
)
def test_what_does_not_pass_is_an_error_after_a_few_tries(
    engine: Engine,
    repo: Path,
    tmp_path: Path,
    server: Server,
    model: Model,
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
        compress(engine, repo, session_of(tmp_path, 2), ChatModel(server.url, "m", key="sk-very-secret", timeout_s=20, wait=waits.append))

    assert (len(server.asked), waits) == (1, [])
    assert "sk-very-secret" not in f"{raised.value} {raised.value!r} {vars(raised.value)}"


def test_an_answer_that_takes_too_long_is_an_error_and_not_tried_again(
    engine: Engine, repo: Path, tmp_path: Path, server: Server, waits: list[float]
) -> None:
    server.script = [Reply("keep: L1", waits=True)]

    with pytest.raises(ModelUnreachable, match=re.escape("no whole answer within 0.2 s")):
        compress(engine, repo, session_of(tmp_path, 2), ChatModel(server.url, "m", timeout_s=0.2, wait=waits.append))

    assert server.was_asked.wait(20)
    assert (len(server.asked), waits) == (1, [])


def test_a_server_that_reads_only_a_part_of_what_is_sent_is_found_out(
    engine: Engine, repo: Path, tmp_path: Path, server: Server, model: Model
) -> None:
    """Some servers cut a long request to their window without a word; what they then say is about something else."""
    server.script = [Reply("keep: L1", read=700)]

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
                ChatModel(f"http://127.0.0.1:{held.getsockname()[1]}", "m", timeout_s=5, wait=waits.append),
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
        ("https://api.anthropic.com.example.org", "https://api.anthropic.com.example.org/v1/chat/completions"),
    ],
)
def test_an_address_may_be_bare_or_whole(tmp_path: Path, endpoint: str, place: str) -> None:
    assert open_model(f"{endpoint}#m", folder=tmp_path, key="k", timeout_s=1).place == place


@pytest.mark.parametrize(
    ("endpoint", "key", "words"),
    [
        ("http://", "", "is not an address"),
        ("http://localhost:port", "", "port"),
        ("http://me:hunter2@localhost", "", "holds a name or a password"),
        ("http://models.example.org", "k", "unencrypted"),
        ("https://models.example.org", "a b", "the key in the environment is not one"),
    ],
)
def test_an_address_that_makes_no_sense_or_is_not_safe_is_refused(tmp_path: Path, endpoint: str, key: str, words: str) -> None:
    with pytest.raises(BadEndpoint, match=words) as raised:
        open_model(f"{endpoint}#m", folder=tmp_path, key=key, timeout_s=1)

    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "off"])
def test_without_a_name_there_is_no_model(tmp_path: Path, text: str) -> None:
    assert isinstance(open_model(text, folder=tmp_path, timeout_s=1), DisabledModel)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("anthropic", "names no model of Anthropic's API"),
        ("qwen3:8b", "is neither a path nor a URL"),
        ("localhost:11434", "is neither a path nor a URL"),
        ("/models/small.gguf#sha256=1d96", "has an end that is no hash"),
    ],
)
def test_a_text_that_names_no_model_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadModelName, match=re.escape(words)):
        open_model(text, folder=tmp_path, timeout_s=1)


def test_a_key_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoModel, match="ANTHROPIC_API_KEY"):
        open_model("anthropic#m", folder=tmp_path, timeout_s=1)


def test_a_server_with_one_model_needs_no_name(tmp_path: Path, server: Server) -> None:
    server.models = ["qwen3:8b"]

    assert open_model(server.url, folder=tmp_path, timeout_s=5).name == "qwen3:8b"


@pytest.mark.parametrize(("models", "words"), [(["a", "b"], "the server has a, b"), ([], "the server has none"), (None, "lists none")])
def test_a_server_with_none_or_several_asks_for_a_name(tmp_path: Path, server: Server, models: list[str] | None, words: str) -> None:
    server.models = models

    with pytest.raises(BadModelName, match=words):
        _ = open_model(server.url, folder=tmp_path, timeout_s=5).name


def test_the_probabilities_of_a_first_token_are_read(tmp_path: Path, server: Server) -> None:
    server.script = [Reply("yes", choices=[("yes", -0.25), ("no", -1.5)])]

    answer = open_model(f"{server.url}#m", folder=tmp_path, timeout_s=5).complete(ModelRequest("Say yes or no.", "Is it?", 1, choices=5))

    assert answer.choices == (("yes", -0.25), ("no", -1.5))
    assert (server.asked[0]["max_tokens"], server.asked[0]["logprobs"], server.asked[0]["top_logprobs"]) == (1, True, 5)


def test_a_measurement_is_remembered_by_the_models_name(tmp_path: Path, server: Server) -> None:
    known = KnownModels(tmp_path)
    server.answer = lambda _: "one two three four five six seven"

    measured = measure_model(open_model(f"{server.url}#m", folder=tmp_path, timeout_s=5), known)

    assert measured.prefill_tokens_per_s > measured.generate_tokens_per_s > 0
    assert known.measured("m") == measured
    assert known.measured("another").prefill_tokens_per_s == 0


def test_what_is_remembered_may_be_broken_or_unwritable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is measured again, and nothing else is lost."""
    (tmp_path / "models.json").write_text("{]")
    file = tmp_path / "file"
    file.write_bytes(b"abc")

    assert KnownModels(tmp_path).hash_of(file).startswith("ba7816bf")
    assert KnownModels(tmp_path / "file").hash_of(file).startswith("ba7816bf")  # a folder that cannot be one


def test_a_file_is_hashed_again_when_it_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    known = KnownModels(tmp_path)
    first = known.hash_of(file)
    file.write_bytes(b"abcd")

    assert known.hash_of(file) != first


def gguf(path: Path, *pairs: tuple[str, str | int], count: int | None = None, version: int = 3) -> Path:
    """A file with the header of a GGUF file, and no tensors."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    body = b"".join(
        text(key) + (struct.pack("<I", 8) + text(value) if isinstance(value, str) else struct.pack("<II", 4, value)) for key, value in pairs
    )
    vocabulary = text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc")
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", version, 0, len(pairs) + 1 if count is None else count) + vocabulary + body)
    return path


SMALL = (
    ("general.architecture", "tiny"), ("general.name", "Tiny 1"), ("tiny.context_length", 2048), ("tiny.block_count", 4),
    ("tiny.embedding_length", 64), ("tiny.attention.head_count", 4), ("tiny.attention.head_count_kv", 2),
)  # fmt: skip


def test_a_header_says_what_a_file_needs(tmp_path: Path) -> None:
    header = read_gguf_header(gguf(tmp_path / "tiny.gguf", *SMALL))

    assert (header.name, header.architecture, header.context) == ("Tiny 1", "tiny", 2048)
    assert header.cache_bytes == 4 * 2 * (16 + 16) * 2
    assert header.memory_mb(2_000_000) > header.memory_mb(2048)
    assert not header.is_chat
    thinking = read_gguf_header(gguf(tmp_path / "chat.gguf", *SMALL, ("tokenizer.chat_template", "{{ x }} <think>")))
    assert thinking.is_chat
    assert thinking.reasons


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "no such file"),
        (b"PK\x03\x04 a zip", "is no GGUF file"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "is of GGUF version 1"),
        (b"GGUF\x03", "cut short or broken"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), "cut short or broken"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 60), "cut short or broken"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"a" + struct.pack("<I", 77), "cut short or broken"),
    ],
    ids=["missing", "a zip", "old", "cut", "many pairs", "a long key", "an unknown kind"],
)
def test_a_file_that_is_no_model_is_a_clear_error(tmp_path: Path, data: bytes | None, words: str) -> None:
    path = tmp_path / "model.gguf"
    if data is not None:
        path.write_bytes(data)

    with pytest.raises(BadModelFile, match=words):
        open_model(str(path), folder=tmp_path, timeout_s=1)


def test_without_the_extra_a_file_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(ModelsNotInstalled, match=re.escape("pip install 'clew[models]'")):
        open_model(str(gguf(tmp_path / "tiny.gguf", *SMALL)), folder=tmp_path, timeout_s=1)


def test_a_file_with_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())

    with pytest.raises(BadModelFile, match=r"its sha256 is [0-9a-f]{64}, not 0{64}"):
        open_model(f"{gguf(tmp_path / 'tiny.gguf', *SMALL)}#sha256={'0' * 64}", folder=tmp_path, timeout_s=1)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; sys.exit('no room for it')", "ended with status 1: no room for it"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9"),
        ("print('ready', flush=True); import os; os.kill(os.getpid(), 9)", "was ended by signal 9"),
    ],
    ids=["it refuses", "it is killed", "it is killed later"],
)
def test_a_child_that_dies_is_an_error_at_once_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "child.py").write_text(code)
    monkeypatch.setattr("clew.enrich.models.gguf.CHILD", tmp_path / "child.py")
    model = open_model(str(gguf(tmp_path / "tiny.gguf", *SMALL)), folder=tmp_path / "home", timeout_s=5)

    with pytest.raises(ModelStopped, match=re.escape(words)):
        model.complete(ModelRequest("Say yes.", "Is it?", 1))

    assert list(tmp_path.glob("clew-model-*")) == []
    model.close()


def test_a_child_ends_with_whoever_started_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    (tmp_path / "child.py").write_text("import sys; print('ready', flush=True); sys.stdin.read()")
    monkeypatch.setattr("clew.enrich.models.gguf.CHILD", tmp_path / "child.py")
    model = open_model(str(gguf(tmp_path / "tiny.gguf", *SMALL)), folder=tmp_path / "home", timeout_s=0.2)
    assert isinstance(model, GgufModel)

    with pytest.raises(ModelUnreachable, match=r"no such file or directory|no server answers"):
        model.complete(ModelRequest("Say yes.", "Is it?", 1))
    assert model.memory_mb > 0
    model.close()

    assert model.memory_mb == 0


def test_a_host_whose_name_only_begins_as_anthropics_does_is_not_given_its_key() -> None:
    environ = {"ANTHROPIC_API_KEY": "sk-of-anthropic"}

    assert model_api_key("https://api.anthropic.com#m", environ) == "sk-of-anthropic"
    assert model_api_key("https://api.anthropic.com/v1#m", environ) == "sk-of-anthropic"
    for host in ("https://api.anthropic.com.example.org#m", "https://api.anthropic.com@example.org#m"):
        assert not model_api_key(host, environ)
