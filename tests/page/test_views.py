"""Now, memory, code and health."""

from __future__ import annotations

import re
import time
from html import unescape

from clew.adapters.page.render import ENVIRONMENT
from clew.samples import TIES
from clew.store.ports import LOCAL
from clew.usecases.write import NewNote
from tests.page.conftest import ORIGIN, SESSION, Page
from tests.transcript.conftest import ClaudeScript

HOSTILE = "</textarea><script>alert(1)</script>\u202e\x1b[31m"


def stored(page: Page) -> str:
    """The workspace of the repository, with its code and the sample session."""
    engine = page.context.get_engine()
    engine.index(page.repo)
    engine.ingest([page.projects], repo=page.repo)
    [(key, _)] = engine.store.roots()
    return key


def test_views_without_anything_stored_say_what_is_missing(page: Page) -> None:
    (page.projects / "-home-dev-clew" / f"{SESSION}.jsonl").unlink()

    assert "Nothing is stored yet" in page.get("/memory")
    assert "No repository is indexed yet" in page.get("/code")
    assert "No session was found" in page.get("/now")
    assert "No hook has asked yet" in page.get("/health")
    assert "There is no session yet" in page.get("/")


def test_now_draws_the_window_of_a_running_session(page: Page) -> None:
    file = page.projects / "-home-dev-clew" / f"{SESSION}.jsonl"
    live = page.live.update(SESSION, cwd="/home/dev/clew", transcript=str(file))
    live.window.tokens, live.window.limit_tokens, live.window.cache_hits = 50_000, 200_000, 0.93
    text = page.get("/now")

    assert "No session runs" not in text
    assert "50.0k of 200.0k" in text
    assert "cache hits 93 %" in text
    assert re.search(r"dead weight: ?<|dead weight \d|Nothing in it is known", text)
    assert text.count('<svg class="bar"') >= 3
    widths = [float(width) for width in re.findall(r'<rect class="s\d"[^>]* width="([\d.]+)" height="18"', text.partition("</svg>")[0])]
    assert abs(sum(widths) - 600) < 2


def test_now_without_a_running_session_shows_the_last_one(page: Page) -> None:
    text = page.get("/now")

    assert "No session runs" in text
    assert "Two runs of" in text


def test_memory_finds_a_turn_with_date_branch_and_its_place(page: Page) -> None:
    stored(page)
    text = page.get("/memory?q=document+number+changes+with+every+incremental+index")

    assert "2026-11-10" in text
    assert "ties-by-id" in text
    assert "true now" in text
    assert "1 of 1 sessions" in text
    assert re.findall(r"words: ([^<;]+)", text)[0] == "incremental, changes, document, every"
    [address] = dict.fromkeys(unescape(each) for each in re.findall(rf'href="(/sessions/{SESSION}/lines[^"]+)"', text)[:1])
    assert "line " in page.get(address)
    assert "No stored session says enough" in page.get("/memory?q=zeppelin+cucumber+brandy")
    today = time.strftime("%Y-%m-%d")
    assert f"Answers as of {today}" in page.get(f"/memory?q=document+number+changes+with+every+incremental+index&as_of={today}")
    assert "nothing had been stored" in page.get("/memory?q=document+number&as_of=2001-01-01", 400)


def test_a_note_is_kept_shown_moved_and_erased(page: Page) -> None:
    key = stored(page)
    text = page.post("/memory/remember", w=key, text="Retries are the caller's", kind="decision", about="calc.py")
    [handle] = set(re.findall(rf"/records/{key}/(\w+)/forget", text))

    assert "Retries are the caller&#39;s" in text
    assert "true now; hot tier" in text
    assert "Retries are" in page.get("/memory")
    assert "archived tier" in page.post(f"/records/{key}/{handle}/forget", tier="archived")

    refused = page.client.post(f"/records/{key}/{handle}/purge", data={"reason": "test", "sure": "yes"}, headers={"origin": ORIGIN})
    assert refused.status_code == 400
    assert "nothing was erased" in refused.text
    assert "Retries are" in page.get("/memory")

    assert "Erased for good: 1 record" in page.post(f"/records/{key}/{handle}/purge", reason="test", sure=handle)
    assert "Retries are" not in page.get("/memory")
    assert page.client.get(f"/records/{key}/{handle}").status_code == 404


def test_nothing_is_changed_by_get_or_from_elsewhere(page: Page) -> None:
    key = stored(page)
    [handle] = page.context.get_engine().write(page.repo, [NewNote("keep me")]).handles
    for path in (f"/records/{key}/{handle}/purge", f"/records/{key}/{handle}/forget", "/memory/remember"):
        assert page.client.get(f"{path}?reason=x&sure={handle}&tier=archived&w={key}&text=x").status_code in (404, 405)
        assert page.client.post(path, data={"reason": "x", "sure": handle}, headers={"origin": "https://site.example"}).status_code == 403
        assert page.stranger().post(path, data={"reason": "x", "sure": handle}, headers={"origin": ORIGIN}).status_code == 401

    with page.context.get_engine().store.snapshot(LOCAL, key) as snapshot:
        assert len(snapshot.find(handle)) == 1
    assert "hot tier" in page.get(f"/records/{key}/{handle}")


def test_a_suspect_note_says_why(page: Page) -> None:
    key = stored(page)
    page.post("/memory/remember", w=key, text="add_one adds one", kind="fact", about="calc.py")
    (page.repo / "calc.py").write_text("def add_one(x):\n    return x + 2\n")
    page.context.get_engine().index(page.repo)

    assert "suspect:" in page.get("/memory")


def test_code_shows_links_and_what_changes_with_a_symbol(page: Page) -> None:
    key = stored(page)
    text = page.get(f"/code?w={key}&name=add_one")

    assert "called by" in text
    assert "use.py: two" in text
    assert "calc.py:1-2" in text
    assert "Will probably change with it" in text
    assert "use.py" in text.partition("Will probably")[2]
    assert "Nothing in the index is called" in page.get(f"/code?w={key}&name=no_such_thing")


def test_health_shows_findings_latencies_and_sizes(page: Page) -> None:
    stored(page)
    page.app._latencies = lambda: {"hook/Stop": ([0.001, 0.002, 0.5], 0.25)}
    page.app._viewer = None
    text = page.get("/health")

    assert "hook/Stop" in text
    assert "500.0 ms" in text
    assert str(page.repo).replace("/", "/<wbr>") in text
    assert "clew doctor" in text


def test_hostile_notes_and_questions_are_shown_and_obeyed_nowhere(page: Page) -> None:
    key = stored(page)
    text = page.post("/memory/remember", w=key, text=HOSTILE, kind="fact")
    hostile = "%3Cscript%3Ealert(1)%3C/script%3E"

    for each in (text, page.get("/memory"), page.get(f"/memory?q={hostile}"), page.get(f"/code?w={key}&name={hostile}")):
        assert "<script>alert" not in each
        assert "\u202e" not in each
        assert "\x1b" not in each
    for path in (f"/memory?w={hostile}&q=x", f"/code?w={hostile}&name=x", f"/records/{hostile[:9]}/x", f"/records/{key}/zzzzzzzz"):
        assert page.client.get(path).status_code in (200, 400, 404)
    assert page.problems == []


def test_a_preview_of_a_stored_session_is_that_of_its_transcript(page: Page) -> None:
    engine = page.context.get_engine()
    before = engine.preview_compaction(str(TIES), at=None, budget_tokens=2000, tokenizer="claude", path=page.repo)
    engine.ingest([TIES], repo=page.repo)
    after = engine.preview_compaction(str(TIES), at=None, budget_tokens=2000, tokenizer="claude", path=page.repo)

    assert [(each.record.id, each.fate, each.shown) for each in after.records] == [
        (each.record.id, each.fate, each.shown) for each in before.records
    ]


def test_every_template_escapes_by_default() -> None:
    assert ENVIRONMENT.autoescape is True
    assert [
        name
        for name in ENVIRONMENT.list_templates()
        if "|safe" in ((ENVIRONMENT.loader and ENVIRONMENT.loader.get_source(ENVIRONMENT, name)[0]) or "")
    ] == []


def test_prompts_show_what_was_added_and_whether_it_was_used(page: Page) -> None:
    engine, session = page.context.get_engine(), "c1e3a57e-0d5f-4b6a-9a2e-7f4d2b8c6e11"
    claude = ClaudeScript(session)
    claude.prompt("make add_one in calc.py add two")
    claude.read(str(page.repo / "calc.py"), ["def add_one(x):", "    return x + 1"])
    file = claude.save(page.projects / "-other")
    engine.index(page.repo)
    packet = engine.augment_prompt(page.repo, "make add_one in calc.py add two", budget_tokens=500, tokenizer="chars4", session=session)
    for number in range(25):
        engine.log_packet(
            page.repo, packet, session=session, asked_ns=1_700_000_000_000_000_000 + number, took_ms=7.0, is_shown=number != 24
        )
    engine.ingest([file], repo=page.repo)
    text = page.get(f"/sessions/{file.stem}/prompts")

    assert packet.entries
    assert "1–20 of 25" in text
    assert "calc.py" in text
    assert "% likely" in text
    assert "too late" in text
    assert "since</span>" in text
    assert "21–25 of 25" in page.get(f"/sessions/{file.stem}/prompts?page=9")
    assert "Nothing is logged of this session" in page.get(f"/sessions/{SESSION}/prompts")


def test_the_life_of_a_record_leads_to_what_replaced_it(page: Page) -> None:
    key = stored(page)
    engine = page.context.get_engine()
    [old] = engine.write(page.repo, [NewNote("ties go by name", subject="ties")]).handles
    [new] = engine.write(page.repo, [NewNote("ties go by path", subject="ties")]).handles
    text = page.get(f"/records/{key}/{old}")

    assert "no longer true: said anew" in text
    assert re.search(rf"<dt>Ended</dt><dd><time.*, by <a href=\"/records/{key}/{new}\">", text)
    assert "Ended" not in page.get(f"/records/{key}/{new}")
