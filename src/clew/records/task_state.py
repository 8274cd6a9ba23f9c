"""TaskState: what an agent is working on at one point of a session, computed from its observations."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

BINDING_MIN = 0.8  # probability from which a sentence is called a constraint: docs/decisions/076


@dataclass(frozen=True, slots=True)
class UserStatement:
    """A goal or a constraint in the user's words, verbatim, and which observation holds it.

    is_typed         False where the text also holds the agent's question that the user answered.
    is_continuation  of a request: it was typed while the agent worked on the one before, or after stopping that work.
    times            number of times that a request was typed, word for word.
    probability      that a constraint binds, as the recogniser has it; 1 for what the user listed as rules or corrected by hand.
    """

    text: str
    uuid: str = ""
    seq: int = 0
    is_typed: bool = True
    is_continuation: bool = False
    times: int = 1
    probability: float = 1.0


@dataclass(frozen=True, slots=True)
class WorkingFile:
    """A file that the agent worked with. `last` is its latest use: "read", "edit", "write", "search" or "mention"."""

    path: str
    last: str
    seq: int
    touches: int = 1


@dataclass(frozen=True, slots=True)
class OpenError:
    """An error of a command that no later run has been seen to fix. `subject` names the command."""

    text: str
    subject: str
    uuid: str = ""
    seq: int = 0


class Verdict(StrEnum):
    """How a check ended, as far as its output or its exit status says."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_SEEN = "not seen"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The latest result of a command that checks something: tests, a build, a linter, a type checker.

    evidence  the line of its output, or the status, that says so; "" where nothing does.
    is_stale  a file that it checks was changed since.
    """

    command: str
    verdict: Verdict
    evidence: str = ""
    uuid: str = ""
    seq: int = 0
    is_stale: bool = False


class FileStatus(StrEnum):
    """What a session did to a file, as it stands in the work tree now."""

    EDITED = "edited"
    WRITTEN = "written"  # whole
    REMOVED = "removed"
    MOVED = "moved"
    REVERTED = "reverted"  # all of the session's changes were taken back


@dataclass(frozen=True, slots=True)
class FileCheck:
    """The latest run of a check that covers a file, since that file's last change.

    kind      "tests", "lint", "types", "build", or "check" for several of them or an unknown one.
    is_stale  another file that it checks was changed since.
    """

    command: str
    kind: str
    verdict: Verdict
    evidence: str = ""
    uuid: str = ""
    seq: int = 0
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class FileState:
    """A file that the session changed, and what is known of it.

    edits         number of calls that changed it.
    moved_from    its earlier path, `moved_to` its later one; "" for none.
    checked_by    runs of checks that cover it, each since its last change; newest last.
    was_tried     a check ran since its last change, whether it covers it or not.
    is_committed  a commit took its last change (True); none was made since (False); None where nobody knows.
    commit        git's short hash of that commit, "" where git did not print it, or a rebase has changed it.
    commit_branch the branch of that commit, where another one was checked out since; else "".
    commit_line   what git printed of that commit; `commit_uuid` the observation that holds it.
    is_stashed    its changes are in the stash, not in the work tree.
    uuid, seq     of the observation of its last change.
    """

    path: str
    state: FileStatus
    edits: int = 1
    moved_from: str = ""
    moved_to: str = ""
    checked_by: tuple[FileCheck, ...] = ()
    was_tried: bool = False
    is_committed: bool | None = False
    commit: str = ""
    commit_branch: str = ""
    commit_line: str = ""
    commit_uuid: str = ""
    is_stashed: bool = False
    uuid: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class DeadEnd:
    """An attempt that was abandoned, and why it failed: listed so that the agent does not repeat it.

    weight  what it would cost to try it again, 0 to 1; a short list keeps the highest.
    sign    how it was recognised: "refused" or "corrected" by the user, "reverted" by the agent, or "failed".
    """

    text: str
    reason: str
    uuid: str = ""
    seq: int = 0
    weight: float = 0.5
    sign: str = "failed"


@dataclass(frozen=True, slots=True)
class UserReply:
    """An answer of the user to the agent, with what it answers.

    asked     the agent's question or proposal, in the agent's words.
    text      the user's words, or the label that was chosen where the agent's tool asked.
    chosen    the options that the words choose, in the agent's words; "" where there are none or it is not clear which.
    is_typed  False for an answer to the tool that asks.
    """

    asked: str
    text: str
    chosen: str = ""
    uuid: str = ""
    seq: int = 0
    is_typed: bool = True


@dataclass(frozen=True, slots=True)
class EndedRequest:
    """A request of the user that is done, or that the user cancelled.

    evidence  the agent's sentence that says that it is done, or the user's words that cancel it; `evidence_uuid` where they stand.
    check     the latest passed check since the request, with its evidence, where there is one.
    """

    request: UserStatement
    is_cancelled: bool
    evidence: str
    evidence_uuid: str = ""
    check: CheckResult | None = None


@dataclass(frozen=True, slots=True)
class AgentMessage:
    """A message of the agent, whole."""

    text: str
    uuid: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class AgentReport:
    """What a subagent reported when it ended. `title` is its task as the agent named it."""

    title: str
    text: str
    uuid: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class CommitMade:
    """A commit of this session that stands, as far as its later git commands show.

    digest  "" where a rebase has made the commit anew.
    folder  its repository, where it is another one than that of the session; else "".
    """

    digest: str
    subject: str
    branch: str = ""
    folder: str = ""
    uuid: str = ""


@dataclass(frozen=True, slots=True)
class WorkPlace:
    """Where the work takes place; "" for what is not known.

    branch        as the client recorded it last; `folder` likewise.
    pull_request  number of the one that a command named last; `pull_state` "merged" or "closed" where a command did that, else "".
    pushed        what git said of the last push: which branch, at which commit.
    commits       those of this session that were not taken back, newest last.
    """

    branch: str = ""
    folder: str = ""
    pull_request: str = ""
    pull_state: str = ""
    pushed: str = ""
    commits: tuple[CommitMade, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step of the agent's own to-do list. `status` is "pending", "in_progress", "completed", or "cancelled" by the user."""

    text: str
    status: str


@dataclass(frozen=True, slots=True)
class TaskState:
    """What an agent is working on at one point of a session. Newest last in every tuple.

    goals    the user's requests, done or not; `ended` those of them that are done or cancelled.
    replies  what the user answered to the agent: answers to its questions, assents, choices.
    reports  what subagents reported last; `messages` the agent's last messages.
    prompts  positions (`Observation.seq`) of the user's last messages.
    files    those that the session changed, by their last change; `commands_ok` commands that succeeded and may be needed again.
    """

    question: str = ""
    goals: tuple[UserStatement, ...] = ()
    constraints: tuple[UserStatement, ...] = ()
    working_set: tuple[WorkingFile, ...] = ()
    open_errors: tuple[OpenError, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    dead_ends: tuple[DeadEnd, ...] = ()
    plan: tuple[PlanStep, ...] = ()
    files: tuple[FileState, ...] = ()
    commands_ok: tuple[str, ...] = ()
    recent_identifiers: tuple[str, ...] = ()
    replies: tuple[UserReply, ...] = ()
    ended: tuple[EndedRequest, ...] = ()
    reports: tuple[AgentReport, ...] = ()
    messages: tuple[AgentMessage, ...] = ()
    place: WorkPlace = WorkPlace()
    prompts: tuple[int, ...] = ()

    @property
    def last_message(self) -> str:
        """The agent's latest message, whole; "" for none."""
        return self.messages[-1].text if self.messages else ""
