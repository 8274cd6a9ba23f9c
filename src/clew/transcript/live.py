"""Live: observations as they happen, before any transcript holds them.

They are kept in a source of their own beside the session's, `session:<id>/live`, which is retired when the
transcript itself is read: then the same things are known from the client's own record.
"""

from __future__ import annotations

from collections.abc import Sequence

from clew.records import Delta, Observation, SourceState
from clew.text.embed import Embedder
from clew.text.postings import pack
from clew.transcript.events import Event
from clew.transcript.remember import BY, Remembering


def live_source(session: str) -> str:
    """The name under which a session's live observations are kept."""
    return f"session:{session}/live"


def remember_live(observations: Sequence[Observation], *, state: SourceState | None, root: str, embedder: Embedder | None = None) -> Delta:
    """Return what these observations of one session, the next ones after `state`, have to say.

    state  of the last Delta of this source; it carries the calls under way and the ledger.
    """
    source = live_source(observations[0].session)
    remembering = Remembering(source, root=root, memory=state.note.encode() if state else b"")
    remembering.take([Event(observation) for observation in observations])
    harvest = remembering.drain()
    seen = (state.size if state else 0) + len(observations)
    return Delta(
        BY,
        source,
        is_whole=False,
        records=tuple(harvest.records),
        edges=tuple(harvest.edges),
        superseded=tuple(harvest.superseded),
        blobs=harvest.originals(),
        segment=pack(harvest.documents, embedder=embedder) if harvest.documents else b"",
        state=SourceState(source, size=seen, note=remembering.memory().decode()),
    )
