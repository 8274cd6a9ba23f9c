"""Calibrate: a repository grades its own retriever, and fits it where that helps.

Its newest commits are asked in time order, each against the tree before it (see `replay` and `past`). Weights are fitted to
the older ones and judged on the newest, with real packets. They are proposed only if what was held out became more
likely and nothing that is measured fell; so what is adopted was never worse than the default where it was tried.

Of a commit's files the tests are not what is looked for: they follow from the code. There are no vectors and no stored
edges in a replay; what those count stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.enrich.git import GitFailed, ask, has_history
from clew.enrich.past import Past
from clew.enrich.replay import Asked, Replay, lines_of, replay
from clew.records import Resolution
from clew.retrieval.calibration import Measure, Note, maker
from clew.retrieval.deadline import Deadline
from clew.retrieval.diffuse import heaviest
from clew.retrieval.fit import Labelled, fitted, likelihood
from clew.retrieval.retrieve import retrieve
from clew.retrieval.seed import seed
from clew.retrieval.weights import CHANNELS, DEFAULT, Weights
from clew.store.index import Index
from clew.task.question import question_state
from clew.text.tokens import counter

USABLE_MIN = 40  # with fewer, 12 or less would judge; guess
FIT_SHARE = 0.7  # of the commits, the older ones
BUDGET_TOKENS = 8192
TOKENIZER = "chars4"
TOTAL_CANDIDATES = 400  # the best by all channels, and of single ones: what the default weights were fitted among
CHANNEL_CANDIDATES = 120
SINGLE_CHANNELS = ("word", "title", "code", "name")
FILES_FIRST = 5
DRAWS = 2000  # of the bootstrap
PREFIX = "file:"

Progress: TypeAlias = Callable[[str, int, int], None]
Floats: TypeAlias = NDArray[np.float64]

SYMBOLS = f"symbols within {BUDGET_TOKENS:,} tokens"
FILES = f"files within {BUDGET_TOKENS:,} tokens"
FIRST = f"files among the first {FILES_FIRST}"
MEASURES = (SYMBOLS, FILES, FIRST)


@dataclass(slots=True)
class Calibrated:
    """What a calibration found. `note` has the figures, None when no commit could be asked; `reason` says why the default stays.

    looked_through  the newest commits that were looked at for those that can be asked.
    weights         None when the default stays.
    """

    looked_through: int = 0
    note: Note | None = None
    weights: Weights | None = None
    reason: str = ""
    problems: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Gold:
    """The documents that a commit changed, and their files."""

    records: NDArray[np.int32]
    files: NDArray[np.int32]


def calibrate(root: Path, *, commits: int, progress: Progress | None = None) -> Calibrated:
    """Replay the newest commits of the work tree at `root`, and return what they say of the weights. Writes nothing.

    Cost  the tree of the oldest commit is parsed once, in this process; then about 0.2 s a commit that is fitted to, and
          the time of two packets more for one that judges.
    """
    found = Calibrated()
    if not has_history(root):
        found.reason = "there is no git history here"
        return found
    try:
        head = ask(root, "rev-parse", "--verify", "--quiet", "HEAD").decode().strip()
        told = replay(root, head, commits)
        found.looked_through = told.looked_through
        _judge(root, head, told, found, progress)
    except GitFailed as failure:
        found.reason = f"git could not tell: {failure}" if str(failure) else "there is no commit yet"
    return found


def _judge(root: Path, head: str, told: Replay, found: Calibrated, progress: Progress | None) -> None:
    is_enough = len(told.asked) >= USABLE_MIN
    older = int(len(told.asked) * FIT_SHARE) if is_enough else 0
    past = Past(root, (lambda done, total: progress("reading", done, total)) if progress else None)
    before, after = [*told.asked[:older]], [*told.asked[older:]]
    order = {read.commit.id: at for at, read in enumerate(told.reads)}
    learned: list[Labelled] = []
    judged: list[Labelled] = []
    scores: list[tuple[list[float], list[float]]] = []
    weights, pull, at = DEFAULT, 0.0, 0
    for number, one in enumerate([*before, *after]):
        if progress:
            progress("replaying", number, len(told.asked))
        if number == older and is_enough and learned:
            weights, pull = fitted(learned)
        past.tell(tuple(reversed(told.reads[at : order[one.id]])))
        at = order[one.id]
        past.stand_at(one.parent)
        index = past.index("")
        gold = gold_of(index, one)
        if not len(gold.records):
            continue
        question = labelled(index, one.question, gold)
        if number < older:
            learned.append(question)
        else:
            judged.append(question)
            default = _found(past, index, one.question, gold, DEFAULT)
            scores.append((default, _found(past, index, one.question, gold, weights) if weights != DEFAULT else default))
    if progress:
        progress("replaying", len(told.asked), len(told.asked))
    if not judged:
        found.reason = "no commit can be asked: none changes code that was there, with a message that tells what"
        return
    table = np.array(scores)
    found.note = Note(
        maker(), head, len(learned) + len(judged), len(learned), len(judged), pull,
        {name: float(getattr(weights, name)) for name in CHANNELS},
        [_measure(name, table[:, 0, column], table[:, 1, column]) for column, name in enumerate(MEASURES)],
        round(float(likelihood(judged, DEFAULT).mean()), 4), round(float(likelihood(judged, weights).mean()), 4),
    )  # fmt: skip
    found.reason = _refusal(found.note, is_enough=is_enough and bool(learned))
    found.weights = None if found.reason else weights


def _refusal(note: Note, *, is_enough: bool) -> str:
    """Why the fitted weights are not adopted; "" if they are."""
    if not is_enough:
        return f"{note.commits} commit{'' if note.commits == 1 else 's'} can be asked, and {USABLE_MIN} are needed to fit and to judge"
    if note.likelihood_fitted <= note.likelihood_default:
        return "what the held-out commits changed did not become more likely"
    fallen = [measure.name for measure in note.measures if measure.gain < 0]
    if fallen:
        return f"fewer were found of: {', '.join(fallen)}"
    if note.measures[0].gain_low < 0:
        return f"the gain in {note.measures[0].name} may be chance"
    return ""


# -- one commit ---------------------------------------------------------------------------------


def gold_of(index: Index, one: Asked) -> Gold:
    """The innermost records of the parent's tree that hold what changed; a file as a whole only where nothing in it does."""
    mask = index.among(PREFIX).mask & ~index.is_prose & ~index.is_test
    found: set[int] = set()
    files: set[int] = set()
    for path, ranges in sorted(one.changed.items()):
        code = index.path_numbers.get(path)
        if code is None:
            continue
        docs = np.flatnonzero(mask & (index.path_codes == code)).astype(np.int32)
        if not len(docs):
            continue
        files.add(code)
        first, last = index.start_line[docs], index.start_line[docs] + index.lines[docs] - 1
        for upper, lower in lines_of(ranges):
            held = np.flatnonzero((first <= upper) & (last >= lower))
            if len(held):
                found.add(int(docs[min(held.tolist(), key=lambda row: (int(index.lines[docs[row]]), -int(row)))]))
    inner = {doc for doc in found if index.parent[doc] >= 0}
    return Gold(np.array(sorted(inner or found), np.int32), np.array(sorted(files), np.int32))


def labelled(index: Index, question: str, gold: Gold) -> Labelled:
    """What the channels say of a question's candidates, and which of them were changed."""
    seeds = seed(index, question_state(question), prefix=PREFIX, deadline=Deadline())
    docs = set(heaviest(index, seeds.weights, np.flatnonzero(seeds.weights > 0).astype(np.int32), TOTAL_CANDIDATES).tolist())
    mask = index.among(PREFIX).mask & ~index.is_test & ~index.is_prose
    for name in SINGLE_CHANNELS:
        values = seeds.channels[name]
        docs |= set(heaviest(index, values, np.flatnonzero(mask & (values > 0)).astype(np.int32), CHANNEL_CANDIDATES).tolist())
    docs |= set(gold.records.tolist())
    rows = np.array(sorted(docs), np.int32)
    none = np.zeros(index.size, np.float32)
    values = np.stack([seeds.channels.get(name, none)[rows] for name in CHANNELS], axis=1)
    return Labelled(values, np.isin(rows, gold.records), np.isin(index.path_codes[rows], gold.files))


def _found(past: Past, index: Index, question: str, gold: Gold, weights: Weights) -> list[float]:
    """Shares of what a commit changed that a packet shows, in the order of MEASURES."""
    state = question_state(question)
    packet = retrieve(past, "", state, budget_tokens=BUDGET_TOKENS, counter=counter(TOKENIZER), weights=weights)
    spans: dict[str, list[tuple[int, int]]] = {}
    for entry in packet.entries:
        if entry.resolution >= Resolution.SIGNATURE:
            spans.setdefault(entry.path, []).append((entry.start, entry.end))
    symbols = 0
    for doc in gold.records.tolist():
        first = int(index.start_line[doc])
        last = first + int(index.lines[doc]) - 1
        symbols += any(start <= last and first <= end for start, end in spans.get(index.paths[int(index.path_codes[doc])], ()))
    codes: list[int] = gold.files.tolist()
    paths = [index.paths[code] for code in codes]
    leading = list(dict.fromkeys(entry.path for entry in packet.entries))[:FILES_FIRST]
    return [
        symbols / len(gold.records),
        sum(path in spans for path in paths) / len(paths),
        sum(path in leading for path in paths) / len(paths),
    ]


def _measure(name: str, default: Floats, fitted_: Floats) -> Measure:
    figures = [figure for values in (default, fitted_, fitted_ - default) for figure in (float(values.mean()), *_interval(values))]
    return Measure(name, *(round(figure, 4) for figure in figures))


def _interval(values: Floats) -> tuple[float, float]:
    """95 % of the means of DRAWS bootstrap samples; the same draws for equal lengths, so that differences are paired."""
    draws = np.random.default_rng(0).integers(0, len(values), (DRAWS, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
