"""Who is let in, and what is refused before it reaches a view."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from clew.adapters.page.access import CODE_S, CODE_TRIES_MAX, COOKIE_S, is_plain_path
from clew.adapters.page.views import POSTS, VIEWS
from tests.page.conftest import ORIGIN, PORT, SESSION, Page

CROOKED = ("//", "/..", "/./", "/static/../", "/sessions//x", "/%2e%2e/", "/a%2fb", "/a%5cb", "/a%00", "/sessions/x/")


def test_without_a_cookie_nothing_is_shown(page: Page) -> None:
    for path in ("/", f"/sessions/{SESSION}", "/events/all", "/nowhere"):
        answer = page.stranger().get(path)
        assert answer.status_code == 401
        assert "ties" not in answer.text


def test_a_code_lets_one_browser_in_once(page: Page) -> None:
    code, first, second = page.access.issue_code(), page.stranger(), page.stranger()

    assert first.post("/enter", data={"code": code.lower()}, headers={"origin": ORIGIN}).status_code == 200
    assert first.get("/").status_code == 200
    assert second.post("/enter", data={"code": code}, headers={"origin": ORIGIN}).status_code == 403
    assert second.get("/").status_code == 401


def test_the_file_that_the_command_opens_may_send_a_code_and_another_site_may_not(page: Page) -> None:
    assert page.stranger().post("/enter", data={"code": page.access.issue_code()}, headers={"origin": "null"}).status_code == 200
    for headers in ({"origin": "https://site.example"}, {"origin": "http://127.0.0.1:9"}, {}):
        assert page.stranger().post("/enter", data={"code": page.access.issue_code()}, headers=headers).status_code == 403


def test_a_code_is_void_after_its_time_and_after_a_few_wrong_ones(page: Page) -> None:
    late = page.access.issue_code()
    page.clock.now += CODE_S + 1
    assert page.access.exchange_code(late) == ""

    guessed = page.access.issue_code()
    for _ in range(CODE_TRIES_MAX):
        assert page.access.exchange_code("2222-2222-2222") == ""
    assert page.access.exchange_code(guessed) == ""


def test_the_cookie_is_for_no_script_and_no_other_site_and_ends(page: Page) -> None:
    answer = page.stranger().post("/enter", data={"code": page.access.issue_code()}, headers={"origin": ORIGIN})
    given = answer.headers["set-cookie"]

    assert "httponly" in given.lower()
    assert "samesite=strict" in given.lower()
    assert "domain" not in given.lower()
    page.clock.now += COOKIE_S + 1
    assert page.client.get("/").status_code == 401


def test_no_answer_and_no_address_holds_the_cookie_or_a_code(page: Page) -> None:
    value = page.client.cookies["clew_page"]
    code = page.access.issue_code()
    for path in ("/", f"/sessions/{SESSION}", f"/sessions/{SESSION}/compactions", "/nowhere"):
        answer = page.client.get(path)
        assert value not in answer.text
        assert code not in answer.text
        assert value not in str(answer.url)


@pytest.mark.parametrize(
    "host",
    ["site.example", f"site.example:{PORT}", "clew.localhost", "127.0.0.1", f"localhost:{PORT}", f"clew.localhost.site.example:{PORT}", ""],
)
def test_another_host_is_refused_whatever_the_path(page: Page, host: str) -> None:
    """A page whose name was bound to 127.0.0.1 sends its own name."""
    for path in ("/", "/static/page.css", "/enter", "//", "/%2e%2e/static/page.css"):
        assert page.client.get(path, headers={"host": host}).status_code == 403


@pytest.mark.parametrize(
    "origin", ["https://site.example", "null", "http://clew.localhost", f"https://clew.localhost:{PORT}", f"http://127.0.0.1:{PORT}"]
)
def test_a_foreign_origin_is_refused_with_the_cookie_too(page: Page, origin: str) -> None:
    assert page.client.get("/", headers={"origin": origin}).status_code == 403
    for path, _ in POSTS:
        assert page.client.post(path.replace("{", "").replace("}", ""), headers={"origin": origin}).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_site_began_is_refused(page: Page, site: str) -> None:
    assert page.client.get("/", headers={"sec-fetch-site": site}).status_code == 403
    assert page.client.get("/", headers={"sec-fetch-site": "none"}).status_code == 200


def test_a_form_without_an_origin_is_refused(page: Page) -> None:
    for path, _ in POSTS:
        assert page.client.post(path.replace("{", "").replace("}", "")).status_code == 403


def test_what_changes_something_is_never_asked_by_get() -> None:
    assert not {path for path, view in VIEWS for _, other in POSTS if view is other}


@pytest.mark.parametrize("path", CROOKED)
def test_a_crooked_path_is_refused_before_it_is_routed(path: str) -> None:
    from urllib.parse import unquote

    assert not is_plain_path(unquote(path), path.encode())


def test_plain_paths_are_plain() -> None:
    assert all(is_plain_path(path, path.encode()) for path in ("/", "/sessions/a-b", "/static/page.css", "/sessions/x/lines"))


def test_every_answer_carries_the_strict_policy(page: Page) -> None:
    answers = [page.client.get(path) for path in ("/", "/static/page.js", "/nowhere", "//")] + [page.stranger().get("/")]
    answers.append(page.client.get("/", headers={"host": "site.example"}))

    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"


def test_no_page_has_a_script_or_a_style_of_its_own_or_asks_another_machine(page: Page) -> None:
    for path in ("/", f"/sessions/{SESSION}", f"/sessions/{SESSION}/lines", f"/sessions/{SESSION}/compactions"):
        text = page.get(path)
        assert re.findall(r"<script(?! src=\"/static/page.js\" defer>)", text) == []
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"", text)
        assert re.findall(r"(?:src|href|action)=\"(?:https?:)?//", text) == []


def test_other_methods_are_refused(page: Page) -> None:
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
        assert page.client.request(method, "/").status_code == 405


def test_a_form_that_is_none_changes_nothing(page: Page) -> None:
    client: TestClient = page.client
    for path, _ in POSTS:
        answer = client.post(
            path.replace("{", "").replace("}", ""), content=b'{"a": 1}', headers={"origin": ORIGIN, "content-type": "application/json"}
        )
        assert answer.status_code == 413
