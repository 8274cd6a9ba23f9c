"""Arms of the chunked compressor: the same lines in chunks, with another state handed from chunk to chunk, or cut elsewhere.

The state of a chunk is nothing; a summary that the model goes on writing; the names in the lines that it kept so far; or clew's own task
state where the chunk begins. A shifted arm is cut in the middle of each chunk of the others. All requests about a chunk begin with its
lines, so a model's server reads those once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from clew.enrich.answer_check import check_answer, find_code_names
from clew.enrich.chunks import SessionChunk, SessionPiece
from clew.enrich.models import Model, ModelRequest
from clew.enrich.prompt import SYSTEM_PROMPT, build_prompt

STATES = ("none", "summary", "entities", "structured")
SHIFTED = ("structured",)
SUMMARY_ASK = (
    "Rewrite the summary of the work so far with what these lines add, in at most 50 words. Copy names exactly. "
    "Answer with the text alone.\n"
)
ANSWER_TOKENS, SUMMARY_TOKENS = 70, 80  # written at most: this is what a slow machine spends its time on
SUMMARY_CHARS = 500
ENTITIES = 30

Key = tuple[int, int]
"""Number of the chunk as the session is cut, and of the line in it from 1."""


class Answer(msgspec.Struct, frozen=True):
    """A model's answer by a hash of its name and the request, with the server's tokens and the seconds; it may hold words of a session."""

    key: str
    text: str
    is_cut: bool
    read: int
    written: int
    seconds: float


class OutOfTime(Exception):
    """No further request may begin."""


class Answers:
    """A model's answers, kept in a file, so that a run that was stopped goes on where it was."""

    def __init__(self, path: Path, model: Model, is_over: Callable[[], bool], clock: Callable[[], float]) -> None:
        self._path, self._model, self._is_over, self._clock = path, model, is_over, clock
        lines = path.read_bytes().splitlines() if path.is_file() else []
        self._known = {each.key: each for each in (msgspec.json.decode(line, type=Answer) for line in lines if line.endswith(b"}"))}

    def ask(self, text: str, tokens: int) -> Answer:
        """Return the answer to a request. Raises ModelError, and OutOfTime where it is not known and the time is spent."""
        key = hashlib.sha256(f"{self._model.name}\0{SYSTEM_PROMPT}\0{text}".encode()).hexdigest()
        if key not in self._known:
            if self._is_over():
                raise OutOfTime
            started = self._clock()
            answer = self._model.complete(ModelRequest(SYSTEM_PROMPT, text, tokens // 2))
            seconds = round(self._clock() - started, 1)
            self._known[key] = Answer(key, answer.text, answer.is_cut, answer.input_tokens, answer.output_tokens, seconds)
            with self._path.open("ab") as stream:
                stream.write(msgspec.json.encode(self._known[key]) + b"\n")
        return self._known[key]


@dataclass(slots=True)
class ArmCounts:
    """What a model answered in one arm: requests, answers refused, lines kept of all lines, claims that hold and that do not; seconds."""

    asked: int = 0
    refused: int = 0
    kept: int = 0
    lines: int = 0
    said: int = 0
    invented: int = 0
    read: int = 0
    written: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Arm:
    """One arm on one cut: the lines it keeps, its sentences with the lines that they are about, and the state that it hands on."""

    name: str
    state: str
    kept: list[Key] = field(default_factory=list[Key])
    said: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    summary: str = ""
    names: dict[str, None] = field(default_factory=dict[str, None])


def compress_chunks(chunks: Sequence[SessionChunk], answers: Answers, counts: dict[str, ArmCounts]) -> list[Arm]:
    """Return what each arm keeps of a run of chunks. Raises OutOfTime where an answer is neither known nor to be had."""
    arms = [Arm(name, name) for name in STATES]
    for at, chunk in enumerate(chunks):
        keys = [(at, number) for number in range(1, _line_count(chunk) + 1)]
        for arm in arms:
            _ask(arm, chunk, keys, answers, counts.setdefault(arm.name, ArmCounts()))
    shifted = [Arm(f"{name}, shifted", name) for name in SHIFTED]
    for chunk, keys in shift_chunks(chunks):
        for arm in shifted:
            _ask(arm, chunk, keys, answers, counts.setdefault(arm.name, ArmCounts()))
    return [*arms, *shifted]


def _ask(arm: Arm, chunk: SessionChunk, keys: Sequence[Key], answers: Answers, counts: ArmCounts) -> None:
    known = {
        "none": "",
        "summary": f"Summary so far: {arm.summary}" if arm.summary else "",
        "entities": f"Names so far: {', '.join(list(arm.names)[-ENTITIES:])}" if arm.names else "",
        "structured": chunk.state,
    }[arm.state]
    request = build_prompt(chunk, known)
    answer = answers.ask(request.text, ANSWER_TOKENS)
    judged = check_answer(answer.text, request.lines, is_cut=answer.is_cut)
    numbers = [number for first, last in judged.kept for number in range(first, last + 1)]
    arm.kept += [keys[number - 1] for number in numbers]
    arm.said += [(text, "\n".join(request.lines[first - 1 : last])) for (first, last), text in judged.said]
    counts.asked += 1
    counts.refused += bool(judged.refused)
    counts.kept += len(numbers)
    counts.lines += len(request.lines)
    counts.said += len(judged.said)
    counts.invented += judged.invented
    used = [answer]
    if arm.state == "summary":
        used.append(answers.ask(build_prompt(chunk, known, SUMMARY_ASK).text, SUMMARY_TOKENS))
        arm.summary = " ".join(used[-1].text.split())[:SUMMARY_CHARS]
    for name in (name for number in numbers for name in find_code_names(request.lines[number - 1])):
        arm.names.pop(name, None)
        arm.names[name] = None
    counts.read += sum(each.read for each in used)
    counts.written += sum(each.written for each in used)
    counts.seconds += sum(each.seconds for each in used)


def shift_chunks(chunks: Sequence[SessionChunk]) -> Iterator[tuple[SessionChunk, list[Key]]]:
    """Yield the same lines cut in the middle of each chunk, with where each line stands as the session is cut.

    The state of a chunk that begins in the middle of another is that where the other begins.
    """
    held: list[SessionPiece] = []
    keys: list[Key] = []
    state = chunks[0].state if chunks else ""
    for at, chunk in enumerate(chunks):
        half = _line_count(chunk) // 2
        rest, number = half, 0
        for piece in chunk.pieces:
            cut = min(max(rest, 0), len(piece.lines))
            for part in (piece.part(0, cut), piece.part(cut, len(piece.lines))):
                if number == half and part.lines and keys:
                    yield _chunk(held, state), keys
                    held, keys, state = [], [], chunk.state
                if part.lines:
                    held.append(part)
                    keys += [(at, each) for each in range(number + 1, number + len(part.lines) + 1)]
                    number += len(part.lines)
            rest -= len(piece.lines)
    if held:
        yield _chunk(held, state), keys


def _chunk(pieces: Sequence[SessionPiece], state: str) -> SessionChunk:
    return replace(SessionChunk((), state, 0), pieces=tuple(pieces), tokens=round(sum(piece.size for piece in pieces)))


def _line_count(chunk: SessionChunk) -> int:
    return sum(len(piece.lines) for piece in chunk.pieces)
