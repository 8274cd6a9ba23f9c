"""The page in a real browser. `./check-page` runs this; without a browser it fails, so that nothing untested passes for tested."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.http import start
from clew.samples import TIES
from tests.adapters.daemon import over_socket, repository

pytestmark = pytest.mark.real_browser
CLONE = Path(__file__).parents[2]
SESSION = "c1e3a57e-0d5f-4b6a-9a2e-7f4d2b8c6e10"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FILES = {
    "calc.py": "LIMIT = 9\n\n\ndef add_one(x):\n    return min(x + 1, LIMIT)\n",
    "use.py": "from calc import add_one\n\n\ndef two():\n    return add_one(1)\n",
    "test_calc.py": "from calc import add_one\n\n\ndef test_add_one():\n    assert add_one(1) == 2\n",
}
VIEWS = {
    "sessions": "/",
    "state": f"/sessions/{SESSION}",
    "compactions": f"/sessions/{SESSION}/compactions?budget=2500",
    "prompts": f"/sessions/{SESSION}/prompts",
    "transcript": f"/sessions/{SESSION}/lines?at=20",
    "now": "/now",
    "memory": "/memory?q=document+number+changes+with+every+incremental+index",
    "code": "/code?name=add_one",
    "bill": "/bill",
    "session bill": f"/sessions/{SESSION}/bill",
    "eval": "/eval",
    "trial": "/trial",
    "health": "/health",
    "record": "",
    "nowhere": "/sessions/nowhere",
}
WEIGHT_MAX = 300_000
LIVE_S = 1.0


@dataclass
class Site:
    """The daemon's page, a browser that is let in, and what it asked and complained of."""

    url: str
    page: Any
    axe: Any
    transcript: Path
    views: dict[str, str]
    requests: list[str] = field(default_factory=list[str])
    complaints: list[str] = field(default_factory=list[str])

    def go(self, name: str, *, width: int = 1200, scheme: str = "light") -> Any:
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme=scheme)
        answer = self.page.goto(self.url.rstrip("/") + self.views[name], wait_until="load")
        assert answer.status == (404 if name == "nowhere" else 200)
        return answer


def browser_path() -> str:
    found = os.environ.get("CLEW_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), "")
    assert found, "no browser: install chromium, or name one in CLEW_BROWSER"
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    root = tmp_path_factory.mktemp("page")
    if os.environ.get("CLEW_SCREENSHOTS"):  # pictures show paths of this machine: then plain ones
        root = Path(tempfile.gettempdir()) / "demo"
        shutil.rmtree(root, ignore_errors=True)
    (folder := root / "client" / "projects" / "-home-dev-clew").mkdir(parents=True)
    transcript = Path(shutil.copy(TIES, folder / f"{SESSION}.jsonl"))
    repo = repository(root / "repo", FILES)
    environment = {
        **os.environ,
        "CLEW_HOME": str(root / "home"),
        "CLAUDE_CONFIG_DIR": str(root / "client"),
        "PYTHONPATH": str(CLONE / "src"),
    }

    def clew(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "clew", *words], cwd=repo, env=environment, capture_output=True, text=True, check=True
        ).stdout

    clew("index")
    clew("ingest", str(root / "client" / "projects"), "--repo", ".")
    handle = json.loads(clew("remember", "Retries are the caller's business", "--kind", "decision", "--about", "calc.py", "--json"))[
        "handle"
    ]
    told = json.loads(clew("page", "--json"))
    paths = DaemonPaths(root / "home")
    prompt = {
        "session_id": SESSION,
        "transcript_path": str(transcript),
        "cwd": str(repo),
        "prompt": "Change `calc.py` so that add_one adds two",
    }
    over_socket(paths, "POST", "/hook/UserPromptSubmit", prompt)
    over_socket(paths, "POST", "/statusline", {"session_id": SESSION, "transcript_path": str(transcript), "cwd": str(repo)})
    opener = root / "open.html"
    opener.write_text(
        f'<form method="post" action="{told["url"]}enter"><input name="code" type="hidden" value="{told["code"]}"></form><script>document.forms[0].submit()</script>'
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"] if os.getuid() == 0 else [])
        page = browser.new_context().new_page()
        made = Site(told["url"], page, Axe(), transcript, dict(VIEWS))
        page.on("request", lambda request: made.requests.append(request.url))
        page.on("pageerror", lambda error: made.complaints.append(str(error)))
        page.on("console", lambda message: made.complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.goto(opener.as_uri())
        page.wait_for_url(told["url"])
        page.goto(f"{told['url']}memory")
        made.views["record"] = urlsplit(page.get_by_role("link", name=handle).get_attribute("href")).path
        yield made
        browser.close()
    start.stop_daemon(paths)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("name", VIEWS)
def test_a_view_fits_is_accessible_and_asks_nobody_else(site: Site, name: str, width: int, scheme: str) -> None:
    site.requests.clear()
    site.complaints.clear()
    site.go(name, width=width, scheme=scheme)

    assert site.page.evaluate("document.documentElement.scrollWidth") <= width
    assert site.page.get_by_role("heading", level=1).count() == 1
    found = site.axe.run(site.page).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]][:2]) for each in found if each["impact"] in ("serious", "critical")] == []
    own = urlsplit(site.url).netloc
    assert {urlsplit(url).netloc for url in site.requests} == {own}
    assert [text for text in site.complaints if name != "nowhere" or "404" not in text] == []


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_weighs_little_and_is_painted_soon(site: Site, name: str) -> None:
    site.go(name)
    site.go(name)
    entries = site.page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].map(e => e.decodedBodySize)"
    )
    first_paint = site.page.evaluate("(performance.getEntriesByName('first-contentful-paint')[0] || {startTime: 0}).startTime")

    assert 0 < sum(entries) < WEIGHT_MAX
    print(f"{name}: {sum(entries):,} bytes, first paint {first_paint:.0f} ms")


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_works_with_the_keyboard_alone(site: Site, name: str) -> None:
    """The first Tab shows the way past the navigation; whatever can be focused shows that it is."""
    site.go(name)
    page = site.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.evaluate("document.activeElement.blur()")
    seen: list[str] = []
    for _ in range(12):
        page.keyboard.press("Tab")
        about = page.evaluate(
            "(e => [e.tagName, getComputedStyle(e).outlineStyle, getComputedStyle(e).outlineWidth])(document.activeElement)"
        )
        if about[0] in ("BODY", "HTML"):
            break
        seen.append(about[0])
        assert about[1] != "none", about
        assert about[2] != "0px", about
    assert seen


def test_a_record_is_unfolded_in_place_with_the_keyboard(site: Site) -> None:
    site.go("compactions")
    page = site.page
    page.locator("tr.shortened summary").first.focus()
    page.keyboard.press("Enter")
    page.locator("tr.shortened details pre.kept").first.wait_for(timeout=5_000)

    assert page.locator("tr.shortened details pre.gone").count() >= 1
    assert page.url.endswith("budget=2500")


def test_every_claim_leads_to_its_line(site: Site) -> None:
    site.go("state")
    site.page.locator("a.evidence").first.click()
    site.page.wait_for_load_state()
    line = site.page.url.rpartition("#L")[2]

    assert site.page.locator(f"#L{line}").is_visible()
    assert site.page.locator(".here").count() >= 1


def test_a_running_session_is_followed_live(site: Site) -> None:
    site.go("state")
    site.page.wait_for_timeout(700)  # the stream is opened after the page is loaded, and nothing in the page tells of it
    told = json.loads(TIES.read_text("utf-8").splitlines()[2])
    told.update({"uuid": "aaaaaaaa-0000-4000-8000-000000000001", "timestamp": "2026-11-10T10:00:00.000Z"})
    told["message"]["content"] = "From now on, never touch the vendored folder."
    started = time.monotonic()
    with site.transcript.open("a") as stream:
        stream.write(json.dumps(told) + "\n")
    site.page.get_by_text("never touch the vendored folder").first.wait_for(timeout=8_000)
    took = time.monotonic() - started

    print(f"shown {took:.2f} s after it was written")
    assert took < 4 * LIVE_S  # one second on an idle machine


def test_hostile_words_run_nothing(site: Site) -> None:
    told = json.loads(TIES.read_text("utf-8").splitlines()[2])
    told.update(
        {
            "sessionId": "dddddddd-0000-4000-8000-000000000001",
            "uuid": "dddddddd-0000-4000-8000-000000000002",
            "gitBranch": "<img src=x onerror=alert(1)>",
        }
    )
    told["message"]["content"] = "</title></pre><script>document.title='owned'</script><svg onload=alert(1)>Never do this."
    (site.transcript.parent / "dddddddd-0000-4000-8000-000000000001.jsonl").write_text(json.dumps(told) + "\n")
    dialogs: list[str] = []
    site.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for path in ("/", "/sessions/dddddddd-0000-4000-8000-000000000001", "/sessions/dddddddd-0000-4000-8000-000000000001/lines"):
        site.page.goto(site.url.rstrip("/") + path)
        assert site.page.title() != "owned"
        assert site.page.locator("main script, main img").count() == 0
    assert dialogs == []
    (site.transcript.parent / "dddddddd-0000-4000-8000-000000000001.jsonl").unlink()


def test_the_views_are_drawn_for_the_documents(site: Site) -> None:
    folder = os.environ.get("CLEW_SCREENSHOTS")
    if not folder:
        pytest.skip("screenshots are made by ./check-page --screenshots")
    there = CLONE / folder
    there.mkdir(parents=True, exist_ok=True)
    shutil.copy(TIES, site.transcript)
    for name in VIEWS:
        if name != "nowhere":
            site.go(name)
            site.page.screenshot(path=str(there / f"{name.replace(' ', '-')}.png"))
    site.go("state", width=360, scheme="dark")
    site.page.screenshot(path=str(there / "state-dark-narrow.png"))


def test_a_record_is_pinned_and_taken_back_with_the_keyboard(site: Site) -> None:
    site.go("compactions")
    page = site.page
    page.locator("tr.folded button[value=pin], tr.shortened button[value=pin]").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Decided by you").wait_for(timeout=10_000)
    shown = site.axe.run(page).response["violations"]

    assert [each["id"] for each in shown if each["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 1200
    page.get_by_role("button", name="Take back").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Decided by you").wait_for(state="detached", timeout=10_000)


def test_a_rule_is_ended_and_taken_back_with_the_keyboard(site: Site) -> None:
    site.go("state", width=360)
    page = site.page
    summary = page.locator("section[aria-labelledby=constraints] .fix summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator("section[aria-labelledby=constraints] button[value=end]").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Corrected by you").wait_for(timeout=10_000)
    shown = site.axe.run(page).response["violations"]

    assert [each["id"] for each in shown if each["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="Take back").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Corrected by you").wait_for(state="detached", timeout=10_000)
