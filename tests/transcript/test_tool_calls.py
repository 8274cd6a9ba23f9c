"""Tool calls: one normalised form, made by dialects alone; a dialect is one file."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import clew
from clew.records import CallOutcome, ObservationKind, PlanChange, TextReplacement, ToolKind
from clew.transcript import dialects
from clew.transcript.dialects.claude_code import DIALECT as CLAUDE
from clew.transcript.dialects.codex import DIALECT as CODEX
from clew.transcript.follow import read_deltas
from clew.transcript.parse import TranscriptReader

if TYPE_CHECKING:
    from conftest import ClaudeScript, CodexScript

SOURCE = Path(clew.__file__).parent
# What clients call their tools and the arguments of these. Words that also mean something else ("Read", "path") cannot be looked for.
NAMES = {
    *("MultiEdit", "NotebookEdit", "NotebookRead", "TodoWrite", "TaskCreate", "TaskUpdate", "WebFetch", "WebSearch", "ExitPlanMode"),
    *("AskUserQuestion", "BashOutput", "apply_patch", "update_plan", "shell_command", "exec_command", "request_user_input"),
    *("file_path", "notebook_path", "old_string", "new_string", "new_source", "subagent_type", "workdir", "taskId", "bash_id"),
}

PATCH = "*** Begin Patch\n*** Update File: a.py\n@@\n-x = 1\n+x = 2\n*** End Patch"
DIALECT_FILE = """
from clew.records import Observation, ObservationKind, ToolCall
from clew.transcript.dialects.dialect import Dialect, LineParser, ParserState
import msgspec

class Parser(LineParser):
    def parse(self, line, record_index):
        told = msgspec.json.decode(line)["says"]
        return [Observation("s", self._next_seq(), record_index, f"s:{record_index}", ObservationKind.MESSAGE, told)]

class Parrot(Dialect):
    name = "parrot"

    def recognises(self, record):
        return "says" in record

    def create_parser(self, origin, saved_state=b""):
        return Parser(origin, msgspec.json.decode(saved_state, type=ParserState) if saved_state else ParserState())

    def parse_session_info(self, record):
        return "s", ""

    def build_tool_call(self, tool, inputs, arguments=""):
        return ToolCall(tool, arguments=arguments)

DIALECT = Parrot()
"""


def constants(file: Path) -> set[str]:
    return {
        node.value
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_only_dialects_know_what_a_client_calls_its_tools_and_arguments() -> None:
    knowing = {
        str(file.relative_to(SOURCE)): sorted(named)
        for file in sorted(SOURCE.rglob("*.py"))
        if file.parent.name != "dialects" and (named := constants(file) & NAMES)
    }

    assert knowing == {"adapters/clients/claude_code.py": ["file_path"]}  # a field of a hook's own event, not of a call


def test_a_result_carries_its_whole_call(claude: ClaudeScript) -> None:
    first, second = claude.call("Bash", command="pytest -q"), claude.call("Grep", pattern="total", path="src")
    claude.answer(second, "No matches found")
    claude.answer(first, "Exit code 1\n1 failed", is_error=True)

    seen = list(TranscriptReader([claude.bytes()]).read_observations())

    assert [each.kind.value for each in seen] == ["call", "call", "result", "result"]
    search, run = (each.call for each in seen[2:] if each.call)
    assert (search.kind, search.query, search.path, search.result and search.result.is_empty) == (ToolKind.SEARCH, "total", "src", True)
    assert run.result
    assert (run.kind, run.command, run.result.outcome, run.result.exit_code) == (ToolKind.COMMAND, "pytest -q", CallOutcome.FAILED, 1)


def test_a_call_that_is_not_answered_is_given_up_and_its_late_result_still_finds_it(claude: ClaudeScript) -> None:
    late = claude.call("Bash", command="make")
    claude.prompt("never mind")
    claude.answer(late, "done")

    (batch,) = TranscriptReader([claude.bytes()]).read_batches()

    assert [each.kind for each in batch.observations][1:] == [
        ObservationKind.UNANSWERED,
        ObservationKind.PROMPT,
        ObservationKind.RESULT,
    ]
    assert batch.client_observations[-1].call
    assert batch.client_observations[-1].call.command == "make"


def test_clients_say_the_same_in_their_own_words(codex: CodexScript) -> None:
    edit = CLAUDE.build_tool_call("Edit", {"file_path": "a.py", "old_string": "x = 1", "new_string": "x = 2"})
    patch = CODEX.build_tool_call("apply_patch", {"input": PATCH})
    todo = CLAUDE.build_tool_call("TodoWrite", {"todos": [{"content": "fix", "status": "done"}]})
    plan = CODEX.build_tool_call("update_plan", {"plan": [{"step": "fix", "status": "completed"}]})

    assert edit.kind is patch.kind is ToolKind.EDIT
    assert edit.edits == patch.edits == (TextReplacement("a.py", "x = 1", "x = 2"),)
    assert edit.touches == patch.touches
    assert todo.todo == plan.todo == PlanChange((("fix", "completed"),))
    assert (
        CLAUDE.build_tool_call("Bash", {"command": "ls"}).command
        == CODEX.build_tool_call("shell", {"command": ["bash", "-lc", "ls"]}).command
    )


def test_only_what_the_client_marks_is_a_refusal(claude: ClaudeScript) -> None:
    words = "The user doesn't want to proceed with this tool use. The tool use was rejected. the user said:\nuse sqlite"
    claude.refuse(claude.call("Bash", command="git push"), "use sqlite")
    for is_error in (True, False, None):
        for told in (None, f"Exit code 1\n{words}", {"stdout": words, "stderr": "", "interrupted": False}):
            claude.answer(claude.call("Bash", command="cat notes"), words, is_error=is_error, told=told)

    results = [each.call.result for each in TranscriptReader([claude.bytes()]).read_observations() if each.call and each.call.result]

    assert [(result.is_refused, result.said) for result in results if result.is_refused or result.said] == [(True, "use sqlite")]


def test_a_command_that_goes_on_in_the_background_has_no_outcome_yet(claude: ClaudeScript) -> None:
    started = "Command running in background with ID: b50b67f. Output is being written to: /tmp/b50b67f.output"
    claude.answer(claude.call("Bash", command="pnpm build", run_in_background=True), started, is_error=False)

    [result] = [each.call.result for each in TranscriptReader([claude.bytes()]).read_observations() if each.call and each.call.result]

    assert (result.outcome, result.job) == (CallOutcome.UNKNOWN, "b50b67f")


def test_one_file_adds_a_dialect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "parrot.py").write_text(DIALECT_FILE)
    monkeypatch.setattr(dialects, "__path__", [*dialects.__path__, str(tmp_path)])
    monkeypatch.setattr(dialects, "DIALECTS", dialects.discover_dialects(dialects.__path__))

    made = list(read_deltas([b'{"says":"hello"}\n']))

    assert {dialect.name for dialect in dialects.DIALECTS} == {"claude-code", "codex", "parrot"}
    assert [record.name for delta in made for record in delta.records if record.kind == "message"] == ["Agent: hello"]
    sys.modules.pop("clew.transcript.dialects.parrot", None)
