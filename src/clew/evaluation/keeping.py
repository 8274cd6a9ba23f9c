"""Keeping: calibrate on one's own sessions which lines must be kept so that a level of what is used later is kept.

Every session is cut where its client compacted and at some shares of its calls; what the calls after a cut used of the history is given
the best rate of a piece of lines that shows it (`clew.compaction.level`). These numbers, and no word of a session, are kept in one file
of the data folder. A session whose transcript has not changed is not measured again. What the client puts into every window itself
(skills, instructions, its own summary) is not counted: it need not be kept.
"""

from __future__ import annotations

import hashlib
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from clew.compaction import keep
from clew.compaction.compact import main_thread_records
from clew.compaction.keep import ScoringNetwork, compute_utility
from clew.compaction.level import UNREACHED, compute_loss, find_threshold, rate_lines
from clew.compaction.lines import Lines, line_features
from clew.errors import ClewError
from clew.evaluation.cases import EvaluationCase, find_case_lines, find_cases
from clew.evaluation.needs import collapse_blanks, find_needs
from clew.evaluation.prepared import PreparedCase
from clew.files import replace_file
from clew.packet.options import OriginalCache
from clew.records import ObservationKind
from clew.store.ports import LOCAL
from clew.task.prompts import extract_typed_text
from clew.text.tokens import make_counter

FILE_NAME = "keep.json"
FORMAT = 1
HOLDING_LINES_MAX = 50  # of which the best is looked for; what stands in more is kept anyway
RATE_DIGITS = 9
# Kinds whose text the client does not put into a new window by itself.
_KEPT_KINDS = frozenset({ObservationKind.MESSAGE, ObservationKind.CALL, ObservationKind.RESULT})

Networks = tuple[ScoringNetwork, ScoringNetwork]


class CutRates(msgspec.Struct, array_like=True):
    """Of one cut: its line in the transcript, and the rate of each thing that was used later (`find_threshold`)."""

    line: int
    rates: list[float]


class _Session(msgspec.Struct):
    size: int
    mtime_ns: int
    cuts: list[CutRates]


class _Calibration(msgspec.Struct):
    weights: str = ""
    sessions: dict[str, _Session] = {}
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a calibration gives at a level: the threshold, None where there is none, and what it keeps of sessions left out in turn.

    kept    share of what was used later, mean over cuts; each session by a threshold from the others. None without enough of them.
    """

    level: float
    sessions: int
    cuts: int
    threshold: float | None
    kept: float | None


class KeepCalibration:
    """The rates that were measured of the user's sessions, in one file of the data folder; those for other networks count as none."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._held = _Calibration(_weights_digest())
        with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            held = msgspec.json.decode(self._path.read_bytes(), type=_Calibration)
            if (held.format, held.weights) == (FORMAT, _weights_digest()):
                self._held = held

    def measure(
        self, paths: Iterable[Path], *, seconds: float, progress: Callable[[int], None] | None = None
    ) -> tuple[int, list[str]]:  # fmt: skip
        """Measure transcripts that are new or have grown, one after another, and store the numbers after each.

        seconds  after which no further one is begun.
        Returns  how many were left for another run, and a sentence for each that could not be read.
        Raises   OSError where the file cannot be written: what was measured before is kept.
        """
        ends = time.monotonic() + seconds
        problems: list[str] = []
        left = 0
        for number, path in enumerate(paths):
            if progress:
                progress(number)
            try:
                stat = path.stat()
                key = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:24]
                known = self._held.sessions.get(key)
                if known is not None and (known.size, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
                    continue
                if time.monotonic() >= ends:
                    left += 1
                    continue
                cuts = [CutRates(case.line, rates) for case, rates in measure_transcript(path) if rates]
            except (ClewError, OSError) as problem:
                problems.append(f"{path}: {problem}")
                continue
            self._held.sessions[key] = _Session(stat.st_size, stat.st_mtime_ns, cuts)
            replace_file(self._path, msgspec.json.encode(self._held))
        return left, problems

    def find_threshold(self, level: float) -> float | None:
        """Return the threshold for a level; None where too few cuts were measured, or no threshold keeps as much."""
        return find_threshold([cut.rates for cut in self._cuts()], level)

    @property
    def cut_count(self) -> int:
        """The number of cuts after which anything of the history was used."""
        return sum(1 for _ in self._cuts())

    def coverage(self, level: float) -> Coverage:
        """Return what this calibration gives at a level."""
        sessions = [each.cuts for each in self._held.sessions.values() if each.cuts]
        losses: list[float] = []
        for left_out in sessions:
            threshold = find_threshold([cut.rates for cuts in sessions if cuts is not left_out for cut in cuts], level)
            if threshold is None:
                losses = []
                break
            losses += [compute_loss(cut.rates, threshold) for cut in left_out]
        kept = 1 - sum(losses) / len(losses) if losses else None
        return Coverage(level, len(sessions), self.cut_count, self.find_threshold(level), kept)

    def _cuts(self) -> Iterator[CutRates]:
        return (cut for session in self._held.sessions.values() for cut in session.cuts)


def measure_transcript(path: Path) -> Iterator[tuple[EvaluationCase, list[float]]]:
    """Yield the cuts of a transcript, each with the rates of what was used later.

    Raises NotReadable. Cost: about a second a cut of a long session.
    """
    for case in find_cases(path, find_case_lines(path)):
        yield case, rate_needs(case)


def rate_needs(case: EvaluationCase, using: Networks | None = None, found: Lines | None = None) -> list[float]:
    """Return the rate of each line that a later edit replaced and of each rare name that a later call used.

    UNREACHED stands for what no line shows. `found` are the case's lines, where they are known.
    """
    wanted = find_needs(case)
    pieces = [each.text for each in case.pieces if each.kind in _KEPT_KINDS]
    pieces += [extract_typed_text(each.text) for each in case.pieces if each.kind is ObservationKind.PROMPT and not each.is_meta]
    said = "\n".join(pieces)
    things = [line for edit in wanted.edits for line in edit.lines] + [term.text for term in wanted.terms if term.text in said]
    if not things:
        return []
    found, folder = found or find_lines(case), next((each.cwd for each in case.before if each.cwd), "")
    rates = rate_lines(found, compute_utility(found, using))
    text = _LineText(found.stripped)
    return [round(max((float(rates[row]) for row in text.rows_with(thing, folder)), default=UNREACHED), RATE_DIGITS) for thing in things]


def find_lines(case: EvaluationCase) -> Lines:
    """Return what compaction sees of a session at a cut."""
    before = PreparedCase(case, make_counter("claude")).compaction_input
    with before.store.snapshot(LOCAL, before.workspace, before.as_of_ns) as snapshot:
        records, statuses = main_thread_records(snapshot, before.source, before.seq_end)
        originals = OriginalCache(snapshot)
        return line_features(records, [originals.shown_text(record) for record in records], statuses, before.state)


class _LineText:
    """Lines as one text, to find those that hold a thing; an absolute path below the session's folder is held as a relative one, too."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._text = "\n".join(lines)
        self._starts = [0]
        for line in lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def rows_with(self, thing: str, folder: str) -> list[int]:
        """Return the numbers of lines that hold a thing, HOLDING_LINES_MAX at most."""
        rows: list[int] = []
        inside = folder.strip("/") + "/"
        for text in dict.fromkeys([collapse_blanks(thing), thing.strip("/").removeprefix(inside)]):
            at = self._text.find(text)
            while at >= 0 and len(rows) < HOLDING_LINES_MAX:
                rows.append(bisect_right(self._starts, at) - 1)
                at = self._text.find(text, at + 1)
        return rows


@cache
def _weights_digest() -> str:
    """What identifies the networks that ship: rates of others mean something else."""
    return hashlib.sha256(keep.WEIGHTS.read_bytes()).hexdigest()[:16]
