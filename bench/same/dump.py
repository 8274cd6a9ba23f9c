"""Command: `python -m bench.same.dump PLAN OUT`. Writes what this checkout makes of the plan's input, one JSON object a line."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.same import api

BUDGETS_WINDOW = (4000, 16_000)
BUDGETS_PACKET = (2000, 8000)
RECALL_EVERY = 3  # of the sessions, one asks the others


@dataclass(frozen=True)
class Repository:
    """A tree, and what is asked of it."""

    name: str
    tree: Path
    questions: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What is read. `folder` is where the sessions are said to have been held; it exists and is empty."""

    sessions: tuple[Path, ...]
    folder: Path
    repositories: tuple[Repository, ...]

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read the plan that `bench.same` wrote."""
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        repositories = (
            Repository(each["name"], Path(each["tree"]), tuple(each["questions"]), tuple(each["files"])) for each in found["repositories"]
        )
        return cls(tuple(map(Path, found["sessions"])), Path(found["folder"]), tuple(repositories))


def main(arguments: list[str]) -> int:
    """Run the command."""
    plan, out = Plan.read(Path(arguments[0])), Path(arguments[1])
    home = out.with_suffix(".home")
    with out.open("w", encoding="utf-8") as lines:
        for each in (*_of_repositories(plan, home), *_of_sessions(plan, home)):
            line = {"kind": each.kind, "key": each.key, "value": each.value, "words": each.words}
            lines.write(json.dumps(line, ensure_ascii=True, sort_keys=True) + "\n")
    return 0


def _of_repositories(plan: Plan, home: Path) -> Iterator[api.Valued]:
    for repository in plan.repositories:
        with api.opened(home / repository.name) as engine:
            yield from api.indexed(engine, repository.tree, repository.name)
            for number, question in enumerate(repository.questions):
                yield from api.asked(engine, repository.tree, f"{repository.name}?{number}", question, BUDGETS_PACKET)
            for file in repository.files:
                yield from api.impacted(engine, repository.tree, repository.name, file)
        _say(repository.name)


def _of_sessions(plan: Plan, home: Path) -> Iterator[api.Valued]:
    with api.opened(home / "sessions") as engine:
        questions: list[tuple[str, str]] = []
        for number, path in enumerate(plan.sessions):
            recorded = api.Recorded(path)
            yield from _timed(f"{path.name}", _of_session(engine, plan.folder, recorded))
            if number % RECALL_EVERY == 0 and (question := recorded.question):
                questions.append((recorded.session.id, question))
        for session, question in questions:
            yield from api.recalled(engine, plan.folder, session, question)
    _say("recall")


def _of_session(engine: api.Engine, folder: Path, recorded: api.Recorded) -> Iterator[api.Valued]:
    yield from api.ingested(engine, folder, recorded.path)
    yield from api.states(recorded)
    yield from api.reduced(recorded)
    yield from api.windows(engine, recorded, BUDGETS_WINDOW)


def _timed(name: str, values: Iterable[api.Valued]) -> Iterator[api.Valued]:
    started = time.perf_counter()
    yield from values
    _say(f"{name} {time.perf_counter() - started:.1f} s")


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
