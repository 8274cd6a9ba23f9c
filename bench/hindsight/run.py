"""Running: every cut of every session through every arm, one session at a time, with what others marked or label beside our scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.hindsight import beside, labels
from bench.hindsight.folds import fold_of, nets_without
from clew.errors import ClewError
from clew.hindsight.arms import ARMS
from clew.hindsight.cases import cases
from clew.hindsight.evaluate import MEASURES, Judged, Outcome, budgets_of, judge
from clew.hindsight.needs import Needs
from clew.hindsight.scores import Shown, score
from clew.hindsight.trial import Trial
from clew.text.tokens import counter
from clew.transcript.parse import open_transcript

GIVEN = ("given_files", "given_verbatim")  # by the labels of the tasks file
MARKED = ("marked_dead_ends", "marked_constraints")  # by a reader's marks, where the session has some at this cut
ALL_MEASURES = (*MEASURES, *GIVEN, *MARKED)


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

    outcome: Outcome
    agreement: Counter[str] = field(default_factory=Counter)
    failures: tuple[str, ...] = ()


def measure(job: Job) -> Done:
    """Judge one session. What cannot be read is a problem in the answer."""
    agreement: Counter[str] = Counter()
    judged: list[Judged] = []
    failures: list[str] = []
    try:
        with open_transcript(job.path) as stream:
            lines = stream.readlines()
        inputs = labels.inputs_of(lines) if job.given else {}
        by_cut = {given.cut: labels.needs_of(given, inputs) for given in job.given}
        for case in cases(job.path, list(by_cut) or None):
            trial = Trial(case, counter(job.tokenizer), using=nets_without(fold_of(case.session)))
            given = by_cut.get(case.line)
            if given is not None:
                agreement += labels.agreement(trial.needs, given)
            marks = beside.marks_at(job.name, case.line, lines)
            arms = {name: ARMS[name] for name in job.arms if name in ARMS} | beside.rivals(job.arms, failures)
            judged.append(judge(trial, arms, budgets_of(trial, job.shares), more=partial(_more, given, marks)))
    except (ClewError, OSError, EOFError) as problem:
        return Done(Outcome(job.path, job.name, problem=str(problem)), agreement, tuple(failures))
    return Done(Outcome(job.path, job.name, tuple(judged)), agreement, tuple(failures))


def jobs(
    data: Path, tasks: Mapping[str, Sequence[labels.Given]] | None, arms: Sequence[str], shares: Sequence[float], tokenizer: str
) -> list[Job]:
    """The sessions to judge, in the order of their names: those with given cuts, or all."""
    names = list(tasks) if tasks is not None else sorted(path.relative_to(data).as_posix() for path in data.rglob("*.jsonl*"))
    return [
        Job(data / name, name.partition(".")[0], tuple((tasks or {}).get(name, ())), tuple(arms), tuple(shares), tokenizer)
        for name in names
    ]


def _more(given: Needs | None, marks: Mapping[str, Sequence[beside.Kept]], shown: Shown) -> dict[str, float | None]:
    scores = score(shown, given) if given else None
    found: dict[str, float | None] = dict.fromkeys((*GIVEN, *MARKED))
    if scores:
        found |= {"given_files": scores.files, "given_verbatim": scores.verbatim}
    for name, asked in marks.items():
        kept = sum(is_kept(shown.window) for is_kept in asked)
        found |= {name: kept / len(asked) if asked else None, f"{name}_kept": kept, f"{name}_of": len(asked)}
    return found
