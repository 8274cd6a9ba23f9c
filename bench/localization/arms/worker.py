"""Worker: a rival in a process of its own, by its own interpreter; the harness and it exchange JSON lines.

The process starts with the index and ends with `close`, so that what the rival loads once it loads once for a tree. Its
home is a scratch folder: no rival finds a cache or settings of the user, or leaves any.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Timer
from typing import Any

from bench.localization.packing import pack
from bench.localization.source import Tree
from bench.localization.systems import Answer, Span

WORKERS = Path(__file__).resolve().parent.parent / "workers"
PATIENCE_S = 900  # guess: an index or an answer that takes longer is none
TOLD_CHARS = 1_000  # of a rival's last words


class RivalFailed(Exception):
    """A rival's process ended or was silent for too long."""


class WorkerSystem:
    """A system whose worker script answers for it; `command` is asked for when the tree is indexed."""

    def __init__(self, name: str, version: str, command: Callable[[], list[str]], scratch: Path, **variables: str) -> None:
        self.name, self.version = name, version
        self._command, self._scratch, self._variables = command, scratch, variables
        self._process: subprocess.Popen[str] | None = None

    def index(self, tree: Path) -> None:
        """Start the worker and let it index."""
        self._tree = Tree(tree)
        self._said = self._scratch / "said.txt"
        with self._said.open("w", encoding="utf-8") as said:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                cwd=tree,
                env=quiet_environment(self._scratch, **self._variables),
                encoding="utf-8",
            )
        self._ask({"op": "index", "tree": str(tree)})

    def query(self, text: str, budget_tokens: int) -> Answer:
        """Answer with the rival's own packet, or with its spans, packed."""
        told = self._ask({"op": "query", "text": text, "budget": budget_tokens})
        spans = [Span(path, start, end, is_text_shown=is_shown) for path, start, end, is_shown in told["spans"]]
        return pack(spans, self._tree, budget_tokens) if told["text"] is None else Answer(tuple(spans), told["text"])

    def close(self) -> None:
        """End the worker."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def _ask(self, question: Mapping[str, Any]) -> Any:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise RivalFailed("asked before it was indexed")
        alarm = Timer(PATIENCE_S, process.kill)
        alarm.start()
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            alarm.cancel()
        if not answer:
            words = self._said.read_text(encoding="utf-8", errors="replace").strip()[-TOLD_CHARS:]
            raise RivalFailed(f"no answer to {question['op']}: {words}")
        return json.loads(answer)


def end(process: subprocess.Popen[str]) -> None:
    """End a worker by closing its input, by force if it does not go in ten seconds."""
    if process.stdin is not None and not process.stdin.closed:
        with contextlib.suppress(BrokenPipeError):  # it is gone, and so is what was not yet sent
            process.stdin.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def quiet_environment(home: Path, **variables: str) -> dict[str, str]:
    """Return an environment without this process's Python, with an own home, one thread, and nothing that calls out."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "CLEW_", "GIT_"))}
    own = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "XDG_CONFIG_HOME": str(home / "config")}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DO_NOT_TRACK": "1", "NO_COLOR": "1", "PYTHONHASHSEED": "0"}
    return kept | own | threads | offline | variables
