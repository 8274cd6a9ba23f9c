"""Retrieve: answer a question from a repository's code and sessions with a packet or a ranked list of files, or map the repository.

Files that an answer would show and that have changed since they were indexed are indexed again first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from clew.codebase.unlisted import find_unlisted_reason
from clew.errors import NotReadable
from clew.packet.map import build_map
from clew.packet.retrieve import retrieve as assemble_packet
from clew.ranking.deadline import Deadline
from clew.ranking.files import FileList, rank_files
from clew.ranking.question import Question
from clew.records import AsOf, Packet, TaskState
from clew.settings import Settings, find_workspace
from clew.store.ports import Reader, Snapshot, Writer
from clew.text.embed import Embedder
from clew.text.tokens import make_counter
from clew.usecases import freshness
from clew.usecases.inputs import FileTest, check_budget, load_configured_embedder
from clew.usecases.places import find_code

T = TypeVar("T", Packet, FileList)


def retrieve(
    store: Writer, settings: Settings, path: Path, question: str, *, budget_tokens: int, tokenizer: str, deadline_ms: float | None = None,
    with_sessions: bool = True, task: TaskState | None = None, as_of: AsOf | None = None,
) -> Packet:  # fmt: skip
    """Return a packet of code and session records for a question about the repository at `path`, at most `budget_tokens` long.

    deadline_ms    stages that would exceed it are left out and named in `skipped`; None for no limit.
    with_sessions  False for the code alone.
    task           what the agent that asks is working on: names and files of it count, and those that it will go on with are shown in
                   more detail.
    as_of          answer from what was there then; nothing is read again, and no use is counted. None for now.
    Counts a use of each session record shown. Raises UsageError for a negative budget, UnknownTokenizer.
    """
    key, root = find_code(store, path)
    deadline = Deadline(deadline_ms)
    asked, counter = Question.of(question, task), make_counter(tokenizer)
    model, room = load_configured_embedder(settings), check_budget(budget_tokens)

    unlisted = None if as_of else partial(find_unlisted_reason, root)

    def answer(snapshot: Snapshot) -> Packet:
        packet = assemble_packet(
            snapshot,
            asked,
            budget_tokens=room,
            counter=counter,
            deadline=deadline,
            embedder=model,
            with_sessions=with_sessions,
            unlisted_reason=unlisted,
            expected=_expect_files(snapshot, asked, None if as_of else root, deadline, model),
        )
        # What a file of then became since is not known then.
        return replace(freshness.mark_doubtful_entries(snapshot, packet, None if as_of else root), as_of=_as_of(snapshot))

    if as_of:
        packet = _answer_as_of(store, settings, path, as_of, answer)
    else:
        packet = freshness.answer_fresh(store, settings, path, answer, freshness.list_shown_files, deadline)
        freshness.record_packet_use(store, key, packet)
    return replace(packet, skipped=tuple(dict.fromkeys([*deadline.skipped, *packet.skipped])))


def retrieve_files(
    store: Writer, settings: Settings, path: Path, question: str, *, limit: int, deadline_ms: float | None = None,
    task: TaskState | None = None, as_of: AsOf | None = None,
) -> FileList:  # fmt: skip
    """Return the files that are relevant for a question about the repository at `path`, at most `limit`, best first; others as above."""
    deadline, asked, model = Deadline(deadline_ms), Question.of(question, task), load_configured_embedder(settings)
    _, root = find_code(store, path)
    unlisted = None if as_of else partial(find_unlisted_reason, root)

    def make(snapshot: Snapshot) -> FileList:
        expected = _expect_files(snapshot, asked, None if as_of else root, deadline, model)
        found = rank_files(snapshot, asked, limit=limit, deadline=deadline, embedder=model, unlisted_reason=unlisted, expected=expected)
        return replace(found, as_of=_as_of(snapshot))

    if as_of:
        found = _answer_as_of(store, settings, path, as_of, make)
    else:
        found = freshness.answer_fresh(store, settings, path, make, lambda found: [file.path for file in found.files], deadline)
    return replace(found, skipped=tuple(dict.fromkeys([*deadline.skipped, *found.skipped])))


def _answer_as_of(store: Reader, settings: Settings, path: Path, as_of: AsOf, answer_from: Callable[[Snapshot], T]) -> T:
    """Return an answer from the code and sessions of then."""
    from clew.usecases.code_as_of import open_code_as_of  # lazy: it imports the parsers, and a question as of now reads no file

    key, root = find_code(store, path)
    snapshot, answered = open_code_as_of(store, settings, key, root, as_of)
    with snapshot:
        return replace(answer_from(snapshot), as_of=answered)


def _as_of(snapshot: Snapshot) -> AsOf:
    return AsOf(snapshot.generation)


def _expect_files(
    snapshot: Snapshot, asked: Question, root: Path | None, deadline: Deadline, embedder: Embedder | None
) -> dict[str, float]:
    """Return the files that the agent will go on with, with their probabilities; none for a long question, or one without a session.

    root  the folder in which a file must be; None for one of the indexed ones.
    """
    if not asked.is_short or not (asked.task.working_set or asked.task.messages) or not deadline.allows("state"):
        return {}
    from clew.augment.choose import expect_files  # lazy: a question without a session needs no model

    is_file = FileTest(root) if root else _list_indexed(snapshot).__contains__
    return expect_files(snapshot, asked, is_file=is_file, deadline=deadline, embedder=embedder)


def _list_indexed(snapshot: Snapshot) -> set[str]:
    words = snapshot.documents.search_scope("file:").path_words
    return {path for path, count in zip(snapshot.documents.paths, words, strict=True) if count}


def retrieve_map(store: Writer, settings: Settings, path: Path, *, budget_tokens: int, tokenizer: str) -> Packet:
    """Return a packet (text within `budget_tokens`) that outlines a repository, or the folder or file `path` in it, by its key files.

    Raises NotReadable if `path` does not exist.
    """
    if not path.exists():
        raise NotReadable(str(path), "does not exist")
    _, root = find_workspace(path)
    folder = path.resolve().relative_to(root).as_posix()
    deadline, room = Deadline(), check_budget(budget_tokens)

    def make(snapshot: Snapshot) -> Packet:
        return build_map(snapshot, folder="" if folder == "." else folder, budget_tokens=room, counter=make_counter(tokenizer))

    packet = freshness.answer_fresh(store, settings, path, make, freshness.list_shown_files, deadline)
    return replace(packet, skipped=tuple(deadline.skipped))
