"""The real Claude Code, pinned, in a HOME of its own, against a scripted API on loopback.

It is installed from the npm registry when a test needs it, into a folder outside the repository, and nothing of it is kept here.
"""

from __future__ import annotations

import functools
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import clew
from clew.adapters.clients.claude_code import parse_version

# With mods; the newest that a plain install gives on Node 20, without them; and the newest that the registry has, whichever that is.
PINNED = ("2.1.330", "2.1.197")
NEWEST = "newest"
VERSIONS = (*PINNED, NEWEST)
PACKAGE = "@anthropic-ai/claude-code"
CACHE = Path(os.environ.get("CLEW_CLIENT_CACHE") or Path.home() / ".cache" / "clew-real-client")
SOURCE = Path(clew.__file__).parent.parent
LATE = ("took longer than", "did not answer in time", "was not there and is being started")
KEY = "sk-ant-" + "no-key-at-all"


def has_mods(version: str) -> bool:
    """Whether a release of the client runs mods."""
    return parse_version(version) not in (None, (2, 1, 197))


@functools.cache
def newest() -> str:
    """The number of the newest release, as the registry says. Raises RuntimeError with the reason."""
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is not there, and says which release is the newest")
    done = subprocess.run([npm, "view", PACKAGE, "version"], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode or parse_version(done.stdout) is None:
        raise RuntimeError(f"npm does not say which release of {PACKAGE} is the newest: {done.stderr[-300:]}")
    return done.stdout.strip()


def numbered(version: str) -> str:
    """The number of a release that may be named as the newest. Raises RuntimeError with the reason."""
    return newest() if version == NEWEST else version


def installed(version: str) -> Path:
    """The client's program, installed now if it is not there. Raises RuntimeError with the reason."""
    folder = CACHE / version
    program = folder / "node_modules" / ".bin" / "claude"
    if not program.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError("npm is not there, and the real client comes from it")
        folder.mkdir(parents=True, exist_ok=True)
        words = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), f"{PACKAGE}@{version}"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise RuntimeError(f"npm could not install {PACKAGE}@{version}: {done.stderr[-300:]}")
    return program


class Place:
    """A HOME, a data folder and a repository for one test; the client and clew run in them."""

    def __init__(self, folder: Path, version: str, *, repo: Path | None = None) -> None:
        self.folder, self.version = folder, version
        self.more: dict[str, str] = {}
        self.program = installed(version)
        self.home, self.clew_home, self.tmp = (folder / name for name in ("home", "clew", "tmp"))
        self.repo = repo or folder / "repo"
        for each in (self.home, self.tmp):
            each.mkdir(parents=True)
        if repo is None:
            self._make_repository()

    def _make_repository(self) -> None:
        self.repo.mkdir()
        (self.repo / "calc.py").write_text("".join(f"def add_{n}(x):\n    return x + {n}\n\n\n" for n in range(30)))
        (self.repo / "notes.txt").write_text("alpha\nbeta\ngamma\n")
        (self.repo / "generated.py").write_text("# made by a tool\nTABLE = {}\n")
        git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.invalid"]
        for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "start"]):
            subprocess.run(
                [*git, *words], cwd=self.repo, check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}, capture_output=True
            )

    def env(self, url: str = "", **more: str) -> dict[str, str]:
        """A small clean environment: nothing of the caller's but the path."""
        return {
            "PATH": f"{self.program.parent}:{os.environ['PATH']}", "HOME": str(self.home), "CLEW_HOME": str(self.clew_home), "LANG": "C.UTF-8",
            "TERM": "xterm-256color", "TMPDIR": str(self.tmp), "CLAUDE_CODE_TMPDIR": str(self.tmp), "PYTHONPATH": str(SOURCE),
            "ANTHROPIC_API_KEY": KEY, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1", "DISABLE_AUTOUPDATER": "1",
            "DISABLE_ERROR_REPORTING": "1", "IS_SANDBOX": "1", "NO_PROXY": "127.0.0.1,localhost",
            **({"ANTHROPIC_BASE_URL": url} if url else {}), **self.more, **more,
        }  # fmt: skip

    def clew(self, *words: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        """Call clew as a person would."""
        done = subprocess.run(
            [sys.executable, "-m", "clew", *words],
            cwd=self.repo,
            env=self.env(**more),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, f"clew {' '.join(words)}: {done.stdout}{done.stderr}"
        return done

    def claude(self, *words: str, url: str, timeout: float = 90, **more: str) -> subprocess.CompletedProcess[str]:
        """Call the client once."""
        return subprocess.run(
            [str(self.program), "--dangerously-skip-permissions", *words], cwd=self.repo, env=self.env(url, **more), input="",
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def session(self, *words: str, url: str, **more: str) -> Session:
        """Start a session that stays."""
        head = ["-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions"]
        return Session([str(self.program), *head, *words], self.repo, self.env(url, **more))

    def owes(self, within_s: float = 20.0) -> bool:
        """Whether a session still has to be given a hand-off that was not ready in time; waits for one that is being made."""
        end = time.monotonic() + within_s
        while self.daemon() and time.monotonic() < end:
            told = self.clew("status", "--json", check=False)
            running = (json.loads(told.stdout).get("running") or {}) if told.returncode == 0 else {}
            if any(each["is_owed"] for each in running.get("sessions", [])[:1]):
                return True
            time.sleep(0.3)  # it is made in the daemon, which tells nobody when it is ready
        return False

    def was_late(self) -> bool:
        """Whether something was not done because the machine could not do it in its time, as the journal tells."""
        try:
            told = (self.clew_home / "run" / "problems.jsonl").read_text("utf-8")
        except OSError:
            return False
        return any(words in told for words in LATE)

    def daemon(self) -> dict[str, int]:
        """The pids of the daemon: `pid` and `worker`; {} where none runs."""
        try:
            return json.loads((self.clew_home / "run" / "serve.json").read_text())
        except OSError:
            return {}


class Session:
    """One long-lived client. A prompt is sent only when the one before it has its result, because the client joins them else."""

    def __init__(self, words: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            words, cwd=cwd, env=dict(env), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.said: list[dict[str, Any]] = []
        self.id = ""
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, prompt: str, *, within_s: float = 60) -> dict[str, Any]:
        """Send a prompt, or a command such as /compact, and return its result."""
        assert self.process.stdin is not None
        line = json.dumps({"type": "user", "message": {"role": "user", "content": prompt}})
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        found = self.until(lambda told: told.get("type") == "result", within_s=within_s)
        self.id = str(found.get("session_id") or self.id)
        return found

    def until(self, is_it: Callable[[dict[str, Any]], bool], *, within_s: float) -> dict[str, Any]:
        """Return the next message that fits. Raises TimeoutError, or EOFError when the client ended."""
        end = time.monotonic() + within_s
        while True:
            try:
                told = self._lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"the client said nothing more; last: {self.said[-1:]}") from None
            if told is None:
                raise EOFError(f"the client ended with {self.process.wait()}; last: {self.said[-1:]}")
            self.said.append(told)
            if is_it(told):
                return told

    def close(self) -> int:
        """End the session as a person does, and return the client's exit code."""
        assert self.process.stdin is not None
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self._reading.join()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return self.process.wait()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                self._lines.put(json.loads(line))
            except ValueError:
                self._lines.put({"type": "unreadable", "line": line})
        self._lines.put(None)
