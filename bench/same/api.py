"""Everything that this comparison knows of clew's code. A commit that changes a name or a signature changes this file and no other.

What is returned is plain JSON. Where a field has been renamed since, the name that stands here is the old one, so that two
commits can be compared over the renaming.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import clew
from clew.engine import Engine
from clew.errors import ClewError
from clew.records import Edge, Observation, ObservationKind, Packet, PacketEntry, Record, RecordText, Spans, Status
from clew.records.wording import describe_end, describe_reason
from clew.settings import Settings, find_workspace
from clew.store.ports import LOCAL, Snapshot
from clew.task.tracker import TaskTracker, state_at
from clew.transcript.follow import transcript_source
from clew.transcript.handoff import render_handoff
from clew.transcript.parse import TranscriptReader, open_transcript
from clew.transcript.reduce.reduce import reduce_output
from clew.transcript.reduce.reduction import build_context
from clew.transcript.session_files import SessionFiles, build_origin, find_session_files, find_sessions

Json = dict[str, Any]
TOKENIZER = "claude"
ASKED_NS = 1_800_000_000_000_000_000  # a question about "last week" means the same week at each run
OUTPUT_CHARS_MIN = 2000


@dataclass(frozen=True, slots=True)
class Valued:
    """One thing to compare: its kind, its name, its values, and the sentences in it that may be reworded."""

    kind: str
    key: str
    value: Any
    words: Any = None


@contextmanager
def opened(home: Path) -> Generator[Engine]:
    """Give an engine over a new store in `home`."""
    home.mkdir(parents=True)
    with clew.open(settings=Settings(home, jobs=1)) as engine:
        yield engine


# -- sessions -----------------------------------------------------------------------------------


class Recorded:
    """One transcript, read once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.session: SessionFiles = find_session_files(path)
        with open_transcript(path) as stream:
            self.lines = stream.readlines()
        self.seen: list[Observation] = list(TranscriptReader(self.lines, origin=build_origin(self.session)).read_observations())
        self.root = next((each.cwd for each in self.seen if each.cwd), "")

    @property
    def compactions(self) -> list[int]:
        """The lines at which the client compacted."""
        return [each.record_index for each in self.seen if each.kind is ObservationKind.BOUNDARY and not each.agent]

    @property
    def question(self) -> str:
        """The first thing that the user asked for."""
        goals = state_at(self.seen, root=self.root).goals
        return goals[0].text if goals else ""


def sessions(folder: Path) -> list[Path]:
    """Return the transcripts below `folder`, in order of their names."""
    return [session.path for session in find_sessions(folder)]


def ingested(engine: Engine, repository: Path, path: Path) -> Iterator[Valued]:
    """Ingest one transcript into the workspace at `repository`, and yield its records, whether they still hold or not."""
    done = engine.ingest([path], repo=repository)
    session = find_session_files(path)
    key, _ = find_workspace(repository)
    for part in (session, *map(find_session_files, session.agents)):
        source = transcript_source(part)
        with engine.store.snapshot(LOCAL, key) as snapshot:
            ended = snapshot.records([record_id for record_id, _ in snapshot.stale_or_cold()])
            held = {record.id: record for record in (*snapshot.records_of_sources(source), *ended) if record.source == source}
            yield from _records(snapshot, held)
            state = snapshot.source_state(source)
        yield Valued("ingested", source, {"status": state.status if state else "", "problems": len(done.problems), "records": len(held)})


def states(recorded: Recorded) -> Iterator[Valued]:
    """Yield the task state at four places of a session and at the client's compactions."""
    places = [each.record_index for each in recorded.seen]
    cuts = {len(recorded.seen) * quarter // 4 for quarter in (1, 2, 3, 4)}
    for cut in sorted(cuts | {bisect_right(places, line - 1) for line in recorded.compactions}):
        state = state_at(recorded.seen[:cut], root=recorded.root)
        yield Valued("state", f"{recorded.session.id}@{cut}", asdict(state))


def reduced(recorded: Recorded) -> Iterator[Valued]:
    """Yield each longer output of a tool as it would have entered the window."""
    calls = {each.call_id: each for each in recorded.seen if each.kind is ObservationKind.CALL}
    tracker = TaskTracker()
    for each in recorded.seen:
        if each.kind is ObservationKind.RESULT and len(each.text) > OUTPUT_CHARS_MIN:
            found = reduce_output(each.text, build_context(each, calls.get(each.call_id)).with_task(tracker.state()))
            text = found.render("00000000")
            shown = {"kind": str(found.kind), "whole": found.is_whole, "digest": digest(text), "text": "" if found.is_whole else text}
            yield Valued("reduced", f"{recorded.session.id}#{each.seq}", shown)
        tracker.observe(each)


def windows(engine: Engine, recorded: Recorded, budgets: Sequence[int]) -> Iterator[Valued]:
    """Yield the hand-off and the window after a compaction, at the client's compactions and at the end."""
    folder = Path(recorded.root) if recorded.root else recorded.path.parent
    for cut in dict.fromkeys([*recorded.compactions, len(recorded.lines)]):
        made = engine.load_compaction_input(
            recorded.session, recorded.lines[:cut], tokenizer=TOKENIZER, path=folder, root=None if folder.is_dir() else folder
        )
        for budget in budgets:
            name = f"{recorded.session.id}@{cut}/{budget}"
            spans = render_handoff(made.state, made.counter.count, budget, {}) if made.state.goals else ()
            yield Valued("hand-off", name, _spans(spans))
            yield from _packet("window", name, made.build_packet(budget))


def recalled(engine: Engine, repository: Path, session: str, question: str) -> Iterator[Valued]:
    """Yield what other sessions said of what a session was about."""
    found = engine.recall(repository, question, exclude=[session], asked_ns=ASKED_NS, confidence_min=0.0)
    turns = [[turn.record.id, turn.session, _rounded(turn.score), turn.replaced_by] for turn in found.turns]
    value = {"turns": turns, "sessions": _rounded(found.sessions), "confidence": _rounded(found.confidence)}
    yield Valued("recall", session, value, [[describe_reason(reason) for reason in turn.why] for turn in found.turns])
    added = engine.augment_prompt(repository, question, budget_tokens=1500, tokenizer=TOKENIZER, session=session)
    yield from _packet("prompt of a session", session, added)


# -- repositories -------------------------------------------------------------------------------


def indexed(engine: Engine, tree: Path, name: str) -> Iterator[Valued]:
    """Index a repository, and yield its records and edges and its map."""
    done = engine.index(tree)
    key, _ = find_workspace(tree)
    yield Valued("indexed", name, {"read": done.report.read, "problems": len(done.report.problems), "commits": done.commits})
    with engine.store.snapshot(LOCAL, key) as snapshot:
        for state in snapshot.source_states("file:"):
            held = {record.id: record for record in snapshot.records_of_sources(state.source)}
            yield Valued("file", f"{name}:{state.source}", {"status": state.status, "digest": state.digest, "records": len(held)})
            yield from _records(snapshot, held, f"{name}:")
    for budget in (1000, 8000):
        yield from _packet("map", f"{name}/{budget}", engine.build_map(tree, budget_tokens=budget, tokenizer=TOKENIZER))


def asked(engine: Engine, tree: Path, name: str, question: str, budgets: Sequence[int]) -> Iterator[Valued]:
    """Yield what a question to a repository is answered with: packets, the list of files, and what is added to a prompt."""
    for budget in budgets:
        found = engine.retrieve(tree, question, budget_tokens=budget, tokenizer=TOKENIZER)
        yield from _packet("packet", f"{name}/{budget}", found)
    listed = engine.rank_files(tree, question, limit=20)
    files = [[each.path, _rounded(each.score), each.name, each.handle, each.line, each.records] for each in listed.files]
    yield Valued("files", name, files, [[describe_reason(reason) for reason in each.why] for each in listed.files])
    yield from _packet("prompt", name, engine.augment_prompt(tree, question, budget_tokens=1500, tokenizer=TOKENIZER))


def impacted(engine: Engine, tree: Path, name: str, file: str) -> Iterator[Valued]:
    """Yield what has to change with a file; nothing for a file that is not in the index."""
    try:
        _, found = engine.find_impact(tree, [str(tree / file)], limit=20)
    except ClewError:
        return
    value = [[each.path, _rounded(each.score), _rounded(dict(sorted(each.shares.items())))] for each in found]
    yield Valued("impact", f"{name}:{file}", value, [[describe_reason(reason) for reason in each.reasons] for each in found])


# -- as JSON ------------------------------------------------------------------------------------


def digest(text: str) -> str:
    """Return 12 hex digits of a text's bytes."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _records(snapshot: Snapshot, held: Mapping[str, Record], prefix: str = "") -> Iterator[Valued]:
    ids = sorted(held)
    edges: dict[str, list[Edge]] = {}
    for edge in snapshot.edges(ids):
        edges.setdefault(edge.tail, []).append(edge)
    for record_id, standing in zip(ids, snapshot.statuses(ids), strict=True):
        record = held[record_id]
        yield Valued("record", prefix + record_id, _record(record, standing), describe_end(standing.reason, is_doubt=standing.is_live))
        coupled = sorted([str(edge.kind), edge.head, _rounded(edge.weight)] for edge in edges.get(record_id, ()))
        if coupled:
            yield Valued("edges", prefix + record_id, coupled)


def _record(record: Record, standing: Status) -> Json:
    return {
        "kind": record.kind,
        "layer": str(record.layer),
        "subject": record.subject,
        "source": record.source,
        "name": record.name,
        "digest": record.digest,
        "seq": record.seq,
        "parent": record.parent,
        "path": record.path,
        "language": record.language,
        "uuid": record.uuid,
        "agent": record.agent,
        "trust": int(record.trust),
        "at_ns": record.at_ns,
        "lineage": [list(each) for each in record.lineage],
        "texts": [_text(text) for text in record.texts],
        "is_live": standing.is_live,
        "superseded_by": standing.superseded_by,
        "ended_seq": standing.ended_seq,
        "tier": int(standing.tier),
    }


def _text(text: RecordText) -> list[object]:
    return [text.resolution.label, text.chars, digest(text.inline), text.blob[:12], text.start, text.end, text.start_line, text.end_line]


def _packet(kind: str, key: str, packet: Packet) -> Iterator[Valued]:
    value = {
        "tokens": packet.tokens,
        "fence_tokens": packet.fence_tokens,
        "budget_tokens": packet.budget_tokens,
        "tokenizer": packet.tokenizer,
        "shadow_price": _rounded(packet.shadow_price),
        "gap": _rounded(packet.gap),
        "skipped": list(packet.skipped),
        "entries": [_entry(entry) for entry in packet.entries],
    }
    yield Valued(kind, key, value, [[describe_reason(reason) for reason in entry.why] for entry in packet.entries])
    yield Valued(f"{kind}: text", key, _spans(packet.spans))


def _entry(entry: PacketEntry) -> list[object]:
    return [
        entry.id, str(entry.layer), entry.kind, entry.name, entry.resolution.label, entry.tokens, _rounded(entry.weight),
        digest(entry.text), entry.is_whole, entry.path, entry.start, entry.end, entry.session, entry.uuid,
    ]  # fmt: skip


def _spans(spans: Spans) -> list[list[str]]:
    return [[str(span.author), span.text] for span in spans]


def _rounded(value: Any) -> Any:
    """The value with its floats at six significant digits: the order of a sum is no difference."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(each) for key, each in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in cast("Sequence[Any]", value)]
    return value
