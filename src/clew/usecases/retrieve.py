"""Retrieve: what the code and the memory of a repository answer: a packet, a ranked list of files, or a map of it.

Files that an answer would show and that have changed since they were indexed are read again first: what is shown is what stands there now.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from clew.errors import NotReadable
from clew.packet.map import build_map
from clew.packet.retrieve import retrieve as assemble_packet
from clew.ranking.deadline import Deadline
from clew.ranking.files import FileList, rank_files
from clew.ranking.question import Question
from clew.records import Packet
from clew.settings import Settings, find_workspace
from clew.store.ports import Snapshot, Writer
from clew.text.tokens import make_counter
from clew.usecases import freshness
from clew.usecases.inputs import check_budget, load_embedder


def retrieve(
    store: Writer, settings: Settings, path: Path, question: str, *, budget_tokens: int, tokenizer: str, deadline_ms: float | None = None
) -> Packet:
    """Return the packet for a question to the repository at `path`. Raises UsageError, UnknownTokenizer.

    It writes only that its entries were used, so that they do not age, never at the price of the answer.
    """
    key, _ = find_workspace(path)
    deadline = Deadline(deadline_ms)
    asked, counter = Question.of(question), make_counter(tokenizer)
    model, room = load_embedder(settings), check_budget(budget_tokens)

    def answer(snapshot: Snapshot) -> Packet:
        packet = assemble_packet(snapshot, asked, budget_tokens=room, counter=counter, deadline=deadline, embedder=model)
        return freshness.mark_doubtful_entries(snapshot, path, packet)

    packet = freshness.answer_fresh(store, settings, path, answer, freshness.list_shown_files, deadline)
    packet = replace(packet, skipped=tuple(dict.fromkeys([*deadline.skipped, *packet.skipped])))
    freshness.record_use(store, key, packet)
    return packet


def retrieve_files(
    store: Writer, settings: Settings, path: Path, question: str, *, limit: int, deadline_ms: float | None = None
) -> FileList:
    """Return the files that matter for a question, at most `limit`, in order of rank."""
    deadline = Deadline(deadline_ms)
    make = partial(rank_files, question=Question.of(question), limit=limit, deadline=deadline, embedder=load_embedder(settings))
    found = freshness.answer_fresh(store, settings, path, make, lambda found: [file.path for file in found.files], deadline)
    return replace(found, skipped=tuple(dict.fromkeys([*deadline.skipped, *found.skipped])))


def retrieve_map(store: Writer, settings: Settings, path: Path, *, budget_tokens: int, tokenizer: str) -> Packet:
    """Return the map of the repository that holds `path`, or of the folder or file in it that `path` names.

    Raises NotReadable for what does not exist.
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
