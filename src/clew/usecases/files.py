"""Files: the ranked list of files for a question."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from clew.ranking.deadline import Deadline
from clew.ranking.files import FileList
from clew.ranking.files import files as rank_files
from clew.ranking.question import Question
from clew.settings import Settings
from clew.store.ports import Writer
from clew.usecases import freshness
from clew.usecases.inputs import embedder


def files(store: Writer, settings: Settings, path: Path, question: str, *, limit: int, deadline_ms: float | None = None) -> FileList:
    """Return the files that matter for a question, at most `limit`, in order of rank. Those that have changed are read again first."""
    deadline = Deadline(deadline_ms)
    make = partial(rank_files, question=Question.of(question), limit=limit, deadline=deadline, embedder=embedder(settings))
    found = freshness.settled(store, settings, path, make, lambda found: [file.path for file in found.files], deadline)
    return replace(found, skipped=tuple(dict.fromkeys([*deadline.skipped, *found.skipped])))
