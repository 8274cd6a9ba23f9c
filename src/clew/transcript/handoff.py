"""Render the hand-off: the state of the work as Markdown, for the agent that continues after a compaction.

Made from a TaskState without a model, the same bytes for the same input, and never longer than its
budget of tokens. It says what is wanted in the user's own words, what rules hold, where the work stands, and what must not
be tried again.

What is chosen first, until the budget is spent: the last request (whole, unless that leaves less than half for all else;
then as many of its lines as fit), open steps of the plan, constraints, files changed, open errors, the names of the latest
files read, dead ends, the latest checks, the first goal, what the agent last said, other files, earlier requests, commands
that worked, finished steps, names. So a small budget drops them from the end of that list, and of each list the oldest
lines first, of dead ends the least likely to be tried again. They are shown in another order, the one that reads best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from clew.records import (
    Author,
    CheckResult,
    FileCheck,
    FileState,
    FileStatus,
    Span,
    Spans,
    TaskState,
    UserStatement,
    Verdict,
    clew_span,
    join_text,
    merge_spans,
)
from clew.task.prompts import is_assent

LINE_CHARS_MAX = 320  # guess: of one entry of a list; the whole stands in the record
PARAGRAPH_CHARS_MAX = 1200  # of the first goal, and of what the agent said; guess
REQUEST_LINE_CHARS_MAX = 200  # of an earlier request, which is only named; guess
FILE_CHECKS_MAX = 3  # of one file; guess
REST_SHARE = 0.5  # of the budget, kept for all else beside a last request that is longer than the rest; guess

CountTokens = Callable[[str], int]


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


_TITLE = "# Where the work stands"
_SECTIONS = (
    "## Goal, as the user stated it",
    "## Last request, verbatim",
    "## What the agent had just said",
    "## Constraints and remarks, in the user's words",
    "## Earlier requests, oldest first",
    "## Plan",
    "## Files changed",
    "## Files read or named, latest first",
    "## Latest checks",
    "## Open errors",
    "## Dead ends: do not try again",
    "## Commands that worked",
    "## Names in play",
)
_GOAL, _REQUEST, _SAID, _BINDING, _EARLIER, _PLAN, _CHANGED, _READ, _CHECKS, _ERRORS, _DEAD, _COMMANDS, _NAMES = range(len(_SECTIONS))
_BOUGHT = (_REQUEST, _PLAN, _BINDING, _CHANGED, _ERRORS, _READ, _DEAD, _CHECKS, _GOAL, _SAID, _EARLIER, _COMMANDS, _NAMES)
# Whose words stand in a section: the user's only where the client's record says that they were typed.
_AUTHORS = {
    **dict.fromkeys((_GOAL, _REQUEST, _BINDING, _EARLIER), Author.USER),
    **dict.fromkeys((_SAID, _PLAN, _DEAD, _COMMANDS), Author.AGENT),
    **dict.fromkeys((_CHANGED, _READ, _CHECKS, _ERRORS, _NAMES), Author.OUTSIDE),
}
_RUNNING = frozenset({_READ, _NAMES})  # sections whose entries stand behind each other, parted by commas
_READ_MAX = 30  # names of files that are bought before dead ends; guess: more than were needed again in any dev session
_DONE_RANK = _BOUGHT.index(_COMMANDS)  # finished steps of the plan come with the commands
_LATE_RANK = _BOUGHT.index(_SAID)  # the other files come with what the agent said
_MARKS = {"completed": "x", "in_progress": ">", "pending": " "}


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
    handles  by a prompt's uuid, the handle that `clew unfold` takes; without one the uuid itself is shown.
    render   returns the text that is really sent, with its fences.
    Cost     about one count of each line, and a few of the whole.
    """
    entries = sorted(_entries(state), key=lambda entry: entry.rank)
    request = _request(state)
    shown: list[_Entry] = []
    room = budget_tokens - count(_TITLE + "\n")
    prices = [count(entry.text + "\n") for entry in entries]
    if request is not None:
        kept = min(sum(prices), int(room * REST_SHARE))
        spans = _fitted(request, _after(state), count, room - kept - count(f"{_SECTIONS[_REQUEST]}\n\n"), handles or {})
        if spans:
            text = join_text(spans)
            shown.append(_Entry(_REQUEST, 0, (0, 0), text, spans))
            room -= count(f"\n{_SECTIONS[_REQUEST]}\n{text}\n")
    opened = {_REQUEST} if shown else set[int]()
    for entry, own in zip(entries, prices, strict=True):
        price = own + (0 if entry.section in opened else count(f"\n{_SECTIONS[entry.section]}\n"))
        if price <= room:
            shown.append(entry)
            opened.add(entry.section)
            room -= price
    # A tokenizer may count the whole higher than its lines, and fences take their share; what was bought last goes first.
    while shown and count(render(_rendered(shown))) > budget_tokens:
        shown.pop()
    return _rendered(shown) if shown else ()


def _entries(state: TaskState) -> Iterator[_Entry]:
    """Every line but the last request, each with its place and its rank."""
    goals = [goal for goal in state.goals if not is_assent(goal.text)]
    if len(goals) > 1:
        yield _entry(_GOAL, 0, 0, _paragraph(goals[0].text))
    said = state.answered_message if _after(state) else ""
    for at, words in enumerate(dict.fromkeys((said, state.last_message))):
        if words.strip():
            quoted = "\n".join(f"> {line}".rstrip() for line in _paragraph(words.strip()).split("\n"))
            yield _entry(_SAID, at, at, quoted)
    bound = {stated.text for stated in state.constraints}
    earlier = [goal for goal in goals[1:-1] if goal.text not in bound]
    yield from _listed(_EARLIER, [f"- {_clipped(' '.join(goal.text.split()), REQUEST_LINE_CHARS_MAX)}" for goal in earlier])
    for at, stated in enumerate(state.constraints):  # the last one is bought first
        line = f"- {' '.join(stated.text.split())}"
        said = () if stated.is_typed else (Span(Author.AGENT, line),)
        yield _Entry(_BINDING, at, (_BOUGHT.index(_BINDING), len(state.constraints) - at), line, said)
    for at, step in enumerate(state.plan):
        line = f"- [{_MARKS[step.status]}] {_clipped(step.text)}"
        if step.status == "completed":
            yield _Entry(_PLAN, at, (_DONE_RANK, len(state.plan) - at), line)
        else:
            yield _entry(_PLAN, at, at, line)
    yield from _listed(_CHANGED, _changed(state.files))
    changed_paths = {file.path for file in state.files if file.state is not FileStatus.REVERTED}
    seen = [file for file in state.working_set if file.path not in changed_paths]
    # What was read before what was only found or named, the newest first; what lies outside the work last.
    ordered = sorted(seen, key=lambda file: (file.path.startswith(("/", "~")), file.last in ("search", "mention"), -file.seq))
    for at, file in enumerate(ordered):
        yield _entry(_READ, at, at, file.path) if at < _READ_MAX else _Entry(_READ, at, (_LATE_RANK, at), file.path)
    yield from _listed(_CHECKS, [_check_line(check) for check in state.checks])
    yield from _listed(
        _ERRORS,
        [f"- `{error.subject.partition(':')[2]}`: {_clipped(_joined(error.text), 2 * LINE_CHARS_MAX)}" for error in state.open_errors],
    )
    likely = sorted(range(len(state.dead_ends)), key=lambda at: (-state.dead_ends[at].weight, -at))
    for order, at in enumerate(likely):
        end = state.dead_ends[at]
        line = f"- {_clipped(end.text)}" + (f" — {_clipped(_joined(end.reason))}" if end.reason else "")
        yield _entry(_DEAD, at, order, line)
    known = {check.command for check in state.checks}
    yield from _listed(_COMMANDS, [f"- `{command}`" for command in state.commands_ok if command not in known])
    names = [name for name in state.recent_identifiers if "/" not in name]
    yield from _listed(_NAMES, names)


def _listed(section: int, lines: list[str]) -> Iterator[_Entry]:
    """A section's lines as they stand; the last one is bought first."""
    for at, line in enumerate(lines):
        yield _entry(section, at, len(lines) - at, line)


def _entry(section: int, at: int, order: int, text: str) -> _Entry:
    return _Entry(section, at, (_BOUGHT.index(section), order), text)


def _request(state: TaskState) -> UserStatement | None:
    """The last prompt that asks for something; an assent only where nothing else was said."""
    asked = [goal for goal in state.goals if not is_assent(goal.text)]
    return asked[-1] if asked else (state.goals[-1] if state.goals else None)


def _after(state: TaskState) -> Spans:
    """The assent that came after the last request."""
    last = state.goals[-1].text if state.goals else ""
    if len(state.goals) <= 1 or not is_assent(last):
        return ()
    return clew_span("\n(then, to what the agent proposed: "), Span(Author.USER, last), clew_span(")")


def _fitted(request: UserStatement, after: Spans, count: CountTokens, room: int, handles: Mapping[str, str]) -> Spans:
    """The request whole; or as many of its lines as fit, with a word on where the rest is; or ()."""
    whole = (Span(Author.USER, request.text), *after)
    if count(join_text(whole)) <= room:
        return whole
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
            between = ", " if section in _RUNNING else "\n"
    return merge_spans((*parts, clew_span("\n")))


def _changed(files: Sequence[FileState]) -> list[str]:
    """What is known of each file that was changed; what was taken back is not listed, nor the old path of a file that is."""
    paths = {file.path for file in files}
    return [
        _file_line(file)
        for file in files
        if (file.state is not FileStatus.REVERTED or file.is_stashed) and not (file.state is FileStatus.MOVED and file.moved_to in paths)
    ]


def _file_line(file: FileState) -> str:
    if file.is_stashed:
        return f"- {file.path}: its changes are in the stash"
    said = [f"{file.state.value} ({file.edits} changes)" if file.edits > 1 else file.state.value]
    said += [f"moved from {file.moved_from}"] if file.moved_from else []
    said[0] += f" to {file.moved_to}" if file.moved_to else ""
    said += [_file_check(check) for check in file.checked_by[-FILE_CHECKS_MAX:]]
    said += [] if file.was_tried else ["not checked since"]
    if file.is_committed:
        said.append(f"committed as {file.commit}" if file.commit else "committed")
    elif file.is_committed is False:
        said.append("no commit since")
    return f"- {file.path}: {', '.join(said)}"


def _file_check(check: FileCheck) -> str:
    verdict = {Verdict.PASSED: "passed", Verdict.FAILED: "FAILED", Verdict.NOT_SEEN: "ran, no verdict seen"}[check.verdict]
    when = "before other files changed" if check.is_stale else "since"
    return f"{check.kind} {verdict} {when}: `{_clipped(check.command)}`"


def _check_line(check: CheckResult) -> str:
    verdict = {Verdict.PASSED: "passed", Verdict.FAILED: "FAILED", Verdict.NOT_SEEN: "no verdict seen"}[check.verdict]
    stale = " (before files changed)" if check.is_stale else ""
    return f"- {verdict}{stale}: `{check.command}`" + (f" — {_clipped(check.evidence)}" if check.evidence else "")


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
