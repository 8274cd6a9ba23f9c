"""Evaluation: sessions × cuts × budgets × arms. What would each window have held of what was needed later?

Reads one session at a time in each process and keeps of it only numbers and a few names. A session that cannot be read is named and
the rest goes on. Nothing is written anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from clew.errors import ClewError, NotReadable, UsageError
from clew.hindsight.arms import ARMS, Arm, summary_tokens
from clew.hindsight.cases import cases
from clew.hindsight.scores import Scores, Shown, is_named, is_said, score
from clew.hindsight.trial import Trial
from clew.packet.options import Originals
from clew.pool import spread
from clew.records import handle_of
from clew.text.tokens import counter as counter_of
from clew.transcript.parse import open_transcript
from clew.transcript.sessions import find

SHARES = (0.05, 0.1, 0.25, 0.5)  # of the history's tokens
TELLING_CHARS = 16  # of a request: "yes, go on" tells nobody which session it was; guess
SUMMARY = "summary"  # the budget that is the size of the client's own summary


class Repriced(Protocol):
    """A session's bill under other ways of keeping its window."""

    def units(self, arm: str = ...) -> float:
        """What an arm costs, in tokens of plain input; without a name, doing nothing."""
        ...

    def dollars(self, arm: str = ...) -> float | None:
        """The same at the model's list price; None where that is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Priced:
    """What a session costs under one arm, and by doing nothing."""

    units: float
    nothing_units: float
    dollars: float | None = None
    nothing_dollars: float | None = None

    @property
    def against_nothing(self) -> float:
        """The share by which the arm is dearer than doing nothing; below 0 it is cheaper."""
        return self.units / self.nothing_units - 1


Reprice = Callable[[Sequence[bytes]], Repriced | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be judged.

    shares   budgets as shares of the history; SUMMARY is always one where there is a summary and `with_summary`.
    reprice  prices a session's lines again, where somebody can; a module-level function.
    """

    arms: tuple[str, ...] = tuple(ARMS)
    shares: tuple[float, ...] = SHARES
    with_summary: bool = True
    tokenizer: str = "claude"
    reprice: Reprice | None = None
    priced_arms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One window: its arm, its budget by name and in tokens, how long it is, what making it took, and its scores.

    constraints, dead_ends  shares of those in the task state that it shows; None where there are none.
    missing                 needed files that it does not name.
    more                    what somebody else counted of the window, by name.
    """

    arm: str
    budget: str
    budget_tokens: int
    tokens: int
    ms: float
    scores: Scores
    constraints: float | None
    dead_ends: float | None
    missing: tuple[str, ...] = ()
    more: Mapping[str, float | None] = field(default_factory=dict[str, "float | None"])

    def value(self, measure: str) -> float | None:
        """The figure of this name: a score, `constraints`, `dead_ends`, PER_1000, or one of `more`."""
        if measure in self.more:
            return self.more[measure]
        if measure == PER_1000:
            return None if self.scores.terms is None else 1000 * self.scores.terms / self.tokens if self.tokens else 0.0
        found: float | None = getattr(self if measure in {"constraints", "dead_ends"} else self.scores, measure, None)
        return found


PER_1000 = "terms_per_1000"
MEASURES = ("files", "verbatim", "folded", "terms", "named", PER_1000, "repeats", "constraints", "dead_ends")


@dataclass(frozen=True, slots=True)
class Recovery:
    """What came back of a history: its bytes from the kept transcript, its records, and the handles that windows printed."""

    size: int = 0
    size_back: int = 0
    records: int = 0
    records_back: int = 0
    handles: int = 0
    handles_back: int = 0

    def __add__(self, other: Recovery) -> Recovery:
        """Both together."""
        return Recovery(
            self.size + other.size,
            self.size_back + other.size_back,
            self.records + other.records,
            self.records_back + other.records_back,
            self.handles + other.handles,
            self.handles_back + other.handles_back,
        )

    @property
    def is_whole(self) -> bool:
        """Whether all of it came back."""
        return (self.size, self.records, self.handles) == (self.size_back, self.records_back, self.handles_back)


@dataclass(frozen=True, slots=True)
class Judged:
    """One cut with all its windows.

    request  the first line of the last request before it that says something, by which a person knows the session again.
    needed   counts what was needed, by kind.
    made_ms  what making clew's records of the history took.
    """

    id: str
    session: str
    request: str
    kind: str
    tokens: int
    calls: int
    observations: int
    summary_tokens: int
    needed: Mapping[str, int]
    rows: tuple[Row, ...]
    recovery: Recovery
    made_ms: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one transcript: its cuts, or the sentence that says why there are none to read."""

    path: Path
    session: str
    cuts: tuple[Judged, ...] = ()
    costs: Mapping[str, Priced] = field(default_factory=dict[str, Priced])
    problem: str = ""


def sessions_at(paths: Iterable[Path]) -> tuple[list[Path], list[str]]:
    """Return the transcripts of main threads at these paths, in order and each once, and what could not be looked at."""
    found: dict[Path, None] = {}
    problems: list[str] = []
    for path in paths:
        try:
            here = [session for session in find(path) if session.client or path.is_dir()]
        except (NotReadable, OSError) as problem:
            problems.append(str(problem))
            continue
        if not here:
            problems.append(f"{path}: holds no transcript of a known client")
        found.update((session.path, None) for session in here if not session.agent)
    return list(found), problems


def evaluate(paths: Sequence[Path], plan: Plan, *, workers: int = 1) -> Iterator[Outcome]:
    """Yield what came of each transcript, in the order given. Raises UsageError for an arm or a tokenizer that nobody knows."""
    counter_of(plan.tokenizer)
    unknown = [name for name in plan.arms if name not in ARMS]
    if unknown:
        raise UsageError(f"arm {unknown[0]!r} is not known\nhint: known are {', '.join(ARMS)}")
    yield from spread(_outcome, [(path, plan) for path in paths], workers)


def judge(
    trial: Trial,
    arms: Mapping[str, Arm],
    budgets: Mapping[str, int],
    *,
    more: Callable[[Shown], Mapping[str, float | None]] | None = None,
) -> Judged:
    """Judge the windows of one cut. `more` counts what it likes of each."""
    case, needed = trial.case, trial.needs
    rows: list[Row] = []
    printed: dict[str, None] = {}
    for label, budget_tokens in budgets.items():
        for name, arm in arms.items():
            if name == "clew":
                _ = trial.compacting  # made once for all budgets, and timed apart
            started = time.perf_counter()
            window = arm(trial, budget_tokens)
            ms = 1e3 * (time.perf_counter() - started)
            if window is None:
                continue
            shown = Shown(window.text, window.unfold)
            rows.append(_row(name, label, budget_tokens, ms, shown, trial, more(shown) if more else {}))
            printed.update(dict.fromkeys(window.handles))
    return Judged(
        case.id,
        case.session,
        _telling(trial.requests),
        case.kind,
        trial.tokens,
        sum(bool(piece.call_id and piece.tool) for piece in case.pieces),
        len(case.before),
        summary_tokens(trial),
        {
            "files": len(needed.files),
            "lines": sum(len(edit.lines) for edit in needed.edits),
            "terms": len(needed.terms),
            "repeats": len(needed.repeats),
            "constraints": len(trial.state.constraints),
            "dead_ends": len(trial.state.dead_ends),
        },
        tuple(rows),
        recovery(trial, printed) if "clew" in arms else Recovery(),
        trial.made_ms,
    )


def budgets_of(trial: Trial, shares: Sequence[float], *, with_summary: bool = True) -> dict[str, int]:
    """The budgets of a cut in tokens, by name: the summary's size first, then the shares."""
    own = summary_tokens(trial) if with_summary else 0
    return ({SUMMARY: own} if own else {}) | {share_name(share): int(trial.tokens * share) for share in shares}


def share_name(share: float) -> str:
    """`5 %`."""
    return f"{100 * share:.4g} %"


def recovery(trial: Trial, handles: Iterable[str]) -> Recovery:
    """Bring everything of the history back from the store, record by record and handle by handle, and compare the bytes."""
    made, raw = trial.compacting, b"".join(trial.case.lines)
    live = made.store.of_source(made.workspace, made.source)
    ended = made.store.records(made.workspace, [record_id for record_id, _ in made.store.unusual(made.workspace)])
    records = list({record.id: record for record in [*live, *ended]}.values())
    pieces = sorted((record for record in live if record.kind == "transcript"), key=lambda record: record.whole.start_line)
    back = {record.id: trial.behind(handle_of(record.id)) for record in records}
    originals = Originals(made.store, made.workspace)
    same = sum(back[record.id] == originals.bytes_of(record.whole) for record in records)
    joined = b"".join(back[record.id] or b"" for record in pieces)
    printed = list(handles)
    return Recovery(
        len(raw),
        len(raw) if joined == raw else _common(joined, raw),
        len(records),
        same,
        len(printed),
        sum(_unfolds(trial, handle) for handle in printed),
    )


def _telling(requests: Sequence[str]) -> str:
    """The first line of the last request that is more than a word or a number; else of the last."""
    lines = [request.partition("\n")[0].strip() for request in requests]
    return next((line for line in reversed(lines) if len(line) >= TELLING_CHARS), lines[-1] if lines else "")


def _outcome(job: tuple[Path, Plan]) -> Outcome:
    path, plan = job
    session = path.name
    try:
        judged: list[Judged] = []
        for case in cases(path):
            session = case.session
            trial = Trial(case, counter_of(plan.tokenizer))
            budgets = budgets_of(trial, plan.shares, with_summary=plan.with_summary)
            judged.append(judge(trial, {name: ARMS[name] for name in plan.arms}, budgets))
        return Outcome(path, session, tuple(judged), _costs(path, plan))
    except (ClewError, OSError) as problem:
        return Outcome(path, session, problem=str(problem))


def _costs(path: Path, plan: Plan) -> dict[str, Priced]:
    """The priced arms against doing nothing; empty where nobody prices, or the session says nothing of its bill."""
    if plan.reprice is None:
        return {}
    with open_transcript(path) as stream:
        priced = plan.reprice(stream.readlines())
    if priced is None:
        return {}
    return {arm: Priced(priced.units(arm), priced.units(), priced.dollars(arm), priced.dollars()) for arm in plan.priced_arms}


def _row(arm: str, label: str, budget_tokens: int, ms: float, shown: Shown, trial: Trial, more: Mapping[str, float | None]) -> Row:
    state, wanted = trial.state, trial.needs
    constraints = [is_said(stated.text, shown) for stated in state.constraints]
    ends = [is_said(end.text, shown) or (bool(end.reason) and is_said(end.reason.split("\n", 1)[0], shown)) for end in state.dead_ends]
    return Row(
        arm,
        label,
        budget_tokens,
        trial.counter.count(shown.window),
        ms,
        score(shown, wanted),
        sum(constraints) / len(constraints) if constraints else None,
        sum(ends) / len(ends) if ends else None,
        tuple(path for path in wanted.files if not is_named(path, shown.window)),
        more,
    )


def _unfolds(trial: Trial, handle: str) -> bool:
    try:
        trial.unfold(handle)
    except (ClewError, KeyError):
        return False
    return True


def _common(first: bytes, second: bytes) -> int:
    """How many bytes two texts begin with in common."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[:middle] == second[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
