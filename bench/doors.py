"""Doors: the two ways into clew that benchmarks measure, the command and the engine in this process.

Everything that a benchmark knows of clew's surface stands here: when that changes, this file changes and no other.
A home is a folder of its own for each measurement, never the user's data.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import clew
from bench.machine import REPOSITORY
from clew.engine import Engine
from clew.packet.retrieve import retrieve as packet_of
from clew.ranking.question import Question
from clew.records import Packet
from clew.settings import Settings, find_workspace
from clew.store.ports import LOCAL
from clew.text.tokens import make_counter

TOKENIZER = "chars4"  # four characters a token, as all comparisons with other systems count
SHOWN = frozenset({"signature", "folded", "full"})  # resolutions whose lines stand in the packet byte for byte; a name only points


class CommandFailed(Exception):
    """A command ended with a code other than 0."""

    def __init__(self, command: Sequence[str], code: int, said: str) -> None:
        self.command, self.code = tuple(command), code
        super().__init__(f"{' '.join(command)} ended with {code}: {said.strip()[-2000:]}")


def run(command: Sequence[str], home: Path, question: str = "") -> str:
    """Run a command with `question` on standard input and return its standard output. Raises CommandFailed."""
    done = subprocess.run(command, input=question, env=environment(home), capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise CommandFailed(command, done.returncode, done.stderr)
    return done.stdout


def environment(home: Path) -> dict[str, str]:
    """Return the environment for the command: this checkout's clew, its data in `home`, no other settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CLEW_")}
    paths = [str(REPOSITORY / "src"), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {"CLEW_HOME": str(home), "PYTHONPATH": os.pathsep.join(paths)}


def index_command(tree: Path) -> list[str]:
    """Return the command that indexes `tree`."""
    return [sys.executable, "-m", "clew", "index", str(tree), "--json"]


def retrieve_command(tree: Path, budget_tokens: int) -> list[str]:
    """Return the command that answers the question on its standard input."""
    words = ["retrieve", "-", "--repo", str(tree), "--budget", str(budget_tokens), "--tokenizer", TOKENIZER, "--json"]
    return [sys.executable, "-m", "clew", *words]


def ingest_command(sessions: Path) -> list[str]:
    """Return the command that ingests a folder of session files."""
    return [sys.executable, "-m", "clew", "ingest", str(sessions), "--json"]


@contextmanager
def opened(home: Path, *, jobs: int = 0) -> Generator[Engine]:
    """Give an engine over a store in `home`, and close it again. jobs: processes that read files, 0 for one per core."""
    home.mkdir(parents=True, exist_ok=True)
    settings = Settings(home, jobs=jobs)
    with clew.open(settings=settings) as engine:
        yield engine


def index(engine: Engine, tree: Path) -> int:
    """Bring the index of `tree` up to date in this process; return how many files were read for it."""
    return engine.index(tree).report.read


def update(engine: Engine, tree: Path, name: str) -> None:
    """Tell the engine that one file has changed, as an editor or a hook does."""
    engine.update(tree, [name])


def retrieve(engine: Engine, tree: Path, question: str, budget_tokens: int) -> Packet:
    """Answer a question in this process."""
    return engine.retrieve(tree, question, budget_tokens=budget_tokens, tokenizer=TOKENIZER)


def list_files(engine: Engine, tree: Path, question: str, limit: int) -> list[str]:
    """Return the paths of at most `limit` files for a question, best first, in this process."""
    return [file.path for file in engine.rank_files(tree, question, limit=limit).files]


def update_all(engine: Engine, tree: Path, names: Sequence[str]) -> None:
    """Tell the engine that these files have changed."""
    engine.update(tree, names)


def retrieve_unchecked(engine: Engine, tree: Path, question: str, budget_tokens: int) -> Packet:
    """Answer from the index as it is, past the engine's look at the files that it shows: what an index that nobody refreshes says."""
    key, _ = find_workspace(tree)
    with engine.store.snapshot(LOCAL, key) as snapshot:
        return packet_of(snapshot, Question.of(question), budget_tokens=budget_tokens, counter=make_counter(TOKENIZER))


def ingest_into(engine: Engine, tree: Path, session: Path) -> None:
    """Remember a session of the repository at `tree`."""
    engine.ingest([session], repo=tree)
