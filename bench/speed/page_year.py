"""Command: `python -m bench.speed.page_year --sessions DIR`. Measures each view of the page over a year of sessions, 100,000 records.

DIR holds a folder for each repository, with its recorded sessions, which are repeated under fresh ids until the store holds --records; the
code of clew itself is indexed beside them. A daemon of its own answers. Each view is asked once for each of --asked different sessions,
questions or pages, so that what is kept of an earlier answer helps only as it helps a reader. With a browser (--browser), first paint and
weight as it sees them. Then: a line that is appended to a running session until the view that follows it has it; and what a prompt's
hook waits while nobody, or one reader of a live view, looks.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import psutil

from bench.machine import REPOSITORY, provenance, write_result
from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.http import start
from clew.transcript.parse import open_transcript

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("apsw", "jinja2", "msgspec", "numpy", "starlette", "uvicorn", "zstandard")
LONG_BYTES = 2_000_000  # of a transcript: its views are reported apart
HOOK_SECONDS, HOOK_EVERY_S = 10.0, 0.05
LIVE_LINES = 10
WARM_S = 8.0  # after the page was opened: its first views are made beside, as they are while a reader looks around
_UUID = re.compile(rb"\b([0-9a-f]{8})(?=-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
_CALL = re.compile(rb"toolu_[A-Za-z0-9]{4}")
_WORD = re.compile(r"[a-z]{5,14}")


class Reader:
    """A browser that is let in."""

    def __init__(self, told: Mapping[str, str]) -> None:
        self.there = urlsplit(told["url"])
        self.cookie = ""
        self.cookie = self.ask("POST", "/enter", urlencode({"code": told["code"]}))[0]

    def ask(self, method: str, path: str, body: str = "", *, status: int = 200) -> tuple[str, int]:
        """Ask for a view; return the cookie and the length of the answer."""
        connection = self.send(method, path, body)
        answer = connection.getresponse()
        length = len(answer.read())
        connection.close()
        assert answer.status == status, (path, answer.status)
        return (answer.getheader("set-cookie") or "").partition(";")[0], length

    def send(self, method: str, path: str, body: str = "") -> HTTPConnection:
        """Send a request; return the connection on which its answer comes."""
        connection = HTTPConnection("127.0.0.1", self.there.port or 0, timeout=120)
        headers = {"Host": self.there.netloc, "Cookie": self.cookie, "Origin": f"http://{self.there.netloc}"}
        connection.request(method, path, body, {**headers, "Content-Type": "application/x-www-form-urlencoded"})
        return connection


def describe(seconds: Sequence[float]) -> dict[str, float]:
    """Return the median, the 95th part and the worst, in milliseconds."""
    ordered = sorted(seconds)
    at = {"p50_ms": len(ordered) // 2, "p95_ms": min(len(ordered) - 1, int(len(ordered) * 0.95)), "worst_ms": len(ordered) - 1}
    return {name: round(1e3 * ordered[index], 1) for name, index in at.items()} | {"asked": len(ordered)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 without sessions."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed.page_year", description=__doc__)
    parser.add_argument("--sessions", type=Path, required=True, metavar="DIR", help="a folder for each repository, with its transcripts")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--asked", type=int, default=25)
    parser.add_argument("--work", type=Path, help="folder that keeps the filled store for the next run")
    parser.add_argument("--browser", default=shutil.which("chromium"), help="path of a Chromium; an empty one measures without")
    parser.add_argument("--only", default="", help="views by a part of their names; nothing is written then")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
        root = given.work or Path(folder)
        year = Year(root)
        if not year.is_filled and not year.fill(given.sessions, given.records):
            print(f"error: {given.sessions}: no session", file=sys.stderr)
            return 2
        figures = year.measure(given.asked, given.only, given.browser)
    for name, row in figures.items():
        print(name, json.dumps(row))
    if not given.only:
        command = ("python", "-m", "bench.speed.page_year", "--sessions", given.sessions.name, "--records", str(given.records))
        source = provenance(command, PACKAGES)
        name = f"page-year-{source.name}"
        write_result(given.results / f"{name}.json", {"name": name, **source.as_json(), "figures": figures})
    return 0


class Year:
    """A home, a client's folder with its transcripts, and repositories, below one folder."""

    def __init__(self, root: Path) -> None:
        self.root, self.projects = root, root / "client" / "projects"
        self.environment = {
            **os.environ, "CLEW_HOME": str(root / "home"), "CLAUDE_CONFIG_DIR": str(root / "client"), "PYTHONPATH": str(REPOSITORY / "src"),
        }  # fmt: skip
        self.paths = DaemonPaths(root / "home")

    @property
    def is_filled(self) -> bool:
        """Whether an earlier run filled it."""
        return (self.root / "filled").exists()

    def clew(self, *words: str, repo: Path) -> str:
        """Run a command of clew in a repository; return what it printed."""
        command = [sys.executable, "-m", "clew", *words]
        return subprocess.run(command, cwd=repo, env=self.environment, stdout=subprocess.PIPE, text=True, check=True).stdout

    def fill(self, sessions: Path, records: int) -> bool:
        """Store the sessions again and again until there are so many records; return whether there were any."""
        code = self.root / "repos" / "clew"
        code.mkdir(parents=True)
        (code / ".git").mkdir()
        shutil.copytree(REPOSITORY / "src", code / "src", ignore=shutil.ignore_patterns("__pycache__"))
        self.clew("index", repo=code)
        found = {folder.name: sorted(folder.glob("*.jsonl*")) for folder in sorted(sessions.iterdir()) if folder.is_dir()}
        found = {name: files for name, files in found.items() if files}
        stored, copy = 0, 0
        while found and stored < records:
            for name, files in found.items():
                repo, there = self.root / "repos" / name, self.projects / f"-{name}-{copy}"
                (repo / ".git").mkdir(parents=True, exist_ok=True)
                there.mkdir(parents=True)
                for number, file in enumerate(files):
                    _repeat(file, there, copy, number)
                self.clew("ingest", str(there), "--repo", ".", "--quiet", repo=repo)
            stored = sum(each["records"] for each in json.loads(self.clew("status", "--json", repo=code))["workspaces"])
            copy += 1
            print(f"{stored:,} records", file=sys.stderr, flush=True)
        (self.root / "filled").touch()
        return bool(found)

    def measure(self, asked: int, only: str, browser: str | None) -> dict[str, Any]:
        """Return all figures."""
        code = self.root / "repos" / "clew"
        os.environ.update(self.environment)
        opened = json.loads(self.clew("page", "--json", repo=code))
        try:
            reader, serving = Reader(opened), _find_server(urlsplit(opened["url"]).port or 0)
            time.sleep(WARM_S)
            status = json.loads(self.clew("status", "--json", repo=code))
            files = sorted(self.projects.glob("*/*.jsonl"))
            figures: dict[str, Any] = {
                "store": {
                    "records": sum(each["records"] for each in status["workspaces"]), "sessions": len(files),
                    "database_mb": round(status["database_bytes"] / 1e6), "load_average": round(os.getloadavg()[0], 1),
                }
            }  # fmt: skip
            views = {name: paths for name, paths in self._views(files, asked).items() if only in name}
            for name, paths in views.items():
                figures[name] = _time_view(reader, paths, serving)
                print(name, figures[name], file=sys.stderr, flush=True)
            if browser and not only:
                figures["in the browser"] = _see(opened, self.clew, code, browser, views)
            if not only or only in "live":
                figures["live"] = self._follow(reader, files)
            if not only or only in "hooks":
                figures["hooks"] = self._wait_for_hooks(reader, files)
            return figures
        finally:
            start.stop_daemon(self.paths)

    def _views(self, files: Sequence[Path], asked: int) -> dict[str, list[str]]:
        """Addresses of each view, by its name."""
        rng = random.Random(7)
        short = [file for file in files if file.stat().st_size < LONG_BYTES]
        some = [f"/sessions/{file.stem}" for file in rng.sample(short, min(asked, len(short)))]
        long = [f"/sessions/{file.stem}" for file in sorted(files, key=lambda file: -file.stat().st_size)[:asked]]
        words = sorted({word for file in rng.sample(short, 5) for word in _WORD.findall(file.read_text("utf-8")[:60_000])})
        questions = [" ".join(rng.sample(words, 4)) for _ in range(asked)]
        names = [path.relative_to(self.root / "repos" / "clew").as_posix() for path in (self.root / "repos" / "clew").rglob("*.py")]
        keys = {root: key for key, root in self._roots()}
        code = keys[str(self.root / "repos" / "clew")]
        return {
            "sessions": ["/", *(f"/?page={number}" for number in range(1, asked))],
            "sessions, searched": [f"/?q={quote(word)}" for word in rng.sample(words, asked)],
            "state": some,
            "state, long": long,
            "compactions": [f"{each}/compactions" for each in some],
            "compactions, long": [f"{each}/compactions" for each in long],
            "compactions, another budget": [f"{each}/compactions?budget={rng.randint(2_000, 40_000)}" for each in long],
            "prompts": [f"{each}/prompts" for each in some],
            "transcript": [f"{each}/lines" for each in some],
            "transcript, long": [f"{each}/lines?at=900" for each in long],
            "session bill": [f"{each}/bill" for each in some],
            "now": ["/now"] * asked,
            "memory": ["/memory"] * asked,
            "memory, asked": [f"/memory?q={quote(question)}" for question in questions],
            "code": [f"/code?w={code}&name={quote(name)}" for name in rng.sample(sorted(names), min(asked, len(names)))],
            "bill": ["/bill"] * asked,
            "eval": ["/eval"] * asked,
            "trial": ["/trial"] * asked,
            "health": ["/health"] * asked,
        }

    def _roots(self) -> list[tuple[str, str]]:
        told = json.loads(self.clew("status", "--json", repo=self.root / "repos" / "clew"))
        return [(each["workspace"], each["root"]) for each in told["workspaces"]]

    def _start_session(self, file: Path) -> None:
        payload = {
            "session_id": file.stem, "transcript_path": str(file), "cwd": str(self.root / "repos" / "clew"), "prompt": "go on",
        }  # fmt: skip
        start.request(self.paths, "POST", "/hook/UserPromptSubmit", payload, timeout_s=10.0)

    def _follow(self, reader: Reader, files: Sequence[Path]) -> dict[str, float]:
        """From the moment that a line is appended until the view that was told of it has been read again."""
        file = sorted(files, key=lambda each: each.stat().st_size)[len(files) // 2]
        before = file.read_bytes()
        self._start_session(file)
        took: list[float] = []
        answer = reader.send("GET", f"/events/{file.stem}").getresponse()
        answer.readline()
        template = json.loads(next(line for line in before.splitlines() if b'"type":"user"' in line.replace(b" ", b"")))
        try:
            for number in range(LIVE_LINES):
                time.sleep(0.3 + 0.11 * number)
                line = {**template, "uuid": f"aaaaaaaa-0000-4000-8000-{number:012}"}
                line["message"] = {"role": "user", "content": f"Write the figure {number} into the table."}
                began = time.perf_counter()
                with file.open("a") as stream:
                    stream.write(json.dumps(line) + "\n")
                while answer.readline().strip() != b"event: changed":
                    pass
                reader.ask("GET", f"/sessions/{file.stem}")
                took.append(time.perf_counter() - began)
        finally:
            file.write_bytes(before)
        return describe(took)

    def _wait_for_hooks(self, reader: Reader, files: Sequence[Path]) -> dict[str, Any]:
        """What a prompt's hook waits while nobody looks, while Now is open and followed, and while previews are asked for without pause."""
        long = max(files, key=lambda each: each.stat().st_size).stem
        ways: dict[str, Callable[[], None] | None] = {
            "closed": None,
            "open, followed": lambda: (reader.ask("GET", "/now"), time.sleep(1.0))[1],
            "open, previews without pause": lambda: void(
                reader.ask("GET", f"/sessions/{long}/compactions?budget={random.randint(2_000, 40_000)}")
            ),
        }
        figures: dict[str, Any] = {}
        for name, look in ways.items():
            over = threading.Event()
            readers = [threading.Thread(target=_repeat_until, args=(look, over))] if look else []
            for each in readers:
                each.start()
            figures[name] = describe(list(self._ask_hooks()))
            over.set()
            for each in readers:
                each.join()
        for name in list(figures)[1:]:
            figures[name]["p50_ratio"] = round(figures[name]["p50_ms"] / figures["closed"]["p50_ms"], 2)
            figures[name]["p95_ratio"] = round(figures[name]["p95_ms"] / figures["closed"]["p95_ms"], 2)
        return figures

    def _ask_hooks(self) -> Iterator[float]:
        until, number = time.monotonic() + HOOK_SECONDS, 0
        while time.monotonic() < until:
            number += 1
            prompt = f"why does select_lines return the budget {number} here, and not the packet's"
            payload = {"session_id": "s1", "cwd": str(self.root / "repos" / "clew"), "prompt": prompt}
            began = time.perf_counter()
            start.request(self.paths, "POST", "/hook/UserPromptSubmit", payload, timeout_s=10.0)
            yield time.perf_counter() - began
            time.sleep(HOOK_EVERY_S)


def void(_: object) -> None:
    """Drop a value."""


def _repeat_until(look: Callable[[], None], over: threading.Event) -> None:
    while not over.is_set():
        look()


def _time_view(reader: Reader, paths: Sequence[str], serving: psutil.Process) -> dict[str, Any]:
    """What readers wait, and the time on a core that the page's process took, which others at work on the machine do not lengthen."""
    took: list[float] = []
    own: list[float] = []
    longest = 0
    for path in paths:
        before, began = serving.cpu_times(), time.perf_counter()
        longest = max(longest, reader.ask("GET", path)[1])
        took.append(time.perf_counter() - began)
        after = serving.cpu_times()
        own.append(after.user + after.system - before.user - before.system)
    of_core = {f"core_{name}": value for name, value in describe(own).items() if name != "asked"}
    return describe(took) | of_core | {"first_ms": round(1e3 * took[0], 1), "kb": round(longest / 1e3, 1)}


def _find_server(port: int) -> psutil.Process:
    """The process that listens at a port of this machine: the page's, or the one that handed its socket on, whose child that is."""
    pids = [each.pid for each in psutil.net_connections("tcp") if each.laddr and each.laddr.port == port and each.pid]
    return psutil.Process(max(pids))


def _see(
    opened: Mapping[str, str], clew: Callable[..., str], repo: Path, browser: str, views: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """First paint and weight of each view in a browser: the worst of five addresses."""
    from playwright.sync_api import sync_playwright  # lazy: only where a browser is there

    told = json.loads(clew("page", "--json", repo=repo))
    url = opened["url"].rstrip("/")
    figures: dict[str, Any] = {}
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"] if os.getuid() == 0 else [])
        page = chromium.new_page()
        opener = Path(folder, "open.html")
        opener.write_text(
            f'<form method="post" action="{url}/enter"><input name="code" value="{told["code"]}"></form>'
            "<script>document.forms[0].submit()</script>"
        )
        page.goto(opener.as_uri())
        page.wait_for_url(f"{url}/")
        for name, paths in views.items():
            paints: list[float] = []
            weight = 0
            for path in paths[:5]:
                page.goto(url + path, wait_until="load")
                paints.append(
                    page.evaluate("(performance.getEntriesByName('first-contentful-paint')[0] || {startTime: 0}).startTime") / 1e3
                )
                entries = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
                weight = max(weight, page.evaluate(f"{entries}.map(each => each.decodedBodySize).reduce((a, b) => a + b, 0)"))
            figures[name] = describe(paints) | {"kb": round(weight / 1e3, 1)}
        chromium.close()
    return figures


def _repeat(file: Path, there: Path, copy: int, number: int) -> None:
    """Write a recorded session under fresh ids."""
    with open_transcript(file) as stream:
        data = stream.read()
    key = (copy * 1_000_003 + number + 1) * 2_654_435_761 % 2**32
    data = _UUID.sub(lambda found: b"%08x" % (int(found[1], 16) ^ key), data)
    data = _CALL.sub(lambda found: found[0][:6] + b"%04d" % (key % 10_000), data)
    match = re.search(rb'"sessionId":\s*"([^"]*)"', data)
    name = match[1].decode() if match else f"{key:08x}-0000-4000-8000-{number:012}"
    (there / f"{name}.jsonl").write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
