"""Rivals of folding: others' programs, each in an environment and a process of its own, asked for a window within a budget.

A rival is installed below `build/rivals` when it is first asked for, at a pinned version (`bench.localization.rivals`). Its
worker speaks JSON lines: `id`, `messages`, `budget_tokens` and `query` in; `id`, `text`, `tokens`, `ms` and `note` out. It has
an empty home, one thread, and proxies that lead nowhere: nothing that it knows comes from the network. What it said beside
its answers is quoted when it fails.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any, ClassVar, Self

from bench.localization.arms.worker import PATIENCE_S, TOLD_CHARS, RivalFailed, end, quiet_environment
from bench.localization.rivals import environment

WORKERS = Path(__file__).resolve().parent / "workers"
NOWHERE = "http://127.0.0.1:9"  # the discard port: a connection is refused at once


@dataclass(frozen=True, slots=True)
class Kept:
    """A rival's window: its text, its tokens (a quarter of its characters), milliseconds of its own work, what was done."""

    text: str
    ms: float
    tokens: int = 0
    note: str = ""


class Rival:
    """A rival and its worker, which starts with the first question and ends with `close` or the `with` block."""

    name: ClassVar[str]
    version: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]  # as pip takes them
    worker: ClassVar[str]
    variables: ClassVar[Mapping[str, str]] = {}

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._home: tempfile.TemporaryDirectory[str] | None = None
        self._asked = 0

    def __enter__(self) -> Self:
        """Return the rival; its worker is not started before it is asked."""
        return self

    def __exit__(self, *problem: object) -> None:
        """End the worker."""
        self.close()

    def keep(self, messages: Sequence[Mapping[str, Any]], budget_tokens: int, query: str = "") -> Kept:
        """Return what the rival keeps of `messages` (Anthropic's format) within the budget, as text.

        Raises Unavailable when it cannot be installed here, RivalFailed when it ends, is silent for too long or answers
        with more than the budget. It is asked in a new process after a failure.
        """
        self._asked += 1
        question = {"id": self._asked, "messages": list(messages), "budget_tokens": budget_tokens, "query": query}
        answer = self._ask(json.dumps(question))
        kept = Kept(answer["text"], answer["ms"], -(-len(answer["text"]) // 4), answer["note"])
        if kept.tokens > budget_tokens:
            raise RivalFailed(f"{self.name}: a window of {kept.tokens:,} tokens, asked for {budget_tokens:,}")
        return kept

    def close(self) -> None:
        """End the worker; asked again, the rival starts a new one."""
        if self._process is not None:
            end(self._process)
            self._process = None
        if self._home is not None:
            self._home.cleanup()
            self._home = None

    def command(self) -> list[str]:
        """Return the worker's command, with the rival's own interpreter. Raises Unavailable."""
        return [str(environment(f"{self.name}-{self.version}", *self.packages)), str(WORKERS / self.worker)]

    def _ask(self, question: str) -> Any:
        process = self._process or self._start()
        alarm = Timer(PATIENCE_S, process.kill)
        alarm.start()
        answer = ""
        try:
            if process.stdin is not None and process.stdout is not None:
                process.stdin.write(question + "\n")
                process.stdin.flush()
                answer = process.stdout.readline()
        except BrokenPipeError:  # its end is told below, with its words
            answer = ""
        finally:
            alarm.cancel()
        if answer:
            return json.loads(answer)
        words = self._said.read_text(encoding="utf-8", errors="replace").strip()[-TOLD_CHARS:]
        self.close()
        raise RivalFailed(f"{self.name}: no answer: {words}")

    def _start(self) -> subprocess.Popen[str]:
        command = self.command()
        self._home = tempfile.TemporaryDirectory(prefix="rival-")
        home = Path(self._home.name)
        self._said = home / "said.txt"
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), NOWHERE)
        with self._said.open("w", encoding="utf-8") as said:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                cwd=home,
                env=quiet_environment(home, **proxies, NO_PROXY="", no_proxy="", **self.variables),
                encoding="utf-8",
            )
        return self._process


class DistilLlm(Rival):
    """distil-llm (https://github.com/dshakes/distil): what its proxy sends on of Claude Code's requests."""

    name = "distil-llm"
    version = "1.58.0"
    packages = ("distil-llm==1.58.0",)
    worker = "distil_worker.py"
    variables: ClassVar[Mapping[str, str]] = {"DISTIL_NO_TELEMETRY": "1", "DISTIL_NO_UPDATE_CHECK": "1"}


class Headroom(Rival):
    """headroom-ai (https://github.com/headroomlabs-ai/headroom) without the models that it would fetch."""

    name = "headroom-ai"
    version = "0.42.0"
    packages = ("headroom-ai[code,html]==0.42.0", "onnxruntime==1.32.0")  # the latter runs the detector inside its wheel
    worker = "headroom_worker.py"
    variables: ClassVar[Mapping[str, str]] = {"HEADROOM_OFFLINE": "1"}


class ContextGc(Rival):
    """contextgc (https://github.com/j4yop/context-hackdevengers): superseded facts retired, tool output cut."""

    name = "contextgc"
    version = "0.4.6"
    packages = ("contextgc==0.4.6",)
    worker = "contextgc_worker.py"


RIVALS: tuple[type[Rival], ...] = (DistilLlm, Headroom, ContextGc)
