"""Inputs: what use cases are asked with, checked and resolved: a budget, a counter, a model, the record behind a handle."""

from __future__ import annotations

from collections.abc import Callable

from clew.errors import UnknownHandle, UsageError
from clew.records import PLACEHOLDER_NONCE, Record, SourceState, Spans, render_fenced
from clew.settings import Settings
from clew.store.ports import LOCAL, Reader, Snapshot
from clew.text.embed import Embedder, load_embedder

ProgressCallback = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def check_budget(tokens: int) -> int:
    """Return a token budget. Raises UsageError for a negative one."""
    if tokens < 0:
        raise UsageError(f"budget {tokens} is negative\nhint: a budget is a number of tokens, 0 or more")
    return tokens


def load_embedder(settings: Settings) -> Embedder | None:
    """Return the embedding model that the settings name, None for none."""
    return load_embedder(settings.embedder) if settings.embedder else None


def get_source_state(store: Reader, key: str, source: str) -> SourceState | None:
    """Return the newest state of a source, for what writes between two questions; None for an unknown source."""
    with store.snapshot(LOCAL, key) as snapshot:
        return snapshot.source(source)


def list_source_states(store: Reader, key: str, prefix: str) -> list[SourceState]:
    """Return the newest states of the sources whose name begins with `prefix`, likewise."""
    with store.snapshot(LOCAL, key) as snapshot:
        return snapshot.sources(prefix)


def render_for_counting(spans: Spans) -> str:
    """Return a text as an adapter will send it, with a stand-in for the nonce: what is measured against a budget."""
    return render_fenced(spans, PLACEHOLDER_NONCE)


def find_record(snapshot: Snapshot, handle: str) -> Record:
    """Return the record that a handle means. Raises UnknownHandle where none does, or more than one."""
    wanted = handle.strip().strip("[]⟨⟩").partition(":")[0].lower()  # packets print [handle:line]
    ids = snapshot.find(wanted) if wanted else []
    if len(ids) != 1:
        raise UnknownHandle(handle, tuple(ids))
    records = snapshot.records(ids)
    if not records:
        raise UnknownHandle(handle)
    return records[0]
