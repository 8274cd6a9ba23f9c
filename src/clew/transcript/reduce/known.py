"""Known: what a call and its result tell of an output before it is read."""

from __future__ import annotations

import msgspec

from clew.records import Observation
from clew.task.paths import command_line
from clew.transcript.dialects.values import mapping_of, text_of
from clew.transcript.reduce.nouns import Given


def given_of(result: Observation, call: Observation | None) -> Given:
    """What is known of a result; without its call only what it says itself."""
    inputs = mapping_of(None)
    if call is not None and call.arguments[:1] == "{":
        try:
            inputs = mapping_of(msgspec.json.decode(call.arguments))
        except (msgspec.DecodeError, RecursionError):
            inputs = mapping_of(None)  # an older client's free text tells nothing here
    path = next((text for key in ("file_path", "path", "notebook_path", "filePath") if (text := text_of(inputs.get(key)))), "")
    return Given(
        tool=(call.tool if call else "") or result.tool,
        command=command_line(inputs.get("command") or inputs.get("cmd")),
        exit_code=result.exit_code,
        is_error=result.is_error,
        path=path,
    )
