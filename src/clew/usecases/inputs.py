"""Inputs: check and resolve arguments that several use cases share: budgets, embedding models, source states, handles."""

from __future__ import annotations

from collections.abc import Callable

from clew.errors import UnknownHandle, UsageError
from clew.records import PLACEHOLDER_NONCE, Record, SourceState, Spans, render_fenced
from clew.settings import Settings
from clew.store.ports import LOCAL, Reader, Snapshot
from clew.text.embed import Embedder, load_embedder

ProgressCallback = Callable[[str, int, int], None]
"""A function that is called during long work with (name of the step, number done, total number)."""


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
