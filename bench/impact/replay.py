"""Replay: stand at the commit before each change, bring the index up to date, and keep what clew knows of each given file.

What is kept are the shares of each kind of coupling, so that weights and arms can be compared without indexing again.
One work tree for a repository, switched from change to change in the order of time; HEAD is the state before the change,
and no branch or tag leads further. Finished changes are lines of a work file, and are not measured again as long as
clew's source is the same.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.doors import opened
from bench.impact.changes import Change, is_code
from bench.machine import SOURCE, digest_of_tree
from bench.trees import TreeError, write_tree
from clew.enrich.history import HISTORY_SOURCE, decode_commits
from clew.impact.couplings import compute_couplings, find_target
from clew.settings import find_workspace
from clew.store.ports import LOCAL

GIVEN_MAX = 4  # files of one change that are given in turn: the first by a digest-free order, their paths
SHARE_DIGITS = 4


class Asked(msgspec.Struct):
    """One given file: shares by kind and path, the commits that changed it (age in commits, files), and how long it took."""

    given: str
    shares: dict[str, dict[str, float]]
    past: list[tuple[int, list[str]]]
    seconds: float


class Replayed(msgspec.Struct):
    """One change, measured. `candidates` are the code files that were indexed, each with the number of commits that changed it."""

    id: str
    repo: str
    kind: str
    version: str
    files: list[str]
    candidates: dict[str, int] = {}
    asked: list[Asked] = []
    index_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Work:
    """The file of finished changes."""

    path: Path

    def read(self) -> dict[tuple[str, str], Replayed]:
        """The finished changes of this version of clew, by (repository, change)."""
        if not self.path.is_file():
            return {}
        version = version_of_clew()
        lines = [msgspec.json.decode(line, type=Replayed) for line in self.path.read_bytes().splitlines()]
        return {(line.repo, line.id): line for line in lines if line.version == version}

    def add(self, replayed: Replayed) -> None:
        """Append one change."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as stream:
            stream.write(msgspec.json.encode(replayed) + b"\n")


def version_of_clew() -> str:
    """Digest of the rooms that decide what is replayed; what a coupling is worth and how it is printed does not."""
    rooms = ("codebase", "enrich", "records", "store", "text")
    parts = [digest_of_tree(SOURCE / room) for room in rooms] + [(SOURCE / "impact" / "couplings.py").read_text(encoding="utf-8")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def replay(git_dir: Path, changes: Sequence[Change], work: Work, say: Callable[[str], None]) -> list[Replayed]:
    """Measure these changes of one repository, in their order, and return them. One whose tree cannot be written is said and left out."""
    known = work.read()
    version = version_of_clew()
    done = [known[change.repo, change.id] for change in changes if (change.repo, change.id) in known]
    left = [change for change in changes if (change.repo, change.id) not in known]
    if not left:
        return done
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
        tree = Path(folder, "tree")
        try:
            write_tree(git_dir, left[0].parent, tree)
        except TreeError as problem:
            say(f"{left[0].repo} {left[0].id[:12]} is left out: {problem}")
            return done + replay(git_dir, left[1:], work, say)
        with opened(Path(folder, "home"), jobs=1) as engine:
            key, _ = find_workspace(tree)
            for number, change in enumerate(left, 1):
                if not _switch(tree, change.parent):
                    say(f"{change.repo} {number}/{len(left)} {change.id[:12]} is left out: its tree cannot be written")
                    continue
                started = time.perf_counter()
                engine.index(tree)
                replayed = Replayed(change.id, change.repo, change.kind, version, list(change.files), index_s=time.perf_counter() - started)
                snapshot = engine.store.snapshot(LOCAL, key)
                words = snapshot.documents.search_scope("file:").path_words
                past = decode_commits(snapshot.source_states(HISTORY_SOURCE))
                times = Counter(path for commit in past for path in commit.files)
                allowed = sorted(path for code, path in enumerate(snapshot.documents.paths) if words[code] and is_code(path))
                replayed.candidates = {path: times[path] for path in allowed}
                for path in change.files[:GIVEN_MAX]:
                    started = time.perf_counter()
                    given = find_target(snapshot, path)
                    if given is None:  # generated, too large, or not read: it cannot be given
                        continue
                    found = compute_couplings(snapshot, given)
                    seconds = time.perf_counter() - started
                    shares = {
                        kind: {other: round(share, SHARE_DIGITS) for other, (share, _) in rows.items() if other in replayed.candidates}
                        for kind, rows in found.items()
                    }
                    mine = [
                        (age, [other for other in commit.files if other in replayed.candidates])
                        for age, commit in enumerate(past)
                        if path in commit.files
                    ]
                    replayed.asked.append(Asked(path, shares, mine, seconds))
                work.add(replayed)
                done.append(replayed)
                say(f"{change.repo} {number}/{len(left)} {change.id[:12]} index {replayed.index_s:.1f} s")
    return done


def _switch(tree: Path, commit: str) -> bool:
    """Bring the work tree to a commit; say whether that went well."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    steps = (["update-ref", "--no-deref", "HEAD", commit], ["read-tree", "--reset", "-u", commit])
    return all(
        subprocess.run(["git", *step], cwd=tree, env=environment, check=False, capture_output=True).returncode == 0 for step in steps
    )
