"""Write: store events of a running session as they happen, and return the text that the agent should read of them.

Observations that no transcript will hold are stored whole. Of a tool output in a client's session, whose transcript is ingested later,
the original is stored only if the agent reads a shorter text. Notes are stored as records.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clew.errors import UnknownPath, UsageError
from clew.lifecycle import notes
from clew.lifecycle.apply import apply_deltas
from clew.packet.options import OriginalCache
from clew.records import Delta, Observation, ObservationKind, Record, TaskState, make_handle
from clew.settings import Settings
from clew.store.originals import digest_of
from clew.store.ports import LOCAL, Reader, Writer
from clew.task.truncation import parse_truncation_notice
from clew.text.secrets import mask_text
from clew.transcript.live import build_live_delta, build_original_delta, live_source, original_record_id, originals_source
from clew.transcript.reduce.reduce import reduce_output
from clew.transcript.reduce.reduction import OutputContext, ReducedOutput, build_context, format_truncation_marker
from clew.usecases.inputs import FileTest, get_source_state, load_configured_embedder
from clew.usecases.places import open_memory


@dataclass(frozen=True, slots=True)
class IncomingOutput:
    """A tool output on its way to the agent, to be shortened. One that stays whole is not stored: the client's transcript holds it.

    is_truncated  the client has shortened the output already: its notice stays, and nothing is presented as the whole.
    full_output   what the client's own file holds of such an output, secrets masked, to be stored as the original; None if nothing.
    shorter       the text to show instead, if the caller has chosen one; "{handle}" in it is filled in.
    call_text     the tool call in words, if `result` does not hold its call.
    """

    result: Observation
    is_truncated: bool = False
    full_output: bytes | None = None
    shorter: str = ""
    call_text: str = ""


@dataclass(frozen=True, slots=True)
class NewNote:
    """A text to store for later sessions. It is marked as suspect when a file that it cites changes.

    kind     "fact", "decision", "constraint", "dead end" or "state".
    paths    existing files that it cites, relative to the repository's root, each with or without `::symbol`.
    subject  a later note of the same subject replaces it; "" for none.
    """

    text: str
    kind: str = "fact"
    paths: tuple[str, ...] = ()
    subject: str = ""


@dataclass(frozen=True, slots=True)
class ShownOutput:
    """A tool output as the agent should read it, with the handle of its stored original; handle "" if the text is whole."""

    text: str
    handle: str = ""


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What a call of `write` returns to the agent.

    text     the observations as the agent should read them; outputs  one for each IncomingOutput, in order.
    handles  of the stored observations, then of the notes.
    """

    text: str = ""
    handles: tuple[str, ...] = ()
    outputs: tuple[ShownOutput, ...] = ()


def write(
    store: Writer,
    settings: Settings,
    path: Path,
    events: Sequence[Observation | IncomingOutput | NewNote],
    *,
    task: TaskState | None = None,
) -> WriteReport:
    """Store events of one session in one transaction, and return the text that the agent should read of them.

    task  the agent's task state: lines that it names are kept, and text of a file that it is editing is returned whole.
    Originals are stored before a shorter text is returned; the first marker for left-out lines names the handle.
    Raises UsageError for a note that is empty or of an unknown kind, UnknownPath for a note that cites no file of the repository.
    """
    if not events:
        return WriteReport()
    key, root = open_memory(store, path)
    said = [(each, _check_note(each, root)) for each in events if isinstance(each, NewNote)]
    observations = [each for each in events if isinstance(each, Observation)]
    noted = [_note(store, key, note, cited, at) for at, (note, cited) in enumerate(said)]
    arrivals = [_ReducedOutput(each, root, task) for each in events if isinstance(each, IncomingOutput)]
    deltas = [_live(store, settings, key, root, observations)] if observations else []
    apply_deltas(store, key, [*deltas, *_originals(store, key, arrivals), *(delta for delta, _ in noted)])
    if noted:
        store.refresh(key)
    records = [record for delta in deltas for record in delta.records]
    with store.snapshot(LOCAL, key) as snapshot:
        originals = OriginalCache(snapshot)
        originals.read(record.full_text for record in records)
    calls = {seen.call_id: seen for seen in observations if seen.kind is ObservationKind.CALL}
    results = {seen.uuid: (seen, calls.get(seen.call_id)) for seen in observations if seen.kind is ObservationKind.RESULT}
    return WriteReport(
        "".join(_shown(record, originals.text_of(record.full_text), results.get(record.uuid), task) for record in records),
        tuple(make_handle(record.id) for record in [*records, *(record for _, record in noted)]),
        tuple(each.build_shown() for each in arrivals),
    )


class _ReducedOutput:
    """An incoming output and its shorter form."""

    def __init__(self, arrival: IncomingOutput, root: Path, task: TaskState | None) -> None:
        result = arrival.result
        self.arrival = arrival
        self.original = result if arrival.full_output is None else replace(result, text=arrival.full_output.decode("utf-8", "replace"))
        self.asked, self.path = arrival.call_text, ""
        self.reduced: ReducedOutput | None = None
        if not arrival.shorter:
            context = build_context(result, None)
            self.reduced = _reduced(result.text, context, task)
            self.asked = self.asked or context.command or f"{result.tool} {context.path}".strip()
            file = Path(context.path)
            self.path = file.relative_to(root).as_posix() if file.is_absolute() and file.is_relative_to(root) else ""

    @property
    def is_kept(self) -> bool:
        """Whether the agent reads something else than the original, which must then be stored."""
        return self.reduced is None or not self.reduced.is_whole or self.arrival.full_output is not None

    def build_shown(self) -> ShownOutput:
        """Return the output as the agent should read it."""
        if not self.is_kept:
            return ShownOutput(self.arrival.result.text)
        handle = make_handle(original_record_id(self.original))
        if self.reduced is None:
            return ShownOutput(mask_text(self.arrival.shorter.replace("{handle}", handle)), handle)
        text = self.reduced.render(handle)
        if self.arrival.full_output is not None:
            return ShownOutput(
                f"{text.rstrip()}\n{format_truncation_marker(handle, lines=self.original.text.count(chr(10)) + 1)}\n", handle
            )
        if self.arrival.is_truncated and parse_truncation_notice(text) is None:  # the client's notice stands where this text does not reach
            return ShownOutput(f"{text.rstrip()}\n{format_truncation_marker()}\n", handle)
        return ShownOutput(text, handle)


def _reduced(output: str, context: OutputContext, task: TaskState | None) -> ReducedOutput:
    return reduce_output(output, context.with_task(task) if task else context)


def _originals(store: Reader, key: str, arrivals: Sequence[_ReducedOutput]) -> list[Delta]:
    """Return deltas that store the originals of outputs that the agent reads in a shorter form: no transcript will hold them."""
    kept = [each for each in arrivals if each.is_kept]
    before = get_source_state(store, key, originals_source(kept[0].original.session)) if kept else None
    first = before.size if before else 0
    return [
        build_original_delta(each.original, call_text=each.asked, path=each.path, stored_count=first + at) for at, each in enumerate(kept)
    ]


def _live(store: Reader, settings: Settings, key: str, root: Path, observations: Sequence[Observation]) -> Delta:
    state = get_source_state(store, key, live_source(observations[0].session))
    return build_live_delta(observations, state=state, root=str(root), embedder=load_configured_embedder(settings))


def _check_note(note: NewNote, root: Path) -> list[tuple[str, str]]:
    """Return (path, digest) of the files that a note cites. Raises UsageError or UnknownPath."""
    if not note.text.strip() or note.kind not in notes.NOTE_LAYERS:
        raise UsageError(f"nothing to remember as {note.kind!r}\nhint: say a text, and as kind one of {', '.join(notes.NOTE_LAYERS)}")
    cited: list[tuple[str, str]] = []
    for name in note.paths:
        file = Path(os.path.normpath(root / name.partition("::")[0]))
        if not file.is_relative_to(root) or not FileTest(root)(file.relative_to(root).as_posix()):
            raise UnknownPath(name)
        cited.append((file.relative_to(root).as_posix(), digest_of(file.read_bytes())))
    return cited


def _note(store: Reader, key: str, note: NewNote, cited: Sequence[tuple[str, str]], at: int) -> tuple[Delta, Record]:
    with store.snapshot(LOCAL, key) as snapshot:
        held = snapshot.source_state(notes.NOTES_SOURCE)
        same = snapshot.of_subject(notes.make_subject(note.text, note.subject))
        statuses = snapshot.statuses([record.id for record in same])
    live = [record for record, status in zip(same, statuses, strict=True) if status.is_live]
    return notes.build_note(
        note.text, kind=note.kind, subject=note.subject, cited=cited, before=live,
        seq=(held.size if held else 0) + at, at_ns=time.time_ns(),
    )  # fmt: skip


def _shown(record: Record, whole: str, seen: tuple[Observation, Observation | None] | None, task: TaskState | None) -> str:
    """Return a record's text as the agent should read it: tool outputs are shortened, everything else is whole."""
    if seen is None or not whole.endswith(seen[0].text):
        return whole + "\n"
    output = seen[0].text
    return f"{whole[: len(whole) - len(output)]}{_reduced(output, build_context(*seen), task).render(make_handle(record.id))}\n"
