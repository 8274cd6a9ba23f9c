"""Find what an agent's client wrote itself behind a tool's output: acknowledgements, reminders, the bill of a subagent.

Such words are no output and are never needed again, and a reminder is an instruction out of place: a window shows none of them, while
the original keeps them. The patterns are data, each with where it was seen. A record's text is what was asked, then the output.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TAIL_CHARS = 5_000  # of a text in which a note begins


@dataclass(frozen=True, slots=True)
class ClientNote:
    """One form of a client's own words behind an output.

    kinds    of records behind whose output it was seen.
    pattern  matches the words, which end where the text ends. head  how a text begins that may have them, None for any.
    seen     where it was seen: releases, and how often in the recorded sessions.
    """

    kinds: frozenset[str]
    pattern: re.Pattern[str]
    seen: str
    head: re.Pattern[str] | None = None


CLIENT_NOTES = (
    ClientNote(
        frozenset({"read"}),
        # No numbered line is in it, as what stands before a file leaves the file where it is; and that a file is empty is its output.
        re.compile(r"(?:\A|\n{1,4})<system-reminder>(?!Warning: the file )(?:(?!\n[ \t]*\d{1,9}[→\t])[\s\S])*</system-reminder>\s*\Z"),
        "Claude Code 2.1.12 to 2.1.49, behind 2,694 files; a file's own lines are numbered",
        re.compile(r"(?:Read [^\n]*\n)?(?:[ \t]*\d{1,9}[→\t]|<system-reminder>)"),  # what is attached has no numbers and no reminder
    ),
    ClientNote(
        frozenset({"edit", "write"}),
        re.compile(
            r"(?:\A|\n)(?:The file [^\n]{1,4096} has been (?:updated|overwritten)(?: successfully)?\."
            r"(?: All occurrences of [^\n]*| \([^\n]*\))?"
            r"|File created successfully at: [^\n]*)\s*\Z"
        ),
        "Claude Code 2.1.12 to 2.1.332, 2,519 changes of files",
    ),
    ClientNote(
        frozenset({"todo"}),
        re.compile(r"(?:\A|\n)(?:Todos have been modified successfully\.[^\n]*|Updated task #[^\n]{1,200})\s*\Z"),
        "Claude Code 2.1.12 to 2.1.49, 673 changes of a plan",
    ),
    ClientNote(
        frozenset({"agent"}),
        re.compile(r"(?:\A|\n)(?:agentId: \w{1,40} \([^\n]{0,300}\)\s*)?(?:<usage>[^<>]{0,400}</usage>\s*)?\Z"),
        "Claude Code 2.1.12 to 2.1.49, 162 reports of subagents",
    ),
    ClientNote(
        frozenset({"fetch"}),
        re.compile(r"\n{1,4}REMINDER: You MUST include the sources above[^\n]*\s*\Z"),
        "Claude Code 2.1.12 to 2.1.49, 66 searches of the web",
    ),
)  # fmt: skip
_NOTES_OF = {kind: note for note in CLIENT_NOTES for kind in note.kinds}


def find_client_note(kind: str, text: str) -> int:
    """Return where the client's own words begin in the text of a record of this kind, or in its output alone; its length for none."""
    note = _NOTES_OF.get(kind)
    if note is None or (note.head is not None and not note.head.match(text)):
        return len(text)
    found = note.pattern.search(text, max(0, len(text) - TAIL_CHARS))
    return found.start() if found else len(text)


def strip_client_note(kind: str, text: str) -> str:
    """Return the text of a record of this kind without the client's own words behind the output."""
    return text[: find_client_note(kind, text)]
