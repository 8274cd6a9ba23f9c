"""Conformance: what every store does, as a list of behaviours that anybody can run.

    from tests.store.conformance import BEHAVIOURS, DURABLE
    @pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.name)
    def test_my_store_conforms(behaviour):
        behaviour.run(MyStore)

Each behaviour is handed a function that opens a store. Those in `BEHAVIOURS` call it once and expect an
empty store. Those in `DURABLE`, for stores that outlive their process, call it again after closing, and
expect what was there. A store that falls short raises `Nonconforming`, which says in what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from clew.errors import InvalidDelta, InvalidExport, OriginalPurged, StoreClosed, UnknownWorkspace
from clew.records import (
    Blob,
    Delta,
    Edge,
    EdgeKind,
    EndKind,
    EndReason,
    Layer,
    Record,
    RecordText,
    Resolution,
    SourceState,
    Status,
    Supersession,
    Tier,
    Trust,
    make_id,
)
from clew.store.memory import MemoryStore
from clew.store.originals import digest_of
from clew.store.ports import LOCAL, Reader, Snapshot, Writer
from clew.store.rows import EdgeRow, OriginalRow, PostingsRow, RecordRow, TombstoneRow
from clew.text.postings import SearchDocument, pack_postings
from tests.looking import look

Open: TypeAlias = Callable[[], Writer]

SPACE = "repository"
_NONE: list[object] = []


class Nonconforming(AssertionError):
    """A store does not do what the ports promise."""

    def __init__(self, about: str, found: object, wanted: object) -> None:
        self.about, self.found, self.wanted = about, found, wanted
        super().__init__(f"{about}\n  found  {found!r}\n  wanted {wanted!r}")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One thing that a store does: a name, a sentence, and a function that tries it."""

    name: str
    about: str
    run: Callable[[Open], None]


_plain: list[Behaviour] = []
_durable: list[Behaviour] = []


def _behaviour(run: Callable[[Writer], None]) -> Callable[[Writer], None]:
    def opened(open_store: Open) -> None:
        store = open_store()
        store.open_workspace(SPACE, "/repository")
        try:
            run(store)
        finally:
            store.close()

    _plain.append(Behaviour(run.__name__, (run.__doc__ or "").strip(), opened))
    return run


def _lasting(run: Callable[[Open], None]) -> Callable[[Open], None]:
    _durable.append(Behaviour(run.__name__, (run.__doc__ or "").strip(), run))
    return run


# -- what the behaviours are made of --------------------------------------------------------------


def make_record(source: str, subject: str, body: str, *, seq: int = 0, at_ns: int = 0) -> Record:
    """A record whose whole text is a span of the original that is `body`."""
    data = body.encode()
    texts = (
        RecordText(Resolution.NAME, len(subject), subject),
        RecordText(Resolution.FULL, len(data), blob=digest_of(data), end=len(data)),
    )
    record_id = make_id(subject, body)
    return Record(record_id, Layer.FACT, "function", subject, source, digest_of(data), subject, texts, seq, path="a.py", at_ns=at_ns)


def make_delta(
    source: str, bodies: Sequence[tuple[str, str]], *, is_whole: bool = True, first_seq: int = 0, at_ns: int = 0, note: str = ""
) -> Delta:
    """A delta of records (subject, body), each with its original and its postings."""
    records = [make_record(source, subject, body, seq=first_seq + at, at_ns=at_ns) for at, (subject, body) in enumerate(bodies)]
    originals = {digest_of(body.encode()): body.encode() for _, body in bodies}
    documents = [
        SearchDocument(record.id, record.layer, record.kind, record.path, (record.name, "", "", "", body), (record.subject,))
        for record, (_, body) in zip(records, bodies, strict=True)
    ]
    state = SourceState(source, digest_of(repr(source).encode()), len(bodies), 7, note=note)
    blobs = tuple(Blob(digest, data) for digest, data in originals.items())
    return Delta(
        "conformance/1", source, is_whole, tuple(records), blobs=blobs, segment=pack_postings(documents) if documents else b"", state=state
    )


def retirement(source: str) -> Delta:
    """A delta that says that a source is gone."""
    return Delta("conformance/1", source, is_whole=True)


def contents(store: Reader, workspace: str, ids: Sequence[str], digests: Sequence[str] = ()) -> dict[str, object]:
    """All that a store answers of a workspace about these ids and originals, in a form that two stores can be compared by."""
    places = [replace(place, key="", stored_bytes=0) for place in store.workspaces() if place.key == workspace]
    with store.snapshot(LOCAL, workspace) as snapshot:
        records = snapshot.records(ids)
        subjects = sorted({record.subject for record in records})
        states = snapshot.source_states()
        documents = snapshot.documents
        return {
            "workspace": places,
            "records": records,
            "statuses": snapshot.statuses(ids),
            "stale or cold": [(key, replace(status, uses=0, used_at_ns=0)) for key, status in snapshot.stale_or_cold()],
            "find": snapshot.find("", 10_000),
            "subjects": [snapshot.of_subject(subject) for subject in subjects],
            "sources": states,
            "held": [snapshot.records_of_sources(state.source) for state in states],
            "edges": snapshot.edges(ids),
            "originals": [_original(snapshot, digest) for digest in digests],
            "parts": documents.parts,
            "indexed": sorted(documents.id_of(doc) for doc in range(documents.size) if documents.alive[doc]),
        }


_EDITED = EndReason(EndKind.EDITED)
_LEFT = EndReason(EndKind.BRANCH_LEFT, ("fix", "main"))
_CITED = EndReason(EndKind.CITED_CHANGED, ("na\udce9ve.py",))


def _purged(why: str) -> EndReason:
    return EndReason(EndKind.PURGED, (why,))


def _original(snapshot: Snapshot, digest: str) -> bytes | str:
    try:
        return snapshot.original(digest)
    except KeyError:
        return "unknown"
    except OriginalPurged as purged:
        return f"purged: {purged.reason}"


def _expect(found: object, wanted: object, about: str) -> None:
    if found != wanted:
        raise Nonconforming(about, found, wanted)


def _expect_raise(error: type[Exception], call: Callable[[], object], about: str) -> None:
    try:
        found = call()
    except error:
        return
    raise Nonconforming(about, found, error.__name__)


def _ids(delta: Delta) -> list[str]:
    return [record.id for record in delta.records]


def _live(store: Reader, ids: Sequence[str]) -> list[bool]:
    return [standing.is_live for standing in look(store, SPACE).statuses(ids)]


def _indexed(store: Reader, workspace: str = SPACE) -> list[str]:
    index = look(store, workspace).documents
    return sorted(index.id_of(doc) for doc in range(index.size) if index.alive[doc])


# -- export and import -----------------------------------------------------------------------------


def _fill_for_export(store: Writer) -> tuple[list[str], list[str]]:
    """Fill a workspace with records that live, ended, moved, were used and were purged; return the ids and the digests of originals."""
    first = make_delta("file:a.py", [("a", "def a(): ..."), ("b", "def b(): ...")], at_ns=3)
    second = make_delta("file:a.py", [("a", "def a(): changed"), ("b", "def b(): other")], at_ns=5)
    session = make_delta(
        "session:s/na\udce9ve", [("turn 1", "the harbour"), ("turn 2", "the mast"), ("turn 3", "the secret")], note='{"at": "\ud83d"}'
    )
    edge = Edge(
        EdgeKind.MENTIONS, session.records[0].id, second.records[0].id, 0.25, session.records[0].digest, second.records[0].digest, "t"
    )
    ended = Supersession(session.records[1].id, session.records[0].id, EndReason(EndKind.OTHER, ("an\udce9w",)), 3, 9)
    more = replace(
        make_delta("session:s/na\udce9ve", [("turn 4", "the sail")], is_whole=False, first_seq=3), edges=(edge,), superseded=(ended,)
    )
    gone = make_delta("file:gone.py", [("gone", "def gone(): ...")])
    store.apply(SPACE, [first, session, gone])
    store.apply(SPACE, [second, more, retirement("file:gone.py")])
    store.move(SPACE, [session.records[0].id], Tier.ARCHIVED)
    store.touch(SPACE, [second.records[0].id, more.records[0].id], 77)
    store.purge(SPACE, [session.records[2].id], "na\udce9ve", 88)
    deltas = (first, second, session, more, gone)
    return [each for delta in deltas for each in _ids(delta)], [blob.digest for delta in deltas for blob in delta.blobs]


@_behaviour
def an_export_holds_the_whole_workspace(store: Writer) -> None:
    """What was exported and imported into an empty store answers every question as before, and nothing of it is there twice."""
    ids, digests = _fill_for_export(store)
    other = MemoryStore()

    other.import_rows(store.export_rows([SPACE]))
    once = contents(other, SPACE, ids, digests)
    again = other.import_rows(store.export_rows([SPACE]))

    wanted = contents(store, SPACE, ids, digests)
    _expect({**once, "workspace": 0}, {**wanted, "workspace": 0}, "what the other store answers")
    _expect({**contents(other, SPACE, ids, digests), "workspace": 0}, {**wanted, "workspace": 0}, "what it answers after a second import")
    _expect((again.sources, again.records, again.originals, again.tombstones, again.kept, again.differing), (0, 0, 0, 0, 3, 0), "counts")


@_behaviour
def a_state_is_replaced_only_if_it_is_still_the_one_that_was_read(store: Writer) -> None:
    """Of two that replace the same state one succeeds; an unknown source and another's name are refused, and the generation stays."""
    first, second = SourceState("work:a", "1", status="queued"), SourceState("work:a", "1", status="claimed", note="x")
    generation = store.apply(SPACE, [Delta("test", "work:a", is_whole=False, state=first)]).generation

    _expect(store.replace_state(SPACE, first, second), True, "the first")
    _expect(store.replace_state(SPACE, first, replace(second, note="y")), False, "the second")
    _expect(store.replace_state(SPACE, SourceState("work:b"), SourceState("work:b")), False, "an unknown source")
    _expect(store.replace_state(SPACE, second, replace(second, source="work:c")), False, "another name")
    _expect(look(store, SPACE).source_state("work:a"), second, "what is stored")
    _expect(look(store, SPACE).generation, generation, "the generation")
    _expect_raise(UnknownWorkspace, lambda: store.replace_state("unknown", first, second), "an unknown workspace")


@_behaviour
def an_import_brings_the_whole_workspace(store: Writer) -> None:
    """What another store exported answers every question here as it did there, also when it is imported twice."""
    other = MemoryStore()
    other.open_workspace(SPACE, "/repository")
    ids, digests = _fill_for_export(other)

    store.import_rows(other.export_rows([SPACE]))
    store.import_rows(other.export_rows([SPACE]))

    wanted = contents(other, SPACE, ids, digests)
    _expect({**contents(store, SPACE, ids, digests), "workspace": 0}, {**wanted, "workspace": 0}, "what this store answers")


@_behaviour
def an_import_changes_nothing_that_is_there(store: Writer) -> None:
    """A source that the store has stays as it is, with all its records; what it lacks is added."""
    here = make_delta("file:a.py", [("a", "def a(): here")])
    there = make_delta("file:a.py", [("a", "def a(): there")])
    more = make_delta("file:b.py", [("b", "def b(): ...")])
    other = MemoryStore()
    other.open_workspace(SPACE, "/elsewhere")
    other.apply(SPACE, [replace(there, state=replace(there.state, size=99)) if there.state else there, more])
    store.apply(SPACE, [here])

    result = store.import_rows(other.export_rows([SPACE]))

    _expect((result.sources, result.kept, result.differing), (1, 1, 1), "counts")
    _expect(_live(store, _ids(here) + _ids(more)), [True, True], "what lives")
    _expect(look(store, SPACE).records(_ids(there)), [], "the other version")
    _expect(store.roots(), [(SPACE, "/repository")], "the folder")
    _expect_raise(KeyError, lambda: look(store, SPACE).original(there.blobs[0].digest), "its original")


@_behaviour
def what_was_purged_here_is_not_imported(store: Writer) -> None:
    """A purge holds against an export that was made before it; a tombstone that comes erases nothing."""
    delta = make_delta("file:a.py", [("a", "the secret"), ("b", "the rest")])
    for purge in (lambda: store.purge(SPACE, [delta.records[0].id], "why", 5), lambda: store.purge_source(SPACE, "file:a.py", "why", 6)):
        store.apply(SPACE, [delta])
        rows = list(store.export_rows([SPACE]))
        purge()
        result = store.import_rows(rows)
        _expect(look(store, SPACE).records([delta.records[0].id]), [], "the record")
        _expect_raise(OriginalPurged, lambda: look(store, SPACE).original(delta.blobs[0].digest), "its original")
    _expect(result.purged > 0, True, "the count")
    other = MemoryStore()
    other.open_workspace(SPACE, "/elsewhere")
    other.apply(SPACE, [delta])
    _expect(other.import_rows(store.export_rows([SPACE])).still_held, 4, "tombstones of what is held")
    _expect(_live(other, _ids(delta)), [True, True], "what is held")


@_behaviour
def an_import_that_contradicts_itself_stores_nothing(store: Writer) -> None:
    """Rows that are damaged, out of order, or refer to what is not there are refused, all of them."""
    other = MemoryStore()
    other.open_workspace("new", "/elsewhere")
    other.apply("new", [make_delta("file:a.py", [("a", "def a(): ..."), ("b", "def b(): ...")])])
    rows = list(other.export_rows(["new"]))
    head, source, held, *_ = rows
    originals = [row for row in rows if isinstance(row, OriginalRow)]
    record = next(row for row in rows if isinstance(row, RecordRow))
    words = next(row for row in rows if isinstance(row, PostingsRow))
    far = replace(record.record.texts[1], end=1000)
    for bad in (
        rows[1:],
        [],
        [head, *rows[2:]],
        [row for row in rows if row is not originals[0]],
        [row for row in rows if row is not words],
        [row for row in rows if row is not record],
        [*rows, record],
        [*rows, held],
        [head, source, *rows[1:]],
        [replace(originals[0], data=b"other") if row is originals[0] else row for row in rows],
        [replace(words, data=words.data[:-9]) if row is words else row for row in rows],
        [replace(record, record=replace(record.record, texts=(far,))) if row is record else row for row in rows],
        [replace(record, record=replace(record.record, texts=())) if row is record else row for row in rows],
        [replace(record, record=replace(record.record, id="\n")) if row is record else row for row in rows],
        [replace(record, is_indexed=False) if row is record else row for row in rows],
        [*rows, EdgeRow("file:a.py", Edge(EdgeKind.TESTS, "a", "b", float("nan")))],
        [*rows, TombstoneRow("other", "x", "", 0)],
    ):
        _expect_raise(InvalidExport, partial(store.import_rows, bad), "a refusal")
    _expect([place.key for place in store.workspaces()], [SPACE], "workspaces")


# -- workspaces -----------------------------------------------------------------------------------


@_behaviour
def an_unknown_workspace_reads_as_empty(store: Writer) -> None:
    """Every question about a workspace that nobody made has an empty answer."""
    _expect(look(store, "elsewhere").generation, 0, "generation")
    _expect(look(store, "elsewhere").records(["x"]), [], "records")
    _expect([standing.reason for standing in look(store, "elsewhere").statuses(["x"])], [EndReason(EndKind.UNKNOWN)], "standings")
    for answer in (
        look(store, "elsewhere").stale_or_cold(),
        look(store, "elsewhere").find(""),
        look(store, "elsewhere").of_subject("s"),
        look(store, "elsewhere").edges(["x"]),
    ):
        _expect(answer, [], "an answer about an unknown workspace")
    _expect(look(store, "elsewhere").records_of_sources("s"), [], "of_source")
    _expect(look(store, "elsewhere").source_states(), [], "sources")
    _expect(look(store, "elsewhere").source_state("s"), None, "source")
    _expect(look(store, "elsewhere").documents.count, 0, "documents in the index")
    _expect_raise(KeyError, lambda: look(store, "elsewhere").original("0" * 32), "an original of an unknown workspace")


@_behaviour
def a_workspace_must_be_opened_before_it_is_written(store: Writer) -> None:
    """Nothing is made by accident: a write to an unknown workspace is refused."""
    for call in (
        lambda: store.apply("elsewhere", [make_delta("file:a", [("s", "x")])]),
        lambda: store.move("elsewhere", ["x"], Tier.FOLDED),
        lambda: store.touch("elsewhere", ["x"], 1),
        lambda: store.purge("elsewhere", ["x"], "", 1),
        lambda: store.purge_source("elsewhere", "file:a", "", 1),
    ):
        _expect_raise(UnknownWorkspace, call, "a write to a workspace that nobody opened")
    _expect([place.key for place in store.workspaces()], [SPACE], "workspaces")


@_behaviour
def opening_a_workspace_again_notes_where_it_stands(store: Writer) -> None:
    """The root follows the repository; contents and generation stay."""
    store.apply(SPACE, [make_delta("file:a", [("s", "x")])])
    store.open_workspace("another", "/another")
    store.open_workspace(SPACE, "/moved")
    _expect([(place.key, place.root) for place in store.workspaces()], [("another", "/another"), (SPACE, "/moved")], "workspaces by key")
    _expect(look(store, SPACE).generation, 1, "generation")


@_behaviour
def a_workspace_counts_what_it_holds(store: Writer) -> None:
    """Records, live ones, sources that are present, and the bytes of originals."""
    store.apply(SPACE, [make_delta("file:a", [("s", "one"), ("t", "two!")]), make_delta("file:b", [("u", "three")])])
    store.apply(SPACE, [make_delta("file:a", [("s", "one")]), retirement("file:b")])
    (place,) = store.workspaces()
    _expect((place.records, place.live, place.sources, place.generation), (3, 1, 1, 2), "records, live, sources, generation")
    _expect(place.blob_bytes, len("one" + "two!" + "three"), "bytes of originals")


@_behaviour
def workspaces_do_not_see_each_other(store: Writer) -> None:
    """The same source, ids and originals in two workspaces are two things."""
    store.open_workspace("another", "/another")
    delta = make_delta("file:a", [("s", "shared")])
    store.apply(SPACE, [delta])
    _expect(look(store, "another").records(_ids(delta)), [], "records of the other workspace")
    _expect_raise(KeyError, lambda: look(store, "another").original(delta.blobs[0].digest), "an original of the other workspace")
    store.apply("another", [delta])
    store.purge("another", _ids(delta), "secret", 1)
    _expect(look(store, SPACE).original(delta.blobs[0].digest), b"shared", "an original after a purge elsewhere")
    _expect(look(store, SPACE).records(_ids(delta)), list(delta.records), "records after a purge elsewhere")
    _expect((look(store, SPACE).generation, look(store, "another").generation), (1, 2), "generations")


# -- apply ----------------------------------------------------------------------------------------


@_behaviour
def each_call_of_apply_is_one_generation(store: Writer) -> None:
    """The generation counts acknowledged calls, however many deltas they bring; a call without any is none."""
    first = store.apply(SPACE, [make_delta("file:a", [("s", "x")]), make_delta("file:b", [("t", "y")])])
    second = store.apply(SPACE, [make_delta("file:a", [("s", "x")])])
    nothing = store.apply(SPACE, [])
    _expect([first.generation, second.generation, nothing.generation, look(store, SPACE).generation], [1, 2, 2, 2], "generations")
    _expect((nothing.added, nothing.kept, nothing.superseded, nothing.retired), (0, 0, 0, 0), "changes of an empty call")


@_behaviour
def what_goes_in_comes_out(store: Writer) -> None:
    """Every field of a record, its state and its edges come back as they were, whatever stands in their texts."""
    odd = "na\u00efve \udcff\ud83d \x00 \U0001f600 'quoted' %"
    source, data = f"file:{odd}", b"\x00\xff" * 40 + bytes(range(256))
    texts = (
        RecordText(Resolution.NAME, 3, "abc"),
        RecordText(Resolution.SIGNATURE, len(odd), odd),
        RecordText(Resolution.FOLDED, 0, ""),
        RecordText(Resolution.FULL, 7, blob=digest_of(data), start=3, end=10, start_line=1, end_line=2),
    )
    ends = [make_id("odd", str(number)) for number in range(2)]
    records = tuple(
        Record(
            id=record_id, layer=layer, kind=odd, subject=odd, source=source, digest=odd, name=odd, texts=texts, seq=2**40, parent=odd,
            path=odd, language=odd, session=odd, uuid=odd, agent=odd, trust=Trust.QUOTED, at_ns=2**62,
        )
        for record_id, layer in zip(ends, (Layer.INTENT, Layer.STATE), strict=True)
    )  # fmt: skip
    edge = Edge(EdgeKind.FIXES, ends[0], ends[1], 0.3, odd, "", odd)
    state = SourceState(source, odd, 2**50, 2**62, odd, odd)
    store.apply(SPACE, [Delta(odd, source, True, records, (edge,), (), (Blob(digest_of(data), data),), b"", state)])
    _expect(look(store, SPACE).records(ends), list(records), "records")
    _expect(look(store, SPACE).of_subject(odd), list(records), "of_subject")
    _expect(look(store, SPACE).records_of_sources(source), sorted(records, key=lambda record: record.id), "of_source")
    _expect((look(store, SPACE).source_state(source), look(store, SPACE).source_states(source)), (state, [state]), "source and sources")
    _expect(look(store, SPACE).edges(ends), [edge], "edges")
    _expect(look(store, SPACE).original(digest_of(data)), data, "original")


@_behaviour
def records_come_in_the_order_asked(store: Writer) -> None:
    """One record per id asked, also when it is asked twice; unknown ids are left out, whatever they look like."""
    delta = make_delta("file:a", [("s", "x"), ("t", "y")])
    store.apply(SPACE, [delta])
    first, second = delta.records
    _expect(look(store, SPACE).records([second.id, "unknown", first.id, "\udcff", "naïve", second.id]), [second, first, second], "records")
    _expect(look(store, SPACE).records([]), [], "records of no ids")


@_behaviour
def a_whole_delta_replaces_its_source(store: Writer) -> None:
    """What the source holds already is kept, the rest is added, and what the delta lacks is ended."""
    before = make_delta("file:a", [("s", "one"), ("t", "two")])
    after = make_delta("file:a", [("t", "two"), ("s", "one, edited"), ("u", "three")], note="seen twice")
    first = store.apply(SPACE, [before])
    second = store.apply(SPACE, [after])
    _expect((first.added, first.kept, first.superseded, first.retired), (2, 0, 0, 0), "changes of the first delta")
    _expect((second.added, second.kept, second.superseded, second.retired), (2, 1, 1, 0), "changes of the second delta")
    old, new = before.records[0], after.records[1]
    standing = look(store, SPACE).statuses([old.id])[0]
    _expect((standing.is_live, standing.superseded_by), (False, new.id), "standing of the old version")
    _expect(bool(standing.reason), True, "an ended record has a reason")
    _expect(look(store, SPACE).records_of_sources("file:a"), list(after.records), "of_source")
    _expect(look(store, SPACE).records([old.id]), [old], "the old version itself")
    _expect(look(store, SPACE).source_state("file:a"), after.state, "state")


@_behaviour
def a_kept_record_gets_its_new_position(store: Writer) -> None:
    """A record that moved within its source, or now lies in another original, says so; it stays true since it first was."""
    delta = make_delta("file:a", [("s", "body")], at_ns=5)
    store.apply(SPACE, [delta])
    data = b"# a new first line\nbody"
    texts = (RecordText(Resolution.FULL, 4, blob=digest_of(data), start=19, end=23, start_line=2, end_line=2),)
    moved = replace(delta.records[0], texts=texts, seq=9, digest=digest_of(data), name="renamed", parent="p", path="b.py", at_ns=8)
    applied = store.apply(SPACE, [replace(delta, records=(moved,), blobs=(Blob(digest_of(data), data),))])
    _expect((applied.kept, applied.added), (1, 0), "kept and added")
    _expect(look(store, SPACE).records([moved.id]), [moved], "the record")
    _expect(look(store, SPACE).statuses([moved.id]), [Status(valid_from_ns=5)], "its standing")


@_behaviour
def an_ended_record_without_an_heir_is_retired(store: Writer) -> None:
    """Nothing replaced it, so `superseded_by` stays empty."""
    delta = make_delta("file:a", [("s", "x"), ("t", "y")])
    store.apply(SPACE, [delta])
    applied = store.apply(SPACE, [make_delta("file:a", [("s", "x")])])
    standing = look(store, SPACE).statuses([delta.records[1].id])[0]
    _expect((applied.superseded, applied.retired), (0, 1), "superseded and retired")
    _expect((standing.is_live, standing.superseded_by, bool(standing.reason)), (False, "", True), "standing")


@_behaviour
def the_heir_is_the_live_record_of_the_same_subject(store: Writer) -> None:
    """One of the same source goes first, then the newest; ended ones are no heirs."""
    store.apply(SPACE, [make_delta("run:1", [("check:x", "old")], at_ns=1), make_delta("run:2", [("check:x", "new")], at_ns=9)])
    store.apply(SPACE, [make_delta("run:3", [("check:x", "mine")], at_ns=3)])
    newest = make_id("check:x", "new")
    changed = make_delta("run:3", [("check:x", "mine again")], at_ns=4)
    store.apply(SPACE, [changed])
    mine = look(store, SPACE).statuses([make_id("check:x", "mine")])[0]
    _expect((mine.superseded_by, mine.valid_to_ns), (changed.records[0].id, 4), "the heir of the same source, and when it began")
    store.apply(SPACE, [retirement("run:3")])
    _expect(look(store, SPACE).statuses([changed.records[0].id])[0].superseded_by, newest, "the newest heir of another source")
    store.apply(SPACE, [retirement("run:1"), retirement("run:2")])
    ended = look(store, SPACE).statuses([make_id("check:x", "old"), newest])
    _expect([standing.superseded_by for standing in ended], [newest, ""], "heirs when sources go one after the other")


@_behaviour
def a_record_that_comes_back_is_live_again(store: Writer) -> None:
    """Its ending is forgotten; its tier, its uses, and since when it is true are not."""
    delta = make_delta("file:a", [("s", "x")], at_ns=3)
    ids = _ids(delta)
    store.apply(SPACE, [delta])
    store.move(SPACE, ids, Tier.FOLDED)
    store.touch(SPACE, ids, 77)
    store.apply(SPACE, [make_delta("file:a", [("s", "y")])])
    _expect(_live(store, ids), [False], "is_live in between")
    applied = store.apply(SPACE, [delta])
    _expect((applied.added, applied.kept, applied.superseded), (1, 0, 1), "added, kept and superseded")
    wanted = Status(valid_from_ns=3, tier=Tier.FOLDED, uses=1, used_at_ns=77)
    _expect(look(store, SPACE).statuses(ids), [wanted], "standing of what came back")
    _expect(_indexed(store), ids, "documents in the index")
    _expect(len(look(store, SPACE).of_subject("s")), 2, "versions of the subject")


@_behaviour
def an_appended_delta_ends_nothing(store: Writer) -> None:
    """What a growing source says is added to what it said before, and both are searchable."""
    first = make_delta("session:1", [("a", "one"), ("b", "two")], is_whole=False)
    second = make_delta("session:1", [("c", "three"), ("a", "one")], is_whole=False, first_seq=2)
    store.apply(SPACE, [first])
    applied = store.apply(SPACE, [second])
    _expect((applied.added, applied.kept, applied.superseded, applied.retired), (1, 1, 0, 0), "changes")
    _expect(
        [record.subject for record in look(store, SPACE).records_of_sources("session:1")],
        ["b", "c", "a"],
        "live records, by their newest position",
    )
    _expect(_indexed(store), sorted({*_ids(first), *_ids(second)}), "documents in the index, each once")
    _expect([(source, part) for source, part, _ in look(store, SPACE).documents.parts], [("session:1", 0), ("session:1", 1)], "parts")


@_behaviour
def a_whole_delta_replaces_appended_parts(store: Writer) -> None:
    """After a whole delta a source has one part again, whatever had been appended."""
    store.apply(SPACE, [make_delta("session:1", [(str(number), "x")], is_whole=False) for number in range(3)])
    whole = make_delta("session:1", [("1", "x")])
    store.apply(SPACE, [whole])
    _expect([(source, part) for source, part, _ in look(store, SPACE).documents.parts], [("session:1", 0)], "parts")
    _expect(_indexed(store), _ids(whole), "documents in the index")


@_behaviour
def a_retired_source_is_gone_and_its_records_are_ended(store: Writer) -> None:
    """A delta without a state retires its source: no state, no postings, nothing live; the records stay readable."""
    delta = make_delta("file:a", [("s", "x")])
    store.apply(SPACE, [delta, make_delta("file:b", [("t", "y")])])
    applied = store.apply(SPACE, [retirement("file:a")])
    _expect((applied.retired, applied.added), (1, 0), "retired and added")
    _expect([state.source for state in look(store, SPACE).source_states()], ["file:b"], "sources")
    _expect(look(store, SPACE).source_state("file:a"), None, "state")
    _expect((_live(store, _ids(delta)), look(store, SPACE).records_of_sources("file:a")), ([False], _NONE), "live records")
    _expect(_indexed(store), [make_id("t", "y")], "documents in the index")
    _expect(look(store, SPACE).records(_ids(delta)), list(delta.records), "records")
    _expect(look(store, SPACE).original(delta.blobs[0].digest), b"x", "original")
    store.apply(SPACE, [replace(retirement("file:b"), is_whole=False), retirement("file:never")])
    _expect((look(store, SPACE).source_states(), _indexed(store)), (_NONE, _NONE), "sources and documents after all were retired")


@_behaviour
def an_invalid_delta_stores_nothing_of_its_call(store: Writer) -> None:
    """Whatever contradicts itself is refused with all that came beside it."""
    good = make_delta("file:a", [("s", "x"), ("t", "y")])
    store.apply(SPACE, [good])
    kept = contents(store, SPACE, _ids(good))
    record, state = good.records[0], good.state
    for about, bad in _invalid(good, record, state):
        fresh = [make_delta("file:new", [("n", about)]), bad, make_delta("file:newer", [("m", about)])]
        _expect_raise(InvalidDelta, lambda: store.apply(SPACE, fresh), about)  # noqa: B023 - called at once
        _expect(contents(store, SPACE, _ids(good)), kept, f"contents after: {about}")
        _expect(look(store, SPACE).find(make_id("n", about)), [], f"a record beside it after: {about}")
        _expect_raise(KeyError, lambda: look(store, SPACE).original(digest_of(about.encode())), f"an original beside it after: {about}")  # noqa: B023


def _invalid(good: Delta, record: Record, state: SourceState | None) -> list[tuple[str, Delta]]:
    both = good.records
    span = RecordText(Resolution.FULL, 1, blob=digest_of(b"never stored"), end=1)
    return [
        ("a record of another source", replace(good, records=(replace(record, source="file:b"), both[1]))),
        ("one record twice", replace(good, records=(*both, record), segment=b"")),
        ("an empty id", replace(good, records=(replace(record, id=""),), segment=b"")),
        ("an id that is not ASCII", replace(good, records=(replace(record, id="naïve"),), segment=b"")),
        ("an id that is too long", replace(good, records=(replace(record, id="x" * 27),), segment=b"")),
        ("a record without texts", replace(good, records=(replace(record, texts=()),), segment=b"")),
        ("texts out of order", replace(good, records=(replace(record, texts=record.texts[::-1]),), segment=b"")),
        ("an original under another digest", replace(good, blobs=(Blob(digest_of(b"x"), b"not x"),))),
        ("a text in an original that nobody stored", replace(good, records=(replace(record, texts=(span,)),), segment=b"")),
        ("postings of other records", replace(good, records=both[::-1])),
        ("postings that cannot be read", replace(good, segment=good.segment[:-9])),
        ("postings that are something else", replace(good, segment=b"something else")),
        ("a state of another source", replace(good, state=SourceState("file:b"))),
        ("records of a source that is retired", replace(good, state=None if state else state)),
    ]


@_behaviour
def deltas_of_one_call_apply_in_order(store: Writer) -> None:
    """One call with many deltas leaves what as many calls would, in one generation."""
    deltas = [
        make_delta("file:a", [("s", "one"), ("t", "two")]),
        make_delta("file:a", [("s", "changed")]),
        make_delta("session:1", [("m", "three")], is_whole=False),
        make_delta("session:1", [("n", "four")], is_whole=False, first_seq=1),
        retirement("file:a"),
        make_delta("file:a", [("t", "two")]),
    ]
    ids = sorted({record.id for delta in deltas for record in delta.records})
    store.apply(SPACE, deltas)
    store.open_workspace("slowly", "/repository")
    for delta in deltas:
        store.apply("slowly", [delta])
    together, slowly = contents(store, SPACE, ids), contents(store, "slowly", ids)
    _expect(look(store, "slowly").generation, len(deltas), "generation")
    _expect({**together, "workspace": None}, {**slowly, "workspace": None}, "contents")


@_behaviour
def the_same_delta_again_changes_nothing(store: Writer) -> None:
    """Applying is idempotent: everything is kept, and only the generation goes on."""
    delta = replace(
        make_delta("file:a", [("s", "x"), ("t", "y")]), edges=(Edge(EdgeKind.CONTAINS, make_id("s", "x"), make_id("t", "y"), 0.5),)
    )
    store.apply(SPACE, [delta])
    before = contents(store, SPACE, _ids(delta))
    applied = store.apply(SPACE, [delta])
    _expect((applied.added, applied.kept, applied.superseded, applied.retired), (0, 2, 0, 0), "changes")
    _expect({**contents(store, SPACE, _ids(delta)), "workspace": None}, {**before, "workspace": None}, "contents")


@_behaviour
def a_record_that_two_sources_hold_outlives_either(store: Writer) -> None:
    """The same bytes under the same subject are one record; it is live while any source holds it."""
    one, two = make_delta("session:1", [("s", "x")]), make_delta("session:2", [("s", "x")])
    ids = _ids(one)
    store.apply(SPACE, [two, one])
    _expect(look(store, SPACE).records(ids), list(one.records), "the first source speaks for it")
    store.apply(SPACE, [retirement("session:1")])
    _expect(_live(store, ids), [True], "is_live after one source left")
    _expect(look(store, SPACE).records(ids), list(two.records), "the source that still holds it speaks for it")
    _expect(look(store, SPACE).stale_or_cold(), [], "unusual")
    _expect(look(store, SPACE).of_subject("s"), list(two.records), "versions of the subject")
    store.apply(SPACE, [retirement("session:2")])
    _expect(_live(store, ids), [False], "is_live after both left")


@_behaviour
def what_a_producer_says_has_ended_has_ended(store: Writer) -> None:
    """An explicit supersession ends a record of any source and keeps the newest word; unknown ids change nothing."""
    delta = make_delta("session:1", [("a", "one"), ("b", "two"), ("c", "three")], is_whole=False, at_ns=2)
    one, two, three = _ids(delta)
    store.apply(SPACE, [delta])
    said = (Supersession(one, two, _EDITED, 12, 99), Supersession(three), Supersession("unknown", two))
    later = replace(make_delta("session:2", [("d", "four")], is_whole=False), superseded=said)
    applied = store.apply(SPACE, [later])
    _expect((applied.added, applied.superseded), (1, 2), "added and superseded")
    standings = look(store, SPACE).statuses([one, two, three])
    _expect(standings[0], Status(False, two, _EDITED, 12, 2, 99), "the standing that was said")
    _expect([standing.is_live for standing in standings], [False, True, False], "is_live")
    _expect(bool(standings[2].reason), True, "an ended record has a reason")
    _expect([record.id for record in look(store, SPACE).records_of_sources("session:1")], [two], "of_source")
    _expect(
        [record_id for record_id, _ in look(store, SPACE).stale_or_cold()], sorted([one, three]), "unusual: ended, and still in the index"
    )
    _expect([record.id for record in look(store, SPACE).records_ever_of("session:1")], [one, two, three], "live and ended")
    store.apply(SPACE, [replace(later, superseded=(Supersession(one, three, EndReason(EndKind.READ_AGAIN), 20, 100),))])
    _expect(look(store, SPACE).statuses([one])[0], Status(False, three, EndReason(EndKind.READ_AGAIN), 20, 2, 100), "the newest word")


@_behaviour
def what_ended_is_true_again_when_a_producer_says_so(store: Writer) -> None:
    """A supersession that is undone brings its record back, and the last word of one delta holds; unknown ids change nothing."""
    delta = make_delta("session:1", [("a", "one"), ("b", "two")], is_whole=False, at_ns=2)
    one, two = _ids(delta)
    store.apply(SPACE, [delta])
    more = make_delta("session:1", [("c", "three")], is_whole=False)
    store.apply(
        SPACE,
        [
            replace(
                more,
                superseded=(
                    Supersession(one, two, _EDITED, 3, 4),
                    Supersession(two, "", _EDITED, 3, 4),
                ),
            )
        ],
    )
    back = (Supersession(one, two, None, 5, 6, is_undone=True), Supersession("unknown", is_undone=True))
    applied = store.apply(SPACE, [replace(more, superseded=back)])
    _expect(applied.superseded, 0, "superseded")
    _expect(look(store, SPACE).statuses([one])[0], Status(valid_from_ns=2), "standing of what came back")
    _expect(_live(store, [one, two]), [True, False], "is_live")
    _expect(one in [record.id for record in look(store, SPACE).records_of_sources("session:1")], True, "of_source")
    _expect([record_id for record_id, _ in look(store, SPACE).stale_or_cold()], [two], "unusual")
    both = (Supersession(two, is_undone=True), Supersession(two, one, _EDITED, 7, 8))
    store.apply(SPACE, [replace(more, superseded=both)])
    _expect(_live(store, [two]), [False], "the last word of one delta")


@_behaviour
def a_doubt_leaves_a_record_live_and_says_why(store: Writer) -> None:
    """What cites something that changed is suspect: live, with a reason, until the change is undone or the record ends."""
    delta = make_delta("session:1", [("a", "one"), ("b", "two")], is_whole=False, at_ns=2)
    one, two = _ids(delta)
    more = make_delta("session:1", [("c", "three")], is_whole=False)
    store.apply(SPACE, [delta])
    applied = store.apply(
        SPACE,
        [replace(more, superseded=(Supersession(one, two, _CITED, 3, 4, is_doubt=True),))],
    )
    _expect(applied.superseded, 0, "superseded")
    standing = look(store, SPACE).statuses([one])[0]
    _expect((standing.is_live, standing.is_suspect, standing.superseded_by), (True, True, two), "standing in doubt")
    _expect(standing.reason, _CITED, "why")
    _expect(look(store, SPACE).stale_or_cold(), [], "unusual")
    store.apply(SPACE, [replace(more, superseded=(Supersession(one, is_undone=True),))])
    _expect(look(store, SPACE).statuses([one])[0].is_suspect, False, "is_suspect after the change was undone")


@_behaviour
def an_original_is_stored_once_and_comes_back_exactly(store: Writer) -> None:
    """Empty, small, repetitive and random bytes; a later delta need not bring what is stored already."""
    noise = b"".join(bytes.fromhex(digest_of(str(number).encode())) for number in range(4096))
    for data in (b"", b"x", b"\n" * 100_000, noise):
        blob = Blob(digest_of(data), data)
        state = SourceState("file:a")
        store.apply(SPACE, [Delta("conformance/1", "file:a", False, blobs=(blob, blob), state=state)])
        store.apply(SPACE, [Delta("conformance/1", "file:b", False, blobs=(blob,), state=SourceState("file:b"))])
        _expect(look(store, SPACE).original(blob.digest) == data, True, f"an original of {len(data)} bytes comes back")
    _expect(store.workspaces()[0].blob_bytes, 1 + 100_000 + len(noise), "bytes of originals")
    known = make_delta("file:c", [("s", "x")])
    store.apply(SPACE, [replace(known, blobs=())])
    _expect(look(store, SPACE).records(_ids(known)), list(known.records), "a record of an original that came before")
    _expect_raise(KeyError, lambda: look(store, SPACE).original("no digest"), "an unknown original")


# -- snapshots ------------------------------------------------------------------------------------


@_behaviour
def a_snapshot_stands_still_while_others_write(store: Writer) -> None:
    """Whatever is written, moved or superseded meanwhile, an open snapshot answers as it did; the next one sees all of it."""
    first, second = make_delta("file:a", [("s", "x"), ("t", "y")]), make_delta("file:a", [("s", "z")])
    store.apply(SPACE, [first])
    ids = [*_ids(first), *_ids(second)]
    with store.snapshot(LOCAL, SPACE) as snapshot:
        before = (snapshot.generation, snapshot.statuses(ids))
        store.apply(SPACE, [second])
        store.move(SPACE, ids, Tier.FOLDED)
        _expect((snapshot.generation, snapshot.statuses(ids)), before, "generation and statuses of an open snapshot")
        _expect([record.id for record in snapshot.records(ids)], _ids(first), "records of an open snapshot")
        _expect([record.id for record in snapshot.records_of_sources("file:a")], _ids(first), "what a source holds in an open snapshot")
        documents = snapshot.documents
        _expect(sorted(documents.ids_of(range(documents.size))), sorted(_ids(first)), "documents of an open snapshot")
    _expect([record.id for record in look(store, SPACE).records_of_sources("file:a")], _ids(second), "what the source holds now")
    _expect([record.id for record in look(store, SPACE).records_ever_of("file:a")], _ids(second), "without what a later reading lacked")
    _expect(look(store, SPACE).generation, 3, "generation now")


@_behaviour
def tenants_do_not_see_each_other(store: Writer) -> None:
    """A workspace of another tenant is empty, whatever it is called."""
    delta = make_delta("file:a", [("s", "x")])
    store.apply(SPACE, [delta])
    with store.snapshot("another", SPACE) as snapshot:
        _expect((snapshot.generation, snapshot.records(_ids(delta)), snapshot.source_states()), (0, _NONE, _NONE), "another tenant's")
        _expect(snapshot.documents.count, 0, "another tenant's documents")


@_behaviour
def a_snapshot_of_a_point_of_time_shows_what_was_true_then(store: Writer) -> None:
    """Records that came later are not there, and those that ended later are live."""
    old, new = (
        make_delta("session:a", [("s", "x")], at_ns=100),
        make_delta("session:a", [("s", "y")], is_whole=False, first_seq=1, at_ns=200),
    )
    [one], [two] = _ids(old), _ids(new)
    store.apply(SPACE, [old, replace(new, superseded=(Supersession(one, two, None, 1, 200),))])
    for at_ns, live, there in ((50, [], []), (150, [one], [one]), (250, [two], [one, two])):
        with store.snapshot(LOCAL, SPACE, at_ns) as snapshot:
            _expect([record.id for record in snapshot.records([one, two])], there, f"records at {at_ns}")
            _expect([record.id for record in snapshot.of_subject("s")], there, f"versions at {at_ns}")
            _expect([record.id for record in snapshot.records_of_sources("session:a")], live, f"live records at {at_ns}")
            _expect([record.id for record in snapshot.records_ever_of("session:a")], there, f"live and ended records at {at_ns}")
            wanted = [one] if at_ns == 250 else _NONE
            _expect([record_id for record_id, _ in snapshot.stale_or_cold()], wanted, f"stale or cold at {at_ns}")
            documents = snapshot.documents
            found = sorted(documents.id_of(doc) for doc in range(documents.size) if documents.alive[doc])
            _expect(found, sorted(there), f"documents at {at_ns}")


@_behaviour
def a_snapshot_of_a_point_of_time_shows_what_was_stored_by_then(store: Writer) -> None:
    """What was true early and stored late is not there before; what was ended, doubted or brought back later is as it was."""
    old, new = make_delta("session:a", [("s", "x")], at_ns=1), make_delta("session:a", [("s", "y")], is_whole=False, first_seq=1, at_ns=2)
    [one], [two] = _ids(old), _ids(new)
    empty = make_delta("session:b", [])

    def say(*said: Supersession) -> Delta:
        return replace(empty, is_whole=False, superseded=said)

    _expect(look(store, SPACE).first_ns(), 0, "begin of an empty journal")
    store.apply(SPACE, [old], 100)
    store.apply(SPACE, [replace(new, superseded=(Supersession(one, two, None, 1, 2),))], 200)
    store.apply(SPACE, [say(Supersession(one, is_undone=True), Supersession(two, is_doubt=True, at_ns=3))], 300)
    store.apply(SPACE, [say(Supersession("unknown", two, at_ns=4), Supersession(one, two, None, 1, 4))], 400)
    _expect(look(store, SPACE).first_ns(), 100, "begin of the journal")
    for at_ns, live, there, suspect in (
        (50, [], [], []), (150, [one], [one], []), (250, [two], [one, two], []), (350, [one, two], [one, two], [two]),
        (450, [two], [one, two], [two]),
    ):  # fmt: skip
        with store.snapshot(LOCAL, SPACE, at_ns, at_ns) as snapshot:
            _expect([record.id for record in snapshot.records([one, two])], there, f"records at {at_ns}")
            _expect([record.id for record in snapshot.records_of_sources("session:a")], live, f"live records at {at_ns}")
            standings = dict(zip([one, two], snapshot.statuses([one, two]), strict=True))
            _expect([key for key, standing in standings.items() if standing.is_suspect], suspect, f"suspect at {at_ns}")
            ended = [key for key in there if key not in live]
            _expect([key for key, standing in snapshot.stale_or_cold() if not standing.is_live], ended, f"stale at {at_ns}")
            documents = snapshot.documents
            found = sorted(documents.id_of(doc) for doc in range(documents.size) if documents.alive[doc])
            _expect(found, sorted(there), f"documents at {at_ns}")


# -- index ----------------------------------------------------------------------------------------


@_behaviour
def the_index_follows_the_newest_generation(store: Writer) -> None:
    """It holds the postings of what the sources hold now, is one object while nothing changes, and never changes itself."""
    first = make_delta("file:a", [("s", "alpha")])
    store.apply(SPACE, [first])
    old = look(store, SPACE).documents
    store.touch(SPACE, _ids(first), 1)
    _expect(look(store, SPACE).documents is old, True, "the same index while the generation stays")
    second = make_delta("file:a", [("s", "beta")])
    store.apply(SPACE, [second, make_delta("file:b", [("t", "gamma")])])
    new = look(store, SPACE).documents
    _expect([old.id_of(doc) for doc in range(old.size) if old.alive[doc]], _ids(first), "documents of the old index")
    _expect(_indexed(store), sorted([*_ids(second), make_id("t", "gamma")]), "documents of the new index")
    _expect([source for source, _, _ in new.parts], ["file:a", "file:b"], "sources of the new index")
    plain = MemoryStore()
    plain.open_workspace(SPACE, "")
    plain.apply(SPACE, [make_delta("file:b", [("t", "gamma")]), second])
    _expect(new.parts, look(plain, SPACE).documents.parts, "parts, against an index that was built anew")


@_behaviour
def a_source_without_postings_is_not_in_the_index(store: Writer) -> None:
    """Its records are stored and found by id; they are never unusual, because nobody meets them in the index."""
    delta = replace(make_delta("file:a", [("s", "x"), ("t", "y")]), segment=b"")
    store.apply(SPACE, [delta])
    store.move(SPACE, _ids(delta), Tier.ARCHIVED)
    _expect((_indexed(store), look(store, SPACE).documents.parts), (_NONE, ()), "the index")
    _expect(look(store, SPACE).stale_or_cold(), [], "unusual")
    _expect(look(store, SPACE).records(_ids(delta)), list(delta.records), "records")
    indexed = make_delta("file:a", [("s", "x"), ("t", "y")], is_whole=False)
    store.apply(SPACE, [indexed])
    _expect([record_id for record_id, _ in look(store, SPACE).stale_or_cold()], sorted(_ids(delta)), "unusual once they are indexed")
    store.apply(SPACE, [replace(delta, is_whole=False)])
    _expect(len(look(store, SPACE).stale_or_cold()), 2, "unusual: an appended delta without postings takes none away")
    store.apply(SPACE, [delta])
    _expect((look(store, SPACE).stale_or_cold(), _indexed(store)), (_NONE, _NONE), "unusual after a whole delta without postings")


@_behaviour
def refreshing_prepares_and_changes_nothing(store: Writer) -> None:
    """What a reader is told stays the same, as does the generation; an unknown workspace is no error."""
    delta = make_delta("file:a", [("s", "x"), ("t", "y")])
    store.apply(SPACE, [delta])
    before = contents(store, SPACE, _ids(delta))
    for workspace in (SPACE, SPACE, "elsewhere"):
        _expect(store.refresh(workspace).reason, "", "reason")
    _expect(contents(store, SPACE, _ids(delta)), before, "contents")
    store.apply(SPACE, [make_delta("file:a", [("s", "x")])])
    _expect(_indexed(store), _ids(delta)[:1], "documents after a change")


# -- reading --------------------------------------------------------------------------------------


@_behaviour
def unusual_lists_what_the_index_holds_and_a_reader_must_doubt(store: Writer) -> None:
    """Ended or not hot, still in the index, ordered by id; what a whole delta took out is not in the index."""
    delta = make_delta("session:1", [(f"s{number}", "x") for number in range(6)], is_whole=False)
    ids = _ids(delta)
    store.apply(SPACE, [delta])
    _expect(look(store, SPACE).stale_or_cold(), [], "unusual of what is live and hot")
    store.move(SPACE, ids[:2], Tier.FOLDED)
    store.move(SPACE, ids[2:3], Tier.ARCHIVED)
    state = delta.state
    store.apply(
        SPACE,
        [
            Delta(
                "conformance/1",
                "session:1",
                False,
                superseded=(Supersession(ids[3], "", _LEFT, 4, 5),),
                state=state,
            )
        ],
    )
    wanted = {
        **dict.fromkeys(ids[:2], Status(tier=Tier.FOLDED)),
        ids[2]: Status(tier=Tier.ARCHIVED),
        ids[3]: Status(is_live=False, reason=_LEFT, ended_seq=4, valid_to_ns=5),
    }
    _expect(look(store, SPACE).stale_or_cold(), sorted(wanted.items()), "unusual")
    store.apply(SPACE, [make_delta("session:1", [("s4", "x")])])
    _expect(look(store, SPACE).stale_or_cold(), [], "unusual when the others left the index")


@_behaviour
def find_answers_ids_by_prefix(store: Writer) -> None:
    """Ordered, live or not, at most as many as asked for."""
    delta = make_delta("file:a", [(f"s{number}", "x") for number in range(40)])
    store.apply(SPACE, [delta])
    store.apply(SPACE, [make_delta("file:a", [("s1", "x")])])
    ids = sorted(_ids(delta))
    _expect(look(store, SPACE).find("", 100), ids, "every id")
    _expect(look(store, SPACE).find(""), ids[:8], "the first eight")
    for record_id in ids:
        _expect(look(store, SPACE).find(record_id[:10]), [record_id], "an id by its handle")
        wanted = [other for other in ids if other.startswith(record_id[0])]
        _expect(look(store, SPACE).find(record_id[0], 100), wanted, "ids by one character")
    for nothing in ("~", "naïve", "\udcff", ids[0] + "0", ids[0].upper() + "%"):
        _expect(look(store, SPACE).find(nothing), [], f"ids that begin with {nothing!r}")


@_behaviour
def of_subject_answers_every_version_oldest_first(store: Writer) -> None:
    """By their own time where they have one, else in the order in which they first came."""
    for body in ("one", "two", "one", "three"):
        store.apply(SPACE, [make_delta("file:a", [("s", body), ("other", body)])])
    _expect(
        [record.id for record in look(store, SPACE).of_subject("s")], [make_id("s", body) for body in ("one", "two", "three")], "versions"
    )
    for source, at_ns in (("session:2", 20), ("session:1", 10)):
        store.apply(SPACE, [make_delta(source, [("check", source)], at_ns=at_ns)])
    _expect([record.at_ns for record in look(store, SPACE).of_subject("check")], [10, 20], "times")
    _expect(look(store, SPACE).of_subject("chec"), [], "a subject that is only a part of one")


@_behaviour
def of_source_answers_live_records_by_position(store: Writer) -> None:
    """Ordered by (seq, id), whatever order they came in."""
    records = [make_record("file:a", f"s{number}", "x", seq=number % 3) for number in range(9)]
    blob = Blob(digest_of(b"x"), b"x")
    store.apply(SPACE, [Delta("conformance/1", "file:a", True, tuple(records), blobs=(blob,), state=SourceState("file:a"))])
    wanted = sorted(records, key=lambda record: (record.seq, record.id))
    _expect(look(store, SPACE).records_of_sources("file:a"), wanted, "of_source")
    _expect(look(store, SPACE).records_of_sources("file:"), [], "a source that is only a prefix")


@_behaviour
def sources_are_found_by_prefix(store: Writer) -> None:
    """Ordered by name, also where names are not valid UTF-8 or hold what a pattern would read as its own."""
    names = ["file:%", "file:_", "file:a", "file:a/b", "file:a\udcff", "file:a\U0010ffff", "file:b", "file:naïve", "session:1"]
    store.apply(SPACE, [make_delta(name, []) for name in reversed(names)])
    for prefix in ("", "file:", "file:a", "file:a\udcff", "file:na", "file:naï", "file:%", "s", "x", "file:b!"):
        wanted = [name for name in sorted(names) if name.startswith(prefix)]
        _expect([state.source for state in look(store, SPACE).source_states(prefix)], wanted, f"sources that begin with {prefix!r}")


@_behaviour
def standings_answer_for_each_id(store: Writer) -> None:
    """In the order asked, also for ids that nobody knows."""
    delta = make_delta("file:a", [("s", "x")], at_ns=6)
    store.apply(SPACE, [delta])
    known, unknown = Status(valid_from_ns=6), Status(is_live=False, reason=EndReason(EndKind.UNKNOWN))
    _expect(look(store, SPACE).statuses(["nobody", *_ids(delta), "naïve"]), [unknown, known, unknown], "standings")


@_behaviour
def edges_hold_while_both_ends_are_what_they_were(store: Writer) -> None:
    """An edge is answered from either end, and disappears when a digest that it was made from changed or an end is unknown."""
    nodes = make_delta("file:a", [("s", "x"), ("t", "y")])
    (tail, head), (tail_digest, head_digest) = _ids(nodes), [record.digest for record in nodes.records]
    edges = (
        Edge(EdgeKind.CO_CHANGES, tail, head, 0.5, tail_digest, head_digest, "history/1"),
        Edge(EdgeKind.CONTAINS, tail, head, 0.25, "", "", "history/1"),
        Edge(EdgeKind.MENTIONS, head, tail, 1.0, "", tail_digest, "history/1"),
        Edge(EdgeKind.FIXES, tail, head, 1.0, "another digest", head_digest),
        Edge(EdgeKind.FIXES, tail, make_id("u", "z"), 1.0),
    )
    history = Delta("history/1", "history:", True, edges=edges, state=SourceState("history:"))
    store.apply(SPACE, [history, nodes])
    wanted = sorted(edges[:3], key=lambda edge: (edge.tail, edge.head, edge.kind))
    for asked in ([tail], [head], [head, tail, head, "nobody", "naïve"]):
        _expect(look(store, SPACE).edges(asked), wanted, "edges")
    _expect(look(store, SPACE).edges([]), [], "edges of nothing")
    store.apply(SPACE, [make_delta("file:b", [("u", "z")])])
    _expect(look(store, SPACE).edges([make_id("u", "z")]), [edges[4]], "an edge whose other end came later")
    moved = replace(nodes.records[0], digest="changed")
    store.apply(SPACE, [replace(nodes, records=(moved, nodes.records[1]))])
    _expect(look(store, SPACE).edges([head]), [edges[1]], "edges after the digest of one end changed")


@_behaviour
def edges_are_replaced_with_their_source(store: Writer) -> None:
    """A whole delta replaces a source's edges, an appended one adds to them, and a retired source has none."""
    nodes = make_delta("file:a", [("s", "x"), ("t", "y")])
    tail, head = _ids(nodes)
    first, second = Edge(EdgeKind.CONTAINS, tail, head, 0.5), Edge(EdgeKind.TESTS, tail, head, 0.5)
    history = Delta("history/1", "history:", True, edges=(first,), state=SourceState("history:"))
    store.apply(SPACE, [nodes, history, replace(history, is_whole=False, edges=(second, replace(first, weight=0.75)))])
    _expect(look(store, SPACE).edges([tail]), [replace(first, weight=0.75), second], "edges after an appended delta")
    store.apply(SPACE, [replace(history, source="other:", state=SourceState("other:"))])
    _expect(look(store, SPACE).edges([tail]), [replace(first, weight=0.75), first, second], "what two sources say, by source")
    store.apply(SPACE, [replace(history, edges=(second,))])
    _expect(look(store, SPACE).edges([tail]), [first, second], "edges after a whole delta")
    store.apply(SPACE, [retirement("history:"), retirement("other:")])
    _expect(look(store, SPACE).edges([tail]), [], "edges of retired sources")


# -- moving and touching --------------------------------------------------------------------------


@_behaviour
def moving_puts_records_on_a_tier(store: Writer) -> None:
    """It answers how many moved; when none did, the contents, and so the generation, are the same."""
    delta = make_delta("file:a", [("s", "x"), ("t", "y")])
    store.apply(SPACE, [delta])
    _expect(store.move(SPACE, [*_ids(delta), "nobody", _ids(delta)[0]], Tier.ARCHIVED), 2, "moved")
    _expect(look(store, SPACE).generation, 2, "generation")
    _expect([standing.tier for standing in look(store, SPACE).statuses(_ids(delta))], [Tier.ARCHIVED] * 2, "tiers")
    _expect(store.move(SPACE, _ids(delta), Tier.ARCHIVED), 0, "moved to where they are")
    _expect(look(store, SPACE).generation, 2, "generation when nothing moved")
    _expect(look(store, SPACE).records(_ids(delta)), list(delta.records), "archived records")
    _expect(_indexed(store), sorted(_ids(delta)), "archived documents")


@_behaviour
def touching_remembers_a_retrieval(store: Writer) -> None:
    """Uses are counted and the last is dated; the generation stays."""
    delta = make_delta("file:a", [("s", "x"), ("t", "y")])
    store.apply(SPACE, [delta])
    store.touch(SPACE, [*_ids(delta), "nobody"], 100)
    store.touch(SPACE, [_ids(delta)[0], _ids(delta)[0]], 200)
    _expect(look(store, SPACE).statuses(_ids(delta)), [Status(uses=2, used_at_ns=200), Status(uses=1, used_at_ns=100)], "standings")
    _expect(look(store, SPACE).generation, 1, "generation")


# -- purging --------------------------------------------------------------------------------------


@_behaviour
def a_purged_record_leaves_only_a_tombstone(store: Writer) -> None:
    """The record, its postings, its edges and its original are gone; id, reason and time stay."""
    delta = make_delta("file:a", [("s", "secret"), ("t", "harmless")])
    gone, stays = _ids(delta)
    history = Delta("history/1", "history:", True, edges=(Edge(EdgeKind.CONTAINS, stays, gone, 1.0),), state=SourceState("history:"))
    store.apply(SPACE, [delta, history])
    purge = store.purge(SPACE, [gone, gone, "nobody"], "a password", 44)
    _expect((purge.records, purge.blobs, purge.size), (1, 1, len("secret")), "records, originals and bytes")
    _expect(look(store, SPACE).generation, 2, "generation")
    _expect([record.id for record in look(store, SPACE).records([gone, stays])], [stays], "records")
    _expect(
        look(store, SPACE).statuses([gone]),
        [Status(is_live=False, reason=_purged("a password"), valid_to_ns=44)],
        "standing",
    )
    _expect((_indexed(store), look(store, SPACE).edges([gone, stays])), ([stays], _NONE), "documents and edges")
    _expect(look(store, SPACE).find(gone), [gone], "the handle is still known")
    _expect_raise(OriginalPurged, lambda: look(store, SPACE).original(delta.blobs[0].digest), "the original")
    _expect((look(store, SPACE).of_subject("s"), store.workspaces()[0].records), (_NONE, 1), "versions and records")
    _expect(store.workspaces()[0].blob_bytes, len("harmless"), "bytes of originals")


@_behaviour
def an_original_that_another_record_needs_is_not_purged(store: Writer) -> None:
    """In the same source, or in another one; it goes with the last that needs it."""
    one, two = make_delta("file:a", [("s", "same"), ("t", "same")]), make_delta("file:b", [("u", "same")])
    store.apply(SPACE, [one, two])
    digest = one.blobs[0].digest
    for record_id, blobs in ((_ids(one)[0], 0), (_ids(one)[1], 0), (_ids(two)[0], 1)):
        _expect(look(store, SPACE).original(digest), b"same", "the original while somebody needs it")
        _expect(store.purge(SPACE, [record_id], "", 1).blobs, blobs, "originals erased")
    _expect_raise(OriginalPurged, lambda: look(store, SPACE).original(digest), "the original when nobody needs it")
    alone = make_delta("file:c", [("v", "again"), ("w", "again")])
    store.apply(SPACE, [alone])
    _expect([store.purge(SPACE, [record_id], "", 1).blobs for record_id in _ids(alone)], [0, 1], "originals erased, within one source")


@_behaviour
def purging_erases_earlier_originals_too(store: Writer) -> None:
    """A record that was kept while its file changed lies in every version of it; all that nobody needs go."""
    versions = [b"secret", b"secret\nmore", b"secret\nmore\nand more"]
    base = make_delta("file:a", [("s", "secret")])
    for data in versions:
        texts = (RecordText(Resolution.FULL, 6, blob=digest_of(data), end=6),)
        record = replace(base.records[0], texts=texts, digest=digest_of(data))
        store.apply(SPACE, [replace(base, records=(record,), blobs=(Blob(digest_of(data), data),))])
    purge = store.purge(SPACE, _ids(base), "", 1)
    _expect((purge.blobs, purge.size), (3, sum(map(len, versions))), "originals and bytes")
    for data in versions:
        _expect_raise(OriginalPurged, lambda: look(store, SPACE).original(digest_of(data)), "an earlier original")  # noqa: B023 - called at once


@_behaviour
def what_was_purged_stays_out(store: Writer) -> None:
    """A producer that reads its source again does not bring a purged record back, nor an original that only that needs."""
    delta = make_delta("file:a", [("s", "secret"), ("t", "harmless")])
    gone, stays = _ids(delta)
    store.apply(SPACE, [delta])
    store.purge(SPACE, [gone], "why", 1)
    applied = store.apply(SPACE, [delta])
    _expect((applied.added, applied.kept), (0, 1), "added and kept")
    _expect(
        (_indexed(store), [record.id for record in look(store, SPACE).records_of_sources("file:a")]),
        ([stays], [stays]),
        "documents and records",
    )
    _expect_raise(OriginalPurged, lambda: look(store, SPACE).original(delta.blobs[0].digest), "the original")
    other = make_delta("file:b", [("another subject", "secret")])
    store.apply(SPACE, [other])
    _expect(look(store, SPACE).original(delta.blobs[0].digest), b"secret", "the original, when a record that was not purged needs it")
    _expect(look(store, SPACE).statuses([gone])[0].reason, _purged("why"), "the tombstone of the record")


@_behaviour
def a_purged_source_is_gone_with_all_that_it_ever_held(store: Writer) -> None:
    """Ended records and old originals too; what another source holds stays there."""
    old, new = make_delta("file:a", [("s", "old secret"), ("t", "shared")]), make_delta("file:a", [("s", "new secret"), ("t", "shared")])
    other = replace(make_delta("file:b", [("t", "shared")]), edges=(Edge(EdgeKind.CONTAINS, make_id("t", "shared"), _ids(new)[0], 1.0),))
    raw = Blob(digest_of(b"raw"), b"raw")
    store.apply(SPACE, [old, replace(new, blobs=(*new.blobs, raw)), other])
    purge = store.purge_source(SPACE, "file:a", "private", 5)
    _expect((purge.records, purge.blobs, purge.size), (2, 3, len("old secret" + "new secret" + "raw")), "records, originals and bytes")
    _expect([state.source for state in look(store, SPACE).source_states()], ["file:b"], "sources")
    ids = [*_ids(old), _ids(new)[0]]
    _expect([record.source for record in look(store, SPACE).records(ids)], ["file:b"], "records")
    _expect(look(store, SPACE).edges(ids), [], "edges")
    _expect(_indexed(store), [make_id("t", "shared")], "documents")
    reasons = [standing.reason for standing in look(store, SPACE).statuses(ids)]
    _expect(reasons, [_purged("private"), None, _purged("private")], "reasons")
    _expect(look(store, SPACE).original(digest_of(b"shared")), b"shared", "an original that another source needs")
    _expect(look(store, SPACE).generation, 2, "generation")
    store.apply(SPACE, [make_delta("file:a", [("s", "written since")])])
    _expect(len(look(store, SPACE).records_of_sources("file:a")), 1, "a purged source may begin again")


@_behaviour
def purging_what_is_unknown_does_nothing(store: Writer) -> None:
    """No tombstone, no generation; a source without records is known and can be purged."""
    for purge in (store.purge(SPACE, ["nobody", "naïve", "\udcff"], "", 1), store.purge_source(SPACE, "file:none", "", 1)):
        _expect((purge.records, purge.blobs, purge.size), (0, 0, 0), "what was purged")
    _expect((look(store, SPACE).generation, look(store, SPACE).find("")), (0, _NONE), "generation and ids")
    store.apply(SPACE, [make_delta("file:a", [])])
    store.purge_source(SPACE, "file:a", "", 1)
    _expect((look(store, SPACE).source_states(), look(store, SPACE).generation), (_NONE, 2), "sources and generation")


# -- closing --------------------------------------------------------------------------------------


@_behaviour
def a_closed_store_answers_nothing(store: Writer) -> None:
    """Every question is refused, and closing twice is not an error."""
    store.close()
    store.close()
    for call in (
        store.workspaces,
        lambda: look(store, SPACE).generation,
        lambda: look(store, SPACE).records([]),
        lambda: look(store, SPACE).documents,
        lambda: store.apply(SPACE, []),
        lambda: store.open_workspace(SPACE, ""),
    ):
        _expect_raise(StoreClosed, call, "a question to a closed store")


# -- lasting --------------------------------------------------------------------------------------


@_lasting
def what_was_acknowledged_is_there_after_closing(open_store: Open) -> None:
    """Records, standings, edges, originals, tombstones, postings and counts, to the last."""
    first = make_delta("file:a", [("s", "one"), ("t", "two")], at_ns=4)
    edges = (Edge(EdgeKind.CONTAINS, _ids(first)[1], _ids(first)[0], 0.5),)
    second = make_delta("session:1", [("m", "three"), ("n", "four")], is_whole=False)
    store = open_store()
    store.open_workspace(SPACE, "/repository")
    store.apply(SPACE, [replace(first, edges=edges), second])
    store.apply(SPACE, [make_delta("file:b", [("u", "five")]), retirement("file:b")])
    store.move(SPACE, _ids(second)[:1], Tier.FOLDED)
    store.touch(SPACE, _ids(first), 9)
    store.purge(SPACE, _ids(second)[1:], "secret", 3)
    ids = [*_ids(first), *_ids(second), make_id("u", "five")]
    digests = [blob.digest for delta in (first, second) for blob in delta.blobs]
    before, generation = contents(store, SPACE, ids, digests), look(store, SPACE).generation
    store.close()
    again = open_store()
    _expect(contents(again, SPACE, ids, digests), before, "contents after closing and opening")
    again.apply(SPACE, [make_delta("file:c", [("v", "six")])])
    again.close()
    last = open_store()
    _expect(look(last, SPACE).generation, generation + 1, "generation after one more write")
    last.close()


@_lasting
def two_stores_on_one_place_see_each_other(open_store: Open) -> None:
    """What one has acknowledged, the other answers at its next question."""
    one, two = open_store(), open_store()
    one.open_workspace(SPACE, "/repository")
    delta = make_delta("file:a", [("s", "x")])
    one.apply(SPACE, [delta])
    _expect(
        (look(two, SPACE).generation, look(two, SPACE).records(_ids(delta)), _indexed(two)),
        (1, list(delta.records), _ids(delta)),
        "the other's view",
    )
    two.apply(SPACE, [make_delta("file:a", [("s", "y")])])
    _expect(
        (look(one, SPACE).generation, _live(one, _ids(delta)), _indexed(one)), (2, [False], [make_id("s", "y")]), "the first one's view"
    )
    one.close()
    two.close()


BEHAVIOURS: tuple[Behaviour, ...] = tuple(_plain)
DURABLE: tuple[Behaviour, ...] = tuple(_durable)
