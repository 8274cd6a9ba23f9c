"""A transcript grows, shrinks, is read twice and cut anywhere."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clew.records import Delta, SourceState
from clew.store.memory import MemoryStore
from clew.transcript.follow import UNRECOGNISED, build_report, read_deltas
from clew.transcript.parse import TranscriptReader
from clew.transcript.session_files import build_origin, find_session_files
from tests.looking import look

if TYPE_CHECKING:
    from conftest import ClaudeScript

SOURCE = "session:11111111-2222-4333-8444-555555555555"


def state_of(found: list[Delta]) -> SourceState:
    state = found[-1].state
    assert state
    return state


def told(found: list[Delta]) -> tuple[list[object], list[object], list[object]]:
    """Records but the kept lines (whose pieces depend on where reading stopped), what they ended, and their edges."""
    records = [record for delta in found for record in delta.records if record.kind != "transcript"]
    return records, [item for delta in found for item in delta.superseded], [edge for delta in found for edge in delta.edges]


def test_the_first_delta_is_whole_and_what_is_added_later_is_not(claude: ClaudeScript, tmp_path: Path) -> None:
    claude.prompt("one")
    path = claude.save(tmp_path)
    first = list(read_deltas(path))
    claude.prompt("two")
    claude.save(tmp_path)
    later = list(read_deltas(path, state=state_of(first)))

    assert [delta.is_whole for delta in first + later] == [True, False]
    assert {delta.source for delta in first + later} == {SOURCE}
    assert [record.name for record in later[0].records] == ["Transcript lines 2-2", "User: two"]


def test_reading_twice_gives_nothing_new(busy_session: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"{SOURCE[8:]}.jsonl"
    path.write_bytes(busy_session)
    first = list(read_deltas(path))

    assert list(read_deltas(path, state=state_of(first))) == []
    assert told(list(read_deltas(path))) == told(first)


def test_ingesting_twice_adds_no_record_to_a_store(busy_session: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"{SOURCE[8:]}.jsonl"
    path.write_bytes(busy_session)
    store = MemoryStore()
    store.open_workspace("w", str(tmp_path))

    def ingest() -> tuple[set[str], list[str]]:
        store.apply("w", list(read_deltas(path)))
        live = look(store, "w").records_of_sources(SOURCE)
        return {record.id for record in live}, look(store, "w").find("", 10_000)

    first = ingest()

    assert len(first[0]) > 10
    assert ingest() == first


def test_small_batches_say_the_same_as_large_ones(busy_session: bytes) -> None:
    whole = list(read_deltas([busy_session]))
    pieces = [busy_session[at : at + 700] for at in range(0, len(busy_session), 700)]
    small = list(read_deltas(pieces, batch_bytes=1))

    assert len(small) > 5
    assert [delta.is_whole for delta in small] == [True] + [False] * (len(small) - 1)
    assert told(small) == told(whole)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_transcript_that_grows_by_any_bytes_gives_the_same_records(busy_session: bytes, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / f"{SOURCE[8:]}.jsonl"
    path.write_bytes(busy_session)
    whole = told(list(read_deltas(path)))
    cuts = sorted(data.draw(st.lists(st.integers(1, len(busy_session)), max_size=3)))
    found: list[Delta] = []
    state = None
    for end in [*cuts, len(busy_session)]:
        path.write_bytes(busy_session[:end])
        found.extend(read_deltas(path, state=state))
        state = state_of(found)

    assert told(found) == whole
    kept = [record for delta in found for record in delta.records if record.kind == "transcript"]
    blobs = {blob.digest: blob.data for delta in found for blob in delta.blobs}
    assert b"".join(blobs[record.digest] for record in kept) == busy_session


@pytest.mark.parametrize("change", ["shrunk", "another head", "another end"])
def test_a_transcript_that_is_not_the_same_any_more_is_read_anew(busy_session: bytes, tmp_path: Path, change: str) -> None:
    path = tmp_path / f"{SOURCE[8:]}.jsonl"
    path.write_bytes(busy_session)
    state = state_of(list(read_deltas(path)))
    lines = busy_session.splitlines(keepends=True)
    changed = {
        "shrunk": lines[:-3],
        "another head": [lines[1], *lines],
        "another end": [*lines[:-1], lines[-1].replace(b"2", b"3"), lines[1]],
    }
    path.write_bytes(b"".join(changed[change]))

    assert [delta.is_whole for delta in read_deltas(path, state=state)] == [True]


def test_what_is_resumed_behind_any_delta_is_cut_as_in_one_go(claude: ClaudeScript, tmp_path: Path) -> None:
    """A process that was killed, or two that read at once, leave the same pieces of the transcript."""
    for number in range(100):
        claude.prompt(f"{number} " + "words " * 12_000)
    path = claude.save(tmp_path)
    once = list(read_deltas(path))
    assert len(once) > 2

    for at, delta in enumerate(once[:-1]):
        assert [later.records for later in read_deltas(path, state=delta.state)] == [later.records for later in once[at + 1 :]]


def test_a_note_of_another_release_is_read_anew(busy_session: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"{SOURCE[8:]}.jsonl"
    path.write_bytes(busy_session)

    for note in ("", "{", '{"version":99}', '{"carry":{"dialect":"other"}}'):
        assert [delta.is_whole for delta in read_deltas(path, state=SourceState(SOURCE, note=note))] == [True]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"hello\nworld\n", b'{"a":1}\n{"b":2}\n', b"\x00" * 5000])
def test_a_file_that_no_client_wrote_gives_an_empty_delta_that_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)

    (delta,) = read_deltas(path)

    assert delta.is_whole
    assert not delta.records
    assert not delta.blobs
    assert delta.state
    assert delta.state.status == UNRECOGNISED


def test_a_large_file_that_no_client_wrote_is_given_up_early(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a":1}\n' * 3_000_000)

    (delta,) = read_deltas(path)

    assert delta.state
    assert delta.state.status == UNRECOGNISED
    reading = TranscriptReader([b'{"a":1}\n' * 3000])
    list(reading.read_batches())
    assert reading.is_unrecognisable


def test_the_report_tells_what_was_not_understood(busy_session: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"{SOURCE[8:]}.jsonl.xz"
    path.write_bytes(lzma.compress(busy_session + b'{"type":"us'))
    found = build_report(state_of(list(read_deltas(path))))

    assert (found.client, found.session) == ("claude-code", SOURCE[8:])
    assert found.broken_count == 1
    assert found.broken[0][0] == busy_session[: busy_session.index(b'{"type":"user","message":{"ro\n')].count(b"\n") + 1
    assert found.unknown == (("from-the-future", 1),)
    assert found.is_cut
    assert found.lines == busy_session.count(b"\n")


def test_bytes_of_a_session_are_followed_without_a_file(busy_session: bytes) -> None:
    half = busy_session.index(b"\n", len(busy_session) // 2) + 1
    first = list(read_deltas([busy_session[:half]]))
    later = list(read_deltas([busy_session[half:]], state=state_of(first)))

    assert told(first + later) == told(list(read_deltas([busy_session])))
    assert first[0].source == SOURCE


def test_observations_are_those_of_the_records_without_the_rest(busy_session: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"{SOURCE[8:]}.jsonl"
    path.write_bytes(busy_session)

    found = list(TranscriptReader(path, origin=build_origin(find_session_files(path))).read_observations())

    assert [observation.seq for observation in found] == list(range(len(found)))
    assert {observation.session for observation in found} == {SOURCE[8:]}


def test_a_result_of_30_megabytes_costs_the_index_no_more_than_a_small_one(claude: ClaudeScript, tmp_path: Path) -> None:
    line = "a line of a long log that says little: value_%07d\n"
    text = "".join(line % number for number in range(600_000))
    claude.run("cat big.log", text)
    path = claude.save(tmp_path)

    (delta,) = read_deltas(path)
    record = next(record for record in delta.records if record.kind == "read")

    assert record.full_text.chars > 30_000_000
    assert len(delta.segment) < 40_000
    assert any(blob.data == f"$ cat big.log\n{text}".encode() for blob in delta.blobs)
