"""Detect dead ends: attempts of an agent that failed for good or were undone, so that it does not repeat them.

Six signs count. The user refuses a call, or turns the agent round after it has done something. A tool says that
the way is closed (no such program, no such option, not allowed, nothing by that name, a form that a linter forbids), or a
command that failed is replaced by another one that works. A look-up finds nothing, or more than fits. Edits, commits and
packages are taken back. The agent says that it gave something up, or met an obstacle and turned. It says that what it
supposed is not so. What merely failed is no dead end: it may still be on its way, and a red test that turns green never was one.

An entry quotes: what was done or supposed, and the words by which it failed, so that whoever reads it finds both again.
Each has a weight, a guess at how probable it is that somebody would try it again; a short list is cut by it. Whoever
does later what was said not to work (the same command, the same call, the stash popped) takes it back. Memory is
bounded: texts are kept as excerpts, edits as hashes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

import msgspec

from clew.records import CallOutcome, DeadEnd, Observation, SimpleCommand, ToolCall, ToolKind
from clew.task.bounded import drop_oldest
from clew.task.commands import INSTALLERS, CommandAnalysis, command_name
from clew.task.git import GitEffect, GitEffectKind, parse_git_effect
from clew.task.outcomes import extract_failure_lines
from clew.task.paths import decode_json_or_text
from clew.task.prompts import split_sentences
from clew.task.replies import is_assent
from clew.task.setbacks import (
    GAVE_UP_WEIGHT,
    count_shared_words,
    extract_content_words,
    find_missing_lines,
    find_no_result_sentence,
    find_permanent_failure,
    find_refutations,
    find_setbacks,
    find_theories,
    find_too_large_notice,
    has_error_line,
    rate_concession,
    rate_correction,
)
from clew.task.vocabulary import PATTERNS, matches_any

DEAD_ENDS_MAX = 48  # remembered
SHOWN_MAX = 25  # of a state: what a hand-off has room for
SHOWN_CHARS_MAX = 5_500  # guess: about 2,300 tokens of commands and paths, as a hand-off of 5,000 has other things to say
LINE_CHARS = 320  # of a text and of a reason, as a hand-off cuts them
SHOWN_MIN, WEIGHT_MIN = 16, 0.3  # guess: beyond sixteen a doubtful one costs more than it saves
NEWS_MIN = 0.4  # guess: what merely failed is said in a hand-off, and nowhere kept beyond the session
EDITS_OF_FILE_MAX = 12  # guess: an edit is undone soon or not at all
FILES_MAX = 200
FAILURE_AGE_MAX = 40  # observations between a failure and the sentence that it explains; guess
WAY_AGE_MAX = 14  # observations within which another command replaces one that failed; guess
WAYS_MAX = 12
KEYS_MAX = 64
THEORIES_MAX, THEORY_AGE_MAX = 8, 60  # observations; guess
SHARED_MIN = 3  # words that a theory and what ends it share; guess
SEARCHES_MAX = 6
SPOKEN_CHARS_MAX = 1_500  # of one of them
TERSE_CHARS = 320  # all of an output as short as this is about the call
SHORT_CHARS = 600  # an output as short as this is no listing of somebody's code
COMPLAINT_CHARS_MIN = 12  # "### Error" says nothing
RECENT_MAX = 20  # messages and edits that a correction may speak of; guess
TELLING_CHARS_MIN = 14
NEAREST_MAX = 3
CHANGED_LINES_MAX = 12  # of one edit
DOINGS_CHARS_MAX = 560
RESTATED_CHARS_MAX = 240
EXCERPT_CHARS_MAX = 120
COMMAND_CHARS_MAX = 300
WORDS_CHARS_MAX = 400
GIST_CHARS_MAX = 200
BRIEF_CHARS_MIN = 20  # a shorter sentence ("Done.") says nothing of what was done

T = TypeVar("T")


_PLAN_TAKEN = "Implement the following plan:"  # the client's own words when a plan is taken up in a fresh session
_COMMITTED = re.compile(r"^\[[^\]\n]{1,200} ([0-9a-f]{7,40})\] ([^\n]{1,200})$", re.MULTILINE)
_INSTALLS, _REMOVES = frozenset(("install", "add", "i")), frozenset(("uninstall", "remove", "rm", "un", "purge"))
_VARYING = re.compile(r"[\w.~-]*/[\w./~-]+|\d+|'[^'\n]{1,80}'|\"[^\"\n]{1,80}\"")  # paths, numbers and quoted names in an error
# Their failures say something of the moment (a stale read, a wrong path), not of a way that is closed.
_ABOUT_FILES = (ToolKind.READ, ToolKind.EDIT, ToolKind.WRITE, ToolKind.SEARCH, ToolKind.TODO)
_LOOKING = (ToolKind.READ, ToolKind.SEARCH, ToolKind.TODO)


class _Edit(msgspec.Struct, array_like=True):
    old: str
    new: str
    excerpt: str
    seq: int


class _Way(msgspec.Struct, array_like=True):
    kind: str
    text: str
    reason: str
    uuid: str
    seq: int


class _Found(msgspec.Struct, array_like=True):
    text: str
    reason: str
    uuid: str
    seq: int
    weight: float
    sign: str


class _Heard(msgspec.Struct, array_like=True):
    words: str
    about: str
    uuid: str
    seq: int
    topic: str


class _Memory(msgspec.Struct, omit_defaults=True):
    edits: dict[str, list[_Edit]] = msgspec.field(default_factory=dict[str, list[_Edit]])
    written: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    commits: list[tuple[str, str]] = msgspec.field(default_factory=list[tuple[str, str]])
    packages: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    ways: dict[str, _Way] = msgspec.field(default_factory=dict[str, _Way])
    keys: dict[str, str] = msgspec.field(default_factory=dict[str, str])  # what would take a dead end back: its topic
    found: dict[str, _Found] = msgspec.field(default_factory=dict[str, _Found])
    theories: list[tuple[str, int]] = msgspec.field(default_factory=list[tuple[str, int]])
    searched: list[str] = msgspec.field(default_factory=list[str])  # patterns that were not found
    recent: list[str] = msgspec.field(default_factory=list[str])  # what the agent said and wrote, the newest last
    last: str = ""  # the latest call that did more than look, as a reader would name it
    last_seq: int = -1
    edited: str = ""  # excerpt of the latest edit
    background: dict[str, str] = msgspec.field(default_factory=dict[str, str])  # commands that run on, by the name that the client gave
    failure: str = ""
    failure_seq: int = -1
    gave_up: str = ""  # the agent's latest sentence that gives something up: it explains what is taken back next
    gave_up_seq: int = -1
    said: str = ""  # what the agent said last since the user spoke
    changed: list[str] = msgspec.field(default_factory=list[str])  # files that it changed since then
    done: int = 0  # calls since then
    heard: _Heard | None = None
    refused: str = ""  # topic of a refusal without words: the next prompt explains it
    is_interrupted: bool = False
    stashed: str = ""


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """A tool call that has ended, with what the task tracker knows of it.
    command  what its command line does, where it runs one.
    seen     the observation of its result.
    failed   did it fail, its checks judged by their output; None where nothing tells.
    named    gives a path, as the call writes it, the name that this room uses for the file.
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


class DeadEndDetector:
    """Finds the dead ends of a session from its prompts, messages and finished tool calls, passed to it in order."""

    def __init__(self, memory: bytes = b"") -> None:
        self._memory = msgspec.json.decode(memory, type=_Memory) if memory else _Memory()
        self._new: dict[str, None] = {}
        self._gone: dict[str, None] = {}

    def dump_state(self) -> bytes:
        """Return the detector's state as JSON; a new detector that is made with it continues from here."""
        return msgspec.json.encode(self._memory)

    def select_dead_ends(self) -> tuple[DeadEnd, ...]:
        """Return the dead ends of the highest weight, at most SHOWN_MAX and SHOWN_CHARS_MAX characters, in the order of the session.

        Those below WEIGHT_MIN are returned only while there are fewer than SHOWN_MIN.
        """
        known = list(self._memory.found.values())
        order = sorted(range(len(known)), key=lambda at: (-known[at].weight, -known[at].seq, -at))[:SHOWN_MAX]
        shown: list[int] = []
        room = SHOWN_CHARS_MAX
        for at in order:
            size = min(len(known[at].text), LINE_CHARS) + min(len(known[at].reason), LINE_CHARS)
            if size <= room and (len(shown) < SHOWN_MIN or known[at].weight >= WEIGHT_MIN):
                shown.append(at)
                room -= size
        return tuple(_dead_end(known[at]) for at in sorted(shown, key=lambda at: (known[at].seq, at)))

    def take_changes(self) -> DeadEndChanges:
        """Return the dead ends that were added or withdrawn since the last call of this method."""
        if not (self._new or self._gone):
            return _NOTHING
        known = self._memory.found
        found = tuple((topic, _dead_end(known[topic])) for topic in self._new if topic in known and known[topic].weight >= NEWS_MIN)
        changes = DeadEndChanges(found, tuple(self._gone))
        self._new, self._gone = {}, {}
        return changes

    # What was said.

    def observe_prompt(self, words: str, observation: Observation) -> None:
        """Record a prompt of the user; one that corrects the agent makes a dead end of what the agent did before it."""
        memory = self._memory
        about = self._doings()
        is_interrupted, memory.is_interrupted = memory.is_interrupted, False
        refused, memory.refused = memory.refused, ""
        topic = ""
        if refused and (known := memory.found.get(refused)) and not is_assent(words):
            if words.startswith(_PLAN_TAKEN):  # a new session with the same plan: it was refused only to begin anew
                self._drop(refused)
            else:
                weight = 0.7 if rate_correction(words) else known.weight
                self._enter(refused, known.text, _clip(words), observation, weight, "refused")
        elif about and not is_assent(words):
            weight = rate_correction(words)
            weight = max(weight, 0.65) if is_interrupted else weight
            if weight:
                topic = f"corrected {observation.uuid} {observation.seq}"
                self._enter(topic, self._spoken_of(about, words), _clip(words), observation, weight, "corrected")
        memory.heard = _Heard(_clip(words), about, observation.uuid, observation.seq, topic)
        memory.said, memory.changed, memory.done = "", [], 0

    def observe_note(self, note: Observation) -> None:
        """Record a note of the client; after the note of an interruption the next prompt counts as a correction."""
        if note.tool == "interrupted":
            self._memory.is_interrupted = True

    def observe_message(self, text: str, observation: Observation) -> None:
        """Record a message of the agent, which may accept a correction, give an attempt up, or name an obstacle."""
        memory = self._memory
        heard, memory.heard = memory.heard, None
        yielded = rate_concession(text) if heard is not None else 0.0
        if heard is not None and (known := memory.found.get(heard.topic)) and (restated := _restated(text, heard.words)):
            known.reason = f"{known.reason}\n{restated}"
            nearer = _nearest(memory.recent, f"{heard.words} {restated}", known.text)
            known.text = _clip(" … ".join((known.text, *nearer[:1])), DOINGS_CHARS_MAX)
            self._new[heard.topic] = None
        if heard is not None and heard.about and yielded:
            known = memory.found.get(heard.topic)
            if known is not None:
                known.weight = min(0.9, round(known.weight + 0.25 * yielded, 3))
                self._new[heard.topic] = None
            elif yielded == 1.0 and len(heard.words) > BRIEF_CHARS_MIN:
                self._enter(
                    f"corrected {heard.uuid} {heard.seq}",
                    self._spoken_of(heard.about, heard.words),
                    heard.words,
                    observation,
                    0.5,
                    "corrected",
                )
        self._refute(text, observation)
        age = observation.seq - memory.failure_seq if memory.failure_seq >= 0 else FAILURE_AGE_MAX + 1
        attempt = f" (after: {memory.last})" if memory.last and observation.seq - memory.last_seq <= WAY_AGE_MAX else ""
        for setback in find_setbacks(text, with_causes=age <= WAY_AGE_MAX):
            told, reason = setback.text, memory.failure if age <= 4 else setback.reason
            if setback.weight == GAVE_UP_WEIGHT:
                is_bare = len(told) < 100 and setback.reason
                told = f"{setback.reason} {told}" if is_bare else told
                reason = memory.failure if age <= (10 if is_bare else FAILURE_AGE_MAX) else "" if is_bare else setback.reason
                reason = heard.words if yielded and heard else reason
                memory.gave_up, memory.gave_up_seq = _clip(f"{setback.text} {setback.reason}", GIST_CHARS_MAX), observation.seq
            reason = reason if reason == setback.reason or not setback.reason or told != setback.text else f"{reason}\n{setback.reason}"
            self._enter(f"said {' '.join(setback.text.lower().split())}", f"{told}{attempt}", reason, observation, setback.weight, "said")
        if text.strip():
            memory.said = _gist(text) or memory.said
            memory.recent = [*memory.recent[1 - RECENT_MAX :], text[:SPOKEN_CHARS_MAX]]

    def _refute(self, text: str, observation: Observation) -> None:
        """A theory that the agent followed, and the sentence that ends it: they share their words, or it says so plainly."""
        memory = self._memory
        memory.theories = [known for known in memory.theories if observation.seq - known[1] <= THEORY_AGE_MAX]
        if memory.theories:
            for sentence, before, is_plain in find_refutations(text):
                words = extract_content_words(f"{before} {sentence}")
                shared, at = max((count_shared_words(words, theory), at) for at, (theory, _) in enumerate(memory.theories))
                at = at if shared or not is_plain else len(memory.theories) - 1  # "that's not it": what was supposed last
                if shared >= SHARED_MIN or (is_plain and (shared or observation.seq - memory.theories[at][1] <= WAY_AGE_MAX)):
                    theory, _ = memory.theories.pop(at)
                    context = f"{before} {sentence}" if before and is_plain else sentence
                    self._enter(f"theory {theory}", f"Theory: {theory}", context, observation, 0.55 if is_plain else 0.4, "said")
                    if not memory.theories:
                        break
        memory.theories = [*memory.theories, *((theory, observation.seq) for theory in find_theories(text))][-THEORIES_MAX:]

    # What was done.

    def observe_call(self, attempt: FinishedCall) -> None:
        """Record a finished tool call: it may fail, be refused, undo edits, or succeed where an earlier one had failed."""
        memory, call, seen = self._memory, attempt.call, attempt.observation
        key = _digest(f"{call.tool}\n{call.arguments}")
        if call.result and call.result.is_refused:
            self._refuse(attempt, key)
            return
        memory.done += 1
        self._look_up(attempt)
        if call.command and call.result and call.result.job:
            _put(memory.background, call.result.job, _naming(attempt), WAYS_MAX)
        if not attempt.is_read_only:
            memory.last, memory.last_seq = _clip(_naming(attempt), EXCERPT_CHARS_MAX), seen.seq
        if attempt.has_failed is not False:
            self._fail(attempt, key)
            if attempt.has_failed is None and attempt.command and call.result and call.result.outcome is CallOutcome.OK:
                self._git(attempt.command, attempt)  # the verdict of its checks was not seen; what git did beside them holds
            return
        if topic := memory.keys.pop(key, ""):
            self._drop(topic)
        for edit in call.edits:
            self._edit(attempt.name_path(edit.path), edit.old, edit.new, seen)
        if call.kind is ToolKind.WRITE and (path := attempt.name_path(call.path)):
            _put(memory.written, path, seen.seq, FILES_MAX)
            self._change(path)
        if call.todo and call.todo.status == "deleted" and (step := call.todo.text):
            self._enter(f"plan {step}", f"step of the plan, given up: {step}", "", seen, 0.4, "said")
        if attempt.command:
            self._ran(attempt, attempt.command, key)

    def _look_up(self, attempt: FinishedCall) -> None:
        """Enter a look-up that found nothing, or more than fits."""
        call, seen = attempt.call, attempt.observation
        if why := find_too_large_notice(call.output):
            where = _naming(attempt)
            self._enter(f"large {call.tool} {where[:60]}", f"{where} (too large)", why, seen, 0.5, "failed")
        elif call.job:
            if (command := self._memory.background.get(call.job)) and (missing := find_missing_lines(call.output)):
                self._enter(f"background {call.job}", f"{command} (failed)", "\n".join(missing), seen, 0.42, "failed")
        elif call.kind is ToolKind.SEARCH and call.result and call.result.is_empty:
            memory = self._memory
            if call.query and call.query not in memory.searched:
                memory.searched = [*memory.searched, _clip(call.query, 60)][-SEARCHES_MAX:]
                shown = ", ".join(f"`{each}`" for each in memory.searched)
                self._enter("searched", f"Searches without a match: {shown}", call.output.split("\n")[0], seen, 0.35, "failed")
        elif call.kind in (ToolKind.FETCH, ToolKind.AGENT) and (why := find_no_result_sentence(call.output)):
            about = _clip(" ".join((call.prompt or call.query or call.description).split()), EXCERPT_CHARS_MAX)
            what = f"{call.tool} {call.url or call.agent_type} {about}"
            self._enter(f"asked {what}", what, why, seen, 0.45, "failed")

    def _refuse(self, attempt: FinishedCall, key: str) -> None:
        call, seen = attempt.call, attempt.observation
        if call.kind is ToolKind.QUESTION:
            return
        words = call.result.said if call.result else ""
        is_plan = call.kind is ToolKind.PLAN
        what = _naming(attempt)
        topic = f"refused {what if is_plan else key}"
        known = self._memory.found.get(topic)
        weight = max(0.6, rate_correction(words) + (0.3 if is_plan else 0.2)) if words else 0.5
        reason = words if known is None or not known.reason or not words else f"{known.reason} / {words}"
        self._enter(topic, f"{what} (refused)", _clip(reason), seen, weight, "refused")
        _put(self._memory.keys, key, topic, KEYS_MAX)
        self._memory.refused = "" if words else topic
        if words:
            self._memory.heard = _Heard(_clip(words), what, seen.uuid, seen.seq, topic)

    def _fail(self, attempt: FinishedCall, key: str) -> None:
        """Enter a failed call: the same will not work again, or waits for another call that replaces it."""
        memory, call, seen, command = self._memory, attempt.call, attempt.observation, attempt.command
        if (attempt.has_failed is None or call.kind in _ABOUT_FILES) and not (call.result and call.result.is_unknown_tool):
            return
        is_check = bool(command and command.checks)
        only_looks = command is not None and attempt.is_read_only
        lines = extract_failure_lines(call.output) if command and not only_looks else ()
        if lines:
            memory.failure, memory.failure_seq = lines[0], seen.seq
        weight, why = find_permanent_failure(call.output)
        if is_check and (weight < 0.6 or len(call.output) > 1500):  # what a test prints of its subject is no refusal of the tool
            weight = 0.0
        naming = _naming(attempt)
        missing = find_missing_lines(call.output) if command and not only_looks and (is_check or not weight) else []
        if weight:
            self._close(attempt, key, why, weight)
        elif missing:
            topic = f"missing {_VARYING.sub('#', missing[0].lower())[:80] if is_check else key}"
            self._enter(topic, f"{naming} (failed)", "\n".join(missing), seen, 0.42, "failed")
        elif command is None:
            if why := _complaint(call.output):
                self._close(attempt, key, _clip(why), 0.4)
        elif only_looks and attempt.has_failed and (shown := _said(call.output)):
            self._enter(f"looked {key}", f"{naming} (failed)", shown, seen, 0.3, "failed")
            _put(memory.keys, key, f"looked {key}", KEYS_MAX)
        elif not is_check and not only_looks and command.main:
            memory.ways.pop(key, None)
            _put(memory.ways, key, _Way(command_name(command.main), naming, "\n".join(lines[:2]), seen.uuid, seen.seq), WAYS_MAX)

    def _close(self, attempt: FinishedCall, key: str, why: str, weight: float) -> None:
        missing = PATTERNS["not_found"].search(attempt.call.output[:2000])
        program = (missing[1] or missing[2]) if missing else ""
        topic = f"closed {program}" if program else f"closed {attempt.call.tool} {_VARYING.sub('#', why.lower())[:80]}"
        self._enter(topic, f"{_naming(attempt)} (failed)", why, attempt.observation, weight, "failed")
        _put(self._memory.keys, f"program {program}" if program else key, topic, KEYS_MAX)

    def _ran(self, attempt: FinishedCall, command: CommandAnalysis, key: str) -> None:
        """See a command that succeeded: it may take something back, or replace one that failed."""
        memory, seen, text, line = self._memory, attempt.observation, attempt.call.output, attempt.call.command
        if "not found" in text[:2000] and (missing := PATTERNS["not_found"].search(text[:2000])):
            self._close(attempt, key, missing[0].strip(), 0.6)  # behind a pipe, or followed by `;`
            return
        is_hidden = "||" in line or "/dev/null" in line or not text.strip()
        for simple in command.commands if not is_hidden else ():
            if topic := memory.keys.pop(f"program {simple.program}", ""):
                self._drop(topic)
        is_short = len(text) <= SHORT_CHARS
        says_error = is_short or (not command.is_query and has_error_line(text))
        if (says_error if not command.checks else is_short) and (missing := find_missing_lines(text)):
            self._enter(f"passing {key}", f"{_naming(attempt)} (said an error)", "\n".join(missing), seen, 0.38, "failed")
        if memory.ways and command.main and not command.checks:
            memory.ways.pop(key, None)
            kind = command_name(command.main)
            for old, way in list(memory.ways.items()):
                if seen.seq - way.seq > WAY_AGE_MAX:
                    del memory.ways[old]
                elif way.kind == kind:
                    del memory.ways[old]
                    self._enter(f"way {old}", f"{way.text} (failed; `{_short(line)}` worked)", way.reason, seen, 0.4, "failed")
                    _put(memory.keys, old, f"way {old}", KEYS_MAX)
        for simple in command.commands:
            self._packages(simple, seen)
        self._git(command, attempt)

    def _packages(self, simple: SimpleCommand, seen: Observation) -> None:
        words = simple.words
        if words[0] not in INSTALLERS or len(words) < 3:
            return
        at = next((at for at, word in enumerate(words[1:4], 1) if word in _INSTALLS or word in _REMOVES), 0)
        for name in words[at + 1 :] if at else ():
            if name.startswith("-"):
                continue
            if words[at] in _INSTALLS:
                _put(self._memory.packages, name, seen.seq, KEYS_MAX)
            elif self._memory.packages.pop(name, None) is not None:
                self._enter(f"package {name}", f"package {name}, installed and removed again", self._recent(seen), seen, 0.6, "reverted")

    def _edit(self, path: str, old: str, new: str, result: Observation) -> None:
        """A successful edit; one that puts back what an earlier one replaced ends that attempt."""
        if not path or old == new:
            return
        memory = self._memory
        self._change(path)
        gone, come = strip_common_lines(old, new)
        before, after = _digest(gone), _digest(come)
        edits = memory.edits.pop(path, [])
        for earlier in reversed(edits):
            if earlier.old == after and earlier.new == before:
                edits.remove(earlier)
                if earlier.excerpt and not matches_any(earlier.excerpt, "in_passing"):
                    reason = self._reason_since(earlier.seq)
                    topic = f"put back {path}\n{reason}"
                    self._enter(topic, f"{path}: {earlier.excerpt}, put back", reason, result, 0.8 if reason else 0.55, "reverted")
                break
        else:
            excerpt = _excerpt(old, new)
            edits.append(_Edit(before, after, excerpt, result.seq))
            memory.edited = excerpt or memory.edited
            memory.recent = [*memory.recent[1 - RECENT_MAX :], _changed_lines(gone, come)]
        if edits:
            _put(memory.edits, path, edits[-EDITS_OF_FILE_MAX:], FILES_MAX)

    def _git(self, command: CommandAnalysis, attempt: FinishedCall) -> None:
        """Note what a git or rm command takes back."""
        memory = self._memory
        effects = [parse_git_effect(simple) for simple in command.commands]
        kinds = {effect.kind for effect in effects if effect}
        if GitEffectKind.UNSTASH in kinds and memory.stashed:
            self._drop(memory.stashed)
            memory.stashed = ""
        is_aside = len(command.commands) > 1 and not kinds.isdisjoint(
            (GitEffectKind.STASH, GitEffectKind.UNSTASH)
        )  # work was put aside for a moment
        for simple, effect in zip(command.commands, effects, strict=True):
            if simple.words[0] == "rm":
                self._remove(simple, attempt)
            elif effect and effect.kind is GitEffectKind.COMMIT:
                memory.edits, memory.written = {}, {}
                memory.commits = [*memory.commits, *_COMMITTED.findall(attempt.call.output[:4000])][-8:]
            elif effect and not is_aside:
                self._undo(" ".join(simple.words), effect, attempt)

    def _undo(self, words: str, effect: GitEffect, attempt: FinishedCall) -> None:
        memory, seen = self._memory, attempt.observation
        if effect.kind is GitEffectKind.ABORT:
            verb = words.split()[1]
            self._enter(f"aborted {verb}", f"git {verb}, given up with `{words}`", memory.failure, seen, 0.6, "reverted")
        elif effect.kind is GitEffectKind.REVERT:
            given = next(iter(effect.names), "HEAD")
            subject = next((subject for digest, subject in memory.commits if digest.startswith(given[:7])), "")
            subject = subject or (memory.commits[-1][1] if given == "HEAD" and memory.commits else given)
            self._enter(f"revert {subject}", f"commit {subject}, reverted", self._recent(seen), seen, 0.75, "reverted")
        undone = self._undone_by(effect, attempt.name_path)
        if effect.kind is GitEffectKind.DROP and memory.commits:
            _, subject = memory.commits.pop()
            self._enter(f"reset {subject}", f"commit {subject}, undone by `{words}`", self._recent(seen), seen, 0.75, "reverted")
        if undone:
            first = min(edit.seq for path in undone for edit in memory.edits[path])
            edits = sum(len(memory.edits.pop(path)) for path in undone)
            shown = ", ".join(undone[:4]) + (f" and {len(undone) - 4} more" if len(undone) > 4 else "")
            text = f"{edits} edit{'s' if edits > 1 else ''} of {shown}, undone by `{words[:EXCERPT_CHARS_MAX]}`"
            reason = self._reason_since(first)
            self._enter(text, text, reason, seen, 0.85 if reason else 0.7, "reverted")
            if effect.kind is GitEffectKind.STASH:
                memory.stashed = text

    def _undone_by(self, effect: GitEffect, named: Callable[[str], str]) -> list[str]:
        """The edited files that this git command puts back."""
        edits = self._memory.edits
        match effect.kind:
            case GitEffectKind.DROP:
                is_all = True
            case GitEffectKind.RESET:
                is_all = effect.names in ((), ("HEAD",))
            case GitEffectKind.STASH:
                is_all = self._memory.failure_seq > self._first_seq()
            case GitEffectKind.PUT_BACK | GitEffectKind.SWITCH:
                is_all = not effect.names
            case _:
                return []
        paths = {named(name) for name in effect.names} if effect.kind in (GitEffectKind.PUT_BACK, GitEffectKind.SWITCH) else set[str]()
        return [path for path in sorted(edits) if is_all or path in paths]

    def _remove(self, simple: SimpleCommand, attempt: FinishedCall) -> None:
        for word in simple.words[1:]:
            path = attempt.name_path(word) if not word.startswith("-") else ""
            if path and self._memory.written.pop(path, None) is not None and not matches_any(path, "in_passing"):
                self._enter(
                    f"removed {path}",
                    f"{path}, written and removed again",
                    self._recent(attempt.observation),
                    attempt.observation,
                    0.5,
                    "reverted",
                )

    # Helpers.

    def _doings(self) -> str:
        """What the agent did since the user spoke, in one line; "" for nothing."""
        memory = self._memory
        files = ", ".join(memory.changed[-3:])
        if not memory.said and not files:
            return ""
        changed = f"{' ' if memory.said else ''}(changed {files}) {memory.edited}".rstrip() if files else ""
        return f"{memory.said}{changed}"

    def _spoken_of(self, about: str, words: str) -> str:
        """What the agent did, and what it said or wrote about that of which the user now speaks."""
        return _clip(" … ".join((about, *_nearest(self._memory.recent, words, about))), DOINGS_CHARS_MAX)

    def _change(self, path: str) -> None:
        changed = self._memory.changed
        if path in changed:
            changed.remove(path)
        changed.append(path)
        del changed[:-8]

    def _first_seq(self) -> int:
        return min((edit.seq for edits in self._memory.edits.values() for edit in edits), default=-1)

    def _reason_since(self, seq: int) -> str:
        memory = self._memory
        if memory.failure_seq > seq:
            return memory.failure
        return memory.gave_up if memory.gave_up_seq > seq else ""

    def _recent(self, result: Observation) -> str:
        return self._reason_since(result.seq - FAILURE_AGE_MAX)

    def _enter(self, topic: str, text: str, reason: str, observation: Observation, weight: float, sign: str) -> None:
        """Enter a dead end; what is given up twice, or edit by edit for one reason, is one."""
        found = self._memory.found
        known = found.pop(topic, None)
        if known and sign == "reverted" and text not in known.text:
            text = known.text if len(known.text) > WORDS_CHARS_MAX // 2 else f"{known.text}; {text}"
        found[topic] = _Found(text, reason, observation.uuid, observation.seq, round(max(weight, known.weight if known else 0.0), 3), sign)
        self._new[topic] = None
        self._gone.pop(topic, None)
        if len(found) > DEAD_ENDS_MAX:
            lightest = min(found, key=lambda each: found[each].weight)  # the oldest of equals: order of entry
            del found[lightest]

    def _drop(self, topic: str) -> None:
        if self._memory.found.pop(topic, None) is not None:
            self._new.pop(topic, None)
            self._gone[topic] = None


def _naming(attempt: FinishedCall) -> str:
    """A call as a reader would name it."""
    call = attempt.call
    if call.command:
        return f"$ {_short(call.command)}"
    if call.kind is ToolKind.PLAN:
        title = next((line.strip("# ") for line in call.plan.split("\n") if line.strip("# ")), "")
        return f"the plan “{_clip(title, EXCERPT_CHARS_MAX)}”" if title else "the plan that was proposed"
    if call.path:
        excerpt = next((change for edit in call.edits if (change := _excerpt(edit.old, edit.new))), "")
        return f"{call.tool} {attempt.name_path(call.path) or call.path}{f': {excerpt}' if excerpt else ''}"
    what = call.title
    if not what:
        given = decode_json_or_text(call.arguments)
        values: list[object] = list(given.values()) if isinstance(given, dict) else [given]  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        what = " ".join(str(value) for value in values if isinstance(value, str | int | float) and value != "")
    return f"{call.tool} {_clip(' '.join(what.lstrip('# ').split()), GIST_CHARS_MAX)}".strip()


def _dead_end(found: _Found) -> DeadEnd:
    return DeadEnd(found.text, found.reason, found.uuid, found.seq, found.weight, found.sign)


def _put(table: dict[str, T], key: str, value: T, most: int) -> None:
    table[key] = value
    drop_oldest(table, most)


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _clip(text: str, most: int = WORDS_CHARS_MAX) -> str:
    clean = text.strip()
    return clean if len(clean) <= most else f"{clean[: most - 1].rstrip()}…"


def _short(command: str) -> str:
    return _clip(" ".join(command[: 3 * COMMAND_CHARS_MAX].split()), COMMAND_CHARS_MAX)


def _gist(message: str) -> str:
    """The first sentence of a message that says something of the work; one that only announces what follows comes second."""
    second = ""
    for line in message[:4000].split("\n"):
        if line.lstrip().startswith(("```", "|", "#", "<")):
            continue
        for sentence in split_sentences(line):
            clean = sentence.strip(" *_>-`")
            if len(clean) >= BRIEF_CHARS_MIN and clean.count(" ") >= 3 and not _is_bow(clean):
                if not clean.endswith(":") and not matches_any(clean, "all_well"):
                    return _clip(clean, GIST_CHARS_MAX)
                second = second or _clip(clean, GIST_CHARS_MAX)
    return second


def _said(output: str) -> str:
    """The lines of a look that failed which say why; "" where it only found nothing."""
    lines = [line.strip() for line in output[-2 * SHORT_CHARS :].split("\n") if line.strip() and not matches_any(line, "frame")]
    return "\n".join([line for line in lines if len(output) <= TERSE_CHARS or matches_any(line, "refuses")][:3])


def _complaint(output: str) -> str:
    """The line of a failed call that says most: the first that names an error, else the first that is no heading."""
    lines = [line for each in output[:4000].split("\n") if (line := each.strip("# \t\r")) and not line.startswith("```")]
    longer = [line for line in lines if len(line) >= COMPLAINT_CHARS_MIN]
    return next((line for line in longer if matches_any(line, "error")), next(iter(longer or lines), ""))


def _tellable(message: str) -> list[str]:
    """The sentences and the lines of code of a message that could name an attempt."""
    return [
        clean
        for line in message.split("\n")
        for sentence in split_sentences(line)
        if TELLING_CHARS_MIN <= len(clean := sentence.strip(" *_#>-|")) <= WORDS_CHARS_MAX // 2 and " " in clean
    ]


def _changed_lines(old: str, new: str) -> str:
    """The first lines that an edit brought, or took where it brought none, each as code."""
    lines = [clean for line in (new or old).split("\n")[:CHANGED_LINES_MAX] if len(clean := line.strip()) >= TELLING_CHARS_MIN]
    return "\n".join(f"`{_clip(line, EXCERPT_CHARS_MAX)}`" for line in lines)


def _nearest(recent: list[str], words: str, said: str) -> list[str]:
    """The few sentences and lines of what was said and written lately that share most words with these; the newer of two equals."""
    asked = extract_content_words(words)
    if not asked:
        return []
    scored: list[tuple[int, int, str]] = []
    for chunk in recent:
        for each in _tellable(chunk):
            if (shared := count_shared_words(asked, each)) and each not in said:
                scored.append((-shared, -len(scored), each))
    return list(dict.fromkeys(each for _, _, each in sorted(scored)[:NEAREST_MAX]))


def _restated(message: str, words: str) -> str:
    """The sentence at the beginning of an answer that says most of what the user complained of; ""."""
    asked = extract_content_words(words)
    best, most = "", 0
    for line in message[:2000].split("\n"):
        for sentence in split_sentences(line):
            clean = sentence.strip(" *_>-`")
            if 24 <= len(clean) <= RESTATED_CHARS_MAX and not clean.endswith("?"):
                shared = count_shared_words(asked, clean) + 2 * ("instead of" in clean or "rather than" in clean or "already" in clean)
                if shared > most:
                    best, most = clean, shared
    return best


def _is_bow(sentence: str) -> bool:
    return bool(rate_concession(sentence)) and len(sentence) < 2 * BRIEF_CHARS_MIN


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
