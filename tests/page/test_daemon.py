"""The page in the real daemon: opened over the private socket, served on a port of its own, gone with the daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.http import start
from tests.adapters.daemon import bearer, over_loopback

SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[DaemonPaths, dict[str, Any]]]:
    monkeypatch.setenv("CLEW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "client"))
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    paths = DaemonPaths(tmp_path / "home")
    try:
        said = subprocess.run([sys.executable, "-m", "clew", "page", "--json"], capture_output=True, text=True, check=True).stdout
        yield paths, json.loads(said)
    finally:
        start.stop_daemon(paths)


def ask(url: str, method: str, path: str, *, cookie: str = "", body: str = "", host: str = "") -> tuple[int, str, str]:
    """Status, cookie and text of an answer."""
    there = urlsplit(url)
    connection = HTTPConnection("127.0.0.1", there.port or 0, timeout=10)
    headers = {"Host": host or there.netloc, "Content-Type": "application/x-www-form-urlencoded"}
    headers |= ({"Cookie": cookie} if cookie else {}) | ({"Origin": url.rstrip("/")} if method == "POST" else {})
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, (answer.getheader("set-cookie") or "").partition(";")[0], text


def test_the_command_gives_an_address_and_a_code_that_lets_one_in(opened: tuple[DaemonPaths, dict[str, Any]]) -> None:
    paths, told = opened
    status, cookie, _ = ask(told["url"], "POST", "/enter", body=urlencode({"code": told["code"]}))

    assert status == 200
    assert ask(told["url"], "GET", "/", cookie=cookie)[0] == 200
    assert ask(told["plain_url"], "GET", "/sessions/sample", cookie=cookie)[0] == 200
    assert ask(told["url"], "GET", "/", cookie=cookie, host="site.example")[0] == 403
    assert ask(told["url"], "GET", "/")[0] == 401
    assert told["code"] not in (paths.log.read_text() if paths.log.exists() else "")


def test_a_code_cannot_be_asked_for_over_loopback(opened: tuple[DaemonPaths, dict[str, Any]]) -> None:
    paths, told = opened

    assert over_loopback(paths, "/page", method="POST", headers=bearer(paths)) == 403
    assert ask(told["url"], "POST", "/page")[0] in (401, 403)
    assert ask(told["url"], "POST", "/hook/Stop")[0] in (401, 403)
    assert ask(told["url"], "POST", "/stop")[0] in (401, 403)


def test_the_daemon_stops_with_a_live_view_open(opened: tuple[DaemonPaths, dict[str, Any]]) -> None:
    paths, told = opened
    cookie = ask(told["url"], "POST", "/enter", body=urlencode({"code": told["code"]}))[1]
    following = HTTPConnection("127.0.0.1", urlsplit(told["url"]).port or 0, timeout=10)
    following.request("GET", "/events/all", headers={"Host": urlsplit(told["url"]).netloc, "Cookie": cookie})

    assert following.getresponse().readline() == b"retry: 3000\n"
    assert start.stop_daemon(paths)
    following.close()


def test_the_file_that_the_browser_opens_is_the_users_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: tuple[DaemonPaths, dict[str, Any]]
) -> None:
    paths, _ = opened
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > "$0.asked"\n')
    browser.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "clew", "page"], capture_output=True, text=True, check=True,
        env={**os.environ, "BROWSER": str(browser), "DISPLAY": ":9"},
    )  # fmt: skip
    code = done.stdout.split()[-1]

    assert (tmp_path / "browser.asked").read_text().strip() == paths.page_opener.as_uri()
    assert paths.page_opener.stat().st_mode & 0o077 == 0
    assert code in paths.page_opener.read_text()
