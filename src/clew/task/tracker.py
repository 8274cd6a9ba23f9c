"""Track an agent's task state, one observation at a time.

Memory is bounded, except for the user's own words, which are kept in full. Of what subagents do only the files that they change
are tracked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar, cast

import msgspec

from clew.records import (
    CheckResult,
    EndedRequest,
    Observation,
    ObservationKind,
    OpenError,
    PlanStep,
    TaskState,
    ToolCall,
    ToolKind,
    ToolResult,
    UserStatement,
    Verdict,
    WorkingFile,
)
from clew.task.bounded import drop_oldest
from clew.task.clues import find_clues, is_code_like
from clew.task.commands import ASKS, READERS, CheckScope, CommandAnalysis, analyse_command
from clew.task.dead_ends import DeadEndChanges, DeadEndDetector, FinishedCall
from clew.task.files import FileTracker
from clew.task.git import GIT_NOTE, GitEffectKind, GitStatus, parse_git_effect
from clew.task.late_checks import LateChecks
from clew.task.open_errors import OpenErrors
from clew.task.outcomes import extract_failure_lines, find_failing_script, has_failed, judge_check
from clew.task.paths import decode_json_or_text, find_touched_files, parse_search_hits, relative_path
from clew.task.place import PlaceTracker
from clew.task.prompts import extract_typed_text, score_stated_rules
from clew.task.question import IDENTIFIERS_MAX
from clew.task.replies import cancelled_steps
from clew.task.requests import ENDED_OPEN, RequestTracker
from clew.task.rules import find_withdrawn_rules
from clew.task.runners.verdict import CheckVerdict

CONSTRAINTS_MAX = 64  # guess; the newest are kept: a later word corrects an earlier one
WORKING_FILES_MAX = 256  # guess
CHECKS_MAX = 24  # guess
PLAN_MAX = 64  # guess
PROMPTS_MAX = 16  # guess
COMMANDS_MAX = 32  # guess
COMMAND_CHARS_MAX = 160  # guess: what is longer was written for one occasion
WINDOW = 50  # observations that identifiers are taken from
WINDOW_CHARS = 8_000  # of one observation, half from each end; guess
RESULT_IDENTIFIERS_MAX = 8  # of one result: what a tool printed says less of the task than what was asked; guess

T = TypeVar("T")
_BRINGS_OTHERS = frozenset((GitEffectKind.MERGE, GitEffectKind.SWITCH, GitEffectKind.DROP, GitEffectKind.REVERT))
_UP_TO_DATE = re.compile(r"Already up[ -]to[ -]date|is up to date\.|^Already on ", re.MULTILINE)
_OCCASIONAL = frozenset({"git", "mkdir", "rm", "mv", "cp", "touch", "chmod", "kill", "pkill"}) | ASKS | READERS
_RUNS_SCRIPTS = ("npm run", "npm", "pnpm run", "pnpm")
_STATUSES = {"pending": "pending", "in_progress": "in_progress", "completed": "completed", "done": "completed"}


@dataclass(slots=True)
class _Open(Generic[T]):
    """A check's latest outcome, or an open failure, and the parts of it that no later run has told anew."""

    what: T
    parts: list[CheckScope]


@dataclass(slots=True)
class _Recent:
    """The words of an observation in the window, or its identifiers, at most `names_max`, once somebody has asked for them."""

    text: str
    root: str
    names_max: int
    found: tuple[str, ...] | None = None


@dataclass(slots=True)
class TaskTracker:
    """Computes the task state of a session from its observations, passed to `observe` in order.

    question  the current question, copied into the state.
    root      folder that paths are made relative to; "" takes the first working folder of an observation.
    """

    question: str = ""
    root: str = ""
    _place: PlaceTracker = field(default_factory=PlaceTracker, init=False, repr=False)
    _requests: RequestTracker = field(default_factory=RequestTracker, init=False, repr=False)
    _constraints: dict[str, UserStatement] = field(default_factory=dict[str, UserStatement], init=False, repr=False)
    _files: dict[str, WorkingFile] = field(default_factory=dict[str, WorkingFile], init=False, repr=False)
    _errors: OpenErrors = field(default_factory=OpenErrors, init=False, repr=False)
    _checks: dict[str, _Open[CheckResult]] = field(default_factory=dict[str, _Open[CheckResult]], init=False, repr=False)
    _late: LateChecks = field(default_factory=LateChecks, init=False, repr=False)
    _detector: DeadEndDetector = field(default_factory=DeadEndDetector, init=False, repr=False)
    _changed: FileTracker = field(default_factory=FileTracker, init=False, repr=False)
    _commands: dict[str, None] = field(default_factory=dict[str, None], init=False, repr=False)
    _plan: dict[str, PlanStep] = field(default_factory=dict[str, PlanStep], init=False, repr=False)
    _window: list[_Recent] = field(default_factory=list[_Recent], init=False, repr=False)
    _prompts: list[int] = field(default_factory=list[int], init=False, repr=False)
    _seq: int = field(default=0, init=False, repr=False)

    def observe(self, observation: Observation) -> None:
        """Update the state with the next observation of the session. Raises TypeError for anything but an Observation."""
        if not isinstance(observation, Observation):
            raise TypeError(f"a task is told from observations only, not from a {type(observation).__name__}")
        if observation.kind is ObservationKind.UNANSWERED:
            return
        self._detector.take_changes()  # what nobody took is not wanted
        self.root = self.root or observation.cwd
        self._seq = observation.seq
        if observation.agent:
            self._see_subagent(observation)
            return
        self._place.observe(observation)
        kind = observation.kind
        if kind is ObservationKind.PROMPT:
            if observation.call:
                self._see_late(observation.call, observation)
                self._see_report(observation.call, observation)
            if not observation.is_meta and (words := extract_typed_text(observation.text)):
                self._prompts = [*self._prompts[1 - PROMPTS_MAX :], observation.seq]
                self._detector.observe_prompt(words, observation)
                self._hear(words, observation)
        elif kind is ObservationKind.MESSAGE:
            self._requests.observe_message(observation)
            self._detector.observe_message(observation.text, observation)
        elif kind is ObservationKind.CALL:
            self._see_call(observation)
        elif kind is ObservationKind.RESULT:
            self._see_result(observation)
        else:
            if kind is ObservationKind.ATTACHMENT and observation.tool == "edited_text_file" and observation.view:
                self._changed.observe_foreign_change(observation.view.path, observation.cwd, self.root)
            if kind is ObservationKind.NOTE and observation.tool == GIT_NOTE:
                self._changed.observe_status(GitStatus.decode(observation.text), observation)
            elif kind is ObservationKind.NOTE and observation.tool == "interrupted":
                self._requests.observe_stop()
            return
        is_result = kind is ObservationKind.RESULT
        names_max = RESULT_IDENTIFIERS_MAX if is_result else IDENTIFIERS_MAX
        self._window.append(_Recent(_ends(_words_of(observation)), self.root, names_max))
        del self._window[:-WINDOW]

    def take_dead_ends(self) -> DeadEndChanges:
        """Return the dead ends that the latest observation added or withdrew."""
        return self._detector.take_changes()

    def dump_state(self, *, is_short: bool = True) -> bytes:
        """Return the tracker as JSON, from which `load_tracker` continues. Raises msgspec.ValidationError there if its fields changed.

        is_short  of the latest texts only the names are kept, which takes some 10 ms.
        """
        if not is_short:
            return msgspec.json.encode(self)
        self._identifiers()
        # Reading backwards ends where enough names are known: what stands before is not needed, and later less.
        needed = next((at for at, recent in enumerate(self._window) if recent.found is not None), len(self._window))
        del self._window[:needed]
        return msgspec.json.encode(self)

    def state(self) -> TaskState:
        """Return the task state after all observations so far. Cost: about 0.2 ms for each observation since the last call."""
        errors, current = self._errors.list_errors(self._seq), self._find_end()
        return TaskState(
            question=self.question,
            goals=tuple(self._requests.goals),
            constraints=tuple(self._constraints.values())[-CONSTRAINTS_MAX:],
            working_set=tuple(self._files.values())[-WORKING_FILES_MAX:],
            open_errors=errors,
            checks=tuple(checked.what for checked in self._checks.values())[-CHECKS_MAX:],
            dead_ends=self._detector.select_dead_ends(),
            plan=self._list_steps()[-PLAN_MAX:],
            files=self._changed.states(),
            commands_ok=tuple(self._commands)[-COMMANDS_MAX:],
            recent_identifiers=self._identifiers(),
            replies=self._requests.replies,
            ended=(*self._requests.ended.values(), *([current] if current else [])),
            reports=self._requests.reports,
            messages=self._requests.messages,
            place=self._place.place(self._changed.commits()),
            prompts=tuple(self._prompts),
        )

    def state_with(self, answer: Observation) -> TaskState:
        """Return the state with git's own answer about the files, as `observe` would take it; the tracker stays as it is."""
        changed = msgspec.json.decode(msgspec.json.encode(self._changed), type=FileTracker)
        changed.observe_status(GitStatus.decode(answer.text), answer)
        return replace(self.state(), files=changed.states())

    def _list_steps(self) -> tuple[PlanStep, ...]:
        """The agent's plan; a step that it left open is done where its last word is that all are."""
        steps = tuple(self._plan.values())
        if any(step.status in ENDED_OPEN for step in steps) and self._requests.is_plan_done():
            return tuple(replace(step, status="completed") if step.status in ENDED_OPEN else step for step in steps)
        return steps

    def _find_end(self) -> EndedRequest | None:
        checks = [checked.what for checked in self._checks.values()]
        return self._requests.find_end(self._list_steps(), checks, self._errors.list_errors(self._seq))

    def _hear(self, words: str, observation: Observation) -> None:
        """Take the user's words: a request, an assent to what the agent proposed, and what binds from now on."""
        current = self._find_end()
        self._plan = dict(zip(self._plan, self._list_steps(), strict=True))
        self._cancel_steps(words)
        is_request = self._requests.hear(words, observation, current)
        self._unbind(words)
        for sentence, probability in score_stated_rules(words).items():
            self._bind(sentence, probability, observation)
        if not is_request:  # it stands with what it replies to
            return
        self._errors.observe_request()
        for path, _ in find_clues(words[:20_000]).paths if "/" in words or "." in words else ():
            self._touch(path, "mention", observation)

    def _cancel_steps(self, words: str) -> None:
        """Mark the open steps of the plan that these words of the user cancel."""
        steps = {name: step for name, step in self._plan.items() if step.status in ENDED_OPEN}
        names = list(steps)
        for at in cancelled_steps(words, [step.text for step in steps.values()]):
            self._plan[names[at]] = replace(steps[names[at]], status="cancelled")

    def _see_report(self, call: ToolCall, observation: Observation) -> None:
        """Take what a subagent reported when it ended."""
        if call.result and call.result.report:
            self._requests.observe_report(call.title, call.result.report, observation)

    def _unbind(self, words: str) -> None:
        """Let go of what these words take back."""
        rules = list(self._constraints)
        for at in find_withdrawn_rules(words, rules):
            del self._constraints[rules[at]]

    def _bind(self, sentence: str, probability: float, observation: Observation) -> None:
        self._constraints.pop(sentence, None)
        self._constraints[sentence] = UserStatement(sentence, observation.uuid, observation.seq, probability=round(probability, 3))
        drop_oldest(self._constraints, 2 * CONSTRAINTS_MAX)

    def _see_call(self, observation: Observation) -> None:
        call = observation.call
        if call is None:
            return
        self._requests.observe_call()
        for touch in find_touched_files(call):
            # What a change changed is known when it has succeeded; until then the file was only named.
            self._touch(touch.path, touch.how if touch.how in ("read", "search") else "mention", observation, call.workdir)
        change = call.todo
        if change and change.steps is not None:
            self._plan = {
                str(at): PlanStep(text, _STATUSES.get(status, "pending")) for at, (text, status) in enumerate(change.steps) if text
            }
        elif change and change.text and not change.task:
            if self._plan and all(step.status == "completed" for step in self._plan.values()):
                self._plan = {}  # a finished list makes room for the next one
            self._plan[f"call:{call.id}"] = PlanStep(change.text, "pending")

    def _see_result(self, observation: Observation) -> None:
        call = observation.call
        result = call.result if call else None
        if call is None or result is None or not call.arguments:  # nobody knows what was asked
            return
        for answer in result.answers:
            self._unbind(answer.text)
            self._requests.observe_answer(answer.question, answer.answer, answer.detail, observation)
        self._see_report(call, observation)
        if result.said and not call.is_foreign:
            self._hear(result.said, observation)
        if call.todo:
            self._change_plan(call, result)
        failed = has_failed(result)
        command = analyse_command(call.command) if call.command else None
        if command:
            self._place.observe_command(call, command)
        verdict = judge_check(command, result) if command and command.checks and (failed is not None or result.job) else None
        if command and (failed is not None or verdict):
            self._judge(call, command, verdict, observation)
        versions = self._changed.versions() if command and failed is False and not command.is_read_only else {}
        self._changed.observe_call(call, observation, self.root, verdict)
        if versions and command:
            self._see_changes(command, versions, call.output, observation)
        self._see_late(call, observation)
        if command and verdict and verdict.value is Verdict.NOT_SEEN:
            self._late.expect(call, command, observation.seq)
        if failed is False:
            if call.kind in (ToolKind.EDIT, ToolKind.WRITE, ToolKind.COMMAND):
                self._requests.observe_action()
            for touch in find_touched_files(call):
                if touch.how in ("edit", "write"):
                    self._errors.observe_change()
                    self._touch(touch.path, touch.how, observation, call.workdir, is_new=False)
                    self._stale(relative_path(touch.path, call.workdir or observation.cwd, self.root), before=observation.seq)
            for touch in parse_search_hits(call):
                self._touch(touch.path, touch.how, observation, call.workdir)
            if command:
                self._keep_command(call.command, command)
        folder = self._folder(call, command) if command else observation.cwd
        judged = verdict.has_failed if verdict else failed
        self._detector.observe_call(FinishedCall(call, command, observation, judged, lambda path: relative_path(path, folder, self.root)))

    def _see_changes(self, command: CommandAnalysis, versions: dict[str, int], output: str, observation: Observation) -> None:
        """Note that checks of before concern files that a command line changed: known ones, or any, where it brought others' work."""
        now = self._changed.versions()
        for path in {*versions, *now}:
            if versions.get(path) != now.get(path):
                self._stale(path, before=observation.seq)
        kinds = {effect.kind for simple in command.commands if (effect := parse_git_effect(simple)) and not effect.is_new}
        if kinds & _BRINGS_OTHERS and not _UP_TO_DATE.search(output):
            for checked in self._checks.values():
                if not checked.what.is_stale and checked.what.seq < observation.seq:
                    checked.what = replace(checked.what, is_stale=True)

    def _keep_command(self, line: str, command: CommandAnalysis) -> None:
        """Keep a command that succeeded, if it may be needed again."""
        if command.checks or command.main is None or "<<" in line or command.main.program in _OCCASIONAL:
            return
        if any(simple.words[:2] == ("git", "commit") for simple in command.commands):
            return
        short = line.strip()
        is_lost = any(simple.is_status_lost or simple.is_background for simple in command.commands)
        if command.is_query or is_lost or len(short) > COMMAND_CHARS_MAX or "\n" in short:
            return
        self._commands.pop(short, None)
        self._commands[short] = None
        drop_oldest(self._commands, 2 * COMMANDS_MAX)

    def _see_late(self, call: ToolCall, observation: Observation) -> None:
        """Take the verdicts of earlier checks that a call, or a notice of the client, shows."""
        for late in self._late.resolve(call):
            self._judge(late.call, late.command, late.verdict, observation, ran_at=late.seq)
            self._changed.observe_late(late, observation)

    def _judge(
        self, call: ToolCall, command: CommandAnalysis, verdict: CheckVerdict | None, observation: Observation, *, ran_at: int = 0
    ) -> None:
        """Give checks their verdict, open or close errors, after a command has ended; `verdict` is None where it checks nothing.

        ran_at  number of the observation with which the check ended, where its verdict comes later: another run may have come since.
        """
        failed = verdict.has_failed if verdict else bool(call.result and has_failed(call.result))
        folder = relative_path(self._folder(call, command), "", self.root) if command.folder or call.cwd != self.root else ""
        form, parts = command.normal_form_in(folder), command.check_scopes(folder)
        subject = f"check:{form}" if parts else f"command:{form}"
        if verdict:
            known = self._checks.get(form)
            if ran_at and (known is None or known.what.seq != ran_at):
                return
            is_stale = bool(ran_at) and known is not None and known.what.is_stale
            self._outdate(self._checks, parts)
            self._checks.pop(form, None)
            if verdict.has_failed and len(parts) == 1:
                self._withdraw_whole(parts[0])
            checked = CheckResult(form, verdict.value, verdict.evidence, observation.uuid, observation.seq, is_stale)
            if verdict.has_failed and (script := find_failing_script(call.output)):
                self._withdraw_pass(script)
            self._checks[form] = _Open(checked, list(parts))
            drop_oldest(self._checks, 2 * CHECKS_MAX)
        if failed is None:  # an error stays open until something says otherwise
            return
        if not failed:
            self._errors.observe_success(subject, command, call.output, folder)
            return
        lines = extract_failure_lines(call.output, verdict.evidence if verdict else "")
        if not parts and (command.is_query or not lines):  # it looked, or nobody knows what failed
            return
        error = OpenError("\n".join(lines) or "failed without output", subject, observation.uuid, observation.seq)
        self._errors.observe_failure(error, command, call.command, call.output, folder)

    def _withdraw_whole(self, part: CheckScope) -> None:
        """Take back that a check passed whose part has failed since, though no file has changed between."""
        for form, checked in list(self._checks.items()):
            passed = checked.what.verdict is Verdict.PASSED and not checked.what.is_stale
            if passed and len(checked.parts) == 1 and checked.parts[0].covers(part):
                del self._checks[form]

    def _withdraw_pass(self, script: str) -> None:
        """Take back that a package's script passed: a later check ran it as a part, and failed in it."""
        for form, checked in list(self._checks.items()):
            before = form.removesuffix(f" {script}")
            if checked.what.verdict is Verdict.PASSED and before != form and before.endswith(_RUNS_SCRIPTS):
                del self._checks[form]

    def _stale(self, path: str, *, before: int) -> None:
        """Note that checks of before concern a file that was changed."""
        for checked in self._checks.values() if path else ():
            if not checked.what.is_stale and checked.what.seq < before and any(scope.is_affected_by(path) for scope in checked.parts):
                checked.what = replace(checked.what, is_stale=True)

    @staticmethod
    def _outdate(known: dict[str, _Open[T]], parts: list[CheckScope]) -> None:
        """Strike out what these scopes tell anew; what has nothing left goes."""
        for form in list(known):
            entry = known[form]
            if entry.parts:
                entry.parts = [old for old in entry.parts if not any(new.covers(old) for new in parts)]
                if not entry.parts:
                    del known[form]

    @staticmethod
    def _folder(call: ToolCall, command: CommandAnalysis) -> str:
        """The folder in which a call's command ran, as far as it is known."""
        cwd, folder = call.workdir or call.cwd, command.folder
        return folder if folder.startswith(("/", "~")) or not cwd else f"{cwd}/{folder}" if folder else cwd

    def _touch(self, path: str, how: str, observation: Observation, workdir: str = "", *, is_new: bool = True) -> None:
        path = relative_path(path, workdir or observation.cwd, self.root)
        if not path or path == ".":
            return
        if how == "mention" and path not in self._files:
            # "fix explain.go": people name files by their ends.
            path = next((known for known in reversed(self._files) if known.endswith(f"/{path}")), path)
        elif "/" in path and (named := self._files.get(path.rpartition("/")[2])) and named.last == "mention":
            del self._files[named.path]
        known = self._files.pop(path, None)
        if how == "mention" and known:
            how = known.last
        touches = known.touches + is_new if known else 1
        self._files[path] = WorkingFile(path, how, observation.seq, touches)
        drop_oldest(self._files, 2 * WORKING_FILES_MAX)

    def _see_subagent(self, observation: Observation) -> None:
        call = observation.call
        if observation.kind is ObservationKind.RESULT and call and call.result:
            command = analyse_command(call.command) if call.command else None
            verdict = judge_check(command, call.result) if command and command.checks else None
            self._changed.observe_call(call, observation, self.root, verdict)
        if observation.kind is not ObservationKind.CALL or call is None:
            return
        for touch in call.touches:
            if touch.how in ("edit", "write"):
                self._touch(touch.path, touch.how, observation)
                self._stale(relative_path(touch.path, observation.cwd, self.root), before=observation.seq)

    def _change_plan(self, call: ToolCall, result: ToolResult) -> None:
        """Name a step that was added, or change one; `call.todo` says which."""
        change, key = call.todo, f"call:{call.id}"
        if change and not change.task and result.task and key in self._plan:
            self._plan = {(result.task if name == key else name): step for name, step in self._plan.items()}
        elif change and change.task in self._plan and not result.is_error:
            step = self._plan.pop(change.task) if change.status == "deleted" else self._plan[change.task]
            if change.status != "deleted":
                self._plan[change.task] = PlanStep(change.text or step.text, _STATUSES.get(change.status, step.status))

    def _identifiers(self) -> tuple[str, ...]:
        """The names of the window by their latest mention, the newest last; read backwards, as most of the window is not needed."""
        newest: dict[str, None] = {}
        for recent in reversed(self._window):
            if recent.found is None:
                recent.found, recent.text = _identifiers_of(recent), ""
            for name in reversed(recent.found):
                newest.setdefault(name)
            if len(newest) >= IDENTIFIERS_MAX:
                break
        return tuple(newest)[:IDENTIFIERS_MAX][::-1]


def state_at(observations: Iterable[Observation], *, question: str = "", root: str = "") -> TaskState:
    """Return the task state after these observations, which come oldest first.

    question  the current question, copied into the state.
    root      folder that paths are made relative to; "" takes the first working folder of an observation.
    Cost      about 25 µs an observation, and 10 ms for the identifiers at the end.
    """
    tracker = TaskTracker(question=question, root=root)
    for observation in observations:
        tracker.observe(observation)
    return tracker.state()


def load_tracker(data: bytes) -> TaskTracker:
    """Return the tracker that `dump_state` wrote. Raises msgspec.ValidationError for one whose parts had other fields."""
    return msgspec.json.decode(data, type=TaskTracker)


def _words_of(observation: Observation) -> str:
    """The words of an observation that identifiers are taken from."""
    text = observation.text
    if observation.kind is ObservationKind.CALL:
        if observation.call and (todo := observation.call.todo):
            return "\n".join((todo.text, *(text for text, _ in todo.steps or ())))
        return "\n".join(_strings(decode_json_or_text(observation.arguments or text)))
    if observation.kind is ObservationKind.PROMPT:
        return extract_typed_text(text)
    if observation.kind is ObservationKind.RESULT and observation.is_error:
        return "\n".join(extract_failure_lines(text))
    return text


def _identifiers_of(recent: _Recent) -> tuple[str, ...]:
    """The rare-looking names of an observation, in order; of what a tool printed only the first few."""
    found = find_clues(recent.text)
    paths = (relative_path(path, "", recent.root) for path, _ in found.paths)
    dotted = (name for name in found.dotted if any(is_code_like(part) for part in name.split(".")))
    single = (name for name in found.identifiers if is_code_like(name))
    names = tuple(dict.fromkeys(name for name in (*paths, *dotted, *single) if name))
    return names[: recent.names_max]


def _ends(text: str) -> str:
    """The two ends of a long text, cut between words: half an identifier names nothing."""
    if len(text) <= WINDOW_CHARS:
        return text
    half = WINDOW_CHARS // 2
    first, last = text[:half].rsplit(None, 1), text[-half:].split(None, 1)  # empty where all of it is blank
    return "\n".join((*first[:1], *last[-1:]))


def _strings(value: object) -> Iterable[str]:
    """Every string in a call's input, depth first."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        parts = cast("Iterable[object]", value.values() if isinstance(value, dict) else value)  # pyright: ignore[reportUnknownMemberType]
        for part in parts:
            yield from _strings(part)
