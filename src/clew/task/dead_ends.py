"""Dead ends: attempts that led nowhere, so that nobody makes them again.

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
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

import msgspec

from clew.records import DeadEnd, Observation, SimpleCommand
from clew.task.commands import INSTALLERS, Command, name_of
from clew.task.git import GitEffect, GitKind, git_effect
from clew.task.outcomes import telling
from clew.task.paths import Arguments, patch_of, word_of
from clew.task.prompts import is_assent, sentences, spoken_in_refusal
from clew.task.setbacks import (
    GAVE_UP,
    closed_way,
    count_of,
    is_error_in_passing,
    no_answer,
    not_there,
    refutations,
    setbacks,
    theories,
    too_large,
    turn_round,
    weighty,
    yields,
)
from clew.task.vocabulary import PATTERNS, says

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


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_REFUSAL = "The user doesn't want to proceed with this tool use"
_PLAN_TAKEN = "Implement the following plan:"  # the client's own words when a plan is taken up in a fresh session
_INTERRUPTED = "[Request interrupted"
# Edits that are meant to be taken back: prints for debugging, imports that follow other edits.
_COMMITTED = re.compile(r"^\[[^\]\n]{1,200} ([0-9a-f]{7,40})\] ([^\n]{1,200})$", re.MULTILINE)
_INSTALLS, _REMOVES = frozenset(("install", "add", "i")), frozenset(("uninstall", "remove", "rm", "un", "purge"))
_VARYING = re.compile(r"[\w.~-]*/[\w./~-]+|\d+|'[^'\n]{1,80}'|\"[^\"\n]{1,80}\"")  # paths, numbers and quoted names in an error
_BACKGROUND = re.compile(r"running in background with ID: (\w{1,40})")
# Tools of a client whose failures say something of the moment (a stale read, a wrong path), not of a way that is closed.
_FILE_TOOLS = _words("Read Edit Write MultiEdit NotebookEdit NotebookRead Grep Glob LS TodoWrite TaskUpdate TaskCreate TaskGet TaskList")
ASKING_TOOLS = frozenset(("AskUserQuestion", "request_user_input"))
_PLAN_TOOLS = frozenset(("ExitPlanMode", "exit_plan_mode"))
_LOOKING_TOOLS = _words("Read Grep Glob LS TodoWrite TaskUpdate TaskCreate TaskGet TaskList ToolSearch BashOutput TaskOutput NotebookRead")
_ANSWERING_TOOLS = _words("WebFetch WebSearch Task Agent")
_NAMING = ("description", "url", "query", "pattern", "skill", "subject", "prompt", "input", "plan")


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
class Act:
    """A call that has ended, as the task sees it.

    asked     its arguments as one text: two calls are the same if tool and text are.
    line      its command line where it runs one.
    failed    did it fail, its checks judged by their output; None where nothing tells.
    named     gives a path, as the call writes it, the name that this room uses for the file.
    """

    tool: str
    arguments: Arguments
    asked: str
    line: Command | None
    command: str
    result: Observation
    failed: bool | None
    named: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class News:
    """What the last observations added, by topic, and topics of what was taken back."""

    found: tuple[tuple[str, DeadEnd], ...]
    gone: tuple[str, ...]


_NOTHING = News((), ())


class Attempts:
    """What has been tried and not yet settled, and the dead ends found so far."""

    def __init__(self, memory: bytes = b"") -> None:
        self._memory = msgspec.json.decode(memory, type=_Memory) if memory else _Memory()
        self._new: dict[str, None] = {}
        self._gone: dict[str, None] = {}

    def memory(self) -> bytes:
        """What the constructor needs to go on, as JSON."""
        return msgspec.json.encode(self._memory)

    def dead_ends(self) -> tuple[DeadEnd, ...]:
        """The weightiest, at most SHOWN_MAX and SHOWN_CHARS_MAX, and of the light ones no more than fill SHOWN_MIN; the newest last."""
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

    def news(self) -> News:
        """What changed since this was asked last."""
        if not (self._new or self._gone):
            return _NOTHING
        known = self._memory.found
        found = tuple((topic, _dead_end(known[topic])) for topic in self._new if topic in known and known[topic].weight >= NEWS_MIN)
        news = News(found, tuple(self._gone))
        self._new, self._gone = {}, {}
        return news

    # What was said.

    def hear(self, words: str, observation: Observation) -> None:
        """See the user's own words; those that turn the agent round end what it was doing."""
        memory = self._memory
        about = self._doings()
        is_interrupted, memory.is_interrupted = memory.is_interrupted, False
        refused, memory.refused = memory.refused, ""
        topic = ""
        if refused and (known := memory.found.get(refused)) and not is_assent(words):
            if words.startswith(_PLAN_TAKEN):  # a new session with the same plan: it was refused only to begin anew
                self._drop(refused)
            else:
                weight = 0.7 if turn_round(words) else known.weight
                self._enter(refused, known.text, _clip(words), observation, weight, "refused")
        elif about and not is_assent(words):
            weight = turn_round(words)
            weight = max(weight, 0.65) if is_interrupted else weight
            if weight:
                topic = f"corrected {observation.uuid} {observation.seq}"
                self._enter(topic, self._spoken_of(about, words), _clip(words), observation, weight, "corrected")
        memory.heard = _Heard(_clip(words), about, observation.uuid, observation.seq, topic)
        memory.said, memory.changed, memory.done = "", [], 0

    def interrupt(self, text: str) -> None:
        """See a note of the client; one that says that the user interrupted makes the next prompt a correction."""
        if text.startswith(_INTERRUPTED):
            self._memory.is_interrupted = True

    def say(self, text: str, observation: Observation) -> None:
        """See what the agent said: it gives in to the user, gives an attempt up, or meets an obstacle and turns."""
        memory = self._memory
        heard, memory.heard = memory.heard, None
        yielded = yields(text) if heard is not None else 0.0
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
        for setback in setbacks(text, with_causes=age <= WAY_AGE_MAX):
            told, reason = setback.text, memory.failure if age <= 4 else setback.reason
            if setback.weight == GAVE_UP:
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
            for sentence, before, is_plain in refutations(text):
                words = weighty(f"{before} {sentence}")
                shared, at = max((count_of(words, theory), at) for at, (theory, _) in enumerate(memory.theories))
                at = at if shared or not is_plain else len(memory.theories) - 1  # "that's not it": what was supposed last
                if shared >= SHARED_MIN or (is_plain and (shared or observation.seq - memory.theories[at][1] <= WAY_AGE_MAX)):
                    theory, _ = memory.theories.pop(at)
                    context = f"{before} {sentence}" if before and is_plain else sentence
                    self._enter(f"theory {theory}", f"Theory: {theory}", context, observation, 0.55 if is_plain else 0.4, "said")
                    if not memory.theories:
                        break
        memory.theories = [*memory.theories, *((theory, observation.seq) for theory in theories(text))][-THEORIES_MAX:]

    # What was done.

    def act(self, act: Act) -> None:
        """See a call with its outcome."""
        memory, result = self._memory, act.result
        key = _digest(f"{act.tool}\n{act.asked}")
        if result.text.startswith(_REFUSAL):
            self._refuse(act, key)
            return
        memory.done += 1
        self._look_up(act)
        if act.failed or act.failed is None:
            self._note_last(act)
            self._fail(act, key)
            return
        self._note_last(act)
        if topic := memory.keys.pop(key, ""):
            self._drop(topic)
        for path, old, new in _replacements(act.tool, act.arguments):
            self._edit(act.named(path), old, new, result)
        if act.tool in ("Write", "write_file", "create_file") and (path := act.named(word_of(act.arguments, "file_path", "path"))):
            _put(memory.written, path, result.seq, FILES_MAX)
            self._change(path)
        if act.tool == "TaskUpdate" and word_of(act.arguments, "status") == "deleted" and (step := word_of(act.arguments, "subject")):
            self._enter(f"plan {step}", f"step of the plan, given up: {step}", "", result, 0.4, "said")
        if act.line:
            self._ran(act, act.line, key)

    def _note_last(self, act: Act) -> None:
        line = act.line
        if line and (named := _BACKGROUND.search(act.result.text[:300])):
            _put(self._memory.background, named[1], self._naming(act), WAYS_MAX)
        if (line and line.is_ask and not line.checks) or (not line and act.tool in _LOOKING_TOOLS):
            return
        self._memory.last, self._memory.last_seq = _clip(self._naming(act), EXCERPT_CHARS_MAX), act.result.seq

    def _look_up(self, act: Act) -> None:
        """A look-up that found nothing, or more than fits."""
        text = act.result.text
        if why := too_large(text):
            where = self._naming(act)
            self._enter(f"large {act.tool} {where[:60]}", f"{where} (too large)", why, act.result, 0.5, "failed")
        elif act.tool in ("TaskOutput", "BashOutput"):
            name = word_of(act.arguments, "task_id", "bash_id", "shell_id")
            if (command := self._memory.background.get(name)) and (missing := not_there(text)):
                self._enter(f"background {name}", f"{command} (failed)", "\n".join(missing), act.result, 0.42, "failed")
        elif act.tool in ("Grep", "Glob") and text.startswith(("No matches found", "No files found")):
            memory, pattern = self._memory, word_of(act.arguments, "pattern")
            if pattern and pattern not in memory.searched:
                memory.searched = [*memory.searched, _clip(pattern, 60)][-SEARCHES_MAX:]
                shown = ", ".join(f"`{each}`" for each in memory.searched)
                self._enter("searched", f"Searches without a match: {shown}", text.split("\n")[0], act.result, 0.35, "failed")
        elif act.tool in _ANSWERING_TOOLS and (why := no_answer(text)):
            about = _clip(" ".join(word_of(act.arguments, "prompt", "query", "description").split()), EXCERPT_CHARS_MAX)
            where = word_of(act.arguments, "url", "subagent_type")
            self._enter(f"asked {act.tool} {where} {about}", f"{act.tool} {where} {about}", why, act.result, 0.45, "failed")

    def _refuse(self, act: Act, key: str) -> None:
        if act.tool in ASKING_TOOLS:
            return
        words, result = spoken_in_refusal(act.result.text), act.result
        is_plan = act.tool in _PLAN_TOOLS
        what = self._naming(act)
        topic = f"refused {what if is_plan else key}"
        known = self._memory.found.get(topic)
        weight = max(0.6, turn_round(words) + (0.3 if is_plan else 0.2)) if words else 0.5
        reason = words if known is None or not known.reason or not words else f"{known.reason} / {words}"
        self._enter(topic, f"{what} (refused)", _clip(reason), result, weight, "refused")
        _put(self._memory.keys, key, topic, KEYS_MAX)
        self._memory.refused = "" if words else topic
        if words:
            self._memory.heard = _Heard(_clip(words), what, result.uuid, result.seq, topic)

    def _fail(self, act: Act, key: str) -> None:
        """A call that failed: the way is closed, or waits for another one to replace it."""
        memory, result, line = self._memory, act.result, act.line
        is_unknown_tool = "No such tool available" in result.text[:200]
        if act.failed is None and not is_unknown_tool:
            return
        if act.tool in _FILE_TOOLS and not is_unknown_tool:
            return
        is_check = bool(line and line.checks)
        only_looks = line is not None and not is_check and line.is_ask
        lines = telling(result.text) if line and not only_looks else ()
        if lines:
            memory.failure, memory.failure_seq = lines[0], result.seq
        weight, why = closed_way(result.text)
        if is_check and (weight < 0.6 or len(result.text) > 1500):  # what a test prints of its subject is no refusal of the tool
            weight = 0.0
        naming = self._naming(act)
        missing = not_there(result.text) if line and not only_looks and (is_check or not weight) else []
        if weight:
            self._close(act, key, naming, why, weight)
        elif missing:
            topic = f"missing {_VARYING.sub('#', missing[0].lower())[:80] if is_check else key}"
            self._enter(topic, f"{naming} (failed)", "\n".join(missing), result, 0.42, "failed")
        elif line is None:
            why = _complaint(result.text)
            if why:
                self._close(act, key, naming, _clip(why), 0.4)
        elif only_looks and act.failed and (shown := _said(result.text)):
            self._enter(f"looked {key}", f"{naming} (failed)", shown, result, 0.3, "failed")
            _put(memory.keys, key, f"looked {key}", KEYS_MAX)
        elif not is_check and not only_looks and line.main:
            reason = "\n".join(lines[:2])
            memory.ways.pop(key, None)
            _put(memory.ways, key, _Way(name_of(line.main), naming, reason, result.uuid, result.seq), WAYS_MAX)

    def _close(self, act: Act, key: str, naming: str, why: str, weight: float) -> None:
        missing = PATTERNS["not_found"].search(act.result.text[:2000])
        program = (missing[1] or missing[2]) if missing else ""
        topic = f"closed {program}" if program else f"closed {act.tool} {_VARYING.sub('#', why.lower())[:80]}"
        self._enter(topic, f"{naming} (failed)", why, act.result, weight, "failed")
        _put(self._memory.keys, f"program {program}" if program else key, topic, KEYS_MAX)

    def _ran(self, act: Act, line: Command, key: str) -> None:
        """A command that succeeded: it may take something back, or replace a way that failed."""
        memory, result = self._memory, act.result
        if "not found" in result.text[:2000] and (missing := PATTERNS["not_found"].search(result.text[:2000])):
            self._close(act, key, self._naming(act), missing[0].strip(), 0.6)  # behind a pipe, or followed by `;`
            return
        is_hidden = "||" in act.command or "/dev/null" in act.command or not result.text.strip()
        for simple in line.commands if not is_hidden else ():
            if topic := memory.keys.pop(f"program {simple.program}", ""):
                self._drop(topic)
        is_short = len(result.text) <= SHORT_CHARS
        says_error = is_short or (not line.is_ask and is_error_in_passing(result.text))
        if (says_error if not line.checks else is_short) and (missing := not_there(result.text)):
            self._enter(f"passing {key}", f"{self._naming(act)} (said an error)", "\n".join(missing), result, 0.38, "failed")
        if memory.ways and line.main and not line.checks:
            memory.ways.pop(key, None)
            kind = name_of(line.main)
            for old, way in list(memory.ways.items()):
                if result.seq - way.seq > WAY_AGE_MAX:
                    del memory.ways[old]
                elif way.kind == kind:
                    del memory.ways[old]
                    text = f"{way.text} (failed; `{_short(act.command)}` worked)"
                    self._enter(f"way {old}", text, way.reason, result, 0.4, "failed")
                    _put(memory.keys, old, f"way {old}", KEYS_MAX)
        for simple in line.commands:
            self._packages(simple, result)
        self._git(line, act)

    def _packages(self, simple: SimpleCommand, result: Observation) -> None:
        words = simple.words
        if words[0] not in INSTALLERS or len(words) < 3:
            return
        at = next((at for at, word in enumerate(words[1:4], 1) if word in _INSTALLS or word in _REMOVES), 0)
        for name in words[at + 1 :] if at else ():
            if name.startswith("-"):
                continue
            if words[at] in _INSTALLS:
                _put(self._memory.packages, name, result.seq, KEYS_MAX)
            elif self._memory.packages.pop(name, None) is not None:
                self._enter(
                    f"package {name}", f"package {name}, installed and removed again", self._recent(result), result, 0.6, "reverted"
                )

    def _edit(self, path: str, old: str, new: str, result: Observation) -> None:
        """A successful edit; one that puts back what an earlier one replaced ends that attempt."""
        if not path or old == new:
            return
        memory = self._memory
        self._change(path)
        gone, come = core_of(old, new)
        before, after = _digest(gone), _digest(come)
        edits = memory.edits.pop(path, [])
        for earlier in reversed(edits):
            if earlier.old == after and earlier.new == before:
                edits.remove(earlier)
                if earlier.excerpt and not says(earlier.excerpt, "in_passing"):
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

    def _git(self, line: Command, act: Act) -> None:
        """Note what a git or rm command takes back."""
        memory, result = self._memory, act.result
        effects = [git_effect(simple) for simple in line.commands]
        kinds = {effect.kind for effect in effects if effect}
        if GitKind.UNSTASH in kinds and memory.stashed:
            self._drop(memory.stashed)
            memory.stashed = ""
        is_aside = len(line.commands) > 1 and not kinds.isdisjoint((GitKind.STASH, GitKind.UNSTASH))  # work was put aside for a moment
        for simple, effect in zip(line.commands, effects, strict=True):
            if simple.words[0] == "rm":
                self._remove(simple, act)
            elif effect and effect.kind is GitKind.COMMIT:
                memory.edits, memory.written = {}, {}
                memory.commits = [*memory.commits, *_COMMITTED.findall(result.text[:4000])][-8:]
            elif effect and not is_aside:
                self._undo(" ".join(simple.words), effect, act)

    def _undo(self, words: str, effect: GitEffect, act: Act) -> None:
        memory, result = self._memory, act.result
        if effect.kind is GitKind.ABORT:
            verb = words.split()[1]
            self._enter(f"aborted {verb}", f"git {verb}, given up with `{words}`", memory.failure, result, 0.6, "reverted")
        elif effect.kind is GitKind.REVERT:
            given = next(iter(effect.names), "HEAD")
            subject = next((subject for digest, subject in memory.commits if digest.startswith(given[:7])), "")
            subject = subject or (memory.commits[-1][1] if given == "HEAD" and memory.commits else given)
            self._enter(f"revert {subject}", f"commit {subject}, reverted", self._recent(result), result, 0.75, "reverted")
        undone = self._undone_by(effect, act.named)
        if effect.kind is GitKind.DROP and memory.commits:
            _, subject = memory.commits.pop()
            self._enter(f"reset {subject}", f"commit {subject}, undone by `{words}`", self._recent(result), result, 0.75, "reverted")
        if undone:
            first = min(edit.seq for path in undone for edit in memory.edits[path])
            edits = sum(len(memory.edits.pop(path)) for path in undone)
            shown = ", ".join(undone[:4]) + (f" and {len(undone) - 4} more" if len(undone) > 4 else "")
            text = f"{edits} edit{'s' if edits > 1 else ''} of {shown}, undone by `{words[:EXCERPT_CHARS_MAX]}`"
            reason = self._reason_since(first)
            self._enter(text, text, reason, result, 0.85 if reason else 0.7, "reverted")
            if effect.kind is GitKind.STASH:
                memory.stashed = text

    def _undone_by(self, effect: GitEffect, named: Callable[[str], str]) -> list[str]:
        """The edited files that this git command puts back."""
        edits = self._memory.edits
        match effect.kind:
            case GitKind.DROP:
                is_all = True
            case GitKind.RESET:
                is_all = effect.names in ((), ("HEAD",))
            case GitKind.STASH:
                is_all = self._memory.failure_seq > self._first_seq()
            case GitKind.PUT_BACK | GitKind.SWITCH:
                is_all = not effect.names
            case _:
                return []
        paths = {named(name) for name in effect.names} if effect.kind in (GitKind.PUT_BACK, GitKind.SWITCH) else set[str]()
        return [path for path in sorted(edits) if is_all or path in paths]

    def _remove(self, simple: SimpleCommand, act: Act) -> None:
        for word in simple.words[1:]:
            path = act.named(word) if not word.startswith("-") else ""
            if path and self._memory.written.pop(path, None) is not None and not says(path, "in_passing"):
                self._enter(f"removed {path}", f"{path}, written and removed again", self._recent(act.result), act.result, 0.5, "reverted")

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

    def _naming(self, act: Act) -> str:
        if act.command:
            return f"$ {_short(act.command)}"
        if act.tool in _PLAN_TOOLS:
            title = next((line.strip("# ") for line in word_of(act.arguments, "plan").split("\n") if line.strip("# ")), "")
            return f"the plan “{_clip(title, EXCERPT_CHARS_MAX)}”" if title else "the plan that was proposed"
        path = word_of(act.arguments, "file_path", "path", "notebook_path")
        if path:
            changes = [_excerpt(old, new) for _, old, new in _replacements(act.tool, act.arguments)]
            excerpt = next((change for change in changes if change), "")
            return f"{act.tool} {act.named(path) or path}{f': {excerpt}' if excerpt else ''}"
        what = next((text for key in _NAMING if (text := word_of(act.arguments, key))), "")
        what = what or " ".join(str(value) for value in act.arguments.values() if isinstance(value, str | int | float) and value != "")
        return f"{act.tool} {_clip(' '.join(what.lstrip('# ').split()), GIST_CHARS_MAX)}".strip()

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


def _dead_end(found: _Found) -> DeadEnd:
    return DeadEnd(found.text, found.reason, found.uuid, found.seq, found.weight, found.sign)


def _put(table: dict[str, T], key: str, value: T, most: int) -> None:
    table[key] = value
    while len(table) > most:
        del table[next(iter(table))]


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
        for sentence in sentences(line):
            clean = sentence.strip(" *_>-`")
            if len(clean) >= BRIEF_CHARS_MIN and clean.count(" ") >= 3 and not _is_bow(clean):
                if not clean.endswith(":") and not says(clean, "all_well"):
                    return _clip(clean, GIST_CHARS_MAX)
                second = second or _clip(clean, GIST_CHARS_MAX)
    return second


def _said(output: str) -> str:
    """The lines of a look that failed which say why; "" where it only found nothing."""
    lines = [line.strip() for line in output[-2 * SHORT_CHARS :].split("\n") if line.strip() and not says(line, "frame")]
    return "\n".join([line for line in lines if len(output) <= TERSE_CHARS or says(line, "refuses")][:3])


def _complaint(output: str) -> str:
    """The line of a failed call that says most: the first that names an error, else the first that is no heading."""
    lines = [line for each in output[:4000].split("\n") if (line := each.strip("# \t\r")) and not line.startswith("```")]
    longer = [line for line in lines if len(line) >= COMPLAINT_CHARS_MIN]
    return next((line for line in longer if says(line, "error")), next(iter(longer or lines), ""))


def _tellable(message: str) -> list[str]:
    """The sentences and the lines of code of a message that could name an attempt."""
    return [
        clean
        for line in message.split("\n")
        for sentence in sentences(line)
        if TELLING_CHARS_MIN <= len(clean := sentence.strip(" *_#>-|")) <= WORDS_CHARS_MAX // 2 and " " in clean
    ]


def _changed_lines(old: str, new: str) -> str:
    """The first lines that an edit brought, or took where it brought none, each as code."""
    lines = [clean for line in (new or old).split("\n")[:CHANGED_LINES_MAX] if len(clean := line.strip()) >= TELLING_CHARS_MIN]
    return "\n".join(f"`{_clip(line, EXCERPT_CHARS_MAX)}`" for line in lines)


def _nearest(recent: list[str], words: str, said: str) -> list[str]:
    """The few sentences and lines of what was said and written lately that share most words with these; the newer of two equals."""
    asked = weighty(words)
    if not asked:
        return []
    scored: list[tuple[int, int, str]] = []
    for chunk in recent:
        for each in _tellable(chunk):
            if (shared := count_of(asked, each)) and each not in said:
                scored.append((-shared, -len(scored), each))
    return list(dict.fromkeys(each for _, _, each in sorted(scored)[:NEAREST_MAX]))


def _restated(message: str, words: str) -> str:
    """The sentence at the beginning of an answer that says most of what the user complained of; ""."""
    asked = weighty(words)
    best, most = "", 0
    for line in message[:2000].split("\n"):
        for sentence in sentences(line):
            clean = sentence.strip(" *_>-`")
            if 24 <= len(clean) <= RESTATED_CHARS_MAX and not clean.endswith("?"):
                shared = count_of(asked, clean) + 2 * ("instead of" in clean or "rather than" in clean or "already" in clean)
                if shared > most:
                    best, most = clean, shared
    return best


def _is_bow(sentence: str) -> bool:
    return bool(yields(sentence)) and len(sentence) < 2 * BRIEF_CHARS_MIN


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


def core_of(old: str, new: str) -> tuple[str, str]:
    """Both sides of an edit without the lines that they share at their ends."""
    before, after = old.split("\n"), new.split("\n")
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return "\n".join(before[start : len(before) - end]), "\n".join(after[start : len(after) - end])


def _replacements(tool: str, arguments: Arguments) -> Iterable[tuple[str, str, str]]:
    """(path, old, new) of each replacement that a call makes."""
    path = word_of(arguments, "file_path", "path")
    if tool in ("Edit", "str_replace", "edit_file"):
        yield path, word_of(arguments, "old_string", "old_str"), word_of(arguments, "new_string", "new_str")
    elif tool == "MultiEdit" and isinstance(edits := arguments.get("edits"), list):
        for edit in edits:  # pyright: ignore[reportUnknownVariableType]
            if isinstance(edit, dict):
                yield path, word_of(edit, "old_string"), word_of(edit, "new_string")  # pyright: ignore[reportUnknownArgumentType]
    elif patch := patch_of(tool, arguments):
        yield from _hunks(patch)


def _hunks(patch: str) -> Iterable[tuple[str, str, str]]:
    """(path, old lines, new lines) of each hunk of a patch in the `*** Update File:` format."""
    path = ""
    old: list[str] = []
    new: list[str] = []
    for line in [*patch.split("\n"), "*** End"]:
        if line.startswith(("***", "@@")):
            if path and (old or new):
                yield path, "\n".join(old), "\n".join(new)
            old, new = [], []
            if line.startswith("***"):
                path = line.partition("File: ")[2].strip()
        elif line.startswith("-"):
            old.append(line[1:])
        elif line.startswith("+"):
            new.append(line[1:])
