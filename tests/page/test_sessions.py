"""Sessions, the state of one, its transcript and its compactions."""

from __future__ import annotations

import json
import os
import re
from html import unescape

import pytest

from clew.adapters.page.views import compactions
from clew.samples import TIES
from tests.page.conftest import SESSION, Page

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[31m\x00 {{ 7*7 }} ${7*7}"


def hostile_transcript(session: str) -> str:
    """The sample with hostile words in a prompt, a path, a branch, a tool's output and a folder."""
    lines: list[str] = []
    for line in TIES.read_text("utf-8").splitlines():
        told = json.loads(line)
        told.update(
            {"sessionId": session, "gitBranch": f"b{HOSTILE}", "cwd": f"/home/dev/{HOSTILE}"} if "cwd" in told else {"sessionId": session}
        )
        message = told.get("message")
        if isinstance(message, dict) and isinstance(message.get("content"), str):
            message["content"] = f"{HOSTILE} Never touch {HOSTILE}. {message['content']}"
        for block in message["content"] if isinstance(message, dict) and isinstance(message.get("content"), list) else ():
            for name in ("text", "content", "name"):
                if isinstance(block.get(name), str):
                    block[name] = f"{block[name]}{HOSTILE if name != 'name' else ''}"
            if isinstance(block.get("input"), dict) and "file_path" in block["input"]:
                block["input"]["file_path"] += HOSTILE
        lines.append(json.dumps(told))
    return "\n".join(lines) + "\n"


def test_sessions_are_listed_without_any_set_up(page: Page) -> None:
    text = page.get("/")

    assert f"/sessions/{SESSION}" in text
    assert "Two runs of" in text
    assert "/<wbr>home/<wbr>dev/<wbr>clew" in text
    assert "ties-by-id" in text


def test_a_stored_session_whose_transcript_is_gone_is_listed_and_shown(page: Page) -> None:
    page.context.get_engine().ingest([page.projects], repo=page.repo)
    (page.projects / "-home-dev-clew" / f"{SESSION}.jsonl").unlink()

    assert "only stored" in page.get("/")
    assert "Never break ties by document number" in page.get(f"/sessions/{SESSION}")
    assert "Two runs of" in page.get(f"/sessions/{SESSION}/lines")
    assert "kept whole" in page.get(f"/sessions/{SESSION}/compactions")


def test_ten_thousand_sessions_are_paged(page: Page) -> None:
    folder = page.projects / "-many"
    folder.mkdir()
    for number in range(10_000):
        name = f"00000000-0000-4000-8000-{number:012}"
        (folder / f"{name}.jsonl").touch()
        os.utime(folder / f"{name}.jsonl", (number, number))
    text = page.get("/")

    assert "1–40 of 10,001" in text
    assert len(text) < 60_000
    assert "10,001" in page.get("/?page=251")
    assert "10,001" in page.get("/?page=999999")


def test_the_state_says_what_was_asked_and_leads_to_its_lines(page: Page) -> None:
    text = page.get(f"/sessions/{SESSION}")

    for words in ("Never break ties by document number", "40 passed in 1.12s", "src/<wbr>clew/<wbr>retrieval/<wbr>diffuse.py", "Dead ends"):
        assert words in text
    links = re.findall(r'href="(/sessions/[^"]+/lines\?at=(\d+)#L\d+)"', text)
    assert len(links) >= 10
    for address, line in dict(links).items():
        assert f'id="L{line}"' in page.get(unescape(address))


def test_the_line_behind_a_rule_holds_its_words(page: Page) -> None:
    assert "Never break ties by document number" in page.get(f"/sessions/{SESSION}/lines?at=2")


def test_what_is_missing_is_said(page: Page) -> None:
    page.add_transcript("11111111-2222-4333-8444-555555555555", TIES.read_text("utf-8").splitlines()[2] + "\n")
    text = page.get("/sessions/11111111-2222-4333-8444-555555555555")

    for words in (
        "No test, build or lint run was seen",
        "No file was changed",
        "Nothing that failed is still open",
        "The agent said nothing",
    ):
        assert words in text
    assert "has not compacted this session yet" in page.get("/sessions/11111111-2222-4333-8444-555555555555/compactions")


def test_a_preview_tells_the_fate_of_every_record_with_a_reason(page: Page) -> None:
    text = page.get(f"/sessions/{SESSION}/compactions?budget=900")

    assert "left out" in text
    assert "other lines were likelier to be needed again" in text
    assert "its words stand in the hand-off" in text
    assert "likely to be needed again" in text or "one of the turn" in text


def test_the_preview_of_a_long_session_is_begun_when_its_state_is_read(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compactions, "PREPARED_BYTES_MIN", 1)
    page.get(f"/sessions/{SESSION}")
    with compactions._preparing:  # until it is made
        pass
    prepared = [each for key, each in compactions._kept.items() if str(page.projects) in str(key[0])]

    assert [each.done() for each in prepared] == [True]
    page.get(f"/sessions/{SESSION}/compactions")
    assert prepared == [each for key, each in compactions._kept.items() if str(page.projects) in str(key[0])]


def test_a_record_unfolds_in_place_with_what_stays_and_what_goes(page: Page) -> None:
    text = page.get(f"/sessions/{SESSION}/compactions?budget=2500&fate=shortened")
    address = unescape(re.findall(r'data-src="([^"]+)"', text)[0])
    part = page.get(address)

    assert 'class="kept"' in part
    assert 'class="gone"' in part
    assert "<html" not in part
    assert "<html" in page.get(address.replace("&part=yes", ""))


def test_the_clients_own_summary_stands_beside(page: Page) -> None:
    lines = TIES.read_text("utf-8").splitlines()
    base = json.loads(lines[2])
    boundary = {**base, "type": "system", "subtype": "compact_boundary", "content": "Conversation compacted", "uuid": "b0", "message": None}
    summary = {**base, "uuid": "b1", "isCompactSummary": True, "message": {"role": "user", "content": "THE CLIENTS OWN SUMMARY"}}
    page.add_transcript("22222222-2222-4333-8444-555555555555", "\n".join([*lines, json.dumps(boundary), json.dumps(summary)]) + "\n")
    there = "/sessions/22222222-2222-4333-8444-555555555555/compactions"

    assert f"at={len(lines)}" in page.get(there)
    assert "THE CLIENTS OWN SUMMARY" in page.get(f"{there}?at={len(lines)}")


def test_looking_stores_nothing(page: Page) -> None:
    for path in ("/", f"/sessions/{SESSION}", f"/sessions/{SESSION}/compactions", f"/sessions/{SESSION}/lines"):
        page.get(path)

    assert page.context.get_engine().store.roots() == []


def test_hostile_words_are_shown_and_obeyed_nowhere(page: Page) -> None:
    session = "33333333-2222-4333-8444-555555555555"
    page.add_transcript(session, hostile_transcript(session))
    texts = [
        page.get(path)
        for path in (
            "/",
            f"/sessions/{session}",
            f"/sessions/{session}/lines",
            f"/sessions/{session}/lines?at=20&whole=yes",
            f"/sessions/{session}/compactions?budget=4000",
        )
    ]

    for text in texts:
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "\u202e" not in text
        assert "\x1b" not in text
        assert "\x00" not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "49" not in re.findall(r"\{\{ ?7\*7 ?\}\}|49 \$", text)
    assert "\\u202e" in texts[0] + texts[1]


def test_hostile_addresses_are_answered_in_words(page: Page) -> None:
    for path in (
        "/sessions/..%5c..", "/sessions/%3Cscript%3E", "/?page=abc", "/?page=-1", f"/sessions/{SESSION}/compactions?budget=1e9",
        f"/sessions/{SESSION}/compactions?at=nowhere", f"/sessions/{SESSION}/lines?at=%3Cscript%3E", f"/sessions/{SESSION}?at=%00",
        f"/sessions/{SESSION}/compactions/record?handle=zzzzzzzz", "/?page=99999999999999999999999999999999",
    ):  # fmt: skip
        answer = page.client.get(path)
        assert answer.status_code in (400, 404), path
        assert "<script>" not in answer.text
    assert page.problems == []


def test_a_torn_and_a_foreign_transcript_are_shown_or_named(page: Page) -> None:
    torn, foreign = "44444444-2222-4333-8444-555555555555", "55555555-2222-4333-8444-555555555555"
    page.add_transcript(torn, TIES.read_text("utf-8")[:20_000])
    page.add_transcript(foreign, "no transcript at all\n" * 50)

    assert "Never break ties" in page.get(f"/sessions/{torn}")
    assert "no known client wrote this" in page.get(f"/sessions/{foreign}", 500)
    assert foreign in page.get("/")


def test_a_page_weighs_little(page: Page) -> None:
    session = "66666666-2222-4333-8444-555555555555"
    page.add_transcript(session, TIES.read_text("utf-8") + "".join(TIES.read_text("utf-8") for _ in range(20)))
    shared = sum(len(page.client.get(f"/static/{name}").content) for name in ("page.css", "page.js", "icon.svg"))

    for path in ("", "/lines", "/compactions"):
        assert len(page.client.get(f"/sessions/{session}{path}").content) + shared < 300_000


def test_what_is_purged_is_not_shown_from_a_preview_that_was_made_before(page: Page) -> None:
    engine = page.context.get_engine()
    engine.ingest([page.projects], repo=page.repo)
    (page.projects / "-home-dev-clew" / f"{SESSION}.jsonl").unlink()
    text = page.get(f"/sessions/{SESSION}/compactions?budget=4000")
    handle = re.findall(r'class="id">(\w{8})</span>', text)[0]
    assert f">{handle}<" in page.get(f"/sessions/{SESSION}/compactions?budget=4000")

    engine.purge(page.repo, handles=[handle], reason="test")

    assert f">{handle}<" not in page.get(f"/sessions/{SESSION}/compactions?budget=4000")
