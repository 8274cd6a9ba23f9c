"""An addition to a prompt is called noise: like prompts do without it, it is said, and it can be taken back."""

from __future__ import annotations

import re
import time

from clew.cli.commands.explain import _packet_to_json, _packet_to_text
from clew.engine import Engine
from clew.records import Packet, make_handle
from tests.page.conftest import ORIGIN, Page
from tests.transcript.conftest import ClaudeScript

SESSION = "c1e3a57e-0d5f-4b6a-9a2e-7f4d2b8c6e11"
PROMPT = "Change `calc.py` so that add_one adds two instead, and its caller too"
OTHER = "Write a test in `calc.py` for negative numbers, then run everything once more"


def ask(engine: Engine, page: Page, prompt: str, *, is_logged: bool = True) -> Packet:
    packet = engine.augment_prompt(page.repo, prompt, budget_tokens=500, tokenizer="chars4", session=SESSION)
    if is_logged:
        asked_ns = 1_772_359_200_000_000_000 + time.monotonic_ns() % 10**9
        engine.log_packet(page.repo, packet, session=SESSION, asked_ns=asked_ns, took_ms=7.0, is_shown=True)
    return packet


def paths(packet: Packet) -> list[str]:
    return [entry.path for entry in packet.entries]


def test_noise_is_left_out_of_like_prompts_and_said(page: Page) -> None:
    engine, here = page.context.get_engine(), f"/sessions/{SESSION}/prompts"
    claude = ClaudeScript(SESSION)
    claude.prompt(PROMPT, cwd=str(page.repo))
    claude.save(page.projects / "-other")
    engine.index(page.repo)
    first = ask(engine, page, PROMPT)
    assert "calc.py" in paths(first)
    number = paths(first).index("calc.py")
    engine.ingest([page.projects / "-other" / f"{SESSION}.jsonl"], repo=page.repo)
    text = page.get(here)
    [packet] = set(re.findall(r'name="packet" value="(\w+)"', text))
    after = page.post(f"/sessions/{SESSION}/noise", packet=packet, number=str(number))

    assert "noise, as you said" in after
    assert f"You called 1 of {len(first.entries)} additions noise" in after
    again = ask(engine, page, PROMPT)
    assert "calc.py" not in paths(again)
    assert [each.path for each in again.withheld] == ["calc.py"]
    found = engine.explain_last_packet(page.repo, SESSION)
    assert "left out: calc.py, which you called noise in a prompt like this" in _packet_to_text(found)
    assert _packet_to_json(found)["withheld"][0]["path"] == "calc.py"
    assert "Left out:" in page.get(here)
    assert "calc.py" in paths(ask(engine, page, OTHER, is_logged=False))
    taken = page.post(f"/sessions/{SESSION}/noise", all="yes")
    assert "as you said</span>" not in taken
    assert "calc.py" in paths(ask(engine, page, PROMPT, is_logged=False))


def test_noise_is_bounded_and_purged_with_its_prompt(page: Page) -> None:
    engine = page.context.get_engine()
    claude = ClaudeScript(SESSION)
    claude.prompt(PROMPT, cwd=str(page.repo))
    file = claude.save(page.projects / "-other")
    engine.index(page.repo)
    first = ask(engine, page, PROMPT)
    engine.ingest([file], repo=page.repo)
    found = engine.explain_last_packet(page.repo, SESSION)
    for number in range(len(first.entries)):
        engine.mark_noise(page.repo, SESSION, make_handle(found.record.id), number, by="a test")

    assert ask(engine, page, PROMPT, is_logged=False).entries == ()
    assert ask(engine, page, OTHER, is_logged=False).withheld == ()
    assert found.prompt is not None
    assert len(engine.list_noise(page.repo)) == len(first.entries)
    engine.purge(page.repo, handles=[make_handle(found.prompt.id)], reason="test")
    assert engine.list_noise(page.repo) == []
    assert "calc.py" in paths(ask(engine, page, PROMPT, is_logged=False))


def test_a_prompt_that_is_unknown_is_not_marked(page: Page) -> None:
    engine = page.context.get_engine()
    engine.index(page.repo)
    ask(engine, page, PROMPT)
    claude = ClaudeScript(SESSION)
    claude.tell("nothing yet")
    claude.save(page.projects / "-other")
    handle = make_handle(engine.explain_last_packet(page.repo, SESSION).record.id)
    for fields in ({"packet": handle, "number": "0"}, {"packet": handle, "number": "99"}, {"packet": "zzzzzzzz"}):
        answer = page.client.post(f"/sessions/{SESSION}/noise", data=fields, headers={"origin": ORIGIN})
        assert answer.status_code in (400, 404), fields
    assert page.client.get(f"/sessions/{SESSION}/noise?packet={handle}").status_code in (404, 405)
    assert page.problems == []
