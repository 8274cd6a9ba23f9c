"""What came of a session, as its transcript tells it: a record of values, and which of them a trial compares."""

from __future__ import annotations

import msgspec


class SessionOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of one session of a trial, with all that it went on in.

    session    the one that was drawn. at_ns  when this was measured.
    is_completed  its checks were green at its end and nothing of it was taken back; None where no check says so, or nothing was changed.
    why        what says so, in words.
    units      billed, in tokens of plain input of the same model; None where the client notes no bills.
    requests   to the model; prompts  that the user typed. compactions  of the client, or by clew.
    rereads    looks whose output had been seen in this session already; repeated_failures  calls that failed as they had before.
    first_edit_s  from the first prompt to the first change that succeeded; None without one.
    additions  files that were named beside prompts; additions_used  of them, touched afterwards.
    """

    session: str
    at_ns: int
    is_completed: bool | None = None
    why: str = ""
    units: float | None = None
    requests: int = 0
    prompts: int = 0
    compactions: int = 0
    rereads: int = 0
    repeated_failures: int = 0
    first_edit_s: float | None = None
    additions: int = 0
    additions_used: int = 0


SECONDARY = {
    "requests": "requests to the model",
    "prompts": "prompts typed",
    "rereads": "looks at what had been seen",
    "repeated_failures": "failures repeated",
    "compactions": "compactions",
    "first_edit_s": "seconds to the first edit",
}
"""Measures that are reported without a verdict, with their names."""
