"""Remember: notes for later sessions, which are doubted when a file that they cite changes."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from clew.errors import UnknownPath, UsageError
from clew.lifecycle import notes
from clew.lifecycle.accept import accept
from clew.records import handle_of
from clew.settings import workspace_of
from clew.store.originals import digest_of
from clew.store.ports import Writer


def remember(store: Writer, path: Path, text: str, *, kind: str = "fact", about: Sequence[str] = (), subject: str = "") -> str:
    """Remember a text, and return its handle. It is doubted as soon as a file that it is about changes.

    kind     "fact", "decision", "constraint", "dead end" or "state".
    about    paths from the repository's root, each with `::symbol` or without; files that are there.
    subject  a later text of the same subject replaces it; "" for none.
    Raises UsageError for an empty text or an unknown kind, UnknownPath for what is no file of the repository.
    """
    if not text.strip() or kind not in notes.LAYERS:
        raise UsageError(f"nothing to remember as {kind!r}\nhint: say a text, and as kind one of {', '.join(notes.LAYERS)}")
    key, root = workspace_of(path)
    cited: list[tuple[str, str]] = []
    for name in about:
        file = Path(os.path.normpath(root / name.partition("::")[0]))
        if not file.is_relative_to(root) or not file.is_file():
            raise UnknownPath(name)
        cited.append((file.relative_to(root).as_posix(), digest_of(file.read_bytes())))
    store.open_workspace(key, str(root))
    held = store.source(key, notes.SOURCE)
    same = store.of_subject(key, f"note:{subject}") if subject else []
    standings = store.standings(key, [record.id for record in same])
    live = [record for record, standing in zip(same, standings, strict=True) if standing.is_live]
    delta, record = notes.note(
        text, kind=kind, subject=subject, cited=cited, before=live, seq=held.size if held else 0, at_ns=time.time_ns()
    )  # fmt: skip
    accept(store, key, [delta])
    store.refresh(key)
    return handle_of(record.id)


def doubt_notes(store: Writer, key: str, root: Path) -> None:
    """Doubt the notes that cite what has changed, and no longer those whose files are again as they were."""
    held = store.source(key, notes.SOURCE)
    if held is None:
        return

    def digest_now(name: str) -> str | None:
        try:
            return digest_of((root / name).read_bytes())
        except OSError:  # gone, or no longer readable: that is a change as well
            return None

    records = store.of_source(key, notes.SOURCE)
    standings = store.standings(key, [record.id for record in records])
    delta = notes.doubts(zip(records, standings, strict=True), digest_now, state=held, at_ns=time.time_ns())
    if delta is not None:
        accept(store, key, [delta])
