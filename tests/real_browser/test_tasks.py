"""What a stranger wants of each view is found by words that are seen, and reached with the keyboard alone."""

from __future__ import annotations

import re
import shutil
from typing import Any

import pytest

from clew.trial.log import TrialLog
from clew.trial.outcome import SessionOutcome
from clew.trial.plan import Assumptions
from tests.real_browser.test_page import SESSION, Site, site

__all__ = ["site"]  # the fixture
pytestmark = pytest.mark.real_browser
TABS_MAX = 150
NAME = """(e => (e.getAttribute('aria-label') || [...(e.labels || [])].map(l => l.innerText).join(' ') || e.innerText || e.value || '').trim())
    (document.activeElement)"""


def tab_to(page: Any, name: str) -> None:
    """Press Tab until what has the focus is called so; then it is seen that it has."""
    met: list[str] = []
    page.evaluate("document.activeElement.blur()")
    for _ in range(TABS_MAX):
        page.keyboard.press("Tab")
        said = " ".join(page.evaluate(NAME).split())
        met.append(said)
        if re.fullmatch(name, said):
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            return
    raise AssertionError(f"{name} is not reached by Tab; met {met}")


def press(page: Any, name: str, *, leads: bool = True) -> None:
    tab_to(page, name)
    if leads:
        with page.expect_navigation():
            page.keyboard.press("Enter")
    else:
        page.keyboard.press("Enter")


def write(page: Any, name: str, text: str) -> None:
    tab_to(page, name)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(text)


def seen(page: Any) -> str:
    """The words that are seen, on one line."""
    return " ".join(page.inner_text("main").split())


def test_sessions_where_did_it_run_is_it_running_and_what_is_an_example(site: Site) -> None:
    site.go("sessions")
    assert re.search(r"list entries of equal weight .* running /home/dev/clew ties-by-id \d{4}-\d\d-\d\d \d\d:\d\d", seen(site.page))
    write(site.page, "Title, folder, branch or id", "no such words")
    with site.page.expect_navigation():
        site.page.keyboard.press("Enter")
    assert "No session has “no such words”" in seen(site.page)
    press(site.page, "Show all 1")
    press(site.page, "sample session")
    assert "What the user wants" in seen(site.page)


def test_state_what_is_asked_which_rules_hold_and_what_does_a_claim_rest_on(site: Site) -> None:
    site.go("state")
    text = seen(site.page)
    assert "Open goal Two runs of `clew retrieve`" in text
    assert "Constraints, in the user's words 2 Never break ties by document number" in text
    assert "Also said by the user 2 No, a stable sort only keeps the document numbers in order" in text
    assert re.search(r"Checks 1 passed python -m pytest tests/retrieval -q 40 passed in 1\.12s line 35", text)
    press(site.page, "line 35")
    assert "40 passed in 1.12s" in site.page.locator(".here").first.inner_text()


def test_compactions_what_goes_why_and_how_it_is_kept(site: Site) -> None:
    site.go("compactions")
    told = re.search(r"It leaves out (\d+) of (\d+) records", seen(site.page))
    assert told is not None
    assert 0 < int(told[1]) < int(told[2])
    press(site.page, r"left out, no longer true \d+, .*")
    rows = site.page.locator("table.fates tbody tr")
    assert rows.count() > 0
    for row in rows.all():
        fate, why = row.locator("td").nth(0).inner_text(), row.locator("td").nth(1).inner_text()
        assert fate == "left out, no longer true"
        assert why.strip()
    press(site.page, "Pin .*")
    assert "Decided by you 1 pinned" in seen(site.page)
    press(site.page, "Take back: .*")
    assert "Decided by you" not in seen(site.page)


def test_prompts_why_was_this_file_added_at_what_cost_and_was_it_used(site: Site) -> None:
    site.go("prompts")
    text = seen(site.page)

    assert re.search(r"calc\.py:4-5 not read or changed since \d+ % likely, \d+ tokens Why: its path is quoted: calc\.py", text)
    assert "Something was added to 1 of 1 prompt. Of 1 file named there, 0 were read or changed since" in text
    tab_to(site.page, "This was noise: calc.py:4-5")


def test_transcript_what_was_printed_there_another_line_and_later_ones(site: Site) -> None:
    site.go("transcript")
    assert site.page.locator(".here").count() >= 1
    write(site.page, r"Line \(the first is 0\), or a record's uuid", "2")
    with site.page.expect_navigation():
        site.page.keyboard.press("Enter")
    assert "user" in site.page.locator(".here").first.inner_text()
    press(site.page, "Later lines →")
    assert site.page.url.endswith("from=40")


def test_now_how_full_it_is_what_is_dead_and_what_comes_next(site: Site) -> None:
    site.go("now")
    text = seen(site.page)
    assert re.search(r"[\d.]+k tokens of conversation, counted by clew", text)
    assert re.search(r"Dead weight .* → exit 1 \d+ failed again", text)
    press(site.page, "What the next compaction would keep")
    assert "If the session were compacted now" in seen(site.page)


def test_memory_what_was_said_does_it_hold_and_how_is_a_note_kept(site: Site) -> None:
    site.page.goto(f"{site.url}memory")
    write(site.page, "Question", "what changes with every incremental index")
    with site.page.expect_navigation():
        site.page.keyboard.press("Enter")
    assert re.search(r"prompt 2026-11-10 \d\d:\d\d ties-by-id .* true now No, a stable sort only keeps", seen(site.page))
    write(site.page, "Note, for later sessions of a repository", "Figures are rounded at the end alone")
    press(site.page, "Remember")
    assert "What it says Figures are rounded at the end alone" in seen(site.page)
    assert "Retrieved never" in seen(site.page)


def test_code_who_calls_it_what_changes_with_it_and_why(site: Site) -> None:
    site.page.goto(f"{site.url}code")
    write(site.page, "Path, symbol or handle", "add_one")
    with site.page.expect_navigation():
        site.page.keyboard.press("Enter")
    text = seen(site.page)
    assert "called by use.py: two" in text
    assert re.search(r"Will probably change with it 2 test_calc\.py [\d.]+ tests it, by its name", text)
    press(site.page, "use.py: two")
    assert "calls calc.py: add_one" in seen(site.page)


def test_bill_what_did_it_cost_with_clew_and_how_is_that_known(site: Site) -> None:
    site.go("session bill")
    assert re.search(r"Billed [\d,]+ units \$[\d.]+, in \d+ requests", seen(site.page))
    assert re.search(r"both [\d,]+ \$[\d.]+ [+−][\d.]+ % (the same|saves|loses)", seen(site.page))
    press(site.page, "How this is reckoned", leads=False)
    assert "share = with clew / doing nothing − 1" in seen(site.page)
    site.go("bill")
    press(site.page, "Price")
    site.page.get_by_text("Session by session").wait_for(timeout=60_000)


def test_trial_does_it_help_how_is_one_started_and_how_long_does_it_take(site: Site) -> None:
    site.go("trial")
    text = seen(site.page)

    assert "No trial was started, so nothing can be said of your own work yet" in text
    assert "Type clew trial start in a terminal" in text
    assert "584 sessions for one part, 778 sessions for all three" in text


def test_trial_at_its_end_whether_it_helps_by_how_much_and_what_it_rests_on(site: Site) -> None:
    log = TrialLog(site.transcript.parents[3] / "home")
    log.start(("prompts", "compaction"), 64, margin=0.2, assumed=Assumptions())
    for number in range(64):
        made = log.assign(f"s{number}", "/r")
        assert made is not None
        units = 1000.0 * (1 + number / 20_000) * (1.0 if "prompts" in made.without else 3.0)
        log.record_outcome(SessionOutcome(f"s{number}", 0, is_completed=True, units=units, additions=2, additions_used=1))
    try:
        for width, scheme in ((360, "dark"), (1200, "light")):
            site.go("trial", width=width, scheme=scheme)
            text = seen(site.page)
            assert (
                text.index("Registered ")
                < text.index("prompts: harm Sessions cost more with it.")
                < text.index("Additions used: 64 of 128")
            )
            assert re.search(r"billed, with against without .*\+(19|20)\d\.\d %", text)
            assert site.page.evaluate("document.documentElement.scrollWidth") <= width
            found = site.axe.run(site.page).response["violations"]
            assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
        press(site.page, "How this is judged", leads=False)
        assert "It does harm where work is completed less often" in seen(site.page)
    finally:
        shutil.rmtree(log.folder)


def test_health_is_anything_wrong_is_it_slow_and_what_is_stored(site: Site) -> None:
    site.go("health")
    text = seen(site.page)

    assert re.search(r"(\d things? (is|are)|Nothing is) to be mended", text)
    assert re.search(r"hook/UserPromptSubmit \d+ [\d.]+ ms [\d.]+ ms [\d.]+ ms \d+ ms", text)
    assert re.search(r"Database [\d.]+ [kM]B", text)


def test_a_session_that_is_nowhere_is_called_so_and_the_way_back_stands_there(site: Site) -> None:
    site.go("nowhere")
    assert "no session has the id 'nowhere'" in seen(site.page)
    press(site.page, "To the sessions")
    assert SESSION in site.page.content()
