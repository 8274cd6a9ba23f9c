"""Parts: a history in parts of lines, with what was needed of them later and what the nets give each line.

Lines, needs and nets are those of the product (`clew.compaction.lines`, `clew.evaluation.needs`, `bench.hindsight.folds`): the newest
of equal lines, an edit's replaced text, a rare name that a later call uses. The nets have not seen the session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench.hindsight.folds import fold_of, nets_without
from clew.compaction.keep import compute_utility
from clew.compaction.lines import NUMBER, NUMBERED
from clew.evaluation.cases import EvaluationCase
from clew.evaluation.needs import Needs, find_needs, list_touched_files
from clew.records import ObservationKind, Record
from clew.task.prompts import extract_typed_text
from clew.text.tokens import TokenCounter, make_counter
from clew.transcript.session_files import find_sessions
from train.distil.form import Focus, build_request, to_ranges
from train.keep.cuts import cases_of, history_at

COUNTED_BY = "o200k"  # nearest to the vocabularies of local models
PART_TOKENS = 280  # of a part's lines: with what is said around them about 480
REQUEST_CHARS, MESSAGE_CHARS, FILES_MAX = 300, 200, 4
HEAD_CHARS = 80
CALL_CHARS = 600  # of the agent's next call


class Line(msgspec.Struct, frozen=True):
    """A line of a part: its whole text, its tokens, and the nets' utility."""

    text: str
    tokens: float
    utility: float


class Part(msgspec.Struct, frozen=True):
    """A part of a history. `needed` are the numbers (from 1) of the lines that hindsight names; `at` is its place in the history."""

    at: int
    request: str
    lines: tuple[Line, ...]
    needed: tuple[int, ...]


class JudgedCut(msgspec.Struct, frozen=True):
    """Parts of one cut, with what of them was needed: edited lines, and for each rare name the lines that hold it.

    next_call  the agent's first call after the cut, as text.
    """

    id: str
    session: str
    project: str
    parts: tuple[Part, ...]
    edited: tuple[str, ...]
    terms: tuple[tuple[str, tuple[str, ...]], ...]
    next_call: str = ""


def cuts_of(folder: Path, project: str, *, every: int = 1) -> Iterator[JudgedCut]:
    """Yield the cuts of every `every`-th session in `folder` of which something was needed, with all their parts."""
    for session in list(find_sessions(folder))[::every]:
        if not session.agent:
            for case in cases_of(session.path):
                cut = cut_case(case, project)
                if cut.edited or cut.terms:
                    yield cut


def projects_of(folder: Path) -> list[Path]:
    """Return the folders that hold transcripts at or below `folder`: each is a project, as clients store sessions."""
    return sorted({session.path.parent for session in find_sessions(folder) if session.client and not session.agent})


def cut_case(case: EvaluationCase, project: str) -> JudgedCut:
    """Return a cut with all parts of its history. Cost: that of a compaction's features, about a second for 2,000 records."""
    counter = make_counter(COUNTED_BY)
    records, texts, lines = history_at(case)
    utility = compute_utility(lines, nets_without(fold_of(case.session)))
    needs = find_needs(case)
    focus = _focus(case)
    rows = [
        (record, _body(records[record], texts[record].split("\n")[at]), float(worth))
        for record, at, worth in zip(lines.record.tolist(), lines.at.tolist(), utility, strict=True)
    ]
    heads = [_head(record) for record in records]
    made: list[Part] = []
    edited: set[str] = set()
    shown: set[str] = set()
    for first, last, tokens in _split([body for _, body, _ in rows], counter):
        stripped = lines.stripped[first:last]
        part = [Line(body, round(size, 2), round(worth, 4)) for (_, body, worth), size in zip(rows[first:last], tokens, strict=True)]
        request = build_request(focus, [heads[record] for record, _, _ in rows[first:last]], [line.text for line in part])
        made.append(Part(len(made), request, tuple(part), find_needed(stripped, part, needs)))
        shown.update(stripped)
    edited = {line for edit in needs.edits for line in edit.lines if line in shown}
    terms = tuple((term.text, kept) for term in needs.terms if (kept := tuple(line for line in term.evidence if line in shown)))
    call = next((each.text for each in case.after if each.kind is ObservationKind.CALL), "")
    return JudgedCut(case.id, case.session, project, tuple(made), tuple(sorted(edited)), terms, call[:CALL_CHARS])


def find_needed(stripped: Sequence[str], lines: Sequence[Line], needs: Needs) -> tuple[int, ...]:
    """Return the numbers of the needed lines of a part: all that an edit replaces, and of each rare name the shortest that holds it."""
    edited = {line for edit in needs.edits for line in edit.lines}
    found = {number for number, line in enumerate(stripped, 1) if line in edited}
    for term in needs.terms:
        evidence = set(term.evidence)
        holding = [number for number, line in enumerate(stripped, 1) if line in evidence]
        if holding and not found.intersection(holding):
            found.add(min(holding, key=lambda number: (lines[number - 1].tokens, number)))
    return tuple(sorted(found))


def draw(cut: JudgedCut, count: int, *, needed_share: float) -> list[Part]:
    """Return up to `count` parts of a cut in order, of which this share holds needed lines; drawn by hashes, the same each time."""

    def order(part: Part) -> str:
        return hashlib.sha256(f"{cut.id} {part.at}".encode()).hexdigest()

    needed = sorted((part for part in cut.parts if part.needed), key=order)[: max(1, round(count * needed_share))]
    others = sorted((part for part in cut.parts if not part.needed), key=order)[: max(0, count - len(needed))]
    return sorted([*needed, *others], key=lambda part: part.at)


def with_parts(cut: JudgedCut, parts: Sequence[Part]) -> JudgedCut:
    """Return the cut with these parts alone, and with what of them was needed."""
    shown = {" ".join(line.text.split()) for part in parts for line in part.lines}
    terms = tuple((text, kept) for text, evidence in cut.terms if (kept := tuple(line for line in evidence if line in shown)))
    edited = tuple(line for line in cut.edited if line in shown)
    return JudgedCut(cut.id, cut.session, cut.project, tuple(parts), edited, terms, cut.next_call)


def hindsight_ranges(part: Part) -> list[tuple[int, int]]:
    """Return the ranges that hindsight names in a part."""
    return to_ranges(part.needed)


def _split(bodies: Sequence[str], counter: TokenCounter) -> Iterator[tuple[int, int, list[float]]]:
    """Lines in runs of at most PART_TOKENS, counted as they are shown: first, one behind the last, and the whole lines' tokens."""
    tokens = counter.count_unrounded_many([body + "\n" for body in bodies])
    first, held = 0, 0.0
    for at, size in enumerate(tokens):
        shown = min(size, 80.0) + 3  # of a long line a part is shown; a number stands before each
        if at > first and held + shown > PART_TOKENS:
            yield first, at, list(tokens[first:at])
            first, held = at, 0.0
        held += shown
    if first < len(bodies):
        yield first, len(bodies), list(tokens[first:])


def _body(record: Record, line: str) -> str:
    found = NUMBER.match(line) if record.kind in NUMBERED else None
    return (line[found.end() :] if found else line).rstrip()


def _head(record: Record) -> str:
    return " ".join(f"{record.kind} {record.path or record.name}".split())[:HEAD_CHARS]


def _focus(case: EvaluationCase) -> Focus:
    prompts = [words for piece in case.pieces if piece.kind is ObservationKind.PROMPT and (words := extract_typed_text(piece.text))]
    message = next((piece.text for piece in reversed(case.pieces) if piece.kind is ObservationKind.MESSAGE), "")
    root = next((each.cwd for each in case.before if each.cwd), "")
    files: dict[str, None] = {}
    for each in reversed(case.before):
        if each.kind is ObservationKind.CALL:
            touched = [path for path, how in list_touched_files(each, root) if how != "search"]
            files.update((path, None) for path in touched if not path.startswith(("/", "~")))
        if len(files) >= FILES_MAX:
            break
    return Focus(_line(prompts[-1], REQUEST_CHARS) if prompts else "", _line(message, MESSAGE_CHARS), tuple(files)[:FILES_MAX])


def _line(text: str, chars: int) -> str:
    return " ".join(text.split())[:chars]
