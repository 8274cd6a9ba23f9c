"""Retrieve: answer a question from a repository's code and sessions with a packet or a ranked list of files, or map the repository.

Files that an answer would show and that have changed since they were indexed are indexed again first.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from clew.codebase.unlisted import find_unlisted_reason
from clew.errors import NotReadable
from clew.packet.map import build_map
from clew.packet.retrieve import retrieve as assemble_packet
from clew.ranking.deadline import Deadline
from clew.ranking.files import FileList, rank_files
from clew.ranking.question import Question
from clew.records import Packet, TaskState
from clew.settings import Settings, find_workspace
from clew.store.ports import Snapshot, Writer
from clew.text.embed import Embedder
from clew.text.tokens import make_counter
from clew.usecases import freshness
from clew.usecases.inputs import FileTest, check_budget, load_configured_embedder
from clew.usecases.places import find_code


def retrieve(
    store: Writer, settings: Settings, path: Path, question: str, *, budget_tokens: int, tokenizer: str, deadline_ms: float | None = None,
    with_sessions: bool = True, task: TaskState | None = None,
) -> Packet:  # fmt: skip
    """Return a packet of code and session records for a question about the repository at `path`, at most `budget_tokens` long.

    deadline_ms    stages that would exceed it are left out and named in `skipped`; None for no limit.
    with_sessions  False for the code alone.
    task           what the agent that asks is working on: names and files of it count, and those that it will go on with are shown in
                   more detail.
    Counts a use of each session record shown. Raises UsageError for a negative budget, UnknownTokenizer.
    """
    key, root = find_code(store, path)
    deadline = Deadline(deadline_ms)
    asked, counter = Question.of(question, task), make_counter(tokenizer)
    model, room = load_configured_embedder(settings), check_budget(budget_tokens)

    unlisted = partial(find_unlisted_reason, root)

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
            expected=_expect_files(snapshot, asked, root, deadline, model),
        )
        return freshness.mark_doubtful_entries(snapshot, path, packet)

    packet = freshness.answer_fresh(store, settings, path, answer, freshness.list_shown_files, deadline)
    packet = replace(packet, skipped=tuple(dict.fromkeys([*deadline.skipped, *packet.skipped])))
    freshness.record_packet_use(store, key, packet)
    return packet


def retrieve_files(
    store: Writer, settings: Settings, path: Path, question: str, *, limit: int, deadline_ms: float | None = None,
    task: TaskState | None = None,
) -> FileList:  # fmt: skip
    """Return at most `limit` files that are relevant for a question about the repository at `path`, best first; `task` as above."""
    deadline, asked, model = Deadline(deadline_ms), Question.of(question, task), load_configured_embedder(settings)
    _, root = find_code(store, path)
    unlisted = partial(find_unlisted_reason, root)

    def make(snapshot: Snapshot) -> FileList:
        expected = _expect_files(snapshot, asked, root, deadline, model)
        return rank_files(snapshot, asked, limit=limit, deadline=deadline, embedder=model, unlisted_reason=unlisted, expected=expected)

    found = freshness.answer_fresh(store, settings, path, make, lambda found: [file.path for file in found.files], deadline)
    return replace(found, skipped=tuple(dict.fromkeys([*deadline.skipped, *found.skipped])))


def _expect_files(snapshot: Snapshot, asked: Question, root: Path, deadline: Deadline, embedder: Embedder | None) -> dict[str, float]:
    """Return the files that the agent will go on with, with their probabilities; none for a long question, or one without a session."""
    if not asked.is_short or not (asked.task.working_set or asked.task.messages) or not deadline.allows("state"):
        return {}
    from clew.augment.choose import expect_files  # lazy: a question without a session needs no model

    return expect_files(snapshot, asked, is_file=FileTest(root), deadline=deadline, embedder=embedder)


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
