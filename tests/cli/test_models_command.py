"""`clew models`: what is said of a model that is named, and of none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from calling import Call

from tests.enrich import llama
from tests.enrich.model_server import Server, served


@pytest.fixture
def server() -> Iterator[Server]:
    with served() as running:
        yield running


KEYS = [
    "name", "kind", "place", "sha256", "context", "prefill_tokens_per_s", "generate_tokens_per_s", "memory_mb", "fits", "queue",
]  # fmt: skip


def test_none_is_named_at_first(clew: Call) -> None:
    assert clew("models").text.startswith("off ")
    assert list(clew("models", "--json").json) == KEYS
    assert clew("models", "--json").json["kind"] == "off"
    assert clew("models", "--measure").code == 2


def test_a_server_is_described_without_being_asked_and_measured_on_demand(
    clew: Call, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEW_MODEL", f"{server.url}#small")
    server.answer = lambda _: "one two three four five six seven"

    before = clew("models", "--json").json
    assert server.asked == []
    measured = clew("models", "--measure", "--json", "--quiet").json

    assert list(before) == list(measured) == KEYS
    assert (before["name"], before["kind"], before["prefill_tokens_per_s"], before["fits"]) == ("small", "openai", None, None)
    assert measured["prefill_tokens_per_s"] > measured["generate_tokens_per_s"] > 0
    assert clew("models", "--json").json == measured


def test_states_are_stored_listed_restored_and_purged(
    clew: Call, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A purge erases every state: what was erased may stand in any of them."""
    told = clew("models", "state", "list", "--json").json
    text = tmp_path / "packet.txt"
    text.write_text("Each change has a test. " * 100)
    with llama.served(Path(told["folder"])) as server:
        monkeypatch.setenv("CLEW_MODEL", f"{server.url}/v1#small")
        saved = clew("models", "state", "save", text, "--json").json
        server.slot = []
        restored = clew("models", "state", "restore", saved["id"][:6], "--prompt", "Why?", "--json").json
        assert clew("models", "state", "restore", "zz").code == 2

    assert told["states"] == []
    assert (saved["tier"], saved["is_checked"], saved["tokens"] % 512) == ("hot", True, 0)
    assert (restored["is_restored"], restored["tokens"]) == (True, saved["tokens"])
    assert saved["id"][:12] in clew("models", "state", "list").text
    clew("index", repository)
    assert clew("purge", "--path", "src/knots.py", "--repo", repository, "--reason", "a key", "--yes").code == 0
    assert clew("models", "state", "list", "--json").json["states"] == []
    assert list(server.folder.iterdir()) == []


@pytest.mark.parametrize("model", ["anthropic#NAME", "https://models.example.org/v1#m"])
def test_a_hosted_model_has_no_states(clew: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: str) -> None:
    monkeypatch.setenv("CLEW_MODEL", model)
    (tmp_path / "packet.txt").write_text("words")
    called = clew("models", "state", "save", tmp_path / "packet.txt")

    assert called.code == 5
    assert "that you host" in called.err


@pytest.mark.parametrize(
    ("model", "code", "words"),
    [
        ("/nowhere/small.gguf", 5, "no such file"),
        ("small", 2, "neither a path nor a URL"),
        ("http://127.0.0.1:9/v1#m", 5, "no server answers"),
    ],
)
def test_a_model_that_cannot_be_used_is_a_sentence_and_a_code(
    clew: Call, monkeypatch: pytest.MonkeyPatch, model: str, code: int, words: str
) -> None:
    monkeypatch.setenv("CLEW_MODEL", model)

    called = clew("models", "--measure")

    assert called.code == code
    assert words in called.err
    assert "hint: " in called.err


def test_where_no_model_is_named_no_part_of_it_is_imported(process: Call, repository: Path) -> None:
    code = (
        "import sys, clew.cli.outcome as o; o.run(sys.argv[1:]); print([m for m in sys.modules if 'enrich.models' in m or 'xllama' in m])"
    )
    import subprocess
    import sys

    from calling import SOURCE

    done = subprocess.run(
        [sys.executable, "-c", code, "index", str(repository), "--quiet"],
        env={"PYTHONPATH": str(SOURCE), "CLEW_HOME": str(repository.parent / "home"), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.rstrip().endswith("[]")
