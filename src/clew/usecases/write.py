"""Write: take in what happens in a session as it happens, and return what the agent should read of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clew.lifecycle.accept import accept
from clew.packet.options import Originals
from clew.records import Observation, ObservationKind, Record, TaskState, handle_of
from clew.settings import Settings, workspace_of
from clew.store.ports import Writer
from clew.task.cuts import cut_of
from clew.transcript.live import live_source, original_id, originals_source, remember_live, remember_original
from clew.transcript.reduce.arrival import arriving
from clew.transcript.reduce.known import given_of
from clew.transcript.reduce.nouns import cut_marker
from clew.usecases.inputs import embedder


@dataclass(frozen=True, slots=True)
class Written:
    """What the agent should read of what was just written, and the handles of its records."""

    text: str
    handles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A tool's output as the agent should read it; `handle` of its original where it is shorter, "" where it is whole."""

    text: str
    handle: str = ""


def write(store: Writer, settings: Settings, path: Path, observations: Sequence[Observation], *, task: TaskState | None = None) -> Written:
    """Remember observations of one session as they happen, and return what the agent should read of them.

    task  what the agent is doing: names what to keep, and text of a file that it is editing is returned whole.
    The originals are durable before the reduced text is returned; the first marker of what was left out names its handle.
    """
    if not observations:
        return Written("", ())
    key, root = workspace_of(path)
    store.open_workspace(key, str(root))
    state = store.source(key, live_source(observations[0].session))
    delta = remember_live(observations, state=state, root=str(root), embedder=embedder(settings))
    accept(store, key, [delta])
    originals = Originals(store, key)
    calls = {seen.call_id: seen for seen in observations if seen.kind is ObservationKind.CALL}
    results = {seen.uuid: (seen, calls.get(seen.call_id)) for seen in observations if seen.kind is ObservationKind.RESULT}
    parts = [_shown(record, originals.text_of(record.whole), results.get(record.uuid), task) for record in delta.records]
    return Written("".join(parts), tuple(handle_of(record.id) for record in delta.records))


def arrive(
    store: Writer, path: Path, call: Observation, result: Observation, *, task: TaskState | None = None, is_cut: bool = False,
    behind: bytes | None = None,
) -> Arrived:  # fmt: skip
    """Return a tool's output as the agent should read it. Where that is shorter, the original is durable first, behind the handle.

    What stays whole is not stored here: the client's own transcript will hold it, and is ingested.
    task    what the agent is doing: names what to keep; text of a file that is being edited stays whole.
    is_cut  the client has cut the output already: its notice stays, and nothing here is shown as the whole.
    behind  what the client's own file holds of such an output, without credentials: it is the original then.
    """
    given = given_of(result, call)
    reduced = arriving(result.text, given.guided(task) if task else given)
    if reduced.is_whole and behind is None:
        return Arrived(result.text)
    original = result if behind is None else replace(result, text=behind.decode("utf-8", "replace"))
    handle = keep_original(store, path, original, asked=given.command or f"{call.tool} {given.path}".strip(), shown=given.path)
    text = reduced.render(handle)
    if behind is not None:
        return Arrived(f"{text.rstrip()}\n{cut_marker(handle, lines=original.text.count(chr(10)) + 1)}\n", handle)
    if is_cut and cut_of(text) is None:  # the client's notice stands where this text does not reach
        return Arrived(f"{text.rstrip()}\n{cut_marker()}\n", handle)
    return Arrived(text, handle)


def keep_original(store: Writer, path: Path, result: Observation, *, asked: str, shown: str = "") -> str:
    """Make a tool's output durable, and findable, for good: no transcript will hold it. Returns its handle.

    asked  what was called, for its name; shown  the file that it shows, "" for none.
    """
    _, root = workspace_of(path)
    file = Path(shown)
    name = file.relative_to(root).as_posix() if file.is_absolute() and file.is_relative_to(root) else ""
    return _keep_originals(store, path, [(result, asked, name)])[0]


def keep_originals(store: Writer, path: Path, results: Sequence[tuple[Observation, str]]) -> list[str]:
    """Do the same for several outputs of one session, each with what was called, in one transaction. Returns their handles."""
    return _keep_originals(store, path, [(result, asked, "") for result, asked in results])


def _keep_originals(store: Writer, path: Path, results: Sequence[tuple[Observation, str, str]]) -> list[str]:
    key, root = workspace_of(path)
    store.open_workspace(key, str(root))
    before = store.source(key, originals_source(results[0][0].session)) if results else None
    first = before.size if before else 0
    deltas = [remember_original(result, asked=asked, path=name, count=first + at) for at, (result, asked, name) in enumerate(results)]
    accept(store, key, deltas)
    return [handle_of(original_id(result)) for result, _, _ in results]


def _shown(record: Record, whole: str, seen: tuple[Observation, Observation | None] | None, task: TaskState | None) -> str:
    """A record's text as the agent reads it: what a tool answered is reduced, everything else is whole."""
    if seen is None or not whole.endswith(seen[0].text):
        return whole + "\n"
    output = seen[0].text
    given = given_of(seen[0], seen[1])
    reduced = arriving(output, given.guided(task) if task else given)
    return f"{whole[: len(whole) - len(output)]}{reduced.render(handle_of(record.id))}\n"
