"""Known: what a call and its result tell of an output before it is read."""

from __future__ import annotations

from clew.records import Observation, ToolCall
from clew.transcript.reduce.nouns import Given


def given_of(result: Observation, call: Observation | None) -> Given:
    """Return what is known of a result; `call` is asked where the result does not hold its own."""
    asked = (call.call if call else None) or result.call or ToolCall()
    return Given(asked.kind, asked.command, result.exit_code, result.is_error, asked.path)
