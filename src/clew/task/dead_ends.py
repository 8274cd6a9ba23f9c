"""Detect dead ends: attempts that the user refused, that were taken back, or that cannot work here, so that nobody repeats them.

Only acts count, as the client, git and the tools record them; what merely failed, or was talked about, is none.

refused    The user refused a call and said why, and the agent went on with something else.
corrected  The user objected, the agent agreed, and it replaced lines of its own.
reverted   The agent took its own edits, commits or files back, and went on with something else.
failed     A tool says that what was called does not exist here: a program, an option, a tool, a page, a repository; or that git ignores a
           file. Or a file could not be read whole, and in part it could.

An entry quotes what was tried, and the words by which it ended. It ends when the same is done after all: the refused lines are
written, the command runs, the program is found. Memory is bounded: of texts the beginning is kept, of lines their hashes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TypeVar

import msgspec

from clew.records import CallOutcome, DeadEnd, Observation, SimpleCommand, ToolCall, ToolKind
from clew.task.bounded import drop_oldest
from clew.task.commands import CommandAnalysis, command_name
from clew.task.git import GitEffect, GitEffectKind, parse_git_effect, read_commits
from clew.task.outcomes import extract_failure_lines
from clew.task.replies import is_assent
from clew.task.unavailable import OUTPUT_CHARS, find_missing_programs, find_unknown_option, option_names

DEAD_ENDS_MAX = 48  # remembered
SHOWN_MAX = 25  # of a state: what a hand-off has room for
SHOWN_CHARS_MAX = 5_500  # guess: about 2,300 tokens of commands and paths
LINE_CHARS = 320  # of a text and of a reason, as a hand-off cuts them
WAITING_MAX = 32
EDITS_OF_FILE_MAX = 12  # guess: an edit is undone soon or not at all
FILES_MAX = 64
LINES_MAX = 40  # of one attempt that are known again
EDIT_LINES_MAX = 12  # of one edit that may be taken back
OWN_LINES_MAX = 1_500  # that the agent wrote last
SHOWN_LINES = 2
REPLACED_MIN = 2  # lines of its own that an agent replaces after an objection; one may be a slip
LINE_CHARS_MIN = 6  # a shorter one (`}`, `else`) is known by nothing
MADE_SHARE = 0.5  # of the lines of an attempt that are written after all: it was no dead end
FAILURES_MIN = 2  # of a tool that never worked; once may be its arguments
EXCERPT_CHARS_MAX = 120
COMMAND_CHARS_MAX = 300
WORDS_CHARS_MAX = 400
WEIGHTS = {"refused": 0.8, "corrected": 0.75, "reverted": 0.7, "failed": 0.5}  # guess: what costs most when it is repeated stands first

T = TypeVar("T")

_LOOKING = (ToolKind.READ, ToolKind.SEARCH, ToolKind.TODO)
_DELIVERING = frozenset(("commit", "push", "add", "tag"))  # git's: what the user says then is about what they deliver
# What git and gh print.
_IGNORED = re.compile(r"(?m)^The following paths are ignored by one of your \.gitignore files:\n(\S.{0,300})$")
_ELSEWHERE = re.compile(r"(?m)^fatal: '([^'\n]{1,200})' is already (?:used by worktree|checked out) at .{1,300}$")
_TOOL_NAME = re.compile(r"[\w.:-]{1,120}")  # another is a slip of the pen
_NAMELESS = re.compile(r"Could not resolve to an? \w{1,30} with the \w{1,20}(?: of)? '([^'\n]{1,150})'")
_NOT_THERE = re.compile(r"(?m)^gh: .{1,80} \(HTTP 4\d\d\)$")
# Edits that are meant to be taken back: prints for debugging, imports that follow other edits.
_IN_PASSING = re.compile(
    r"(?i)debug|print|console\.|\blog\b|\bdbg!|^(?:(?:added|removed) )?`(?:(?:import|from|use|using|#include|require)\b|[\"'])"
)
# The one sign in words, measured in bench/LOG.md: counted only together with an objection before it and replaced lines after it.
_AGREES = re.compile(
    r"(?i)(?:(?:ah|oh|yes|yeah|no|ha|hmm+|ok(?:ay)?)[,!. —–-]+)?"
    r"(?:you(?:['’]re| are) (?:absolutely |completely |totally |quite )?(?:right|correct)\b"
    r"|(?:good|great|fair|excellent|valid) point\b|i (?:misunderstood|was wrong)\b|my mistake\b|fair enough\b|i apologi[sz]e)"
)


class _Edit(msgspec.Struct, array_like=True):
    old: str
    new: str
    excerpt: str
    seq: int
    lines: list[str]


class _Attempt(msgspec.Struct, array_like=True):
    """An attempt that ended.

    lines  hashes of its lines that nobody has written since, of `total`.
    forms  the commands that it would have run, without their options.
    """

    text: str
    reason: str
    uuid: str
    seq: int
    sign: str
    lines: list[str] = []
    total: int = 0
    forms: list[str] = []


class DeadEndMemory(msgspec.Struct, omit_defaults=True):
    """All that a detector remembers."""

    edits: dict[str, list[_Edit]] = msgspec.field(default_factory=dict[str, list[_Edit]])
    written: dict[str, _Edit] = msgspec.field(default_factory=dict[str, _Edit])
    commits: list[tuple[str, str]] = msgspec.field(default_factory=list[tuple[str, str]])
    waiting: dict[str, _Attempt] = msgspec.field(default_factory=dict[str, _Attempt])  # until the agent goes on with something else
    found: dict[str, _Attempt] = msgspec.field(default_factory=dict[str, _Attempt])
    failures: dict[str, int] = msgspec.field(default_factory=dict[str, int])  # of a tool that never worked
    prompt: str = ""  # what the user said last, also with a refusal
    prompt_seq: int = -1
    said: str = ""  # what the agent said last
    said_seq: int = -1
    failure: str = ""
    failure_seq: int = -1
    own: dict[str, int] = msgspec.field(default_factory=dict[str, int])  # hashes of lines that the agent wrote: when
    objection: str = ""  # topic of what is replaced since the agent agreed with an objection
    agreed: str = ""  # the message in which it agreed
    stashed: str = ""


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """A tool call that has ended, with what the task tracker knows of it.

    command      what its command line does, where it runs one.
    observation  of its result.
    has_failed   did it fail, its checks judged by their output; None where nothing tells.
    name_path    gives a path, as the call writes it, the name that this room uses for the file.
    """

    call: ToolCall
    command: CommandAnalysis | None
    observation: Observation
    has_failed: bool | None
    name_path: Callable[[str], str]

    @property
    def is_read_only(self) -> bool:
        """Whether the call only read or searched, and changed nothing."""
        if self.command:
            return self.command.is_query and not self.command.checks
        return self.call.kind in _LOOKING or bool(self.call.job)


@dataclass(frozen=True, slots=True)
class DeadEndChanges:
    """Dead ends that the latest observations added, as (topic, dead end), and the topics of those that they withdrew."""

    added: tuple[tuple[str, DeadEnd], ...]
    removed: tuple[str, ...]


_NOTHING = DeadEndChanges((), ())


@dataclass(slots=True)
class DeadEndDetector:
    """Finds the dead ends of a session from its prompts, messages and finished tool calls, passed to it in order.

    added, removed  topics of dead ends that were added or withdrawn since `take_changes` was called.
    """

    memory: DeadEndMemory = field(default_factory=DeadEndMemory)
    added: dict[str, None] = field(default_factory=dict[str, None])
    removed: dict[str, None] = field(default_factory=dict[str, None])

    def select_dead_ends(self) -> tuple[DeadEnd, ...]:
        """Return the dead ends of the highest weight, at most SHOWN_MAX and SHOWN_CHARS_MAX characters, in the order of the session."""
        known = [_dead_end(attempt) for attempt in self.memory.found.values()]
        order = sorted(range(len(known)), key=lambda at: (-known[at].weight, -known[at].seq, -at))[:SHOWN_MAX]
        shown: list[int] = []
        room = SHOWN_CHARS_MAX
        for at in order:
            size = min(len(known[at].text), LINE_CHARS) + min(len(known[at].reason), LINE_CHARS)
            if size <= room:
                shown.append(at)
                room -= size
        return tuple(known[at] for at in sorted(shown, key=lambda at: (known[at].seq, at)))

    def take_changes(self) -> DeadEndChanges:
        """Return the dead ends that were added or withdrawn since the last call of this method."""
        if not (self.added or self.removed):
            return _NOTHING
        known = self.memory.found
        changes = DeadEndChanges(tuple((topic, _dead_end(known[topic])) for topic in self.added if topic in known), tuple(self.removed))
        self.added, self.removed = {}, {}
        return changes

    # What was said: the reason of what ends next.

    def observe_prompt(self, words: str, observation: Observation) -> None:
        """Record a prompt of the user, which may say why a call was refused just before."""
        memory = self.memory
        self._hear(words, observation)
        for topic, attempt in list(memory.waiting.items()):
            if not attempt.reason and attempt.sign == "refused":
                if is_assent(words) or words.startswith("/"):
                    del memory.waiting[topic]
                else:
                    attempt.reason = _clip(words)
            elif attempt.sign == "reverted":
                del memory.waiting[topic]
                self._claim(topic, attempt)

    def observe_message(self, text: str, observation: Observation) -> None:
        """Record a message of the agent, which may say why it takes back what it did."""
        if not text.strip():
            return
        memory = self.memory
        # Who pastes an output reports what happened, and objects to nothing.
        if memory.said_seq < memory.prompt_seq and "```" not in memory.prompt and _AGREES.match(text.lstrip()):
            memory.objection, memory.agreed = f"corrected {memory.prompt_seq}", _clip(text)
        memory.said, memory.said_seq = _clip(" ".join(text[: 2 * WORDS_CHARS_MAX].split())), observation.seq

    # What was done.

    def observe_call(self, attempt: FinishedCall) -> None:
        """Record a finished tool call: it may be refused, take something back, fail for good, or do what was given up before."""
        call, command = attempt.call, attempt.command
        if call.result and call.result.is_refused:
            self._refuse(attempt)
        elif attempt.has_failed is not False:
            self._fail(attempt)
            if attempt.has_failed is None and command and call.result and call.result.outcome is CallOutcome.OK:
                self._run(attempt, command)  # the verdict of its checks was not seen; what git did beside them holds
        else:
            self._succeed(attempt)

    def _hear(self, words: str, observation: Observation) -> None:
        """Take what the user says, typed or with a refusal: it may be an objection to what the agent did."""
        memory = self.memory
        memory.prompt, memory.prompt_seq, memory.objection = _clip(words), observation.seq, ""

    def _refuse(self, attempt: FinishedCall) -> None:
        """Keep a call that the user refused: until the agent goes on with something else, or does it after all."""
        memory, call, seen = self.memory, attempt.call, attempt.observation
        said = _clip(call.result.said) if call.result else ""
        if said:
            self._hear(said, seen)
        if call.kind in (ToolKind.EDIT, ToolKind.WRITE):
            lines, forms = _lines_of_call(call), list[str]()
            if not lines:
                return
        elif attempt.command and said and not attempt.is_read_only and not _delivers(attempt.command):
            lines, forms = [], [_form(simple) for simple in attempt.command.commands]
        else:
            return
        topic = f"refused {call.path} {_digest(call.arguments)}"
        what = f"{_naming(attempt)} (refused)"
        _put(memory.waiting, topic, _Attempt(what, said, seen.uuid, seen.seq, "refused", lines, len(lines), forms), WAITING_MAX)

    def _fail(self, attempt: FinishedCall) -> None:
        """See a failed call: it may say that what it called does not exist here."""
        memory, call, command, seen = self.memory, attempt.call, attempt.command, attempt.observation
        output = call.output
        if command:
            if attempt.has_failed and not attempt.is_read_only and (lines := extract_failure_lines(output)):
                memory.failure, memory.failure_seq = lines[0], seen.seq
            if attempt.has_failed:
                self._close(attempt, command)
        elif call.result and call.result.is_unknown_tool and _TOOL_NAME.fullmatch(call.tool):
            self._enter(f"tool {call.tool}", f"{_naming(attempt)} (failed)", _first_line(output), seen, "failed")
        elif call.agent_type and call.agent_type in output[:OUTPUT_CHARS] and attempt.has_failed:
            what = f"{call.tool} with {call.agent_type} (failed)"
            self._enter(f"agent {call.agent_type}", what, _first_line(output), seen, "failed")
        elif call.kind is ToolKind.READ and attempt.has_failed and not call.is_partial and (path := attempt.name_path(call.path)):
            whole = _Attempt(f"{call.tool} {path} as a whole (failed)", _clip(_first_line(output)), seen.uuid, seen.seq, "failed")
            _put(memory.waiting, f"whole {path}", whole, WAITING_MAX)
        elif call.url and attempt.has_failed:
            self._enter(f"page {call.url}", f"{call.tool} {_clip(call.url)} (failed)", _first_line(output), seen, "failed")
        elif call.is_foreign and attempt.has_failed:
            failures = memory.failures.get(call.tool, 0) + 1
            _put(memory.failures, call.tool, failures, WAITING_MAX)
            if failures == FAILURES_MIN:
                self._enter(f"tool {call.tool}", f"{_naming(attempt)} (failed)", _first_line(output), seen, "failed")

    def _close(self, attempt: FinishedCall, command: CommandAnalysis) -> None:
        """Enter what a command that failed says of a program, an option or a path that it was given."""
        seen, naming = attempt.observation, f"{_naming(attempt)} (failed)"
        head = attempt.call.output[:OUTPUT_CHARS]
        for name, said in find_missing_programs(attempt.call.command, attempt.call.output):
            self._enter(f"program {name}", naming, said, seen, "failed")
        if unknown := find_unknown_option(command.commands, attempt.call.output):
            program, option, said = unknown
            self._enter(f"option {program} {option}", naming, said, seen, "failed")
        if found := _IGNORED.search(head):
            self._enter(f"ignored {found[1]}", naming, " ".join(found[0].split()), seen, "failed")
        if (found := _NOT_THERE.search(head)) and command.main:
            self._enter(f"request {re.sub(r'[0-9]+', '#', _form(command.main))}", naming, found[0], seen, "failed")
        if found := _NAMELESS.search(head):
            self._enter(f"name {found[1]}", naming, found[0], seen, "failed")
        if found := _ELSEWHERE.search(head):
            self._enter(f"elsewhere {found[1]}", naming, found[0], seen, "failed")

    def _succeed(self, attempt: FinishedCall) -> None:
        memory, call, seen = self.memory, attempt.call, attempt.observation
        memory.failures.pop(call.tool, None)
        self._drop(f"tool {call.tool}")
        for topic in (f"agent {call.agent_type}", f"page {call.url}"):
            self._drop(topic)
        if call.kind in (ToolKind.READ, ToolKind.WRITE):
            topic = f"whole {attempt.name_path(call.path)}"
            if not call.is_partial:
                self._drop(topic)
            elif whole := memory.waiting.pop(topic, None):
                self._claim(topic, whole)
        if call.edits or call.kind is ToolKind.WRITE:
            made = _lines_of_call(call)
            self._make(made)
            if call.kind is ToolKind.WRITE and (path := attempt.name_path(call.path)):
                memory.edits.pop(path, None)
                _put(memory.written, path, _Edit("", "", "", seen.seq, made[:LINES_MAX]), FILES_MAX)
            for edit in call.edits:
                self._edit(attempt.name_path(edit.path), edit.old, edit.new, attempt)
            for line in made:
                _put(memory.own, line, seen.seq, OWN_LINES_MAX)
        if attempt.command:
            self._run(attempt, attempt.command)

    def _make(self, lines: list[str]) -> None:
        """Compare what was written with what was given up: what is made after all was no dead end, and what waits is passed by."""
        memory, made = self.memory, frozenset(lines)
        for table in (memory.waiting, memory.found):
            for topic, known in list(table.items()):
                if known.total and not made.isdisjoint(known.lines):
                    known.lines = [line for line in known.lines if line not in made]
                    if known.total - len(known.lines) >= MADE_SHARE * known.total:
                        self._drop(topic)
        self._pass_by()

    def _pass_by(self) -> None:
        """Enter what waits: the agent has gone on with something else."""
        memory = self.memory
        for topic, known in list(memory.waiting.items()):
            if known.sign == "reverted" or (known.sign == "refused" and known.reason):
                del memory.waiting[topic]
                self._claim(topic, known)

    def _edit(self, path: str, old: str, new: str, attempt: FinishedCall) -> None:
        """Keep a successful edit; one that puts back what an earlier one replaced takes that one back."""
        if not path or old == new:
            return
        memory, seen = self.memory, attempt.observation
        if memory.objection:
            self._replace(path, old, new, seen)
        gone, come = strip_common_lines(old, new)
        before, after = _digest(gone), _digest(come)
        edits = memory.edits.pop(path, [])
        for earlier in reversed(edits):
            if earlier.old == after and earlier.new == before:
                edits.remove(earlier)
                if earlier.excerpt and not _IN_PASSING.search(earlier.excerpt):
                    topic = f"put back {memory.prompt_seq}"
                    if f"corrected {memory.prompt_seq}" in memory.found:
                        break
                    self._wait(topic, f"{path}: {earlier.excerpt}, put back", earlier.seq, earlier.lines, seen)
                break
        else:
            edits.append(_Edit(before, after, _excerpt(old, new), seen.seq, _lines(new, old)[:EDIT_LINES_MAX]))
        if edits:
            _put(memory.edits, path, edits[-EDITS_OF_FILE_MAX:], FILES_MAX)

    def _replace(self, path: str, old: str, new: str, seen: Observation) -> None:
        """Enter the lines of the agent's own that it replaces after it agreed with an objection of the user."""
        memory = self.memory
        lines = {_digest(clean): clean for line in old.split("\n") if (clean := line.strip())}
        lost = [line for line in _lines(old, new) if memory.own.get(line, memory.prompt_seq) < memory.prompt_seq]
        if not lost:
            return
        topic = memory.objection
        known = memory.waiting.pop(topic, None) or memory.found.get(topic)
        if known is None:
            shown = " ".join(f"`{lines[line][:EXCERPT_CHARS_MAX]}`" for line in lost[:SHOWN_LINES])
            known = _Attempt(f"{path}: {shown}, replaced", f"{memory.prompt} / {memory.agreed}", seen.uuid, seen.seq, "corrected")
        known.lines = list(dict.fromkeys((*known.lines, *lost)))[:LINES_MAX]
        known.total = len(known.lines)
        if known.total < REPLACED_MIN:
            memory.waiting[topic] = known
        elif topic not in memory.found:
            self._drop(f"put back {memory.prompt_seq}")
            self._claim(topic, known)

    def _run(self, attempt: FinishedCall, command: CommandAnalysis) -> None:
        """See a command that succeeded: it may take something back, or do what was given up before."""
        memory, line, output = self.memory, attempt.call.command, attempt.call.output
        if find_missing_programs(line, output):  # behind a pipe, or followed by `;`
            self._close(attempt, command)
            return
        if command.main:
            self._drop(f"request {re.sub(r'[0-9]+', '#', _form(command.main))}")
        for topic in [topic for topic in memory.found if topic.startswith("name ") and topic.removeprefix("name ") in line]:
            self._drop(topic)
        is_hidden = "||" in line or "/dev/null" in line or not output.strip()
        for simple in command.commands if not is_hidden else ():
            self._drop(f"program {simple.program}")
            if "-m" in simple.words[1:-1]:
                self._drop(f"program {simple.words[simple.words.index('-m') + 1]}")
            for option in option_names(simple):
                self._drop(f"option {simple.words[0]} {option}")
        forms = {_form(simple) for simple in command.commands}
        for table in (memory.waiting, memory.found):
            for topic in [topic for topic, known in table.items() if not forms.isdisjoint(known.forms)]:
                self._drop(topic)
        if not attempt.is_read_only and not command.checks:
            self._pass_by()
        if command.checks and attempt.has_failed is False:  # an edit put back before a green check was an experiment
            memory.waiting.pop(f"put back {memory.prompt_seq}", None)
        self._git(command, attempt)

    def _git(self, command: CommandAnalysis, attempt: FinishedCall) -> None:
        """Note what a git or rm command takes back."""
        memory, seen = self.memory, attempt.observation
        effects = [parse_git_effect(simple) for simple in command.commands]
        kinds = {effect.kind for effect in effects if effect}
        if GitEffectKind.UNSTASH in kinds and memory.stashed:
            self._drop(memory.stashed)
            memory.stashed = ""
        # Work that is put aside for a moment.
        is_aside = len(command.commands) > 1 and not kinds.isdisjoint((GitEffectKind.STASH, GitEffectKind.UNSTASH))
        for simple, effect in zip(command.commands, effects, strict=True):
            if simple.words[0] == "rm":
                for path in map(attempt.name_path, (word for word in simple.words[1:] if not word.startswith("-"))):
                    if (written := memory.written.pop(path, None)) is not None and not _IN_PASSING.search(path):
                        self._wait(f"removed {path}", f"{path}, written and removed again", written.seq, written.lines, seen)
            elif effect and effect.kind is GitEffectKind.COMMIT:
                memory.edits, memory.written = {}, {}
                made = read_commits(attempt.call.output[:4000])
                memory.commits = [*memory.commits, *((each.digest, each.line.partition("] ")[2]) for each in made)][-8:]
            elif effect and not is_aside:
                self._undo(" ".join(simple.words), effect, attempt)

    def _undo(self, words: str, effect: GitEffect, attempt: FinishedCall) -> None:
        memory, seen = self.memory, attempt.observation
        words = _clip(words, EXCERPT_CHARS_MAX)
        if effect.kind is GitEffectKind.ABORT:
            verb = words.split()[1]
            self._wait(f"aborted {verb}", f"git {verb}, given up with `{words}`", memory.failure_seq, [], seen)
        elif effect.kind is GitEffectKind.REVERT:
            given = next(iter(effect.names), "HEAD")
            subject = next((subject for digest, subject in memory.commits if digest.startswith(given[:7])), "")
            subject = subject or (memory.commits[-1][1] if given == "HEAD" and memory.commits else "")
            if subject:
                self._wait(f"revert {subject}", f"commit {subject}, reverted", memory.failure_seq, [], seen)
        if effect.kind is GitEffectKind.DROP and memory.commits:
            _, subject = memory.commits.pop()
            self._wait(f"reset {subject}", f"commit {subject}, undone by `{words}`", memory.failure_seq, [], seen)
        if undone := self._undone_by(effect, attempt.name_path):
            gone = [edit for path in undone for edit in memory.edits.pop(path)]
            shown = ", ".join(undone[:4]) + (f" and {len(undone) - 4} more" if len(undone) > 4 else "")
            text = f"{len(gone)} edit{'s' if len(gone) > 1 else ''} of {shown}, undone by `{words}`: {gone[0].excerpt}".rstrip(": ")
            topic = f"undone {text}"
            self._wait(topic, text, gone[0].seq, list(dict.fromkeys(line for edit in gone for line in edit.lines)), seen)
            if effect.kind is GitEffectKind.STASH:
                memory.stashed = topic

    def _undone_by(self, effect: GitEffect, named: Callable[[str], str]) -> list[str]:
        """The edited files that this git command puts back."""
        edits = self.memory.edits
        match effect.kind:
            case GitEffectKind.DROP:
                is_all = True
            case GitEffectKind.RESET:
                is_all = effect.names in ((), ("HEAD",))
            case GitEffectKind.PUT_BACK | GitEffectKind.SWITCH:
                is_all = not effect.names
            case _:
                return []
        paths = {named(name) for name in effect.names} if effect.kind in (GitEffectKind.PUT_BACK, GitEffectKind.SWITCH) else set[str]()
        return [path for path in sorted(edits) if is_all or path in paths]

    # Helpers.

    def _wait(self, topic: str, text: str, since: int, lines: list[str], seen: Observation) -> None:
        """Keep what was taken back until somebody goes on with something else. since: number of the observation that it began with."""
        memory, reason = self.memory, self._reason_since(since)
        if known := memory.waiting.pop(topic, None) or memory.found.pop(topic, None):  # edit by edit, for one reason
            text = known.text if len(known.text) > WORDS_CHARS_MAX // 2 else f"{known.text}; {text}"
            lines, reason = [*known.lines, *lines], known.reason
        lines = list(dict.fromkeys(lines))[:LINES_MAX]
        attempt = _Attempt(text, reason, seen.uuid, seen.seq, "reverted", lines, len(lines))
        if memory.prompt_seq > since >= 0:  # the user had a say
            self._claim(topic, attempt)
        else:
            _put(memory.waiting, topic, attempt, WAITING_MAX)

    def _reason_since(self, seq: int) -> str:
        """The words that explain what ends now: the user's since then, else what the agent said of it, else what failed."""
        memory = self.memory
        asked = memory.prompt if memory.prompt_seq > seq else ""
        said = memory.said if memory.said_seq > max(seq, memory.prompt_seq) else ""
        return " / ".join(filter(None, (asked, said))) or (memory.failure if memory.failure_seq > seq else "")

    def _enter(self, topic: str, text: str, reason: str, seen: Observation, sign: str) -> None:
        self._claim(topic, _Attempt(text, _clip(reason), seen.uuid, seen.seq, sign))

    def _claim(self, topic: str, attempt: _Attempt) -> None:
        found = self.memory.found
        found.pop(topic, None)
        found[topic] = attempt
        self.added[topic] = None
        self.removed.pop(topic, None)
        drop_oldest(found, DEAD_ENDS_MAX)

    def _drop(self, topic: str) -> None:
        self.memory.waiting.pop(topic, None)
        if self.memory.found.pop(topic, None) is not None:
            self.added.pop(topic, None)
            self.removed[topic] = None


def _naming(attempt: FinishedCall) -> str:
    """A call as a reader would name it."""
    call = attempt.call
    if call.command:
        return f"$ {_clip(' '.join(call.command[: 3 * COMMAND_CHARS_MAX].split()), COMMAND_CHARS_MAX)}"
    if call.path:
        excerpt = next((change for edit in call.edits if (change := _excerpt(edit.old, edit.new))), "")
        return f"{call.tool} {attempt.name_path(call.path) or call.path}{f': {excerpt}' if excerpt else ''}"
    return f"{call.tool} {_clip(' '.join((call.title or call.query).lstrip('# ').split()), EXCERPT_CHARS_MAX)}".strip()


def _delivers(command: CommandAnalysis) -> bool:
    return any(simple.words[0] == "git" and not _DELIVERING.isdisjoint(simple.words[1:2]) for simple in command.commands)


def _form(simple: SimpleCommand) -> str:
    """A command without its options: its name and what it is about."""
    return " ".join((command_name(simple), *[word for word in simple.words[1:] if not word.startswith("-")][:3]))


def _lines_of_call(call: ToolCall) -> list[str]:
    """The hashes of the lines that a call writes and that were not in the text that it replaces."""
    if call.edits:
        return list(dict.fromkeys(line for edit in call.edits for line in _lines(edit.new, edit.old)))
    return _lines(call.content, "")


def _lines(new: str, old: str) -> list[str]:
    before = {line.strip() for line in old.split("\n")}
    come = dict.fromkeys(line.strip() for line in new.split("\n"))
    return [_digest(line) for line in come if len(line) >= LINE_CHARS_MIN and line not in before and any(map(str.isalpha, line))]


def _dead_end(attempt: _Attempt) -> DeadEnd:
    return DeadEnd(attempt.text, attempt.reason, attempt.uuid, attempt.seq, WEIGHTS[attempt.sign], attempt.sign)


def _put(table: dict[str, T], key: str, value: T, most: int) -> None:
    table.pop(key, None)
    table[key] = value
    drop_oldest(table, most)


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _clip(text: str, most: int = WORDS_CHARS_MAX) -> str:
    clean = text.strip()
    return clean if len(clean) <= most else f"{clean[: most - 1].rstrip()}…"


def _first_line(output: str) -> str:
    return next((clean for line in output[:OUTPUT_CHARS].split("\n") if len(clean := line.strip("# \t\r")) > len("### Error")), "")


def _excerpt(old: str, new: str) -> str:
    """The first line that an edit changed, before and after."""
    before, after = old.split("\n"), new.split("\n")
    gone = next((line.strip() for line in before if line.strip() and line not in after), "")
    come = next((line.strip() for line in after if line.strip() and line not in before), "")
    shorten = EXCERPT_CHARS_MAX
    if gone and come:
        return f"`{gone[:shorten]}` became `{come[:shorten]}`"
    if not come and not gone:
        return ""
    return f"added `{come[:shorten]}`" if come else f"removed `{gone[:shorten]}`"


def strip_common_lines(old: str, new: str) -> tuple[str, str]:
    """Return both texts of an edit without the lines that they have in common at their beginning and end."""
    before, after = old.split("\n"), new.split("\n")
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return "\n".join(before[start : len(before) - end]), "\n".join(after[start : len(after) - end])
