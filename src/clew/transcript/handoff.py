"""Render the hand-off: the state of the work as Markdown, for the agent that continues after a compaction.

Made from a TaskState without a model, the same bytes for the same input, and never longer than its budget of tokens. It says what is
wanted in the user's own words and what remains of it, what is done and what says so, what failed, what rules hold, where the files
stand, and what the agent and its subagents concluded.

Fixed shares of the budget come first: the last request with the user's replies since (whole, unless that leaves less than half for all
else), the evidence of open errors, and what the agent said last, from its end. The rest buys lines in the order of `_BOUGHT`: a small
budget drops them from the end of that list, and of each list the oldest lines first. They are shown in the order of `_SECTIONS`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from clew.records import (
    BINDING_MIN,
    AgentMessage,
    Author,
    CheckResult,
    EndedRequest,
    FileCheck,
    FileState,
    FileStatus,
    Span,
    Spans,
    TaskState,
    UserReply,
    UserStatement,
    Verdict,
    WorkingFile,
    WorkPlace,
    clew_span,
    join_text,
    merge_spans,
)
from clew.task.commands import PROSE_EXTENSIONS

LINE_CHARS_MAX = 320  # guess: of one entry of a list; the whole stands in the record
PARAGRAPH_CHARS_MAX = 1200  # of the first goal; guess
REQUEST_LINE_CHARS_MAX = 200  # of an earlier request, which is only named; guess
COMMAND_CHARS_MAX = 160  # guess
RULE_PROMPT_CHARS_MAX = 160  # of a prompt that is shown whole with the rule in it; guess: two sentences
SAME_SHARE = 3  # a rule that is at least this part of the last request is not shown once more; guess
ANSWER_WORDS_MAX = 12  # a shorter request that answers the agent is shown with the one before it; guess
FILE_CHECKS_MAX = 3  # of one file; guess
REST_SHARE = 0.5  # of the budget, kept for all else beside a last request that is longer than the rest; guess
ERRORS_SHARE = 0.4  # of the budget, for the evidence of open errors; guess
SAID_SHARE, REPORTS_SHARE = 0.2, 0.1  # of the budget, for what the agent and its subagents said last; guess
LEAD_CHARS_MAX = 200  # of a message that ends with a colon and only says what the next call is for; guess
SAID_TOKENS_MIN = 40  # guess: a line with its heading

CountTokens = Callable[[str], int]
_WORD = re.compile(r"\w+")
_ONLY_IMAGES = re.compile(r"(?:\[image: [\w/+.-]+\]\s*)+")  # as the dialect has a picture in a prompt


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of a section. `rank` is the place in the order of buying, small first; `at` the place in the section.

    spans  the text with whose words it is, () where it is all of its section's author.
    """

    section: int
    at: int
    rank: tuple[int, int]
    text: str
    spans: Spans = ()


@dataclass(frozen=True, slots=True)
class _Quote:
    """A text of the agent or a subagent, the uuid of its record, and its place in the session."""

    text: str
    uuid: str
    at: int


_TITLE = "# Where the work stands"
_SECTIONS = (
    "## Last request, verbatim",
    "## What remains of it",
    "## First request of the session",
    "## Done, with its evidence",
    "## Failed and open",
    "## Constraints, in the user's words",
    "## Also said by the user",
    "## Files changed",
    "## Branch, pull request and commits",
    "## What the agent said last",
    "## What subagents reported last",
    "## Answers of the user to the agent",
    "## Earlier requests, oldest first",
    "## Plan: finished steps",
    "## Dead ends: do not try again",
    "## Files read or named, latest first",
    "## Commands that worked",
    "## Names in play",
)
(
    _REQUEST, _REMAINS, _GOAL, _DONE, _FAILED, _BINDING, _REMARKS, _CHANGED, _PLACE, _SAID, _REPORTS, _ANSWERS, _EARLIER, _STEPS, _DEAD,
    _READ, _COMMANDS, _NAMES,
) = range(len(_SECTIONS))  # fmt: skip
_BOUGHT = (
    _REQUEST, _REMAINS, _FAILED, _SAID, _BINDING, _REMARKS, _CHANGED, _PLACE, _ANSWERS, _REPORTS, _GOAL, _DONE, _READ, _EARLIER, _DEAD,
    _COMMANDS, _STEPS, _NAMES,
)  # fmt: skip
# Whose words stand in a section: the user's only where the client's record says that they were typed.
_AUTHORS = {
    **dict.fromkeys((_GOAL, _REQUEST, _BINDING, _REMARKS, _EARLIER), Author.USER),
    **dict.fromkeys((_REMAINS, _SAID, _REPORTS, _ANSWERS, _STEPS, _DEAD, _COMMANDS), Author.AGENT),
    **dict.fromkeys((_DONE, _FAILED, _CHANGED, _PLACE, _READ, _NAMES), Author.OUTSIDE),
}
_RULES = frozenset({_BINDING, _REMARKS})  # what binds, and what may
_RUNNING = frozenset({_READ, _NAMES})  # sections whose entries stand behind each other, parted by commas
_QUOTED = frozenset({_SAID, _REPORTS})  # sections of whole texts, parted by an empty line
_READ_FIRST = 15  # names of files that are bought as early as the files changed; guess
_READ_MAX = 30  # names of files that are bought before dead ends; guess: more than were needed again in any dev session
_LATE_RANK = _BOUGHT.index(_COMMANDS)  # the other files, and checks without a verdict, come late
# Of the budget, what the lines of a section take before those of later sections; the rest is bought when all have had theirs. Guesses.
_SHARES = {
    _FAILED: 0.2, _BINDING: 0.25, _REMARKS: 0.25, _CHANGED: 0.2, _PLACE: 0.06, _ANSWERS: 0.1, _GOAL: 0.1, _DONE: 0.1, _READ: 0.2,
    _DEAD: 0.08, _EARLIER: 0.12,
}  # fmt: skip
_LAST_BOUGHT = frozenset({_COMMANDS, _STEPS, _NAMES})  # after earlier messages of the agent
_MARKS = {"completed": "x", "in_progress": ">", "pending": " "}
_VERDICTS = {Verdict.PASSED: "passed", Verdict.FAILED: "FAILED", Verdict.NOT_SEEN: "no verdict seen"}


class _Budget:
    """The lines that were bought, and what is left of a budget.

    A section's first line pays for its heading too, and the first one that is not the user's for the fence around such lines.
    """

    def __init__(self, count: CountTokens, tokens: int, handles: Mapping[str, str], fence_tokens: int) -> None:
        self.count, self.tokens, self.handles = count, tokens, handles
        self._fence_tokens = fence_tokens
        self.room = tokens - count(_TITLE + "\n")
        self.shown: list[_Entry] = []
        self._opened: set[int] = set()
        self._spent: dict[int, int] = {}

    def price(self, entry: _Entry) -> int:
        price = self.count(entry.text + ("\n\n" if entry.section in _QUOTED else "\n")) + (
            0 if entry.section in self._opened else self.count(f"\n{_SECTIONS[entry.section]}\n")
        )
        return price + (0 if _AUTHORS[entry.section] is Author.USER else self._fence_tokens)

    def buy(self, entry: _Entry, most: int | None = None) -> bool:
        """Buy a line if it costs no more than is left, and than `most`; return whether it did."""
        price = self.price(entry)
        if price > self.room or (most is not None and price > most):
            return False
        self.room -= price
        self.shown.append(entry)
        self._opened.add(entry.section)
        self._fence_tokens = self._fence_tokens if _AUTHORS[entry.section] is Author.USER else 0
        return True

    def buy_within_share(self, entry: _Entry) -> bool:
        """Buy a line of a section whose lines take no more than its share of the budget so far; return whether it did."""
        share = _SHARES.get(entry.section)
        if share is None:
            return False
        before = self.room
        has_bought = self.buy(entry, int(share * self.tokens) - self._spent.get(entry.section, 0))
        self._spent[entry.section] = self._spent.get(entry.section, 0) + before - self.room
        return has_bought

    def is_said(self, entry: _Entry) -> bool:
        """Return whether an earlier request stands already among the answers that were bought, or an answer among those requests."""
        if entry.section == _EARLIER:
            request = _request_of(entry)
            return any(request in each.text.replace(" | ", " ") for each in self.shown if each.section == _ANSWERS)
        return entry.section == _ANSWERS and any(
            entry.text.endswith(f" → {_request_of(each)}") for each in self.shown if each.section == _EARLIER
        )

    def handle(self, uuid: str) -> str:
        """The handle by which the record with this uuid is unfolded; the uuid itself where there is none."""
        return self.handles.get(uuid, uuid)


def _request_of(entry: _Entry) -> str:
    return entry.text.removeprefix("- ").removesuffix(" …")


def render_handoff(
    state: TaskState,
    count: CountTokens,
    budget_tokens: int,
    handles: Mapping[str, str] | None = None,
    *,
    render: Callable[[Spans], str] = join_text,
) -> Spans:
    """Return the hand-off, at most `budget_tokens` long as counted on its rendered form; () when not even one line fits.

    count    returns the tokens of a text for the model that reads it.
    handles  by a record's uuid, the handle that `clew unfold` takes; without one the uuid itself is shown.
    render   returns the text that is really sent, with its fences.
    Cost     one count of each line, and a few of the whole.
    """
    count = cache(count)  # most lines are priced several times
    fenced = (Span(Author.OUTSIDE, _TITLE),)
    budget = _Budget(count, budget_tokens, handles or {}, count(render(fenced)) - count(join_text(fenced)))
    entries = sorted(_entries(state), key=lambda entry: entry.rank)
    _buy_request(state, budget, sum(count(entry.text + "\n") for entry in entries))
    asked = (span.text for entry in budget.shown for span in entry.spans if span.author is Author.USER)
    request = _joined_words(" ".join(asked))
    entries = [entry for entry in entries if entry.section not in _RULES or not _is_most_of(entry.text.removeprefix("- "), request)]
    for entry in entries:
        if entry.section == _REMAINS:
            budget.buy(entry)
    _buy_errors(state, budget)
    before = state.goals[-2].seq if len(state.goals) > 1 else 0  # what was said before that may no longer be so
    said = [_Quote(message.text, message.uuid, message.seq) for message in _telling_first(state.messages) if message.seq >= before]
    told = _buy_ends(budget, _SAID, said, max(SAID_TOKENS_MIN, int(SAID_SHARE * budget_tokens)))
    since = state.goals[-1].seq if state.goals else 0
    reports = [
        _Quote(f"{report.title or 'a subagent'}: {report.text}", report.uuid, report.seq)
        for report in reversed(state.reports)
        if report.seq >= since
    ]
    _buy_ends(budget, _REPORTS, reports, int(REPORTS_SHARE * budget_tokens), is_both=True)
    rest = [entry for entry in entries if entry.section != _REMAINS]
    # First within shares, so that one long list crowds out no other.
    late = [entry for entry in rest if not budget.is_said(entry) and not budget.buy_within_share(entry)]
    for entry in late:
        if entry.section not in _LAST_BOUGHT and not budget.is_said(entry):
            budget.buy(entry)
    _buy_ends(budget, _SAID, said, budget.room, first=told)
    for entry in late:
        if entry.section in _LAST_BOUGHT:
            budget.buy(entry)
    # A tokenizer may count the whole higher than its lines, and fences take their share; what was bought last goes first.
    shown = budget.shown
    while shown and count(render(_rendered(shown))) > budget_tokens:
        shown.pop()
    return _rendered(shown) if shown else ()


def _entries(state: TaskState) -> Iterator[_Entry]:
    """Every line that is bought by its rank: all but the last request, errors, and what was said."""
    ended = {each.request.text: each for each in state.ended}
    goals = state.goals
    shown = {goal.text for goal in _request_chain(state)}
    current = ended.get(goals[-1].text) if goals else None
    if current and not current.is_cancelled:
        spans = clew_span("- nothing that is known: the agent reported that it is finished"), *_evidence(current)
        yield _Entry(_REMAINS, 0, (_BOUGHT.index(_REMAINS), 0), join_text(spans), spans)
    for at, step in enumerate(state.plan):
        if step.status in ("pending", "in_progress"):
            yield _entry(_REMAINS, at + 1, at, f"- [{_MARKS[step.status]}] {_clipped(step.text)}")
    steps = [f"- [x] {_clipped(step.text)}" for step in state.plan if step.status == "completed"]
    cancelled = sum(step.status == "cancelled" for step in state.plan)
    steps += [f"({cancelled} open steps of it were cancelled by the user)"] if cancelled else []
    yield from _listed(_STEPS, steps)
    rules = _rules(state)
    if goals and goals[0].text not in ended and goals[0].text not in shown and f"- {_joined_words(goals[0].text)}" not in rules:
        yield _entry(_GOAL, 0, 0, _paragraph(goals[0].text))
    yield from _done_entries(state, ended, shown)
    for at, check in enumerate(state.checks):
        if check.verdict is Verdict.FAILED and not _has_error(state, check):
            yield _entry(_FAILED, at, len(state.checks) - at, _check_line(check))
        elif check.verdict is Verdict.NOT_SEEN and not _has_error(state, check):
            yield _Entry(_FAILED, at, (_LATE_RANK, len(state.checks) - at), _check_line(check))
    for at, (line, rule) in enumerate(rules.items()):  # the last one is bought first
        said = () if rule.is_typed else (Span(Author.AGENT, line),)
        section = _BINDING if rule.probability >= BINDING_MIN else _REMARKS
        yield _Entry(section, at, (_BOUGHT.index(section), len(rules) - at), line, said)
    yield from _listed(_CHANGED, _changed(state.files, " ".join(f"{check.command}\n" for check in state.checks)))
    yield from _unseen(state)
    yield from _place_entries(state.place)
    of_request = {reply.uuid for reply in _replies_of(state)}
    yield from _listed(_ANSWERS, [_answer_line(reply) for reply in state.replies if reply.uuid not in of_request or not reply.is_typed])
    said = shown | ended.keys() | {goal.text for goal in goals[:1]}
    earlier = [
        goal
        for goal in goals
        if goal.text not in said and not _ONLY_IMAGES.fullmatch(goal.text.strip()) and f"- {_joined_words(goal.text)}" not in rules
    ]
    distinctive = _by_distinctive_words(goals)
    for at, goal in enumerate(earlier):
        yield _entry(_EARLIER, at, distinctive.index(goal), f"- {_request_line(goal)}")
    changed_paths = {file.path for file in state.files if file.state is not FileStatus.REVERTED}
    seen = _files_once(state.working_set, changed_paths)
    # What was read before what was only found or named, the newest first; what lies outside the work last.
    ordered = sorted(seen, key=lambda file: (file.path.startswith(("/", "~")), file.last in ("search", "mention"), -file.seq))
    for at, file in enumerate(ordered):
        early = _BOUGHT.index(_CHANGED), len(state.files) + at
        rank = early if at < _READ_FIRST else (_BOUGHT.index(_READ) if at < _READ_MAX else _LATE_RANK, at)
        yield _Entry(_READ, at, rank, file.path)
    likely = sorted(range(len(state.dead_ends)), key=lambda at: (-state.dead_ends[at].weight, -at))
    for order, at in enumerate(likely):
        end = state.dead_ends[at]
        line = f"- {_clipped(end.text)}" + (f" — {_clipped(_joined(end.reason))}" if end.reason else "")
        yield _entry(_DEAD, at, order, line)
    known = {check.command for check in state.checks}
    yield from _listed(_COMMANDS, [f"- `{command}`" for command in state.commands_ok if command not in known])
    names = [name for name in state.recent_identifiers if "/" not in name]
    yield from _listed(_NAMES, names)


def _files_once(files: Sequence[WorkingFile], changed: Collection[str]) -> list[WorkingFile]:
    """The files that are not listed as changed, without folders of other paths and names that are the end of another path."""
    paths = {*changed, *(file.path for file in files)}
    folders, ends = set[str](), set[str]()
    for path in paths:
        parts = path.split("/")
        folders.update("/".join(parts[:at]) for at in range(1, len(parts)))
        ends.update("/".join(parts[at:]) for at in range(1, len(parts)))
    return [file for file in files if file.path not in changed and file.path not in folders and file.path not in ends]


def _rules(state: TaskState) -> dict[str, UserStatement]:
    """The rules in force by their lines, oldest first: each line with all of a short prompt that the rule stands in."""
    shown = _request_chain(state)
    prompts = {goal.uuid: _joined_words(goal.text) for goal in state.goals if goal.uuid and goal not in shown}
    lines: dict[str, UserStatement] = {}
    for stated in state.constraints:
        rule, prompt = _joined_words(stated.text), prompts.get(stated.uuid, "")
        is_short = stated.is_typed and len(prompt) <= RULE_PROMPT_CHARS_MAX and rule in prompt
        line = f"- {prompt if is_short else rule}"
        lines[line] = max(stated, lines.get(line, stated), key=lambda each: each.probability)
    return lines


def _is_most_of(rule: str, request: str) -> bool:
    """Return whether a request that is shown says little beside a rule, so that the rule need not stand twice."""
    return len(rule) * SAME_SHARE >= len(request) and rule in request


def _by_distinctive_words(goals: Sequence[UserStatement]) -> list[UserStatement]:
    """The requests whose words the others use least first (mean inverse document frequency); the newer of two equals."""
    words = [set(_WORD.findall(goal.text.casefold())) for goal in goals]
    used: Counter[str] = Counter()
    for own, goal in zip(words, goals, strict=True):
        used.update(dict.fromkeys(own, goal.times))
    total = sum(goal.times for goal in goals)
    rarity = [sum(math.log((1 + total) / used[word]) for word in own) / max(len(own), 1) for own in words]
    return [goals[at] for at in sorted(range(len(goals)), key=lambda at: (-rarity[at], -at))]


def _done_entries(state: TaskState, ended: Mapping[str, EndedRequest], shown: set[str]) -> Iterator[_Entry]:
    """Requests that are done or cancelled, and checks that passed, each with what says so."""
    rank = _BOUGHT.index(_DONE)
    past = [each for text, each in ended.items() if text not in shown]
    begun = {_clipped(_joined_words(text), REQUEST_LINE_CHARS_MAX) for text in shown}
    for at, each in enumerate(past):
        how = "cancelled by the user" if each.is_cancelled else "done"
        line = _request_line(each.request)
        note = "an earlier request, which begins like the last one: " if line in begun else ""
        spans = clew_span(f"- {note}"), Span(Author.OUTSIDE, line), clew_span(f" — {how}"), *_evidence(each)
        yield _Entry(_DONE, at, (rank + 1, len(past) - at), join_text(spans), spans)
    passed = [check for check in state.checks if check.verdict is Verdict.PASSED]
    for at, check in enumerate(passed):
        yield _Entry(_DONE, len(past) + at, (rank, len(passed) - at), _check_line(check))


def _unseen(state: TaskState) -> Iterator[_Entry]:
    """What the session does not hold: a change of a file, a check of what it changed."""
    if not state.working_set:
        return
    if not state.files:
        nothing = "no file was changed" if state.checks else "no file was changed, and no check was seen"
        yield _entry(_CHANGED, 0, 0, f"- {nothing} in this session, as far as its calls show")
        return
    checked = [check.seq for check in (*state.checks, *(check for file in state.files for check in file.checked_by))]
    if all(_is_prose(file.path) for file in state.files):
        return
    if not checked:
        yield _entry(_FAILED, 0, 0, "- no check was seen in this session: no build, no lint, no tests")
    elif max(checked) < max(file.seq for file in state.files):
        yield _entry(_FAILED, 0, 0, "- no check was seen since the last change of a file: no build, no lint, no tests")


def _place_entries(place: WorkPlace) -> Iterator[_Entry]:
    """Branch and pull request before the commits, the newest of which is bought first."""
    rank = _BOUGHT.index(_PLACE)
    if place.branch:
        yield _Entry(_PLACE, 0, (rank, 0), f"- branch: {place.branch}" + (f", in {place.folder}" if place.folder else ""))
    if place.pull_request:
        state = f", {place.pull_state}" if place.pull_state else ""
        yield _Entry(_PLACE, 1, (rank, 1), f"- pull request: #{place.pull_request}{state}")
    for at, commit in enumerate(place.commits):
        digest = commit.digest or "(made anew by a rebase)"
        line = f"- commit made: {digest} {_clipped(commit.subject, REQUEST_LINE_CHARS_MAX)}"
        line += f", in {commit.folder}" if commit.folder else ""
        yield _Entry(_PLACE, 2 + at, (rank, 2 + len(place.commits) - at), line)
    if place.pushed:
        yield _Entry(_PLACE, 2 + len(place.commits), (rank, 2), f"- last push: {place.pushed}")


def _evidence(ended: EndedRequest) -> Spans:
    """What says that a request is ended: the agent's or the user's words, and a check."""
    spans = clew_span(": "), Span(Author.OUTSIDE, f"“{_clipped(_joined(ended.evidence))}”")
    if ended.check is None:
        return spans
    return (
        *spans,
        clew_span("; passed since: "),
        Span(Author.OUTSIDE, f"`{_clipped(ended.check.command)}` — {_clipped(ended.check.evidence)}"),
    )


def _request_line(request: UserStatement) -> str:
    return _clipped(_joined_words(request.text), REQUEST_LINE_CHARS_MAX)


def _joined_words(text: str) -> str:
    return " ".join(text.split())


def _answer_line(reply: UserReply) -> str:
    chosen = f" ({_clipped(_joined(reply.chosen))})" if reply.chosen else ""
    return f"- {_clipped(_joined(reply.asked))} → {_clipped(_joined(reply.text))}{chosen}"


def _has_error(state: TaskState, check: CheckResult) -> bool:
    return any(error.subject.partition(":")[2] == check.command for error in state.open_errors)


def _listed(section: int, lines: list[str]) -> Iterator[_Entry]:
    """A section's lines as they stand; the last one is bought first."""
    for at, line in enumerate(lines):
        yield _entry(section, at, len(lines) - at, line)


def _entry(section: int, at: int, order: int, text: str) -> _Entry:
    return _Entry(section, at, (_BOUGHT.index(section), order), text)


# What has a share of its own.


def _buy_errors(state: TaskState, budget: _Budget) -> None:
    """Buy the open errors, the newest first: each with its evidence as it stands, or a line that says where that is."""
    most = int(ERRORS_SHARE * budget.tokens)
    verdicts = {check.command: check for check in state.checks}
    for order, error in enumerate(reversed(state.open_errors)):
        at = len(state.checks) + len(state.open_errors) - order
        command = error.subject.partition(":")[2]
        check = verdicts.get(command)
        how = "failed"
        if check and check.verdict is not Verdict.PASSED:
            how = "FAILED" if check.verdict is Verdict.FAILED else "no verdict seen in the last run, and failed before"
        head = f"- {how}: `{_clipped(command, COMMAND_CHARS_MAX)}`"
        head += " (before files changed)" if check and check.is_stale else ""
        before = budget.room
        entry = _Entry(_FAILED, at, (0, order), f"{head}\n{error.text}")
        if not budget.buy(entry, most):
            lines = len(error.text.split("\n"))
            spans = Span(Author.OUTSIDE, head), clew_span(f" [… {lines} lines: clew unfold {budget.handle(error.uuid)}]")
            budget.buy(_Entry(_FAILED, at, (0, order), join_text(spans), spans))
        most -= before - budget.room


def _telling_first(messages: Sequence[AgentMessage]) -> list[AgentMessage]:
    """The agent's messages, each text once, newest first; last those that only lead to the call behind them ("Now the tests:")."""
    each_once = list({message.text.strip(): message for message in messages}.values())[::-1]
    return each_once[:1] + sorted(each_once[1:], key=_is_lead)


def _is_lead(message: AgentMessage) -> bool:
    text = message.text.strip()
    return len(text) <= LEAD_CHARS_MAX and "\n" not in text and text.endswith((":", "："))


def _buy_ends(budget: _Budget, section: int, texts: Sequence[_Quote], most: int, *, first: int = 0, is_both: bool = False) -> int:
    """Buy texts from the number `first` on within a share, each whole, or its last lines with a word on where the rest is.

    Returns  the number of the first text that was not bought at all.

    is_both  of a text that does not fit, as many of its first lines: reports begin with their conclusion as often as they end with it.
    """
    for order, quote in enumerate(texts[first:], first):
        before = budget.room
        whole = "\n".join(f"> {line}".rstrip() for line in quote.text.strip().split("\n"))
        entry = _Entry(section, quote.at, (0, order), whole)
        if not budget.buy(entry, most):
            _buy_end(budget, entry, quote.uuid, min(most, before), is_both=is_both)
            return order + (budget.room < before)
        most -= before - budget.room
    return len(texts)


def _buy_end(budget: _Budget, entry: _Entry, uuid: str, most: int, *, is_both: bool) -> None:
    """Buy the last lines of an entry that cost at most so much, or its first and its last."""
    lines = entry.text.split("\n")

    def ending(kept: int) -> _Entry:
        first = kept // 2 if is_both else 0
        mark = clew_span(f"[… {len(lines) - kept} lines{'' if first else ' before'}: clew unfold {budget.handle(uuid)}]\n")
        head = (Span(Author.AGENT, "\n".join(lines[:first])), clew_span("\n")) if first else ()
        spans = *head, mark, Span(Author.AGENT, "\n".join(lines[len(lines) - kept + first :]))
        return _Entry(entry.section, entry.at, entry.rank, join_text(spans), spans)

    kept = _most(lambda kept: budget.price(ending(kept)) <= most, len(lines) - 1)
    if kept > 0:
        budget.buy(ending(kept))


# The last request.


def _request_chain(state: TaskState) -> list[UserStatement]:
    """The last request; before it those that it is a short answer within, oldest first."""
    chain = list(state.goals[-1:])
    answers = {reply.uuid for reply in state.replies if reply.is_typed and reply.uuid}
    for goal in reversed(state.goals[:-1]):
        is_short_answer = chain[0].uuid in answers and len(chain[0].text.split()) <= ANSWER_WORDS_MAX
        if not (is_short_answer or chain[0].is_continuation) or len(chain) > 3:
            break
        chain.insert(0, goal)
    return chain


def _replies_of(state: TaskState) -> list[UserReply]:
    """The user's replies that stand with the last request: since it, or the one that it is; oldest first."""
    chain = _request_chain(state)
    return [reply for reply in state.replies if chain and (reply.seq > chain[0].seq or reply.uuid == chain[0].uuid)]


def _after(state: TaskState, chain: Sequence[UserStatement]) -> Spans:
    """What came after the first request of the chain: replies and additions, each with what it answers in the agent's words."""
    spans: list[Span] = []
    replies = {reply.uuid: reply for reply in _replies_of(state) if reply.is_typed}
    words = [(reply.seq, reply.text, reply) for reply in replies.values() if reply.uuid != chain[0].uuid]
    words += [(goal.seq, goal.text, None) for goal in chain[1:] if goal.uuid not in replies]
    for _, text, reply in sorted(words, key=lambda each: each[0]):
        lead = "then, to the agent" if reply else "then, while the agent worked on it"
        spans += clew_span(f"\n({lead}: "), Span(Author.USER, text), clew_span(")")
        spans += _answered(reply) if reply else ()
    own = replies.get(chain[0].uuid)
    return (*(_answered(own) if own else ()), *spans)


def _answered(reply: UserReply) -> Spans:
    """What a reply answers, or chooses, in the agent's words."""
    if reply.chosen:
        return clew_span("\n(which chooses:)\n"), Span(Author.AGENT, reply.chosen)
    return (clew_span("\n(in answer to:)\n"), Span(Author.AGENT, reply.asked)) if reply.asked else ()


def _buy_request(state: TaskState, budget: _Budget, others: int) -> None:
    chain = _request_chain(state)
    if not chain:
        return
    kept = min(others, int(budget.room * REST_SHARE))
    room = budget.room - kept - budget.count(f"{_SECTIONS[_REQUEST]}\n\n")
    spans = _fitted(chain[0], _after(state, chain), budget.count, room, budget.handles)
    if spans:
        budget.buy(_Entry(_REQUEST, 0, (0, 0), join_text(spans), spans))


def _fitted(request: UserStatement, after: Spans, count: CountTokens, room: int, handles: Mapping[str, str]) -> Spans:
    """The request whole; or as many of its lines as fit, with a word on where the rest is; or ()."""
    whole = (Span(Author.USER, request.text), *after)
    if count(join_text(whole)) <= room:
        return whole
    while after and count(join_text(after)) > room // 2:  # the newest replies count
        starts = [at for at, span in enumerate(after) if at and span.author is Author.CLEW and span.text.startswith("\n(then")]
        after = after[starts[0] :] if starts else ()
    lines = request.text.split("\n")
    name = handles.get(request.uuid, request.uuid)

    def cut(kept: int) -> Spans:
        rest = f"\n[… {len(lines) - kept} more lines: clew unfold {name}]"
        return Span(Author.USER, _closed("\n".join(lines[:kept]))), clew_span(rest), *after

    low = _most(lambda kept: count(join_text(cut(kept))) <= room, len(lines) - 1)
    if low > 0:
        return cut(low)
    first = lines[0]  # one line that is too long by itself: cut between words
    words = first.split(" ")

    def cut_words(kept: int) -> Spans:
        return Span(Author.USER, " ".join(words[:kept])), clew_span(f" [… whole: clew unfold {name}]"), *after

    kept = _most(lambda kept: count(join_text(cut_words(kept))) <= room, len(words) - 1)
    return cut_words(kept) if kept > 0 else ()


def _most(fits: Callable[[int], bool], most: int) -> int:
    """The largest number up to `most` that fits, by halving; 0 if none does."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _rendered(shown: list[_Entry]) -> Spans:
    parts = [clew_span(_TITLE)]
    for section, heading in enumerate(_SECTIONS):
        entries = [entry for entry in sorted(shown, key=lambda entry: entry.at) if entry.section == section]
        between = "\n\n" + heading + "\n"
        for entry in entries:
            parts += [clew_span(between), *(entry.spans or (Span(_AUTHORS[section], entry.text),))]
            between = ", " if section in _RUNNING else "\n\n" if section in _QUOTED else "\n"
    return merge_spans((*parts, clew_span("\n")))


def _changed(files: Sequence[FileState], shown_checks: str) -> list[str]:
    """What is known of each file that was changed; what was taken back is not listed, nor the old path of a file that is."""
    paths = {file.path for file in files}
    return [
        _file_line(file, shown_checks)
        for file in files
        if (file.state is not FileStatus.REVERTED or file.is_stashed) and not (file.state is FileStatus.MOVED and file.moved_to in paths)
    ]


def _file_line(file: FileState, shown_checks: str) -> str:
    if file.is_stashed:
        return f"- {file.path}: its changes are in the stash"
    said = [f"{file.state.value} ({file.edits} changes)" if file.edits > 1 else file.state.value]
    if file.state is FileStatus.MOVED and file.moved_from:
        said = []
    said += [f"moved from {file.moved_from}"] if file.moved_from else []
    said[0] += f" to {file.moved_to}" if file.moved_to else ""
    checked = [check for check in file.checked_by if check.verdict is not Verdict.NOT_SEEN][-FILE_CHECKS_MAX:]
    said += dict.fromkeys(_file_check(check, is_named=f"{check.command}\n" not in shown_checks) for check in checked)
    said += [] if file.was_tried or _is_prose(file.path) or file.state is FileStatus.REMOVED else ["not checked since"]
    if file.is_committed:
        said.append(
            "committed" + (f" as {file.commit}" if file.commit else "") + (f" on {file.commit_branch}" if file.commit_branch else "")
        )
    elif file.is_committed is False:
        said.append("not committed")
    return f"- {file.path}: {', '.join(said)}"


def _is_prose(path: str) -> bool:
    return path.rpartition(".")[2].lower() in PROSE_EXTENSIONS


def _file_check(check: FileCheck, *, is_named: bool) -> str:
    """The check's kind and verdict; its command where no other line says that."""
    when = "before other files changed" if check.is_stale else "since"
    line = f"{check.kind} {_VERDICTS[check.verdict]} {when}"
    return f"{line}: `{_clipped(check.command, COMMAND_CHARS_MAX)}`" if is_named else line


def _check_line(check: CheckResult) -> str:
    stale = " (before files changed)" if check.is_stale else ""
    return f"- {_VERDICTS[check.verdict]}{stale}: `{_clipped(check.command, COMMAND_CHARS_MAX)}`" + (
        f" — {_clipped(check.evidence)}" if check.evidence else ""
    )


def _joined(text: str) -> str:
    return " | ".join(line.strip() for line in text.split("\n") if line.strip())


def _paragraph(text: str) -> str:
    """A longer text by its first lines; fences that the cut opened are closed."""
    if len(text) <= PARAGRAPH_CHARS_MAX:
        return text
    whole, _, _ = text[:PARAGRAPH_CHARS_MAX].rpartition("\n")
    return f"{_closed(whole)}\n…" if whole else _clipped(text, PARAGRAPH_CHARS_MAX)


def _closed(text: str) -> str:
    is_open = sum(line.lstrip().startswith("```") for line in text.split("\n")) % 2
    return f"{text}\n```" if is_open else text


def _clipped(text: str, most: int = LINE_CHARS_MAX) -> str:
    return text if len(text) <= most else f"{text[:most].rstrip()} …"
