"""Cases: a session that went on after a cut, as what stood before the cut and what was done after it.

A cut is a place where the client compacted, with its own summary beside it; a long session without one is cut at 60 % of its
calls. What comes after reaches as far as CALLS_AFTER_MAX calls, or to the next compaction, where another window begins.
Subagents' own threads are left out, as their words never stood in the window.
"""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clew.errors import NotReadable
from clew.records import Observation, ObservationKind
from clew.transcript.parse import TranscriptReader, open_transcript
from clew.transcript.session_files import build_origin, find_session_files

CUT_SHARES = (0.4, 0.6, 0.8)  # of the calls, where many cuts are wanted: more of one session say little that is new
CUT_SHARE = 0.6  # of the calls of a session without a compaction
CALLS_AFTER_MAX = 60  # what is needed later still would have been met again on the way
CALLS_BEFORE_MIN, CALLS_AFTER_MIN = 20, 5  # fewer have nothing to forget, or nothing to need
WINDOW_KINDS = frozenset(  # kinds of observations that stand in the window
    {
        ObservationKind.PROMPT,
        ObservationKind.MESSAGE,
        ObservationKind.CALL,
        ObservationKind.RESULT,
        ObservationKind.SUMMARY,
        ObservationKind.ATTACHMENT,
    }
)


@dataclass(frozen=True, slots=True)
class EvaluationCase:
    """One session, split at a point (the cut) into a history, and the calls after it that show what was needed of the history.
    line     0-based line of the transcript at which it is cut; what stands before it is history.
    kind     "compaction" where the client compacted there, else "share".
    before   the main thread's observations before the cut, in order.
    after    those after it, to the next compaction; the client's summary is not among them.
    summary  the client's own summary at the cut, "" for none.
    pieces   of `before`, what stood in the window.
    """

    path: Path
    session: str
    line: int
    kind: str
    before: tuple[Observation, ...]
    after: tuple[Observation, ...]
    summary: str = ""
    lines: tuple[bytes, ...] = field(default=(), repr=False)
    pieces: tuple[Observation, ...] = field(default=(), repr=False)

    @property
    def id(self) -> str:
        """The case's name: `session@line`."""
        return f"{self.session}@{self.line}"


def find_cases(path: Path, at: Sequence[int] | None = None) -> Iterator[EvaluationCase]:
    """Yield the evaluation cases of one transcript, in order of their lines.
    at      0-based lines before which to cut the transcript; None cuts where the client compacted, or once after 60 % of the tool calls.
    Yields  nothing for a session too short to have forgotten anything, and for files that no known client wrote.
    Raises  NotReadable for a path that cannot be opened, and for compressed data that is damaged.
    """
    session = find_session_files(path)
    if not session.client:
        return
    lines = read_transcript_lines(path)
    seen = [each for each in TranscriptReader(lines, origin=build_origin(session)).read_observations() if not each.agent]
    boundaries = [each.record_index for each in seen if each.kind is ObservationKind.BOUNDARY or each.kind is ObservationKind.SUMMARY]
    compactions = [line for number, line in enumerate(boundaries) if number == 0 or line - boundaries[number - 1] > 2]
    wanted = compactions or _share(seen)
    for line in wanted if at is None else at:
        case = _case(path, session.id, lines, seen, line, compactions)
        if at is not None or (_calls(case.before) >= CALLS_BEFORE_MIN and _calls(case.after) >= CALLS_AFTER_MIN):
            yield case


def find_case_lines(path: Path) -> list[int]:
    """Return the lines at which a session can be cut to learn from it: where its client compacted, and at CUT_SHARES of its calls.

    [] for a session that is too short. Raises NotReadable.
    """
    whole = next(find_cases(path, [1 << 60]), None)
    calls = [each.record_index for each in whole.before if each.kind is ObservationKind.CALL] if whole else []
    if len(calls) < CALLS_BEFORE_MIN + CALLS_AFTER_MIN:
        return []
    compactions = [case.line for case in find_cases(path) if case.kind == "compaction"]
    wanted = sorted({*compactions, *(calls[int(len(calls) * share)] for share in CUT_SHARES)})
    return [
        case.line for case in find_cases(path, wanted) if _calls(case.before) >= CALLS_BEFORE_MIN and _calls(case.after) >= CALLS_AFTER_MIN
    ]


def _case(
    path: Path, session: str, lines: list[bytes], seen: Sequence[Observation], line: int, compactions: Sequence[int]
) -> EvaluationCase:
    end = next((boundary for boundary in compactions if boundary > line + 2), len(lines))
    before = tuple(each for each in seen if each.record_index < line)
    rest = _first_calls([each for each in seen if line <= each.record_index < end])
    summary = next((each.text for each in rest if each.kind is ObservationKind.SUMMARY), "")
    after = tuple(each for each in rest if each.kind not in (ObservationKind.SUMMARY, ObservationKind.BOUNDARY))
    kind = "compaction" if any(abs(line - boundary) <= 2 for boundary in compactions) else "share"
    pieces = tuple(each for each in before if each.kind in WINDOW_KINDS and each.text)
    return EvaluationCase(path, session, line, kind, before, after, summary, tuple(lines[:line]), pieces)


def read_transcript_lines(path: Path) -> list[bytes]:
    """Return the lines of a transcript. Raises NotReadable, for damaged compressed data too."""
    with open_transcript(path) as stream:
        try:
            return stream.readlines()
        except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as problem:
            raise NotReadable(str(path), f"compressed data ends or is damaged: {problem}") from problem


def _share(seen: Sequence[Observation]) -> list[int]:
    """The line of the first call behind CUT_SHARE of all, if there is any."""
    calls = [each.record_index for each in seen if each.kind is ObservationKind.CALL]
    return [calls[int(len(calls) * CUT_SHARE)]] if calls else []


def _first_calls(observations: Sequence[Observation]) -> list[Observation]:
    """The observations up to the last call that counts, with its result if that comes at once."""
    calls = [at for at, each in enumerate(observations) if each.kind is ObservationKind.CALL]
    return list(observations if len(calls) <= CALLS_AFTER_MAX else observations[: calls[CALLS_AFTER_MAX]])


def _calls(observations: Sequence[Observation]) -> int:
    return sum(each.kind is ObservationKind.CALL for each in observations)
