"""Inputs: check and resolve arguments that several use cases share: budgets, embedding models, source states, handles."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clew.codebase.unlisted import find_unlisted_reason
from clew.errors import UnknownHandle, UnknownPath, UsageError
from clew.records import PLACEHOLDER_NONCE, Record, Remark, RemarkKind, SourceState, Spans, render_fenced
from clew.records.wording import describe_unread
from clew.settings import Settings
from clew.store.ports import LOCAL, Reader, Snapshot
from clew.text.embed import Embedder, load_embedder

ProgressCallback = Callable[[str, int, int], None]
"""A function that is called during long work with (name of the step, number done, total number)."""


@dataclass(frozen=True, slots=True)
class FileTest:
    """Tells whether a repository holds a regular file at a path inside it. Nothing is opened."""

    root: Path

    def __call__(self, path: str) -> bool:
        """Return whether `path`, relative to the root, is a file below it."""
        try:
            return bool(path) and ".." not in path.split("/") and (self.root / path).is_file()
        except (OSError, ValueError):  # a name too long, or with a zero byte
            return False


def is_there(path: Path | str) -> bool:
    """Return whether there is a file or a folder at a path; False for a text that can be none, such as a very long one."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def check_budget(tokens: int) -> int:
    """Return `tokens` if it is a valid budget. Raises UsageError if it is negative."""
    if tokens < 0:
        raise UsageError(f"budget {tokens} is negative\nhint: a budget is a number of tokens, 0 or more")
    return tokens


def load_configured_embedder(settings: Settings) -> Embedder | None:
    """Load the embedding model that the settings name; None if they name none."""
    return load_embedder(settings.embedder) if settings.embedder else None


def get_source_state(store: Reader, key: str, source: str) -> SourceState | None:
    """Return how far one source (a file, a session) of workspace `key` has been read; None for an unknown one.

    The state is read in a transaction of its own.
    """
    with store.snapshot(LOCAL, key) as snapshot:
        return snapshot.source_state(source)


def list_source_states(store: Reader, key: str, prefix: str) -> list[SourceState]:
    """Return how far each source (a file, a session) of workspace `key` whose name begins with `prefix` has been read.

    The states are read in one transaction of their own.
    """
    with store.snapshot(LOCAL, key) as snapshot:
        return snapshot.source_states(prefix)


def render_for_counting(spans: Spans) -> str:
    """Return the text of `spans` with fences as it will be sent, a placeholder for the nonce, to count its tokens."""
    return render_fenced(spans, PLACEHOLDER_NONCE)


def resolve_path(snapshot: Snapshot, root: Path, name: str) -> str:
    """Return the indexed path that a name means, relative to the current folder or to the repository's root; "" where it is no path.

    Raises UnknownPath, which says why, for what looks like a path and is not indexed.
    """
    inside: list[str] = []
    for base in (Path.cwd(), root):
        full = Path(os.path.normpath(base / name))  # links are not followed: a path is what git calls it
        if full.is_relative_to(root):
            inside.append(full.relative_to(root).as_posix())
            if inside[-1] in snapshot.documents.path_numbers:
                return inside[-1]
    if not ("/" in name or "." in name or is_there(Path.cwd() / name)):
        return ""
    states = snapshot.states_of_sources([f"file:{path}" for path in inside])
    reasons = [*(state.status for state in states.values()), *(find_unlisted_reason(root, path) for path in inside)]
    why = next((reason for reason in reasons if reason not in ("", "missing", "indexed")), "")
    raise UnknownPath(name, describe_unread(why))


def list_unread(snapshot: Snapshot, paths: Sequence[str]) -> tuple[Remark, ...]:
    """Return a remark for each of these indexed paths whose text was not read, or not all of it."""
    states = snapshot.states_of_sources([f"file:{path}" for path in paths])
    return tuple(
        Remark(RemarkKind.NOT_READ, (path, state.status))
        for path in dict.fromkeys(paths)
        if (state := states.get(f"file:{path}")) is not None and state.status != "indexed"
    )


def find_record(snapshot: Snapshot, handle: str) -> Record:
    """Return the record that a handle (its short printed id) stands for. Raises UnknownHandle if no record, or more than one, matches."""
    wanted = handle.strip().strip("[]⟨⟩").partition(":")[0].lower()  # packets print [handle:line]
    ids = snapshot.find(wanted) if wanted else []
    if len(ids) != 1:
        raise UnknownHandle(handle, tuple(ids))
    records = snapshot.records(ids)
    if not records:
        raise UnknownHandle(handle)
    return records[0]
