"""The log of packets: what was added to a prompt, what became of it, and that a purge reaches it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import clew
from clew.adapters.clients.claude_code import CLIENT
from clew.cli.outcome import run
from clew.engine import Engine
from clew.errors import UnknownHandle, UsageError
from clew.lifecycle.packets import PACKETS_MAX, PACKETS_SPARE, LoggedEntry, packets_source
from clew.records import MatchKind, Packet, make_handle
from clew.settings import Settings
from clew.store.ports import LOCAL
from clew.usecases.places import find_memory
from tests.transcript.conftest import SESSION, ClaudeScript

FILES = {
    "shop/cart.py": "def total(lines):\n    return sum(line.price for line in lines)\n",
    "shop/tax.py": "def tax_of(country):\n    return {'DE': 19}.get(country, 0)\n",
    "shop/mail.py": "def send_receipt(address):\n    return address\n",
}
PROMPT = "Change `shop/cart.py` and `shop/tax.py` so that the zanzibar total holds the tax"
ASKED_NS = int(datetime(2026, 3, 1, 10, 0, 2, tzinfo=UTC).timestamp() * 1e9)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / ".git").mkdir()
    return folder


@pytest.fixture
def engine(tmp_path: Path, tree: Path) -> Engine:
    engine = clew.open(settings=Settings(tmp_path / "home", jobs=1))
    engine.index(tree)
    return engine


def ask(engine: Engine, tree: Path, *, asked_ns: int = ASKED_NS, is_shown: bool = True) -> Packet:
    """Add to the prompt as a hook does, and log it."""
    packet = engine.augment_prompt(tree, PROMPT, budget_tokens=500, tokenizer="chars4", session=SESSION)
    engine.log_packet(tree, packet, session=SESSION, asked_ns=asked_ns, took_ms=6.0, is_shown=is_shown)
    return packet


def script(tree: Path) -> ClaudeScript:
    """A session whose third record is the prompt."""
    claude = ClaudeScript()
    claude.prompt("Good morning")
    claude.tell("Good morning.")
    claude.prompt(PROMPT)
    claude.read(str(tree / "shop/tax.py"), FILES["shop/tax.py"].splitlines())
    return claude


def packets(engine: Engine, tree: Path) -> int:
    with engine.store.snapshot(LOCAL, find_memory(engine.store, tree)[0]) as snapshot:
        return len(snapshot.records_of_sources(packets_source(SESSION)))


def handle_of(engine: Engine, tree: Path, kind: str, words: str) -> str:
    with engine.store.snapshot(LOCAL, find_memory(engine.store, tree)[0]) as snapshot:
        records = snapshot.records_of_sources(f"session:{SESSION}")
    return next(make_handle(record.id) for record in records if record.kind == kind and words in record.name)


def test_what_was_added_is_explained_with_what_became_of_it(engine: Engine, tree: Path, tmp_path: Path) -> None:
    packet = ask(engine, tree)
    before = engine.explain_last_packet(tree, SESSION)
    engine.ingest([script(tree).save(tmp_path / "sessions")], repo=tree)

    after = engine.explain_last_packet(tree, engine.find_last_session(tree))

    assert before.prompt is None
    assert set(before.became) == {""}
    assert after.asked == PROMPT
    became = {entry.path: word for entry, word in zip(after.packet.entries, after.became, strict=True)}
    assert became == {"shop/cart.py": "", "shop/tax.py": "read"}
    assert [entry.handle for entry in after.packet.entries] == [entry.handle for entry in packet.entries]
    assert [entry.reasons for entry in after.packet.entries] == [entry.why for entry in packet.entries]
    assert after.packet.tokens == packet.tokens
    assert all(entry.probability is not None and 0 < entry.probability <= 1 for entry in after.packet.entries)


def test_what_a_session_did_before_the_prompt_is_not_what_became_of_it(engine: Engine, tree: Path, tmp_path: Path) -> None:
    claude = ClaudeScript()
    claude.read(str(tree / "shop/tax.py"), FILES["shop/tax.py"].splitlines())
    claude.prompt(PROMPT)
    engine.ingest([claude.save(tmp_path / "sessions")], repo=tree)
    ask(engine, tree)

    assert set(engine.explain_last_packet(tree, SESSION).became) == {""}


def test_a_packet_has_a_handle_and_no_search_finds_it(engine: Engine, tree: Path) -> None:
    ask(engine, tree)
    found = engine.explain_last_packet(tree, SESSION)

    assert engine.explain(tree, make_handle(found.record.id)).record.kind == "packet"
    assert engine.unfold(tree, make_handle(found.record.id)).data
    assert not engine.recall(tree, PROMPT, confidence_min=0).turns
    assert all(
        entry.kind != "packet"
        for entry in engine.retrieve(tree, "packet prompt added tokens", budget_tokens=2000, tokenizer="chars4").entries
    )


def test_nothing_added_and_too_late_are_logged_as_well(engine: Engine, tree: Path) -> None:
    nothing = engine.augment_prompt(tree, "thanks!", budget_tokens=500, tokenizer="chars4", session=SESSION)
    engine.log_packet(tree, nothing, session=SESSION, asked_ns=ASKED_NS, took_ms=2.0, is_shown=True)
    assert not engine.explain_last_packet(tree, SESSION).packet.entries

    ask(engine, tree, asked_ns=ASKED_NS + 1, is_shown=False)
    assert not engine.explain_last_packet(tree, SESSION).packet.is_shown


@pytest.mark.parametrize("what", ["prompt", "session", "file", "packet"])
def test_a_purge_reaches_the_log(engine: Engine, tree: Path, tmp_path: Path, what: str) -> None:
    packet = ask(engine, tree)
    engine.ingest([script(tree).save(tmp_path / "sessions")], repo=tree)
    found = engine.explain_last_packet(tree, SESSION)

    if what == "prompt":
        engine.purge(tree, handles=[handle_of(engine, tree, "prompt", "zanzibar")], reason="private")
    elif what == "session":
        engine.purge(tree, source=f"session:{SESSION}", reason="private")
    elif what == "file":
        engine.purge(tree, source="file:shop/tax.py", reason="private")
    else:
        engine.purge(tree, handles=[make_handle(found.record.id)], reason="private")

    assert packet.entries
    assert packets(engine, tree) == 0
    with pytest.raises(UnknownHandle):
        engine.unfold(tree, make_handle(found.record.id))
    engine.close()
    if what in ("prompt", "session"):
        held = b"".join(file.read_bytes() for file in (tmp_path / "home").rglob("*") if file.is_file())
        assert b"zanzibar" not in held


def test_a_purge_of_another_file_leaves_the_log(engine: Engine, tree: Path) -> None:
    ask(engine, tree)

    engine.purge(tree, source="file:shop/mail.py", reason="private")

    assert packets(engine, tree) == 1


def test_the_log_of_a_session_is_bounded(engine: Engine, tree: Path) -> None:
    packet = ask(engine, tree)
    for number in range(1, PACKETS_MAX + PACKETS_SPARE):
        engine.log_packet(tree, packet, session=SESSION, asked_ns=ASKED_NS + number, took_ms=1.0, is_shown=True)

    assert packets(engine, tree) == PACKETS_MAX
    assert engine.explain_last_packet(tree, SESSION).record.at_ns == ASKED_NS + PACKETS_MAX + PACKETS_SPARE - 1


def test_the_command_tells_it_in_words_and_in_json(
    engine: Engine, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(engine, tree)
    engine.close()
    monkeypatch.setenv("CLEW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    folder = CLIENT.config_dir() / "projects" / re.sub(r"[^A-Za-z0-9]", "-", str(tree))
    script(tree).save(folder)
    assert run(["explain", "--last", "--repo", str(tree)]) == 0
    told = capsys.readouterr().out
    assert run(["explain", "--last", "--repo", str(tree), "--json"]) == 0
    as_json = json.loads(capsys.readouterr().out)

    assert "zanzibar" in told
    [line] = [line for line in told.splitlines() if "shop/tax.py" in line and line.startswith("[")]
    assert "read since" in line
    assert "not touched since" in told
    assert {entry["path"]: entry["became"] for entry in as_json["entries"]} == {"shop/cart.py": "", "shop/tax.py": "read"}
    assert run(["explain", "--repo", str(tree)]) == 2
    assert run(["explain", "--last", "3k7q2m9x", "--repo", str(tree)]) == 2


def test_where_nothing_is_logged_the_error_says_so(engine: Engine, tree: Path) -> None:
    with pytest.raises(UsageError, match="ever added to"):
        engine.find_last_session(tree)
    with pytest.raises(UsageError, match="nothing is logged"):
        engine.explain_last_packet(tree, SESSION)


def test_a_reason_of_a_later_release_is_left_out() -> None:
    entry = LoggedEntry("a.py", why=[("named", ["total"]), ("felt in the bones", [3])])

    assert [reason.kind for reason in entry.reasons] == [MatchKind.NAMED]
