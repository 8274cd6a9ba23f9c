"""Rows come back as the nouns that they were made from, whatever stands in their texts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.records import EndKind, EndReason, Layer, Record, RecordText, Resolution
from clew.records.wording import describe_end
from clew.store.originals import LEVEL, Compression, OriginalCompressor, unpack
from clew.store.tables.codec import (
    compute_prefix_ranges,
    decode_reason,
    decode_text,
    encode_reason,
    encode_text,
    pack_texts,
    unpack_texts,
)

# Every code point, lone surrogates included: file names are not always UTF-8, and transcripts hold halves of emoji.
any_text = st.text(st.characters(codec=None, exclude_categories=[]), max_size=12) | st.sampled_from(
    ["\ud7ff", "\ud83d\ude00", "\U0001f600", "\udcff", "\x00", "\U0010ffff", "a\U0010ffff", "\ue000"]
)


def sort_key(value: str | bytes) -> tuple[bool, bytes]:
    """How SQLite orders: texts before bytes, each by their bytes."""
    return isinstance(value, bytes), value.encode() if isinstance(value, str) else value


@given(any_text, any_text)
@settings(derandomize=True)
def test_each_str_has_one_stored_form(one: str, two: str) -> None:
    assert decode_text(encode_text(one)) == one
    assert (encode_text(one) == encode_text(two)) == (one == two)
    if isinstance(encode_text(one), str):
        assert encode_text(one).encode().decode() == one


@given(any_text, any_text)
@settings(derandomize=True, max_examples=300)
def test_prefix_ranges_hold_what_begins_with_the_prefix_and_nothing_else(prefix: str, text: str) -> None:
    text_low, text_high, bytes_low, bytes_high = compute_prefix_ranges(prefix)
    for candidate in (text, prefix + text, text + prefix):
        stored = encode_text(candidate)
        in_texts = isinstance(stored, str) and sort_key(text_low) <= sort_key(stored) < sort_key(text_high)
        in_bytes = isinstance(stored, bytes) and bytes_low <= stored < bytes_high
        assert (in_texts or in_bytes) == candidate.startswith(prefix)


@given(st.lists(st.builds(RecordText, st.sampled_from(Resolution), st.integers(0, 2**40), any_text, st.just("ab" * 16)), max_size=4))
@settings(derandomize=True)
def test_texts_come_back(texts: list[RecordText]) -> None:
    """A text that is the record's name is stored once, in the name's own column."""
    assert unpack_texts(pack_texts(texts)) == tuple(texts)
    for name in {text.inline for text in texts if text.inline}:
        assert unpack_texts(pack_texts(texts, name), name) == tuple(texts)
        assert len(pack_texts(texts, name)) < len(pack_texts(texts))


@given(st.binary(max_size=300) | st.binary(max_size=20).map(lambda data: data * 200))
@settings(derandomize=True)
def test_originals_come_back_and_never_grow(data: bytes) -> None:
    packing, packed = OriginalCompressor().pack(data)

    assert unpack(packing, packed) == data
    assert len(packed) <= len(data)
    assert (packing is Compression.RAW) == (packed == data)


@given(st.sampled_from(EndKind), st.lists(any_text | st.integers(0, 2**40), max_size=3))
@settings(derandomize=True)
def test_reasons_come_back(kind: EndKind, values: list[str | int]) -> None:
    reason = EndReason(kind, tuple(values))

    assert decode_reason(encode_reason(reason)) == reason


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("", None),
        ("edited later", EndReason(EndKind.EDITED)),
        ("what it cites was edited later", EndReason(EndKind.EDITED)),
        ("changed by git merge", EndReason(EndKind.CHANGED_BY_GIT, ("merge",))),
        ("seen on branch fix; main was checked out", EndReason(EndKind.BRANCH_LEFT, ("fix", "main"))),
        ("what it cites has changed", EndReason(EndKind.CITED_CHANGED)),
        ('["slug"].ts, which it cites, has changed', EndReason(EndKind.CITED_CHANGED, ('["slug"].ts',))),
        ("\udce9tait", EndReason(EndKind.OTHER, ("\udce9tait",))),
        ('["of a later release"]', EndReason(EndKind.OTHER, ('["of a later release"]',))),
    ],
)
def test_the_words_that_an_earlier_release_stored_are_read_as_the_reason_that_they_name(words: str, reason: EndReason | None) -> None:
    """And are printed as before; what no release is known to have written stays as it is."""
    assert decode_reason(encode_text(words)) == reason
    assert describe_end(reason, is_doubt=words.startswith("what it cites was")) == words


def test_every_reason_has_words() -> None:
    for kind in EndKind:
        assert describe_end(EndReason(kind, (2, 3)))
        assert describe_end(EndReason(kind, (2, 3)), is_doubt=True)


def test_a_damaged_original_is_noticed() -> None:
    _, packed = OriginalCompressor().pack(b"some line of text\n" * 1000)
    for damaged in (packed[:-1], packed[:-1] + bytes([packed[-1] ^ 1]), b"\0" * 20):
        try:
            found = unpack(Compression.ZSTD, damaged)
        except ValueError:
            continue
        raise AssertionError(found[:20])
    assert LEVEL == 3


def test_a_record_needs_nothing_but_its_row(tmp_path) -> None:
    """Defaults of the noun are stored, not assumed: a later release may have others."""
    from clew.store.tables.codec import record_from_row, record_to_row

    record = Record("id", Layer.FACT, "k", "s", "src", "d", "n", (RecordText(Resolution.NAME, 1, "n"),))
    row = record_to_row(record, 1, 2, is_indexed=True)
    (
        _,
        record_id,
        _,
        _,
        subject,
        digest,
        seq,
        at_ns,
        layer,
        kind,
        name,
        parent,
        path,
        language,
        session,
        uuid,
        agent,
        trust,
        texts,
        lineage,
        _,
        _,
    ) = row
    shown = (
        1,
        "src",
        9,
        record_id,
        layer,
        kind,
        subject,
        digest,
        name,
        texts,
        seq,
        parent,
        path,
        language,
        session,
        uuid,
        agent,
        trust,
        lineage,
    )

    assert record_from_row((*shown, at_ns)) == record
