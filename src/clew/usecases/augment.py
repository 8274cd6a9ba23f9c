"""Augment: what is added to a prompt, of a live session or at one record of a transcript."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clew.augment.choose import choose_additions
from clew.errors import UsageError
from clew.lifecycle.marks import read_marks
from clew.ranking.deadline import Deadline
from clew.ranking.question import Question
from clew.records import Noise, ObservationKind, Packet, TaskState
from clew.records.wording import describe_reason
from clew.settings import Settings
from clew.store.ports import LOCAL, Reader
from clew.task.prompts import extract_typed_text
from clew.text.tokens import make_counter
from clew.transcript.parse import TranscriptReader, open_transcript
from clew.transcript.session_files import SessionFiles, build_origin
from clew.usecases import ingest
from clew.usecases.inputs import FileTest, check_budget, is_there, load_configured_embedder
from clew.usecases.places import find_code, find_memory
from clew.usecases.progress import find_line, read_progress

SCHEMA_VERSION = 1


def augment_prompt(
    store: Reader, settings: Settings, path: Path, prompt: str, *, budget_tokens: int, tokenizer: str, task: TaskState | None = None,
    session: str = "", seen: Collection[str] = (), deadline_ms: float | None = None,
) -> Packet:  # fmt: skip
    """Return what to add to a prompt, possibly nothing: files that the agent will probably reach for, and turns of other sessions.

    task     what the agent was working on before the prompt; None for a prompt without a session.
    session  id of the current session, which is not searched; seen  handles that are in its window already.
    To answer fast, no changed file is read and nothing is written.
    """
    (code, root), (memory, _) = find_code(store, path), find_memory(store, path)
    with store.snapshot(LOCAL, code) as snapshot, nullcontext(snapshot) if code == memory else store.snapshot(LOCAL, memory) as remembered:
        return choose_additions(
            snapshot, remembered, Question.of(prompt), task or TaskState(), session=session, seen=seen, counter=make_counter(tokenizer),
            budget_tokens=check_budget(budget_tokens), asked_ns=time.time_ns(), is_file=FileTest(root), deadline=Deadline(deadline_ms),
            embedder=load_configured_embedder(settings),
            noise=[(each.handle, each.mark) for each in read_marks(remembered or snapshot, Noise, "")],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PromptAddition:
    """What is added to the prompt at one record of a session.

    uuid, line  of the prompt's record; line 0-based.  state_at  uuid of the last record that the state rests on, "" for none.
    """

    session: str
    uuid: str
    line: int
    state_at: str
    packet: Packet


def augment_transcript(
    store: Reader, settings: Settings, transcript: str, *, at: str | None, path: Path, budget_tokens: int, tokenizer: str
) -> PromptAddition:
    """Return what is added to a prompt of a session: the one at record `at` (its uuid or 0-based line), or the last.

    transcript  a transcript file, or the id of an ingested session; path  the repository.
    Raises UsageError where that record is no typed prompt, UnknownRecord for an unknown one.
    """
    file = Path(transcript)
    if is_there(file):
        found = ingest.identify_session(file)
        with open_transcript(file) as stream:
            lines = stream.readlines()
    else:
        found, lines = ingest.load_stored_transcript(store, find_memory(store, path)[0], transcript)
    line, uuid, prompt = _find_prompt(lines, found, None if at is None else find_line(lines, at))
    read = read_progress(store, transcript, path=path, at=str(line))
    before = read.progress
    packet = augment_prompt(
        store, settings, path, prompt,
        budget_tokens=budget_tokens, tokenizer=tokenizer, task=read.state(), session=found.id,
    )  # fmt: skip
    return PromptAddition(found.id, uuid, line, before.uuid, packet)


def _find_prompt(lines: Sequence[bytes], session: SessionFiles, line: int | None) -> tuple[int, str, str]:
    """Return line, uuid and words of the typed prompt on a line, None for the last one."""
    for at in range(len(lines) - 1, -1, -1) if line is None else (line,):
        for one in TranscriptReader(lines[at : at + 1], origin=build_origin(session)).read_observations():
            if one.kind is ObservationKind.PROMPT and not one.is_meta and not one.agent and (words := extract_typed_text(one.text)):
                return at, one.uuid, words
    raise UsageError("there is no typed prompt at this record\nhint: --at takes the uuid or the 0-based line of what the user typed")


def describe_addition(addition: PromptAddition) -> dict[str, Any]:
    """Return an addition as the JSON of `clew augment` (docs/augment.md)."""
    packet = addition.packet
    return {
        "schema_version": SCHEMA_VERSION,
        "session": addition.session,
        "uuid": addition.uuid,
        "line": addition.line,
        "state_at": addition.state_at,
        "entries": [
            {
                "path": entry.path,
                "start": entry.start,
                "end": entry.end,
                "handle": entry.handle,
                "kind": entry.kind,
                "name": entry.name,
                "probability": None if entry.session else entry.weight,
                "tokens": entry.tokens,
                "why": [describe_reason(reason) for reason in entry.why],
            }
            for entry in packet.entries
        ],
        "text": packet.text,
        "tokens": packet.tokens,
        "budget": packet.budget_tokens,
        "tokenizer": packet.tokenizer,
        "skipped": list(packet.skipped),
    }
