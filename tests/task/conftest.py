"""Sessions written by hand: a few lines that read like a conversation."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from clew.records import Observation, ObservationKind


@dataclass
class Script:
    """Builds observations in order. `folder` is where everything happens."""

    folder: str = "/home/ada/shop"
    observations: list[Observation] = field(default_factory=list[Observation])

    def add(self, kind: ObservationKind, text: str, **more: object) -> Observation:
        seq = len(self.observations)
        made = Observation(session="s", seq=seq, record_index=seq, uuid=f"u{seq}", kind=kind, text=text, cwd=self.folder, **more)  # type: ignore[arg-type]
        self.observations.append(made)
        return made

    def user(self, text: str, **more: object) -> Observation:
        return self.add(ObservationKind.PROMPT, text, **more)

    def agent(self, text: str) -> Observation:
        return self.add(ObservationKind.MESSAGE, text)

    def call(self, tool: str, arguments: dict[str, object] | str, output: str = "ok", **more: object) -> Observation:
        """A call and its result; gives the result."""
        text = arguments if isinstance(arguments, str) else json.dumps(arguments, sort_keys=True)
        call_id = f"c{len(self.observations)}"
        agent = {"agent": more.pop("agent")} if "agent" in more else {}
        self.add(ObservationKind.CALL, text, tool=tool, call_id=call_id, arguments=text, **agent)
        return self.add(ObservationKind.RESULT, output, tool=tool, call_id=call_id, **agent, **more)

    def run(self, command: str, output: str = "", *, fails: bool = False) -> Observation:
        return self.call("Bash", {"command": command}, output, is_error=fails)

    def edit(self, path: str, old: str, new: str) -> Observation:
        return self.call("Edit", {"file_path": f"{self.folder}/{path}", "old_string": old, "new_string": new})


@pytest.fixture
def script() -> Script:
    return Script()
