"""Overview: the map of a repository at a token budget, when nothing is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from clew.errors import NotReadable
from clew.packet.map import survey
from clew.ranking.deadline import Deadline
from clew.records import Packet
from clew.settings import Settings, workspace_of
from clew.store.ports import Snapshot, Writer
from clew.text.tokens import counter as counter_of
from clew.usecases import freshness
from clew.usecases.inputs import budget


def overview(store: Writer, settings: Settings, path: Path, *, budget_tokens: int, tokenizer: str) -> Packet:
    """Return the map of the repository that holds `path`, or of the folder or file in it that `path` names.

    Raises NotReadable for what does not exist.
    """
    if not path.exists():
        raise NotReadable(str(path), "does not exist")
    _, root = workspace_of(path)
    folder = path.resolve().relative_to(root).as_posix()
    deadline, room = Deadline(), budget(budget_tokens)

    def make(snapshot: Snapshot) -> Packet:
        return survey(snapshot, folder="" if folder == "." else folder, budget_tokens=room, counter=counter_of(tokenizer))

    packet = freshness.settled(store, settings, path, make, freshness.files_of, deadline)
    return replace(packet, skipped=tuple(deadline.skipped))
