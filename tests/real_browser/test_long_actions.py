"""A long action in a real browser: started, followed and cancelled with the keyboard alone."""

from __future__ import annotations

import pytest

from tests.evaluation.conftest import work
from tests.real_browser.test_page import Site, site

__all__ = ["site"]  # the fixture
pytestmark = pytest.mark.real_browser
WAIT_MS = 60_000


def test_an_evaluation_is_started_followed_and_read_with_the_keyboard(site: Site) -> None:
    file = work(with_summary=True).save(site.transcript.parent)
    page = site.page
    page.goto(f"{site.url}eval?session={file.stem}")
    page.get_by_role("button", name="Replay").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Cut by cut").wait_for(timeout=WAIT_MS)

    assert "run=" in page.url
    assert page.get_by_role("cell", name="clew", exact=True).count() >= 1
    for width, scheme in ((360, "dark"), (1200, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = site.axe.run(page).response["violations"]
        assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
    file.unlink()


def test_a_running_evaluation_is_cancelled_with_the_keyboard(site: Site) -> None:
    made = [work(with_summary=True).save(site.transcript.parent, f"99999999-0000-4000-8000-{number:012}.jsonl") for number in range(60)]
    page = site.page
    page.goto(f"{site.url}eval")
    page.locator("#limit").fill("60")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Cancel").focus(timeout=WAIT_MS)
    page.get_by_text("of 60").first.wait_for(timeout=WAIT_MS)
    page.get_by_role("button", name="Cancel").focus()
    page.keyboard.press("Enter")
    page.get_by_text("nothing of it is kept").wait_for(timeout=WAIT_MS)
    for file in made:
        file.unlink()
