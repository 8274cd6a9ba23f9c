"""The bill: what a session cost and would have cost, losses as losses, and nothing that cannot be known."""

from __future__ import annotations

import re
import time
from html import unescape
from pathlib import Path

import pytest

from clew.adapters.page.render import ENVIRONMENT
from clew.adapters.page.views import bill as view
from clew.evaluation.billing import EVEN, SessionBill, build_bill_report, price_quietly
from clew.evaluation.repricing import APPEND, BILLED, BOTH, NOTHING, SCHEDULE, reprice
from clew.sessions.live import LiveSession
from tests.bench.billed import MODULE, Script
from tests.page.conftest import Page
from tests.transcript.conftest import ClaudeScript

LONG = "aaaaaaaa-0000-4000-8000-000000000011"


def session(*, is_compacted: bool = False, reads: int = 12) -> Script:
    """A session that reads long files and then works on, so that there is something to save."""
    script = Script()
    script.prompt("look around")
    for number in range(reads):
        script.read(f"/w/module{number}.py", MODULE)
    for _ in range(30):
        script.say("Going on.")
    if is_compacted:
        script.compact("A summary of what was read. " * 40)
        for _ in range(3):
            script.say("And on.")
    return script


def save(page: Page, script: Script, name: str = LONG) -> Path:
    return page.add_transcript(name, b"".join(line + b"\n" for line in script.lines).decode())


def words(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_a_sessions_bill_is_the_one_that_its_client_noted(page: Page) -> None:
    script = session()
    save(page, script)
    told = reprice(script.lines)
    assert told is not None
    text = words(page.get(f"/sessions/{LONG}/bill"))

    assert f"{told.arms[BILLED].units:,.0f} units" in text
    assert f"{told.arms[NOTHING].units:,.0f} units" in text
    for arm in (APPEND, SCHEDULE, BOTH):
        assert f"{told.arms[arm].units:,.0f}" in text
    assert "No compaction happened here" in text


def test_the_clients_own_compaction_is_reckoned_and_said_to_be(page: Page) -> None:
    script = session(is_compacted=True)
    save(page, script)
    told = reprice(script.lines)
    assert told is not None
    text = words(page.get(f"/sessions/{LONG}/bill"))

    assert f"took {told.summary_units:,.0f} units" in text
    assert "No transcript bills it, so it is reckoned" in text


def test_a_transcript_without_bills_says_so_and_shows_no_number(page: Page) -> None:
    script = ClaudeScript(LONG)
    script.prompt("look around")
    script.tell("Done.")
    page.add_transcript(LONG, script.bytes().decode())
    text = words(page.get(f"/sessions/{LONG}/bill"))

    assert "does not note what its requests were billed" in text
    assert "units" not in text.partition("How this is reckoned")[0]


def test_what_clew_did_is_told_with_what_cannot_be_reckoned(page: Page) -> None:
    save(page, session())
    live: LiveSession = page.live.update(LONG, cwd=str(page.repo))
    live.reduced, live.saved_tokens = 3, 5_200
    text = words(page.get(f"/sessions/{LONG}/bill"))

    assert "3 outputs were shortened" in text
    assert "5.2k tokens out of the window" in text
    assert "it is not priced" in text
    assert "Nothing was added to its prompts" in text


def test_a_long_transcript_is_priced_in_a_process_of_its_own(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    save(page, session())
    monkeypatch.setattr(view, "READ_BYTES_MAX", 10)
    assert "pricing it takes some seconds" in page.get(f"/sessions/{LONG}/bill")

    page.post("/bill/start", session=LONG)
    [action] = page.app.actions._actions.values()
    deadline = time.monotonic() + 60
    while action.is_running and time.monotonic() < deadline:
        time.sleep(0.05)
    text = words(page.get(action.address))

    assert action.problem == ""
    assert "1 session with bills" in text
    assert "No client compacted any of these sessions" in text
    assert LONG in text


def test_a_loss_is_called_a_loss_and_a_share_within_the_models_error_is_not_claimed() -> None:
    bill = SessionBill(
        "s", "/w", "claude-opus-4-6", 9, 8, 0, 1000.0, 10.0, 1000.0, 0.0, {APPEND: 1100.0, SCHEDULE: 990.0, BOTH: 900.0}, {}, 0.02, None
    )
    verdict = ENVIRONMENT.from_string("{% from 'bill_parts.html' import verdict %}{{ verdict(value, noise) }}")
    told = {arm: words(verdict.render(value=bill.compare(arm), noise=bill.model_error)) for arm in bill.arms}

    assert told == {APPEND: "loses 10.0 %", SCHEDULE: "−1.0 %, less than the model's error: not shown", BOTH: "saves 10.0 %"}


def test_over_many_sessions_each_dearer_one_is_counted_and_the_interval_holds_the_median() -> None:
    def bill(number: int, units: float) -> SessionBill:
        arms = dict.fromkeys((APPEND, SCHEDULE, BOTH), units)
        return SessionBill(
            f"s{number}",
            f"/w{number % 3}",
            "m",
            5,
            5,
            int(number == 0),
            1000.0,
            0.0,
            1000.0,
            50.0 if number == 0 else 0.0,
            arms,
            {},
            0.0,
            None,
        )

    report = build_bill_report([bill(number, 1000.0 + 20 * (number - 7)) for number in range(12)] + [None, "gone: cannot be read"])
    found = report.arms[BOTH]

    assert (found.cheaper, found.dearer, found.sessions, report.without) == (7, 4, 12, 1)
    assert report.problems == ("gone: cannot be read",)
    assert found.low <= found.median <= found.high
    assert found.pooled == pytest.approx(sum(0.02 * (number - 7) for number in range(12)) / 12)
    assert found.worst > EVEN
    assert report.compaction is not None
    assert (report.compaction.sessions, report.compaction.pooled) == (1, 0.05)
    assert build_bill_report([None]).arms == {}


def test_what_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    assert isinstance(price_quietly(tmp_path / "nowhere.jsonl"), str)


def test_the_formulas_and_what_cannot_be_known_stand_on_the_page(page: Page) -> None:
    text = words(page.get("/bill"))

    assert "read · 0.1 + written · 1.25" in text
    assert "share = with clew / doing nothing − 1" in text
    assert "whether work was lost" in text
    assert "Nothing was priced" in text
