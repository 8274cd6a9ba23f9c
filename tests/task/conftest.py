"""Sessions written by hand: a few lines that read like a conversation."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace

import pytest

from clew.records import Observation, ObservationKind, QuestionAnswer
from clew.transcript.dialects import claude_code, codex

CODEX_TOOLS = {"apply_patch", "exec_command", "shell", "shell_command", "update_plan"}


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
        inputs = json.loads(text) if text.startswith("{") else {"input": text}
        dialect = codex if tool in CODEX_TOOLS else claude_code
        asked = dialect.DIALECT.build_tool_call(tool, inputs, text)
        asked = replace(asked, id=call_id, cwd=self.folder)
        marks = {"is_error": more.get("is_error"), "exit_code": more.get("exit_code")}
        marks["is_refused"] = bool(more.get("is_error")) and output.startswith("The user doesn't want to proceed")
        result = claude_code.parse_tool_result(tool, output, **marks)  # type: ignore[arg-type]
        if tool == "AskUserQuestion":
            result = replace(result, answers=tuple(QuestionAnswer(*pair) for pair in re.findall(r'"([^"]+)"="([^"]+)"', output)))
        if tool == "Task":
            result = replace(result, report=output)
        answered = replace(asked, result=result)
        self.add(ObservationKind.CALL, text, tool=tool, call_id=call_id, arguments=text, call=asked, **agent)
        return self.add(ObservationKind.RESULT, output, tool=tool, call_id=call_id, call=answered, **agent, **more)

    def run(self, command: str, output: str = "", *, fails: bool = False) -> Observation:
        return self.call("Bash", {"command": command}, output, is_error=fails)

    def edit(self, path: str, old: str, new: str) -> Observation:
        return self.call("Edit", {"file_path": f"{self.folder}/{path}", "old_string": old, "new_string": new})


@pytest.fixture
def script() -> Script:
    return Script()
