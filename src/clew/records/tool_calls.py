"""ToolCall: one call of an agent's tool with its result, in the same terms for every client.

Made by the transcript dialects, which alone know a client's tool names and arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ToolKind(StrEnum):
    """What a tool does, independent of its name in the client."""

    READ = "read"
    SEARCH = "search"
    COMMAND = "command"
    EDIT = "edit"
    WRITE = "write"
    FETCH = "fetch"  # pages and searches of the web
    AGENT = "agent"
    TODO = "todo"  # the agent's own list of steps
    PLAN = "plan"  # a plan put before the user
    QUESTION = "ask"
    OTHER = "tool"


class CallOutcome(StrEnum):
    """How a tool call ended, by the client's own record."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"  # refused, interrupted, never run, or still running


@dataclass(frozen=True, slots=True)
class FileTouch:
    """A file that a tool call names, its path as written there, and what the call does to it: "read", "edit", "write" or "search"."""

    path: str
    how: str


@dataclass(frozen=True, slots=True)
class TextReplacement:
    """One edit of a tool call: the text `old` of a file is replaced by `new`."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that one edit replaced: `old_lines` lines from 1-based `old_start` became `new_lines` lines, context not counted.

    A pure insertion has `old_lines` 0 and comes before line `old_start`.
    """

    old_start: int
    old_lines: int
    new_lines: int


@dataclass(frozen=True, slots=True)
class FileChange:
    """The change that a tool call made to one file. Without hunks the whole file changed, or where it did is unknown."""

    path: str
    hunks: tuple[Hunk, ...] = ()


@dataclass(frozen=True, slots=True)
class FileView:
    """The part of a file that a tool showed: 1-based first line, number of lines, total lines of the file; 0 for unknown."""

    path: str
    start: int = 0
    lines: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class PlanChange:
    """What a tool call does to the agent's to-do list.

    steps         (text, status) of the whole list, where the call replaces it; None where it adds or changes one step.
    task          id of the step that it changes; "" for a new one.
    text, status  of that step, "" for what stays; "deleted" takes it off the list.
    """

    steps: tuple[tuple[str, str], ...] | None = None
    task: str = ""
    text: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """What the user chose where a tool asks: the question, the label or the words of the answer, and the agent's text beside the label."""

    question: str
    answer: str
    detail: str = ""

    @property
    def text(self) -> str:
        """The question and the answer in one line."""
        return f'"{self.question}"="{self.answer}"'


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a tool call, as the client recorded it.
    text         what the model read.
    outcome      how it ended; `is_error` and `exit_code` are the marks themselves, None where there is none.
    is_refused   the user did not allow the call; `said` are the user's words with it, "" for none.
    is_unrun     the client rejected the call, so that the tool never ran.
    answers      what the user chose where the tool asks, verbatim.
    job          id of the background job that was started; `job_exit_code` the status of one that was asked about and has ended.
    view         the lines of a file that it showed.
    changes      files that it changed, and where.
    spilled      path of the file that holds an output too long for the conversation.
    task         id given to a new step of the agent's list.
    plan         the text of an approved plan; `report` what a subagent said when it ended.
    is_empty     a search that found nothing; is_unknown_tool  the client has no tool of this name.
    """

    text: str = ""
    outcome: CallOutcome = CallOutcome.OK
    is_error: bool | None = None
    exit_code: int | None = None
    is_refused: bool = False
    said: str = ""
    is_unrun: bool = False
    answers: tuple[QuestionAnswer, ...] = ()
    job: str = ""
    job_exit_code: int | None = None
    view: FileView | None = None
    changes: tuple[FileChange, ...] = ()
    spilled: str = ""
    task: str = ""
    plan: str = ""
    report: str = ""
    is_empty: bool = False
    is_unknown_tool: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of an agent's tool, normalised over clients. `result` is None until it has come; fields that do not apply are empty.
    tool         the client's name of the tool: shown to readers, never compared.
    id           joins the call with its result.
    arguments    the whole input as JSON text, as the client recorded it.
    cwd          folder of the session when it was called; `workdir` the folder that the call asks for.
    path         the file or folder that it is about, as written; `touches` all files that it names, without those of a command line.
    command      the command line that a shell runs; `typed` what is typed into a program that runs already.
    edits        texts that it replaces; `content` the text that it writes: of a file, a notebook's cell, or a patch.
    removes      files that it deletes; `moves` pairs of a file's path before and after. Both stand in `touches`, too.
    query        the pattern, name or question of a search, `scope` where it searches, `options` its other arguments as JSON.
    title        a short text that says what it is for: the description, pattern, address, question, skill or step.
    description, prompt, url, agent_type  of a web page or a subagent.
    job          id of a background job that it asks about.
    plan         the plan that it puts before the user; `question` the questions.
    todo         what it does to the agent's list of steps.
    start        first line of `path` that it asks for, 1-based; 0 for none.
    is_partial   it reads only a part of `path`.
    is_foreign   the tool belongs to an MCP server, not to the client.
    """

    tool: str = ""
    kind: ToolKind = ToolKind.OTHER
    id: str = ""
    arguments: str = ""
    cwd: str = ""
    workdir: str = ""
    path: str = ""
    touches: tuple[FileTouch, ...] = ()
    command: str = ""
    typed: str = ""
    edits: tuple[TextReplacement, ...] = ()
    content: str = ""
    removes: tuple[str, ...] = ()
    moves: tuple[tuple[str, str], ...] = ()
    query: str = ""
    scope: str = ""
    options: str = ""
    title: str = ""
    description: str = ""
    prompt: str = ""
    url: str = ""
    agent_type: str = ""
    job: str = ""
    plan: str = ""
    question: str = ""
    todo: PlanChange | None = None
    start: int = 0
    is_partial: bool = False
    is_foreign: bool = False
    result: ToolResult | None = None

    @property
    def output(self) -> str:
        """The tool's output, "" without a result."""
        return self.result.text if self.result else ""

    @property
    def is_marked_failed(self) -> bool:
        """Whether the client's error mark or the exit code says that the call failed."""
        return self.result is not None and (bool(self.result.is_error) or bool(self.result.exit_code))
