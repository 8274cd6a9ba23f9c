"""Memory: the highest resident memory of a process and all its children, watched from outside.

Read from /proc while the command runs. `getrusage` is not enough: its maximum over children is the largest single
child, which says nothing about several workers at once, and Linux starts it at the peak of the process that spawned
it. Two figures are taken. The *sum of RSS* counts a page once for each process that maps it, so it is an upper bound,
and it is what budgets are compared with. The *sum of PSS* divides a shared page among those that share it: what the
machine has really given away. A peak between two looks is not lost where one process alone made it, because the
kernel keeps each process's high-water mark, and the result is never below the largest of those.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from time import perf_counter

LOOK_EVERY_S = 0.02  # a look at ten processes costs 1 ms


@dataclass(frozen=True, slots=True)
class Watched:
    """How a command ended. MB are 10^6 bytes; `peak_rss_mb` and `peak_pss_mb` are sums over all processes at one time."""

    code: int
    wall_s: float
    peak_rss_mb: float
    peak_pss_mb: float
    processes_max: int
    output: str
    said: str


def watch(
    command: Sequence[str], *, environment: Mapping[str, str], question: str = "", looked: Callable[[int], None] | None = None
) -> Watched:
    """Run `command` with `question` on standard input until it ends. Linux only: reads /proc.

    looked  called after each look, in the thread that looks, with the number of processes there were.
    """
    with TemporaryFile() as asked, TemporaryFile() as output, TemporaryFile() as said:
        asked.write(question.encode())
        asked.seek(0)
        started = perf_counter()
        process = subprocess.Popen(command, stdin=asked, stdout=output, stderr=said, env=dict(environment))
        watcher = _Watcher(process.pid, looked)
        watcher.start()
        code = process.wait()
        wall_s = perf_counter() - started
        watcher.finish()
        output.seek(0)
        said.seek(0)
        return Watched(
            code=code,
            wall_s=wall_s,
            peak_rss_mb=max(watcher.rss_kb, watcher.largest_kb) * 1024 / 1e6,
            peak_pss_mb=watcher.pss_kb * 1024 / 1e6,
            processes_max=watcher.processes,
            output=output.read().decode(errors="replace"),
            said=said.read().decode(errors="replace"),
        )


class _Watcher(threading.Thread):
    """Looks at a process tree until told to finish; keeps the highest of what it saw, in kB (1,024 bytes)."""

    def __init__(self, pid: int, looked: Callable[[int], None] | None) -> None:
        super().__init__(daemon=True)
        self._pid, self._looked = pid, looked
        self._is_over = threading.Event()
        self.rss_kb = self.pss_kb = self.largest_kb = self.processes = 0

    def run(self) -> None:
        while not self._is_over.wait(LOOK_EVERY_S):
            pids = tree_of(self._pid)
            statuses = [_values(Path(f"/proc/{pid}/status")) for pid in pids]
            rollups = [_values(Path(f"/proc/{pid}/smaps_rollup")) for pid in pids]
            self.rss_kb = max(self.rss_kb, sum(status.get("VmRSS", 0) for status in statuses))
            self.pss_kb = max(self.pss_kb, sum(rollup.get("Pss", 0) for rollup in rollups))
            self.largest_kb = max([self.largest_kb, *(status.get("VmHWM", 0) for status in statuses)])
            self.processes = max(self.processes, len(pids))
            if self._looked:
                self._looked(len(pids))

    def finish(self) -> None:
        """Stop looking, and wait until the last look is over."""
        self._is_over.set()
        self.join()


def tree_of(pid: int) -> list[int]:
    """Return `pid` and all its living descendants."""
    found = [pid]
    for parent in found:
        for task in _listed(Path(f"/proc/{parent}/task")):
            found += [int(child) for child in _read(task / "children").split()]
    return found


def _values(path: Path) -> dict[str, int]:
    """Return the numbers of a "Key:  123 kB" file; nothing when the process has ended."""
    pairs = (line.split() for line in _read(path).splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in pairs if len(words) == 3 and words[2] == "kB" and words[1].isdigit()}


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []  # it ended between two looks


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""  # it ended between two looks, or is about to: its memory is no longer its own
