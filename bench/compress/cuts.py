"""Cuts: a run of consecutive chunks of a recorded session, as clew's compressor cuts it, with what of it was needed after the cut.

One cut a session, projects in turn, in the order of hashes (`bench.nextaction.cuts`). Of a history the run is drawn by a hash among those
in which something was needed; what was needed elsewhere does not count, and all arms choose among the lines of the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.compress.arms import LETTERS, count_lines
from bench.hindsight.folds import fold_of, nets_without
from bench.nextaction.cuts import find_cuts
from clew.compaction.keep import compute_utility
from clew.enrich.chunks import SessionChunk, split_session
from clew.evaluation.cases import EvaluationCase
from clew.evaluation.needs import Needs, find_needs
from clew.text.tokens import make_counter
from clew.transcript.session_files import find_session_files
from train.distil.parts import JudgedCut, Line, Part, find_needed
from train.keep.cuts import history_at

CHUNK_TOKENS = 400  # small, as are the models and the machine; the setting of the product is 6,000
STATE_TOKENS = 120  # of clew's task state before a chunk, about as long as the other states
RUN_CHUNKS = 3
LINES_MAX = len(LETTERS) * 2 // 3  # of a chunk: a shifted one may have more
SEED = 20_261_201


@dataclass(frozen=True, slots=True)
class Run:
    """A run of chunks, the same lines with what of them was needed, and the client's own summary at the cut, "" for none."""

    chunks: tuple[SessionChunk, ...]
    judged: JudgedCut
    summary: str


def find_runs(data: Path) -> Iterator[Run]:
    """Yield a run for each cut of which anything was needed."""
    for cut in find_cuts(data):
        run = _run(cut.project, cut.case)
        if run is not None:
            yield run


def _run(project: str, case: EvaluationCase) -> Run | None:
    folder = next((each.cwd for each in case.before if each.cwd), "")
    chunks = split_session(
        case.lines, find_session_files(case.path), root=str(case.path.parent), base=folder, counter=make_counter("o200k"),
        chunk_tokens=CHUNK_TOKENS, known=lambda ids: ids, state_tokens=STATE_TOKENS,
    )  # fmt: skip
    needs = find_needs(case)
    wanted = {line for edit in needs.edits for line in edit.lines} | {line for term in needs.terms for line in term.evidence}
    holds = [any(line in wanted for line in _stripped(chunk)) for chunk in chunks]
    starts = [
        at for at in range(len(chunks) - RUN_CHUNKS + 1)
        if any(holds[at : at + RUN_CHUNKS]) and all(count_lines(chunk) <= LINES_MAX for chunk in chunks[at : at + RUN_CHUNKS])
    ]  # fmt: skip
    if not starts:
        return None
    at = min(starts, key=lambda at: hashlib.sha256(f"{SEED} {case.id} {at}".encode()).hexdigest())
    run = chunks[at : at + RUN_CHUNKS]
    return Run(tuple(run), _judged(project, case, run, needs), case.summary)


def _judged(project: str, case: EvaluationCase, run: Sequence[SessionChunk], needs: Needs) -> JudgedCut:
    _, _, lines = history_at(case)
    utility = compute_utility(lines, nets_without(fold_of(case.session)))
    by_line = dict(zip(lines.stripped, utility.tolist(), strict=True))  # of equal lines the newest has one, wherever it stands
    parts: list[Part] = []
    for at, chunk in enumerate(run):
        rows = [
            Line(line, round(size, 2), by_line.get(" ".join(line.split()), 0.0))
            for piece in chunk.pieces
            for line, size in zip(piece.lines, piece.tokens, strict=True)
        ]
        parts.append(Part(at, "", tuple(rows), find_needed(_stripped(chunk), rows, needs)))
    shown = {line for chunk in run for line in _stripped(chunk)}
    edited = tuple(sorted({line for edit in needs.edits for line in edit.lines if line in shown}))
    terms = tuple((term.text, kept) for term in needs.terms if (kept := tuple(line for line in term.evidence if line in shown)))
    return JudgedCut(case.id, case.session, project, tuple(parts), edited, terms)


def _stripped(chunk: SessionChunk) -> list[str]:
    return [" ".join(line.split()) for piece in chunk.pieces for line in piece.lines]
