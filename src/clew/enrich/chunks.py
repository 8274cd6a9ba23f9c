"""Split a session's transcript into parts of lines that fit a model's request, at turns, each with the task state before it.

Records that were superseded before a part ended are left out of it, and so is what another record of the part repeats. A record that
is longer than a part, such as a document that was read, goes on in the next. Parts depend only on what precedes them, so those of a
session that has grown begin as they did before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from clew.compaction.compressed import LineSpan
from clew.compaction.lines import NUMBER, NUMBERED
from clew.records import Observation, ObservationKind, Record, Trust, join_text
from clew.task.client_notes import strip_client_note
from clew.task.tracker import TaskTracker
from clew.text.secrets import mask_text
from clew.text.tokens import TokenCounter
from clew.transcript.follow import read_deltas
from clew.transcript.handoff import render_handoff
from clew.transcript.session_files import SessionFiles

NEVER_SENT = frozenset({"thinking", "boundary", "transcript"})  # a model's thoughts, and the client's marks
NOT_SENT_OF_SUBAGENTS = frozenset({"search", "note", "attachment"})  # what they looked for stands in their reports
REPEATED_KINDS = frozenset({"constraint", "decision"})  # kinds of records whose words stand in a prompt or message that is sent whole
CHUNK_TOKENS_MIN = 200  # a shorter part is not sent; guess
LINE_TOKENS = 3.0  # of a line's number, and of what is shown of a long line
LINE_TOKENS_MAX = 80.0  # of a long line about as much is shown
STATE_TOKENS_MAX = 800  # of the hand-off text before a part; guess
_TURN = "prompt"


@dataclass(frozen=True, slots=True)
class SessionPiece:
    """Lines of a record that are shown to the model, with their numbers in the record's text, from 0, and about their tokens."""

    record: Record
    lines: tuple[str, ...]
    numbers: tuple[int, ...]
    tokens: tuple[float, ...]

    @property
    def size(self) -> float:
        """Tokens of all its lines."""
        return sum(self.tokens)

    def part(self, first: int, last: int) -> SessionPiece:
        """Return the piece that holds its lines from `first` up to before `last`, counted in this piece."""
        return SessionPiece(self.record, self.lines[first:last], self.numbers[first:last], self.tokens[first:last])


@dataclass(frozen=True, slots=True)
class SessionChunk:
    """A part of a session for one model request. `state` is the hand-off text before it, "" at the session's beginning."""

    pieces: tuple[SessionPiece, ...]
    state: str
    tokens: int

    @property
    def first_seq(self) -> int:
        """Position of its first record in the session."""
        return self.pieces[0].record.seq

    @property
    def last_seq(self) -> int:
        """Position of its last record in the session."""
        return self.pieces[-1].record.seq

    @property
    def trust(self) -> Trust:
        """Trust of a text that a model makes from this part: that of its least trusted record, at most OBSERVED."""
        return min(Trust.OBSERVED, *(piece.record.trust for piece in self.pieces))

    def find_spans(self, first: int, last: int) -> tuple[LineSpan, ...]:
        """Return where the lines of the part from `first` to `last`, counted from 1 and both included, stand in its records."""
        spans: list[LineSpan] = []
        before = 0
        for piece in self.pieces:
            low, high = max(first - before, 1), min(last - before, len(piece.lines))
            if low <= high:
                spans.append(LineSpan(piece.record.id, piece.numbers[low - 1], piece.numbers[high - 1]))
            before += len(piece.lines)
        return tuple(spans)


def split_session(
    lines: Sequence[bytes],
    session: SessionFiles,
    *,
    root: str,
    base: str,
    counter: TokenCounter,
    chunk_tokens: int,
    known: Callable[[Sequence[str]], Collection[str]],
    state_tokens: int = STATE_TOKENS_MAX,
) -> list[SessionChunk]:
    """Split a session's transcript lines into the parts that are sent to a model, in order.

    lines         of its transcript, as the store keeps them: without what was purged.
    root          the repository's root, as `clew.transcript.follow` is given it.
    base          the folder to which the state's paths are relative.
    chunk_tokens  of one part at most, headings and state not counted.
    known         returns which of these record ids the store holds: nothing else is sent.
    state_tokens  of the state before a part at most.
    Cost          the transcript is read once, and the state of each part costs 0.1 s.
    """
    observations: list[Observation] = []
    pieces, ended = _pieces(lines, session, root, counter, known, observations)
    groups = [
        [piece for piece in group if ended.get(piece.record.id, group[-1].record.seq + 1) > group[-1].record.seq]
        for group in _grouped(pieces, chunk_tokens)
    ]
    kept = [group for group in groups if sum(piece.size for piece in group) >= CHUNK_TOKENS_MIN]
    states = _states(observations, [group[0].record.seq for group in kept], base, counter, state_tokens)
    return [SessionChunk(tuple(group), state, round(sum(piece.size for piece in group))) for group, state in zip(kept, states, strict=True)]


def _pieces(
    lines: Sequence[bytes],
    session: SessionFiles,
    root: str,
    counter: TokenCounter,
    known: Callable[[Sequence[str]], Collection[str]],
    observations: list[Observation],
) -> tuple[list[SessionPiece], dict[str, int]]:
    """The pieces of a transcript that may be sent, by (seq, id), and at which position records of it have ended."""
    pieces: list[SessionPiece] = []
    ended: dict[str, int] = {}
    seen: set[str] = set()
    for delta in read_deltas(lines, session=session, root=root, observers=(observations.append,)):
        for supersession in delta.superseded:
            ended.setdefault(supersession.old, supersession.seq)
        wanted = [record for record in delta.records if _is_sent(record) and record.id not in seen]
        held = set(known([record.id for record in wanted]))
        originals = {blob.digest: blob.data for blob in delta.blobs}
        for record in wanted:
            if record.id in held:
                seen.add(record.id)
                whole = record.full_text
                text = whole.inline if not whole.blob else originals[whole.blob][whole.start : whole.end].decode("utf-8", "replace")
                pieces.append(_piece(record, strip_client_note(record.kind, text), counter))
    pieces.sort(key=lambda piece: (piece.record.seq, piece.record.id))
    return pieces, ended


def _is_sent(record: Record) -> bool:
    is_of_subagents = bool(record.agent) and record.kind in NOT_SENT_OF_SUBAGENTS
    return not is_of_subagents and record.kind not in NEVER_SENT and record.kind not in REPEATED_KINDS


def _piece(record: Record, text: str, counter: TokenCounter) -> SessionPiece:
    """The lines of a record that hold anything; a mask leaves line ends where they are."""
    shown = mask_text(text.encode("utf-8", "replace").decode()).split("\n")  # a lone surrogate fits into no request
    if record.kind in NUMBERED:  # the tool's own numbers would be taken for those of the part
        shown = [line[found.end() :] if (found := NUMBER.match(line)) else line for line in shown]
    rows = [(number, line) for number, line in enumerate(shown) if line.strip()]
    tokens = counter.count_unrounded_many([line + "\n" for _, line in rows])
    sizes = tuple(min(size, LINE_TOKENS_MAX) + LINE_TOKENS for size in tokens)
    return SessionPiece(record, tuple(line for _, line in rows), tuple(number for number, _ in rows), sizes)


def _grouped(pieces: Sequence[SessionPiece], tokens_max: int) -> Iterator[list[SessionPiece]]:
    """Pieces in groups of at most `tokens_max`, cut where a turn begins; within a turn or a record only where that is longer by itself."""
    group: list[SessionPiece] = []
    held = 0.0
    for turn in _turns(pieces):
        size = sum(piece.size for piece in turn)
        if group and held + size > tokens_max:
            yield group
            group, held = [], 0.0
        for whole in turn:
            for piece in split_piece(whole, tokens_max):
                if group and held + piece.size > tokens_max:
                    yield group
                    group, held = [], 0.0
                group.append(piece)
                held += piece.size
    if group:
        yield group


def split_piece(piece: SessionPiece, tokens_max: float) -> Iterator[SessionPiece]:
    """Yield a piece in parts of at most `tokens_max`, of one line at least."""
    first, held = 0, 0.0
    for at, size in enumerate(piece.tokens):
        if at > first and held + size > tokens_max:
            yield piece.part(first, at)
            first, held = at, 0.0
        held += size
    if first < len(piece.lines):
        yield piece.part(first, len(piece.lines))


def _turns(pieces: Sequence[SessionPiece]) -> Iterator[list[SessionPiece]]:
    turn: list[SessionPiece] = []
    for piece in pieces:
        if piece.record.kind == _TURN and turn:
            yield turn
            turn = []
        turn.append(piece)
    if turn:
        yield turn


def _states(observations: Sequence[Observation], firsts: Sequence[int], base: str, counter: TokenCounter, tokens: int) -> list[str]:
    """The hand-off before each of these positions, which ascend."""
    task = TaskTracker(root=base)
    at, is_begun = 0, False
    states: list[str] = []
    for first_seq in firsts:
        while at < len(observations) and observations[at].seq < first_seq:
            task.observe(observations[at])
            is_begun |= observations[at].kind in (ObservationKind.PROMPT, ObservationKind.CALL, ObservationKind.MESSAGE)
            at += 1
        states.append(join_text(render_handoff(task.state(), counter.count, tokens)) if is_begun else "")
    return states
