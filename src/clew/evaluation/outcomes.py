"""Outcomes: what came of a session, read from its transcripts and from what the next session of its repository did first.

Completed is what evidence shows: some check that covers the end passed, none failed, and the next session neither took changes of this one
back nor saw a check fail that had passed, before it changed anything itself. Words are not read for it: who says "thanks" proves nothing.
Without a check at the end, or without a change, it is not known. Subagents' requests are billed with their session's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from clew.errors import UnknownTokenizer
from clew.evaluation.bills import read_requests
from clew.evaluation.cases import read_transcript_lines
from clew.records import FileStatus, Observation, ObservationKind, TaskState, ToolKind, Verdict
from clew.task.commands import analyse_command
from clew.task.git import GitEffectKind, parse_git_effect
from clew.task.outcomes import has_failed
from clew.task.paths import find_touched_files, relative_path
from clew.task.prompts import extract_typed_text
from clew.task.tracker import TaskTracker
from clew.text.tokens import NEWEST_FAMILY, make_counter
from clew.transcript.parse import TranscriptReader
from clew.transcript.pricing import ANTHROPIC_PRICES
from clew.transcript.session_files import build_origin, find_session_files
from clew.trial.outcome import SessionOutcome

SEEN_CHARS_MIN = 80  # of an output; a shorter one is seen again by chance. Guess
_CHANGES = (ToolKind.EDIT, ToolKind.WRITE)
_USES = ("read", "edit", "write")
_LOOKS = (ToolKind.READ, ToolKind.SEARCH)
_REPLIES = (ObservationKind.MESSAGE, ObservationKind.THINKING, ObservationKind.CALL)
_TAKES_BACK = (GitEffectKind.PUT_BACK, GitEffectKind.RESET, GitEffectKind.DROP, GitEffectKind.REVERT)


@dataclass(frozen=True, slots=True)
class ReadSession:
    """The observations of one session and of those that go on it, in order, each once; and the lines that bills are read from."""

    observations: tuple[Observation, ...]
    lines: tuple[bytes, ...]
    agent_lines: tuple[bytes, ...] = ()

    @property
    def first_ns(self) -> int:
        """Time of the first observation that has one, 0 without."""
        return next((each.at_ns for each in self.observations if each.at_ns), 0)

    @property
    def last_ns(self) -> int:
        """Time of the last observation that has one, 0 without."""
        return next((each.at_ns for each in reversed(self.observations) if each.at_ns), 0)


def read_session(paths: Sequence[Path], *, until_ns: int = 0) -> ReadSession:
    """Read the transcripts of a session and of those that go on it; what several of them hold counts once.

    until_ns  what came later is left out; 0 for nothing.
    Raises    NotReadable.
    """
    observations: list[Observation] = []
    lines: dict[bytes, None] = {}
    agent_lines: list[bytes] = []
    known: set[str] = set()
    for path in paths:
        session = find_session_files(path)
        read = read_transcript_lines(path)
        lines.update(dict.fromkeys(read))
        here = list(TranscriptReader(read, origin=build_origin(session)).read_observations())
        new = [each for each in here if each.uuid not in known and (not until_ns or each.at_ns <= until_ns)]
        known.update(each.uuid for each in here)
        observations += new if len(paths) == 1 else [replace(each, seq=len(observations) + at) for at, each in enumerate(new)]
        for agent in session.agents:
            agent_lines += read_transcript_lines(agent)
    return ReadSession(tuple(observations), tuple(lines), tuple(agent_lines))


def measure_outcome(
    session: str, read: ReadSession, after: ReadSession | None, *, at_ns: int, added: Sequence[tuple[int, str]] = ()
) -> SessionOutcome:  # fmt: skip
    """Return what came of a session.

    after  the next session of the same repository; None while there is none.
    added  (time in ns, path) of the files that were named beside its prompts.
    Cost   a pass of the tracker over both, and a count of what the model wrote.
    """
    tracker = TaskTracker()
    main = [each for each in read.observations if not each.agent]
    for each in read.observations:
        tracker.observe(each)
    state = tracker.state()
    is_completed, why = judge_end(state)
    if is_completed and after is not None and (undone := find_undoing(state, after.observations, tracker.root)):
        is_completed, why = False, undone
    units, requests = _add_bills(read, main)
    rereads, repeated = _count_repeats(main)
    return SessionOutcome(
        session, at_ns, is_completed, why, units, requests,
        sum(each.kind is ObservationKind.PROMPT and not each.is_meta and bool(extract_typed_text(each.text)) for each in main),
        sum(each.kind is ObservationKind.BOUNDARY for each in main), rereads, repeated, _time_first_edit(main),
        len(added), _count_used(added, read.observations, tracker.root),
    )  # fmt: skip


def judge_end(state: TaskState) -> tuple[bool | None, str]:
    """Return whether a session's checks were green at its end, and what says so; None where that is not known."""
    if not any(file.state is not FileStatus.REVERTED for file in state.files):
        return None, "it changed no file"
    checks = sorted((check for check in state.checks if check.verdict is not Verdict.NOT_SEEN), key=lambda check: check.seq)
    if not checks:
        return None, "no check was seen to pass or fail"
    failed = [check for check in checks if check.verdict is Verdict.FAILED]
    if any(not check.is_stale for check in failed) or checks[-1].verdict is Verdict.FAILED:
        return False, "a check failed last"
    if all(check.is_stale for check in checks):
        return None, "files were changed after the last check"
    return (None, "a check that failed was not run again") if failed else (True, "a check passed last")


def find_undoing(state: TaskState, after: Iterable[Observation], root: str) -> str:
    """Return by what a later session undid or refuted the work that ended in `state`, before it changed anything itself; "" for nothing."""
    files = {file.path for file in state.files}
    commits = tuple(commit.digest for commit in state.place.commits if commit.digest)
    green = {check.command for check in state.checks if check.verdict is Verdict.PASSED}
    tracker = TaskTracker()
    for each in after:
        if each.agent:
            continue
        tracker.observe(each)
        call = each.call
        if each.kind is not ObservationKind.RESULT or call is None or call.result is None or not call.arguments:
            continue
        if call.kind in _CHANGES and has_failed(call.result) is False:
            return ""
        if not call.command:
            continue
        if has_failed(call.result) is False and _takes_back(call.command, call.workdir or each.cwd, root, files, commits):
            return "the next session took changes back"
        failed = next((check for check in tracker.state().checks if check.verdict is Verdict.FAILED and check.command in green), None)
        if failed is not None:
            return "in the next session a check failed that had passed, before anything was changed"
    return ""


def _takes_back(command: str, cwd: str, root: str, files: set[str], commits: Sequence[str]) -> bool:
    """Whether a command line took one of these files or commits back."""
    for simple in analyse_command(command).commands:
        effect = parse_git_effect(simple)
        if effect is None or effect.kind not in _TAKES_BACK:
            continue
        if effect.kind is GitEffectKind.PUT_BACK:
            is_ours = not effect.names or any(_covers(relative_path(name, cwd, root) or ".", files) for name in effect.names)
        elif effect.kind is GitEffectKind.REVERT:
            named = tuple(name for name in effect.names if name != "HEAD")
            is_ours = any(not named or each.startswith(named) or any(name.startswith(each) for name in named) for each in commits)
        elif effect.kind is GitEffectKind.DROP:
            is_ours = bool(commits)
        else:
            is_ours = bool(files) and not commits
        if is_ours:
            return True
    return False


def _covers(path: str, files: set[str]) -> bool:
    return path in files or path in (".", "") or any(file.startswith(f"{path.rstrip('/')}/") for file in files)


def _add_bills(read: ReadSession, main: Sequence[Observation]) -> tuple[float | None, int]:
    """What all requests of a session were billed in units, None where nothing says so, and how many its main thread made.

    The client notes what a reply took as it begins to come, so what was written is counted where that is more.
    """
    requests = list(read_requests(read.lines))
    if not requests:
        return None, sum(each.kind in _REPLIES for each in main)
    of_agents = [*read_requests(read.lines, is_agent=True), *read_requests(read.agent_lines, is_agent=True)]
    try:
        counter = make_counter(requests[0].model)
    except UnknownTokenizer:
        counter = make_counter(NEWEST_FAMILY)
    written = sum(counter.count_many([each.text for each in main if each.kind in _REPLIES]))
    output = max(written, sum(request.output for request in requests)) + sum(request.output for request in of_agents)
    prices = ANTHROPIC_PRICES
    units = output * prices.output
    for request in (*requests, *of_agents):
        units += request.read * prices.read + request.written * prices.write_price(request.ttl_s) + request.plain * prices.base
    return units, len(requests)


def _count_repeats(main: Sequence[Observation]) -> tuple[int, int]:
    """(looks whose output had been seen, calls that failed as they had before with no change in between)."""
    seen: set[bytes] = set()
    failing: set[str] = set()
    rereads = repeated = 0
    for each in main:
        call = each.call
        if each.kind is not ObservationKind.RESULT or call is None or call.result is None:
            continue
        failed = has_failed(call.result)
        asked = call.command or call.arguments
        if failed:
            repeated += asked in failing
            failing.add(asked)
        elif failed is False and call.kind in _CHANGES:
            failing.clear()
        elif failed is False and call.kind in _LOOKS and len(each.text) >= SEEN_CHARS_MIN:
            key = blake2b(each.text.encode("utf-8", "replace"), digest_size=16).digest()
            rereads += key in seen
            seen.add(key)
    return rereads, repeated


def _count_used(added: Sequence[tuple[int, str]], observations: Iterable[Observation], root: str) -> int:
    """Return how many of these files were read or changed after the prompt that they were named beside, subagents included."""
    last: dict[str, int] = {}
    for each in observations if added else ():
        call = each.call
        if each.kind is ObservationKind.RESULT and call is not None and call.result is not None and has_failed(call.result) is False:
            for touch in find_touched_files(call):
                if touch.how in _USES and (path := relative_path(touch.path, call.workdir or each.cwd, root)):
                    last[path] = max(last.get(path, 0), each.at_ns)
    return sum(last.get(path, 0) > at_ns for at_ns, path in added)


def _time_first_edit(main: Sequence[Observation]) -> float | None:
    asked = next((each.at_ns for each in main if each.kind is ObservationKind.PROMPT and not each.is_meta and each.at_ns), 0)
    edited = next(
        (
            each.at_ns
            for each in main
            if each.kind is ObservationKind.RESULT and each.at_ns and each.call and each.call.kind in _CHANGES and each.call.result
            and has_failed(each.call.result) is False
        ),
        0,
    )  # fmt: skip
    return (edited - asked) / 1e9 if asked and edited >= asked else None
