"""Build the records of notes that an agent or a person asks to remember, and mark them suspect when a cited file changes.

A note says which files it cites, with the hash of each. When one of them changes the note is *suspect*:
it stays, and says why; when the file is again as it was, the mark goes. A note of an agent is trusted less
than the user's words. Pure: returns Deltas for `apply_deltas`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from clew.records import Delta, EndKind, EndReason, Layer, Record, RecordText, Resolution, SourceState, Status, Supersession, Trust, make_id
from clew.store.originals import digest_of
from clew.text.postings import SearchDocument, pack_postings
from clew.text.secrets import mask_text

PRODUCER = "notes/1"  # name and version of this producer in its Deltas
NOTES_SOURCE = "session:remembered/notes"  # the source of all notes; a session's name, so that recall of sessions finds notes too
NOTE_KIND = "remembered"  # kind of the records of notes
NOTE_LAYERS = {"fact": Layer.FACT, "decision": Layer.INTENT, "constraint": Layer.INTENT, "dead end": Layer.ACTION, "state": Layer.STATE}
NOTE_NAME_CHARS_MAX = 120  # of a note's record name


def make_subject(text: str, subject: str) -> str:
    """Return the subject of a note's record; `subject` "" makes the text its own."""
    return f"note:{mask_text(subject) or digest_of(mask_text(text.strip()).encode())[:16]}"


def build_note(
    text: str, *, kind: str, subject: str, cited: Sequence[tuple[str, str]], before: Sequence[Record], seq: int, at_ns: int
) -> tuple[Delta, Record]:
    """Build a note's record, and the Delta that stores it and supersedes older notes of its subject.

    kind     one of NOTE_LAYERS.
    subject  what it is about: a later note of the same subject supersedes this one. "" makes the text its own subject.
    cited    (path, digest) of the files that it cites, as they are now.
    before   the live notes of the same subject. One of them in the same words keeps its place and its time.
    """
    text, subject = mask_text(text.strip()), make_subject(text, subject)
    data = text.encode()
    record = Record(
        id=make_id("note", subject, kind, text),
        layer=NOTE_LAYERS[kind],
        kind=NOTE_KIND,
        subject=subject,
        source=NOTES_SOURCE,
        digest=digest_of(data),
        name=f"{kind.capitalize()}: {' '.join(text.split())}"[:NOTE_NAME_CHARS_MAX],
        texts=(
            RecordText(Resolution.NAME, min(len(text), NOTE_NAME_CHARS_MAX), inline=" ".join(text.split())[:NOTE_NAME_CHARS_MAX]),
            RecordText(Resolution.FULL, len(text), inline=text),
        ),
        seq=seq,
        path=cited[0][0] if cited else "",
        session="remembered",
        trust=Trust.OBSERVED,
        at_ns=at_ns,
        lineage=tuple((f"file:{path}", digest) for path, digest in cited),
    )
    document = SearchDocument(
        record.id, record.layer.value, NOTE_KIND, record.path, (record.name, " ".join(path for path, _ in cited), "", "", text)
    )
    again = next((old for old in before if old.id == record.id), record)
    record = replace(record, seq=again.seq, at_ns=again.at_ns)
    newer = tuple(Supersession(old.id, record.id, EndReason(EndKind.NOTE_RENEWED), seq, at_ns) for old in before if old.id != record.id)
    delta = Delta(
        PRODUCER,
        NOTES_SOURCE,
        is_whole=False,
        records=(record,),
        superseded=newer,
        segment=pack_postings([document]),
        state=SourceState(NOTES_SOURCE, size=seq + 1),
    )
    return delta, record


def mark_stale_notes(
    notes: Iterable[tuple[Record, Status]], digest_now: Callable[[str], str | None], *, state: SourceState, at_ns: int
) -> Delta | None:
    """Return a Delta that marks notes suspect whose cited files changed, and unmarks those whose files are as cited; None for no change.

    digest_now  returns a file's digest by its path; None where it is gone.
    state       of the notes' source, which stays as it is.
    """
    changed: list[Supersession] = []
    for record, standing in notes:
        if not standing.is_live:
            continue
        moved = [name.removeprefix("file:") for name, digest in record.lineage if digest_now(name.removeprefix("file:")) != digest]
        if moved and not standing.is_suspect:
            reason = EndReason(EndKind.CITED_CHANGED, tuple(moved))
            changed.append(Supersession(record.id, "", reason, record.seq, at_ns, is_doubt=True))
        elif not moved and standing.is_suspect:
            changed.append(Supersession(record.id, "", None, record.seq, at_ns, is_undone=True))
    return Delta(PRODUCER, NOTES_SOURCE, is_whole=False, superseded=tuple(changed), state=state) if changed else None
