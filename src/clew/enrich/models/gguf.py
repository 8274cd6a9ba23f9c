"""Run a GGUF file in a child process, which starts with the first request, ends with this one, and may die without harm.

The child listens on a socket in a folder of this user's alone, so no other user reaches the model. It runs at low priority.
"""

from __future__ import annotations

import importlib.util
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import psutil

from clew.enrich.models.chat_completions import ChatModel
from clew.enrich.models.gguf_header import GgufHeader, read_gguf_header
from clew.enrich.models.known import KnownModels
from clew.enrich.models.llama_server import LlamaServer
from clew.enrich.models.model import ModelAnswer, ModelRequest
from clew.errors import BadModelFile, ModelsNotInstalled, ModelStopped, ModelUnreachable

CONTEXT_TOKENS_MAX = 16_384  # of a run, where the model was made for more: the largest requests are of about 12,000; memory grows with it
STATE_BATCH = 128  # tokens that a child with states evaluates at once: a prefix is stored up to the last whole batch
START_S_MAX = 120.0  # a file of 20 GB from a slow disk; guess
SAID_CHARS_MAX = 300  # of the child's last words in an error
CHILD = Path(__file__).with_name("gguf_child.py")


class GgufModel:
    """Client of a GGUF file that a child process runs.

    path       of the file.
    sha256     that it must have; "" for any.
    known      what is known of files and their hashes.
    timeout_s  of one answer.
    threads    of the child; 0 for half of the cores.
    states     folder to which the child writes states; None for no states.
    Raises     BadModelFile for a missing or broken file or another hash, ModelsNotInstalled without the extra.
    """

    def __init__(
        self, path: Path, *, sha256: str, known: KnownModels, timeout_s: float, threads: int = 0, states: Path | None = None
    ) -> None:
        self.header: GgufHeader = read_gguf_header(path)
        if importlib.util.find_spec("xllamacpp") is None:
            raise ModelsNotInstalled(str(path))
        self.sha256 = known.hash_of(path)
        if sha256 and self.sha256 != sha256:
            raise BadModelFile(str(path), f"its sha256 is {self.sha256}, not {sha256}", "fetch the file again, or name the hash it has")
        self.place = str(path)
        self.name = f"{self.header.name}@{self.sha256[:12]}"
        self.context = min(self.header.context or CONTEXT_TOKENS_MAX, CONTEXT_TOKENS_MAX)
        self._path, self._timeout_s, self._states = path, timeout_s, states
        self._threads = threads or max(1, (os.cpu_count() or 2) // 2)
        self._folder = ""
        self._child: subprocess.Popen[bytes] | None = None
        self._chat: ChatModel | None = None

    def complete(self, request: ModelRequest) -> ModelAnswer:
        """Send one request to the child, started if need be. Raises ModelStopped where it dies, else as any server's client."""
        chat = self._chat or self._start()
        if not self.header.reasons:
            request = replace(request, reasoning_tokens=0)
        try:
            return chat.complete(request)
        except ModelUnreachable:
            self._raise_if_stopped()
            raise

    @property
    def build(self) -> str:
        """Name and release of the library that runs the file."""
        return f"xllamacpp {metadata.version('xllamacpp')}"

    def open_server(self) -> LlamaServer:
        """Return a client of what only llama.cpp's server has; the child is started if need be. Raises ModelStopped, ModelUnreachable."""
        if self._chat is None:
            self._start()
        socket = str(Path(self._folder, "model.sock"))
        return LlamaServer("http://localhost", socket=socket, timeout_s=self._timeout_s, place=self.place, wait=self._wait)

    @property
    def memory_mb(self) -> int:
        """Megabytes of memory that the child holds now, 0 where none runs."""
        if self._child is None or self._child.poll() is not None:
            return 0
        try:
            return round(psutil.Process(self._child.pid).memory_info().rss / 1e6)
        except psutil.Error:
            return 0

    def close(self) -> None:
        """End the child and take its folder away."""
        child, self._child, self._chat = self._child, None, None
        if child is not None:
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
            try:
                child.wait(2)
            except subprocess.TimeoutExpired:  # it answers a request that nobody waits for
                child.kill()
                child.wait()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

    def _start(self) -> ChatModel:
        """Start the child and wait until it answers."""
        self.close()
        self._folder = tempfile.mkdtemp(prefix="clew-model-")  # 0700
        socket = Path(self._folder, "model.sock")
        words = [sys.executable, str(CHILD), str(self._path), str(socket), str(self.context), str(self._threads)]
        if self._states is not None:
            self._states.mkdir(mode=0o700, parents=True, exist_ok=True)
            words += [str(self._states), str(STATE_BATCH)]
        with Path(self._folder, "said").open("wb") as said:
            self._child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)
        if not self._is_ready(self._child):
            self._raise_if_stopped()
            self.close()
            raise ModelUnreachable(self.place, f"the model was not loaded within {START_S_MAX:g} s", "is the file on a slow disk?")
        self._chat = ChatModel(
            "http://localhost/v1", self.name, timeout_s=self._timeout_s, socket=str(socket), place=self.place, wait=self._wait
        )
        return self._chat

    def _is_ready(self, child: subprocess.Popen[bytes]) -> bool:
        """Wait for the child's word that it answers; False where it ends, or takes too long."""
        assert child.stdout is not None
        ends = time.monotonic() + START_S_MAX
        said = b""
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while b"ready\n" not in said:
                if not selector.select(max(0.0, ends - time.monotonic())):
                    return False
                block = os.read(child.stdout.fileno(), 4096)
                if not block:
                    child.wait()
                    return False
                said += block
        return True

    def _wait(self, seconds: float) -> None:
        """Sleep before another try, unless the child has died meanwhile."""
        self._raise_if_stopped()
        time.sleep(seconds)

    def _raise_if_stopped(self) -> None:
        if self._child is None:
            return
        with suppress(subprocess.TimeoutExpired):  # a child that has just been killed is not always counted as ended yet
            self._child.wait(0.2)
        code = self._child.poll()
        if code is None:
            return
        said = ""
        with suppress(OSError):
            lines = Path(self._folder, "said").read_text("utf-8", "replace").split("\n")
            said = next((line.strip() for line in reversed(lines) if line.strip()), "")[:SAID_CHARS_MAX]
        self.close()
        raise ModelStopped(self.place, code, said)
