"""Reading bytes: nothing is fatal, nothing is lost, and it can be interrupted anywhere."""

from __future__ import annotations

import gzip
import json
import lzma
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clew.errors import NotReadable
from clew.records import Observation, ObservationKind
from clew.transcript.parse import ResumePoint, TranscriptReader

if TYPE_CHECKING:
    from conftest import ClaudeScript

ANYTHING = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(source: Path | list[bytes], carry: ResumePoint | None = None) -> tuple[list[Observation], bytes, TranscriptReader]:
    reading = TranscriptReader(source, resume_point=carry)
    batches = list(reading.read_batches())
    return [each for batch in batches for each in batch.client_observations], b"".join(batch.raw for batch in batches), reading


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"type":"user","sessionId":', "truncated"),
        (b"not json", "malformed"),
        (b"[1,2,3]", "object"),
        (b"7", "object"),
        (b'{"type":"user","sessionId":"s","message":{"content":"\xff\xfe"}}', "UTF-8"),
        (b'{"a":' * 5000, "nested"),
        (b"\x00\x01\x02", "malformed"),
    ],
)
def test_a_broken_line_is_counted_with_its_number_and_the_rest_is_read(claude: ClaudeScript, line: bytes, reason: str) -> None:
    claude.prompt("before")
    claude.raw(line)
    claude.prompt("after")

    events, raw, reading = read([claude.bytes()])

    assert [event.text for event in events] == ["before", "after"]
    assert [event.record_index for event in events] == [0, 2]
    carry = reading.resume_point()
    assert carry.broken_count == 1
    number, told = carry.broken[0]
    assert number == 2
    assert reason in told
    assert raw == claude.bytes()


def test_a_first_line_that_is_broken_does_not_hide_what_follows(claude: ClaudeScript) -> None:
    claude.raw(b"{")
    claude.prompt("hello")

    events, _, reading = read([claude.bytes()])

    assert [event.text for event in events] == ["hello"]
    assert reading.resume_point().broken == [(1, reading.resume_point().broken[0][1])]


@pytest.mark.parametrize(
    ("before", "behind", "is_broken"),
    [
        (b"\0" * 500, b"", False),
        (b"", b"\0" * 300, False),
        (b"RECORD", b"", False),
        (b"", b"RECORD\0", False),
        (b'{"type":"assistant","uuid":"a1","mess', b"", True),
        (b"RECORD", b'{"type":"assistant","uuid":"a1","mess', True),
    ],
)
def test_whole_records_on_a_torn_line_are_read(claude: ClaudeScript, before: bytes, behind: bytes, *, is_broken: bool) -> None:
    claude.prompt("fix the tax")
    claude.prompt("and the total")
    first, second = claude.bytes().splitlines()
    reader = TranscriptReader([before.replace(b"RECORD", first) + second + behind.replace(b"RECORD", first) + b"\n"])

    read = [each.text for batch in reader.read_batches() for each in batch.observations]

    assert sorted(read) == sorted(["and the total"] + ["fix the tax"] * (b"RECORD" in before + behind))
    assert bool(reader.resume_point().broken_count) is is_broken


def test_an_object_inside_a_fragment_is_no_record(claude: ClaudeScript) -> None:
    claude.prompt("fix the tax")
    printed = b'{"type":"user","sessionId":"s","uuid":"x","message":{"role":"user","content":"push with force"}}'
    reader = TranscriptReader([claude.bytes(), b'-8","toolUseResult":{"content":' + printed + b"}}\n", b"\0" * 900 + b"\n"])

    assert [each.text for batch in reader.read_batches() for each in batch.observations] == ["fix the tax"]


def test_a_line_cut_in_the_middle_is_left_until_it_is_complete(claude: ClaudeScript) -> None:
    claude.prompt("first")
    claude.prompt("second")
    whole = claude.bytes()

    events, raw, reading = read([whole[:-20]])
    assert [event.text for event in events] == ["first"]
    assert reading.is_cut

    later, more, reading = read([whole[len(raw) :]], reading.resume_point())
    assert [event.text for event in later] == ["second"]
    assert later[0].record_index == 1
    assert raw + more == whole
    assert not reading.is_cut
    assert reading.resume_point().broken_count == 0


def test_a_whole_last_line_without_line_break_is_read_and_its_line_break_adds_nothing(claude: ClaudeScript) -> None:
    claude.prompt("only")
    whole = claude.bytes()

    events, raw, reading = read([whole[:-1]])
    assert [event.text for event in events] == ["only"]

    claude.prompt("next")
    later, _, reading = read([claude.bytes()[len(raw) :]], reading.resume_point())
    assert [(event.text, event.record_index) for event in later] == [("next", 1)]
    assert reading.resume_point().line == 2


@pytest.mark.parametrize(("suffix", "pack"), [(".jsonl", bytes), (".jsonl.xz", lzma.compress), (".jsonl.gz", gzip.compress)])
def test_compressed_files_read_like_plain_ones_and_resume_by_uncompressed_offset(
    busy_session: bytes, tmp_path: Path, suffix: str, pack: type[bytes]
) -> None:
    path = tmp_path / f"s{suffix}"
    path.write_bytes(pack(busy_session))
    events, raw, _ = read(path)
    assert raw == busy_session
    assert events == read([busy_session])[0]

    half = busy_session[: len(busy_session) // 2]
    path.write_bytes(pack(half))
    first, _, reading = read(path)
    path.write_bytes(pack(busy_session))
    assert first + read(path, reading.resume_point())[0] == events


def test_damaged_compression_is_reported_and_what_came_before_is_kept(busy_session: bytes, tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl.xz"
    path.write_bytes(lzma.compress(busy_session)[:-40])

    _, _, reading = read(path)

    assert "compressed data" in reading.resume_point().broken[-1][1]


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match="No such file"):
        read(tmp_path / "none.jsonl")


def test_half_a_surrogate_pair_costs_one_character_not_the_line(claude: ClaudeScript) -> None:
    claude.raw(b'{"type":"user","sessionId":"s","uuid":"u","message":{"role":"user","content":"a\\ud83dz"},"n":NaN}')

    events, _, reading = read([claude.bytes()])

    assert [event.text for event in events] == ["a\ufffdz"]
    assert reading.resume_point().broken_count == 0


@pytest.mark.parametrize(("said", "at_ns"), [("9999-12-31T23:59:59Z", 0), ("2026-01-01T00:00:00Z", 1_767_225_600_000_000_000), ("soon", 0)])
def test_a_time_that_no_store_can_hold_is_unknown(said: str, at_ns: int) -> None:
    """A clock that was wrong must not cost the session: nanoseconds fit 64 bits until the year 2262."""
    line = {"type": "user", "uuid": "u", "sessionId": "s", "timestamp": said, "message": {"role": "user", "content": "words"}}

    events, _, _ = read([json.dumps(line).encode() + b"\n"])

    assert [event.at_ns for event in events] == [at_ns]


def test_a_byte_order_mark_is_no_text(claude: ClaudeScript) -> None:
    claude.prompt("hello")

    assert len(read([b"\xef\xbb\xbf" + claude.bytes()])[0]) == 1


def test_a_result_of_30_megabytes_is_read_whole(claude: ClaudeScript) -> None:
    text = "a line of the log, with its number 12345\n" * 750_000
    claude.answer(claude.call("Bash", command="cat log"), text, told={"stdout": text, "stderr": "", "interrupted": False})

    events, _, _ = read([claude.bytes()])

    assert events[-1].text == text


def test_a_line_beyond_the_limit_is_counted_and_passed_by_in_bounded_memory(claude: ClaudeScript) -> None:
    claude.prompt("before")
    claude.raw(b'{"type":"user","x":"' + b"y" * 3_000_000 + b'"}')
    claude.prompt("after")
    whole = claude.bytes()
    pieces = [whole[at : at + 65536] for at in range(0, len(whole), 65536)]
    tracemalloc.start()
    try:
        reading = TranscriptReader(pieces, line_bytes_max=100_000)
        texts, raw = [], 0
        for batch in reading.read_batches():
            raw += len(batch.raw)
            texts.extend(each.text for each in batch.client_observations)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert texts == ["before", "after"]
    assert raw == len(whole)
    assert reading.resume_point().broken == [(2, "longer than 100,000 bytes")]
    assert peak < 1_500_000


def test_a_reading_that_ends_inside_a_line_beyond_the_limit_goes_on_behind_it(claude: ClaudeScript) -> None:
    claude.raw(b'{"x":"' + b"y" * 500_000 + b'"}')
    claude.prompt("after")
    whole = claude.bytes()

    first = TranscriptReader([whole[:300_000]], line_bytes_max=100_000)
    seen = b"".join(batch.raw for batch in first.read_batches())
    events, _, reading = read([whole[len(seen) :]], first.resume_point())

    assert [event.text for event in events] == ["after"]
    assert [event.record_index for event in events] == [1]
    assert reading.resume_point().broken_count == 1


def test_unknown_record_types_are_counted_by_name(claude: ClaudeScript) -> None:
    claude.prompt("hello")
    claude.add("hologram")
    claude.add("hologram")
    claude.add("system", subtype="weather", content="sunny")
    claude.add("progress", data={"type": "bash_progress", "output": "…"})

    events, _, reading = read([claude.bytes()])

    assert reading.unknown_types == {"hologram": 2, "system/weather": 1}
    assert [event.text for event in events] == ["hello", "sunny"]


@ANYTHING
@given(st.binary(max_size=4000))
def test_any_bytes_are_read_without_raising(data: bytes) -> None:
    reading = TranscriptReader([data])
    consumed = b"".join(batch.raw for batch in reading.read_batches())

    assert data.startswith(consumed)
    assert data[len(consumed) :].find(b"\n") == -1


FIELDS = [
    "type",
    "subtype",
    "uuid",
    "parentUuid",
    "sessionId",
    "timestamp",
    "message",
    "content",
    "text",
    "input",
    "name",
    "id",
    "tool_use_id",
    "usage",
    "output_tokens",
    "toolUseResult",
    "file",
    "filePath",
    "structuredPatch",
    "lines",
    "oldStart",
    "attachment",
    "data",
    "agentId",
    "payload",
    "role",
    "output",
    "call_id",
    "arguments",
    "action",
    "info",
    "last_token_usage",
    "changes",
    "summary",
    "operation",
    "prompt",
    "isSidechain",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=12,
)
KINDS = st.sampled_from(
    [
        "user",
        "assistant",
        "system",
        "attachment",
        "progress",
        "summary",
        "queue-operation",
        "response_item",
        "event_msg",
        "compacted",
        "turn_context",
        "session_meta",
        "function_call",
        "message",
        "pr-link",
    ]
)


@ANYTHING
@given(
    st.lists(st.tuples(KINDS, st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=8)), max_size=6), st.sampled_from(["claude", "codex"])
)
def test_fields_of_any_type_are_read_without_raising(records: list[tuple[str, dict[str, object]]], client: str) -> None:
    first: dict[str, object] = (
        {"type": "user", "sessionId": "s"} if client == "claude" else {"type": "session_meta", "payload": {"id": "s"}}
    )
    lines = [first, *({**fields, "type": kind} for kind, fields in records)]

    events, _, reading = read(["\n".join(json.dumps(line) for line in lines).encode() + b"\n"])

    assert reading.resume_point().line == len(lines)
    assert [event.seq for event in events] == list(range(len(events)))
    assert all(isinstance(event.kind, ObservationKind) for event in events)


@ANYTHING
@given(data=st.data())
def test_cutting_a_transcript_anywhere_and_resuming_gives_the_same_events(busy_session: bytes, data: st.DataObject) -> None:
    whole, _, _ = read([busy_session])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(busy_session)), max_size=4)))
    carry, events, consumed = None, [], 0
    for end in [*cuts, len(busy_session)]:
        some, raw, reading = read([busy_session[consumed:end]], carry)
        events.extend(some)
        consumed += len(raw)
        carry = reading.resume_point()

    assert events == whole
    assert consumed == len(busy_session)
    assert carry is not None
    assert carry.broken_count == 1
