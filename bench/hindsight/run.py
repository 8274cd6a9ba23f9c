"""Running: every cut of every session through every arm, one session at a time, with what others marked or label beside our scores."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from bench.hindsight import beside, labels
from bench.hindsight.arms import ARMS, Arm
from bench.hindsight.folds import fold_of, nets_without
from bench.hindsight.trial import JudgedTrial
from clew.errors import ClewError
from clew.evaluation.cases import find_cases
from clew.evaluation.evaluate import MEASURES, CaseResult, TranscriptResult, WindowScore, build_case_result, compute_budgets, score_window
from clew.evaluation.needs import Needs
from clew.evaluation.scores import SearchableWindow, score_needs
from clew.text.tokens import make_counter
from clew.transcript.parse import open_transcript

GIVEN = ("given_files", "given_verbatim")  # by the labels of the tasks file
MARKED = ("marked_dead_ends", "marked_constraints")  # by a reader's marks, where the session has some at this cut
PER_1000 = "terms_per_1000"
ALL_MEASURES = (*MEASURES, PER_1000, *GIVEN, *MARKED)


@dataclass(frozen=True)
class Job:
    """One session: its file, its name, at which cuts with which labels (none: its own), and with what."""

    path: Path
    name: str
    given: tuple[labels.Given, ...]
    arms: tuple[str, ...]
    shares: tuple[float, ...]
    tokenizer: str


@dataclass(frozen=True)
class Done:
    """What came of one session: its cuts, how its labels agree with the given ones, and why a rival gave no window."""

    outcome: TranscriptResult
    agreement: Counter[str] = field(default_factory=Counter)
    failures: tuple[str, ...] = ()
    window_ms: tuple[float, ...] = ()  # what each of clew's windows took


def measure(job: Job) -> Done:
    """Judge one session. What cannot be read is a problem in the answer."""
    agreement: Counter[str] = Counter()
    cuts: list[CaseResult] = []
    window_ms: list[float] = []
    failures: list[str] = []
    try:
        with open_transcript(job.path) as stream:
            lines = stream.readlines()
        inputs = labels.inputs_of(lines) if job.given else {}
        by_cut = {given.cut: labels.needs_of(given, inputs) for given in job.given}
        for case in find_cases(job.path, list(by_cut) or None):
            trial = JudgedTrial(case, make_counter(job.tokenizer), using=nets_without(fold_of(case.session)))
            given = by_cut.get(case.line)
            if given is not None:
                agreement += labels.agreement(trial.needs, given)
            marks = beside.marks_at(job.name, case.line, lines)
            arms = {name: ARMS[name] for name in job.arms if name in ARMS} | beside.rivals(job.arms, failures)
            cuts.append(_judge(trial, arms, compute_budgets(trial, job.shares), partial(_more, given, marks), window_ms))
    except (ClewError, OSError, EOFError) as problem:
        return Done(TranscriptResult(job.path, job.name, problem=str(problem)), agreement, tuple(failures))
    return Done(TranscriptResult(job.path, job.name, tuple(cuts)), agreement, tuple(failures), tuple(window_ms))


def jobs(
    data: Path, tasks: Mapping[str, Sequence[labels.Given]] | None, arms: Sequence[str], shares: Sequence[float], tokenizer: str
) -> list[Job]:
    """The sessions to judge, in the order of their names: those with given cuts, or all."""
    names = list(tasks) if tasks is not None else sorted(path.relative_to(data).as_posix() for path in data.rglob("*.jsonl*"))
    return [
        Job(data / name, name.partition(".")[0], tuple((tasks or {}).get(name, ())), tuple(arms), tuple(shares), tokenizer)
        for name in names
    ]


def _judge(
    trial: JudgedTrial,
    arms: Mapping[str, Arm],
    budgets: Mapping[str, int],
    more: Callable[[SearchableWindow], Mapping[str, float | None]],
    window_ms: list[float],
) -> CaseResult:
    """Judge the windows of one cut, as `clew.evaluation.evaluate.score_windows` does, with what else is counted of each."""
    rows: list[WindowScore] = []
    printed: dict[str, None] = {}
    for label, budget_tokens in budgets.items():
        for name, arm in arms.items():
            if name == "clew":
                _ = trial.compaction_input  # made once for all budgets, and timed apart
            started = time.perf_counter()
            window = arm(trial, budget_tokens)
            if window is None:
                continue
            if name == "clew":
                window_ms.append(1e3 * (time.perf_counter() - started))
            shown = SearchableWindow(window.text, window.unfold)
            found = score_window(trial, name, label, budget_tokens, shown)
            terms = found.values["terms"]
            per_1000 = None if terms is None else 1000 * terms / found.tokens if found.tokens else 0.0
            rows.append(replace(found, values={**found.values, PER_1000: per_1000, **more(shown)}))
            printed.update(dict.fromkeys(window.handles))
    return build_case_result(trial, rows, printed if "clew" in arms else None)


def _more(given: Needs | None, marks: Mapping[str, Sequence[beside.Kept]], shown: SearchableWindow) -> dict[str, float | None]:
    scores = score_needs(shown, given) if given else None
    found: dict[str, float | None] = dict.fromkeys((*GIVEN, *MARKED))
    if scores:
        found |= {"given_files": scores["files"], "given_verbatim": scores["verbatim"]}
    for name, asked in marks.items():
        kept = sum(is_kept(shown.window) for is_kept in asked)
        found |= {name: kept / len(asked) if asked else None, f"{name}_kept": kept, f"{name}_of": len(asked)}
    return found
