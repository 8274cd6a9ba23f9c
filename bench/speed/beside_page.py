"""Measure what hooks wait while the page is read: `python -m bench.speed.beside_page SESSION.jsonl[.xz]... [--seconds 8]`.

A daemon of its own with the sessions stored in one repository; a prompt's hook is asked over the socket every 50 ms, while nobody reads,
one reader looks at Now and a state twice a second, or two ask for previews of the longest session without pause. Prints p50 and p95.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.http import start

SOURCE = Path(__file__).parents[2] / "src"


class Reader:
    """A browser that is let in; counts its answers and their times."""

    def __init__(self, told: dict[str, str]) -> None:
        self.there = urlsplit(told["url"])
        self.took: list[float] = []
        self.cookie = ""
        self.cookie = self.ask("POST", "/enter", urlencode({"code": told["code"]}))

    def ask(self, method: str, path: str, body: str = "") -> str:
        """Ask for a view; return the cookie of the answer."""
        connection = HTTPConnection("127.0.0.1", self.there.port or 0, timeout=60)
        headers = {"Host": self.there.netloc, "Cookie": self.cookie, "Origin": f"http://{self.there.netloc}"}
        started = time.perf_counter()
        connection.request(method, path, body, {**headers, "Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        answer.read()
        self.took.append(time.perf_counter() - started)
        connection.close()
        assert answer.status == 200, (path, answer.status)
        return (answer.getheader("set-cookie") or "").partition(";")[0]


def shares(seconds: list[float]) -> str:
    """Return p50 / p95 in milliseconds, and how many there are."""
    ordered = sorted(seconds)
    return f"{ordered[len(ordered) // 2] * 1e3:.1f} / {ordered[int(len(ordered) * 0.95)] * 1e3:.1f} ms of {len(ordered)}"


def main() -> None:
    """Store the sessions, start the daemon, and measure."""
    given = argparse.ArgumentParser()
    given.add_argument("sessions", nargs="+", type=Path)
    given.add_argument("--seconds", type=float, default=8.0)
    told = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        repo = root / "repo"
        (repo / ".git").mkdir(parents=True)
        (repo / "calc.py").write_text("def add_one(x):\n    return x + 1\n")
        environment = {**os.environ, "CLEW_HOME": str(root / "home"), "CLAUDE_CONFIG_DIR": str(root / "client"), "PYTHONPATH": str(SOURCE)}
        os.environ.update(environment)

        def clew(*words: str) -> str:
            command = [sys.executable, "-m", "clew", *words]
            return subprocess.run(command, cwd=repo, env=environment, capture_output=True, text=True, check=True).stdout

        clew("index")
        clew("ingest", *map(str, told.sessions), "--repo", ".")
        paths = DaemonPaths(root / "home")
        opened = json.loads(clew("page", "--json"))
        reader = Reader(opened)
        longest = max(told.sessions, key=lambda path: path.stat().st_size).name.partition(".jsonl")[0].rpartition("cc_")[2]
        try:
            for name, count, pause in (("nobody", 0, 0.0), ("one reader", 1, 0.5), ("two, previews without pause", 2, 0.0)):
                over = threading.Event()
                reader.took.clear()

                def read(pause: float = pause, over: threading.Event = over) -> None:
                    while not over.is_set():
                        path = f"/sessions/{longest}/compactions?budget={random.randint(2_000, 40_000)}"
                        for each in ("/now", f"/sessions/{longest}") if pause else (path,):
                            reader.ask("GET", each)
                        time.sleep(pause)

                readers = [threading.Thread(target=read) for _ in range(count)]
                for each in readers:
                    each.start()
                took: list[float] = []
                until, number = time.monotonic() + told.seconds, 0
                while time.monotonic() < until:
                    number += 1
                    prompt = f"why does add_one return the number {number} here, and not two"
                    payload = {"session_id": "s1", "cwd": str(repo), "prompt": prompt}
                    started = time.perf_counter()
                    start.request(paths, "POST", "/hook/UserPromptSubmit", payload, timeout_s=10.0)
                    took.append(time.perf_counter() - started)
                    time.sleep(0.05)
                over.set()
                for each in readers:
                    each.join()
                seen = f"; views {shares(reader.took)}" if reader.took else ""
                print(f"{name}: hooks {shares(took)}{seen}")
        finally:
            start.stop_daemon(paths)


if __name__ == "__main__":
    main()
