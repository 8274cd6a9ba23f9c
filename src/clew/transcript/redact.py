"""Remove purged records from the raw lines of transcripts.

A purged record must not live on in the lines that it was made from. A line that holds it is replaced by a tombstone, so
that line numbers stay the same.
"""

from __future__ import annotations

import re

import msgspec

from clew.records import Record
from clew.task.client_notes import strip_client_note

_TOOL_ID = re.compile(rb'"(?:tool_use_id|toolUseID|call_id)":\s*"([^"]{4,200})"|"type":\s*"tool_use",\s*"id":\s*"([^"]{4,200})"')
_QUOTED_CHARS_MIN = 8  # a shorter line says nothing that could be a secret; guess
_TEXT_CHARS = 160  # of a record's text that a line is recognised by, where the dialect gives its records no id


def redact_lines(raw: bytes, record: Record, text: str) -> bytes | None:
    """Return `raw` with a tombstone for each line that holds `record`, or None if no line does.

    text  the record's full text. A line holds the record if it has its uuid, if it belongs to the same tool call, or if
          it contains the beginning or the end of the text.
    """
    text = strip_client_note(record.kind, text)  # many other lines end with the same words
    lines = raw.splitlines(keepends=True)
    own = re.compile(rb'"uuid":\s*"' + re.escape(record.uuid.encode()) + rb'"') if record.uuid else None
    parts = {_in_json(part) for part in (text[:_TEXT_CHARS], text[-_TEXT_CHARS:]) if part.strip()}
    # A call's line comes first in the text of its record; what follows is the result.
    parts |= {_in_json(line[:_TEXT_CHARS]) for line in text.split("\n")[1:2] if len(line) > 20}
    hit = {at for at, line in enumerate(lines) if (own and own.search(line)) or any(part in line for part in parts)}
    calls = {found for at in hit for match in _TOOL_ID.finditer(lines[at]) for found in match.groups() if found}
    hit |= {at for at, line in enumerate(lines) if any(call in line for call in calls)}
    if not hit:
        return None
    tombstone = msgspec.json.encode({"type": "purged", "record": record.id})
    return b"".join(tombstone + b"\n" * line.endswith(b"\n") if at in hit else line for at, line in enumerate(lines))


def strip_user_text(note: str) -> str:
    """Return a source's state note (JSON) without the task state and rules quoted in it; one of an unknown form is returned as it is."""
    try:
        whole = msgspec.json.decode(note, type=dict[str, object])
        within = next((key for key in ("extractor", "remembering") if key in whole), "")  # the second is of older releases
        kept = msgspec.convert(whole[within], dict[str, object]) if within else dict(whole)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        return note
    if "rules" not in kept and "progress" not in whole:
        return note
    kept |= {"attempts": {}, "rules": []}  # the first of older releases
    whole |= {"progress": ""} if "progress" in whole else {}
    return msgspec.json.encode({**whole, within: kept} if within else kept).decode()


def repeats_text(derived: str, text: str) -> bool:
    """Return whether a derived record repeats a line of `text`, or most of one."""
    parts = (part.rstrip("… ") for line in derived.split("\n") for part in (line, line.partition(": ")[2]))
    return any(len(part) >= _QUOTED_CHARS_MIN and part in text for part in parts)


def _in_json(text: str) -> bytes:
    return msgspec.json.encode(text.encode("utf-8", "replace").decode())[1:-1]
