"""Replay: successive commits of one repository in one work tree, and questions after each of them.

Every arm has an index of its own over the same tree, made before the first commit. What an arm does after a commit is
its way of staying fresh; then all are asked the same: the commit's message, the names that it removed, the files.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from time import perf_counter

from bench.doors import index as index_tree
from bench.doors import ingest_into, opened, retrieve, retrieve_unchecked, update_all
from bench.freshness.judge import stale
from bench.trees import write_tree
from clew.engine import Engine
from clew.records import Packet

REMOVED = re.compile(r"^-\s*(?:pub |export |async |static |public |private |protected |final )*(?:def|class|fn|func|function|struct|enum|interface|trait) (\w{3,})", re.MULTILINE)  # fmt: skip  # noqa: E501
NAMES_MAX = 3  # of removed symbols that are asked for, of a commit
SEEN_MAX = 40  # files that the session before the first commit has read


@dataclass(slots=True)
class Tally:
    """What one arm's answers held. Counts are entries, but for `packets` and `stale_packets`; seconds are of the questions."""

    packets: int = 0
    stale_packets: int = 0
    entries: int = 0
    memories: int = 0
    stale: Counter[str] = field(default_factory=Counter[str])
    seconds: float = 0.0
    refresh_seconds: float = 0.0


Refresh = Callable[[Engine, Path, Sequence[str]], object]
Ask = Callable[[Engine, Path, str, int], Packet]
ARMS: dict[str, tuple[Refresh, Ask]] = {
    "no-refresh": (lambda _engine, _tree, _names: None, retrieve_unchecked),
    "question": (lambda _engine, _tree, _names: None, retrieve),
    "hook": (update_all, retrieve),
    "index": (lambda engine, tree, _names: index_tree(engine, tree), retrieve),
}
"""What each does after a commit, and how it is asked: nothing and never checked; nothing, so that the question checks what it
shows; the changed files named, as an editor's hook does; the whole tree indexed again."""


def replay(git_dir: Path, commits: int, folder: Path, *, budget_tokens: int, say: Callable[[str], None]) -> dict[str, Tally]:
    """Return the tally of each arm over `commits` successive first-parent commits up to HEAD, fewer where there are fewer.

    Raises TreeError when git cannot write the tree.
    """
    line = _git(git_dir, "rev-list", "--first-parent", "--max-count", str(commits + 1), "HEAD").split()[::-1]
    tree = folder / "tree"
    write_tree(git_dir, line[0], tree)
    tallies = {name: Tally() for name in ARMS}
    with ExitStack() as stack:
        engines = {name: stack.enter_context(opened(folder / f"home-{name}")) for name in ARMS}
        session = folder / "session.jsonl"
        session.write_text("".join(_session(tree, _changed(tree, line[0], line[-1]))), encoding="utf-8")
        for engine in engines.values():
            index_tree(engine, tree)
            ingest_into(engine, tree, session)
        touched: set[str] = set()
        for number, (before, after) in enumerate(pairwise(line), 1):
            _git(tree, "checkout", "--quiet", "--detach", after)
            names = _changed(tree, before, after)
            touched.update(names)
            questions = list(_questions(tree, before, after, names))
            for name, (refresh, ask) in ARMS.items():
                tally, engine = tallies[name], engines[name]
                started = perf_counter()
                refresh(engine, tree, names)
                tally.refresh_seconds += perf_counter() - started
                for question in questions:
                    started = perf_counter()
                    packet = ask(engine, tree, question, budget_tokens)
                    tally.seconds += perf_counter() - started
                    found = stale(packet, tree, touched)
                    tally.packets += 1
                    tally.stale_packets += bool(found.total())
                    tally.entries += len(packet.entries)
                    tally.memories += sum(bool(entry.session) for entry in packet.entries)
                    tally.stale.update(found)
            say(f"{number}/{len(line) - 1} {after[:12]}: " + ", ".join(f"{name} {tally.stale.total()}" for name, tally in tallies.items()))
    return tallies


def _questions(tree: Path, before: str, after: str, names: Sequence[str]) -> Iterator[str]:
    message = _git(tree, "log", "-1", "--format=%B", after).strip()
    if message:
        yield message
    diff = _git(tree, "diff", "--unified=0", "--no-color", "--no-ext-diff", before, after)
    yield from list(dict.fromkeys(REMOVED.findall(diff)))[:NAMES_MAX]
    yield " ".join(names[:8]) or after


def _changed(tree: Path, before: str, after: str) -> list[str]:
    return [name for name in _git(tree, "diff", "--name-only", "--no-renames", "-z", before, after).split("\0") if name]


def _session(tree: Path, names: Sequence[str]) -> Iterator[str]:
    """A session of long ago that has read the files which the commits will touch: what it remembers must be marked afterwards."""
    common = {"sessionId": "before", "cwd": str(tree), "version": "2.1.0", "timestamp": "2020-01-01T00:00:00Z"}
    yield _line(common, "u0", "user", "Read what the next commits are about.")
    seen = [name for name in names if (tree / name).is_file()][:SEEN_MAX]
    for number, name in enumerate(seen):
        text = (tree / name).read_bytes().decode("utf-8", "replace").split("\n")[:60]
        shown = "\n".join(f"{at:>6}\u2192{line}" for at, line in enumerate(text, 1))
        call = {"type": "tool_use", "id": f"t{number}", "name": "Read", "input": {"file_path": str(tree / name), "limit": 60}}
        yield _line(common, f"a{number}", "assistant", [call])
        yield _line(common, f"r{number}", "user", [{"type": "tool_result", "tool_use_id": f"t{number}", "content": shown}])


def _line(common: dict[str, str], uuid: str, kind: str, content: object) -> str:
    return json.dumps({**common, "type": kind, "uuid": uuid, "message": {"role": kind, "content": content}}) + "\n"


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "core.hooksPath=/dev/null", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout.decode("utf-8", "replace")
