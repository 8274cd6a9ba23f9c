"""Evaluate the windows of each case of each session: how much of what was needed later does a window hold?

Each process reads one session at a time. A session that cannot be read is reported, and the rest goes on. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from clew.errors import ClewError, NotReadable
from clew.evaluation.cases import find_cases
from clew.evaluation.prepared import PreparedCase
from clew.evaluation.scores import SearchableWindow, compute_share, contains_name, contains_text, score_needs
from clew.evaluation.windows import WINDOW_BUILDERS, WindowBuilder
from clew.pool import map_in_processes
from clew.records import make_handle
from clew.text.tokens import make_counter
from clew.transcript.session_files import find_sessions

BUDGET_SHARES = (0.05, 0.1, 0.25, 0.5)  # of the history's tokens
TELLING_CHARS = 16  # of a request: "yes, go on" tells nobody which session it was; guess
SUMMARY_BUDGET = "summary"  # the budget that is the size of the client's own summary
MEASURES = ("files", "verbatim", "folded", "terms", "named", "repeats", "constraints", "dead_ends")


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """Options of an evaluation: budgets as shares of the history's tokens, whether to add that of the client's summary, the tokenizer."""

    shares: tuple[float, ...] = BUDGET_SHARES
    with_summary: bool = True
    tokenizer: str = "claude"


@dataclass(frozen=True, slots=True)
class WindowScore:
    """The scores of one window: the arm (kind of window), its budget by name and in tokens, its length in tokens.
    values   0 to 1; None where nothing of the kind was needed.
    missing  needed files that it does not name.
    """

    arm: str
    budget: str
    budget_tokens: int
    tokens: int
    values: Mapping[str, float | None]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecoveryCounts:
    """How much of a history can be restored from the store: bytes, records and printed handles, each as total and restored count."""

    size: int = 0
    size_back: int = 0
    records: int = 0
    records_back: int = 0
    handles: int = 0
    handles_back: int = 0

    def __add__(self, other: RecoveryCounts) -> RecoveryCounts:
        """Return the sums of both."""
        return RecoveryCounts(*(one + another for one, another in zip(astuple(self), astuple(other), strict=True)))

    @property
    def is_whole(self) -> bool:
        """Whether everything was restored."""
        return (self.size, self.records, self.handles) == (self.size_back, self.records_back, self.handles_back)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The results of one evaluation case: what was needed, and the scores of each window at each budget.

    request  first line of the user's last longer request in the history, to recognise the session by.
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
    needed: Mapping[str, int]
    rows: tuple[WindowScore, ...]
    recovery: RecoveryCounts
    made_ms: float


@dataclass(frozen=True, slots=True)
class TranscriptResult:
    """The results of one transcript: those of its cases, or in `problem` why it could not be read."""

    path: Path
    session: str
    cuts: tuple[CaseResult, ...] = ()
    problem: str = ""


def find_main_transcripts(paths: Iterable[Path]) -> tuple[list[Path], list[str]]:
    """Return the transcripts of main threads (not subagents) at these paths, each once, and a sentence for each path without any."""
    found: dict[Path, None] = {}
    problems: list[str] = []
    for path in paths:
        try:
            here = [session for session in find_sessions(path) if session.client or path.is_dir()]
        except (NotReadable, OSError) as problem:
            problems.append(str(problem))
            continue
        if not here:
            problems.append(f"{path}: holds no transcript of a known client")
        found.update((session.path, None) for session in here if not session.agent)
    return list(found), problems


def select_newest(paths: Sequence[Path], limit: int | None) -> list[Path]:
    """Return the `limit` transcripts that were written to last, in their order; all of them for None."""
    if limit is None or len(paths) <= limit:
        return list(paths)
    newest = set(sorted(paths, key=lambda path: (-_mtime_ns(path), str(path)))[:limit])
    return [path for path in paths if path in newest]


def _mtime_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # gone since it was found: reading it says so
        return 0


def evaluate_transcripts(paths: Sequence[Path], plan: EvaluationOptions, *, workers: int = 1) -> Iterator[TranscriptResult]:
    """Yield the result of each transcript, in order. Raises UnknownTokenizer for an unknown tokenizer."""
    make_counter(plan.tokenizer)
    yield from map_in_processes(_outcome, [(path, plan) for path in paths], workers)


def score_windows(prepared: PreparedCase, windows: Mapping[str, WindowBuilder], budgets: Mapping[str, int]) -> CaseResult:
    """Build the windows of one case at these budgets (tokens by name), score them, and return the case's result."""
    rows: list[WindowScore] = []
    printed: dict[str, None] = {}
    for label, budget_tokens in budgets.items():
        for name, make in windows.items():
            if window := make(prepared, budget_tokens):
                rows.append(score_window(prepared, name, label, budget_tokens, SearchableWindow(window.text, window.unfold)))
                printed.update(dict.fromkeys(window.handles))
    return build_case_result(prepared, rows, printed if "clew" in windows else None)


def build_case_result(prepared: PreparedCase, rows: Sequence[WindowScore], printed: Iterable[str] | None) -> CaseResult:
    """Return the result of a case from the scores of its windows; `printed` are the handles in clew's windows, None without any."""
    case, needed, state = prepared.case, prepared.needs, prepared.state
    return CaseResult(
        case.id,
        case.session,
        _telling(prepared.user_messages),
        case.kind,
        prepared.history_tokens,
        sum(bool(piece.call_id and piece.tool) for piece in case.pieces),
        len(case.before),
        {
            "files": len(needed.files),
            "lines": sum(len(edit.lines) for edit in needed.edits),
            "terms": len(needed.terms),
            "repeats": len(needed.repeats),
            "constraints": len(state.constraints),
            "dead_ends": len(state.dead_ends),
        },
        tuple(rows),
        RecoveryCounts() if printed is None else check_recovery(prepared, printed),
        prepared.made_ms,
    )


def score_window(prepared: PreparedCase, arm: str, label: str, budget_tokens: int, shown: SearchableWindow) -> WindowScore:
    """Return the scores of one window of a case."""
    state, wanted = prepared.state, prepared.needs
    constraints = [contains_text(stated.text, shown) for stated in state.constraints]
    ends = [
        contains_text(end.text, shown) or (bool(end.reason) and contains_text(end.reason.split("\n", 1)[0], shown))
        for end in state.dead_ends
    ]
    values = score_needs(shown, wanted) | {"constraints": compute_share(constraints), "dead_ends": compute_share(ends)}
    missing = tuple(path for path in wanted.files if not contains_name(path, shown.window))
    return WindowScore(arm, label, budget_tokens, prepared.counter.count(shown.window), values, missing)


def compute_budgets(prepared: PreparedCase, shares: Sequence[float], *, with_summary: bool = True) -> dict[str, int]:
    """Return the budgets of a case in tokens by name: the size of the client's summary first, then these shares of the history."""
    own = {SUMMARY_BUDGET: prepared.summary_tokens} if with_summary and prepared.summary_tokens else {}
    return own | {f"{100 * share:.4g} %": int(prepared.history_tokens * share) for share in shares}


def check_recovery(prepared: PreparedCase, handles: Iterable[str]) -> RecoveryCounts:
    """Restore the history from the store, record by record and handle by handle, and count what equals the original bytes."""
    made, raw = prepared.compaction_input, b"".join(prepared.case.lines)
    live = prepared.snapshot.records_of_sources(made.source)
    ended = prepared.snapshot.records([record_id for record_id, _ in prepared.snapshot.stale_or_cold()])
    records = list({record.id: record for record in [*live, *ended]}.values())
    pieces = sorted((record for record in live if record.kind == "transcript"), key=lambda record: record.full_text.start_line)
    back = {record.id: prepared.unfold(make_handle(record.id)) for record in records}
    joined = b"".join(back[record.id] or b"" for record in pieces)
    printed = list(handles)
    return RecoveryCounts(
        len(raw),
        next((at for at, (one, other) in enumerate(zip(joined, raw, strict=False)) if one != other), min(len(joined), len(raw))),
        len(records),
        sum(back[record.id] == prepared.originals.bytes_of(record.full_text) for record in records),
        len(printed),
        sum(prepared.unfold(handle) is not None for handle in printed),
    )


def _telling(requests: Sequence[str]) -> str:
    """The first line of the last request that is more than a word or a number; else of the last."""
    lines = [request.partition("\n")[0].strip() for request in requests]
    return next((line for line in reversed(lines) if len(line) >= TELLING_CHARS), lines[-1] if lines else "")


def _outcome(job: tuple[Path, EvaluationOptions]) -> TranscriptResult:
    path, plan = job
    session = path.name
    found: list[CaseResult] = []
    try:
        for case in find_cases(path):
            session = case.session
            prepared = PreparedCase(case, make_counter(plan.tokenizer))
            found.append(score_windows(prepared, WINDOW_BUILDERS, compute_budgets(prepared, plan.shares, with_summary=plan.with_summary)))
    except (ClewError, OSError) as problem:
        return TranscriptResult(path, session, problem=str(problem))
    return TranscriptResult(path, session, tuple(found))
