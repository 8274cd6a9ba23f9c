"""The index: what a search and a walk by name see, and that an updated index equals one built anew."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clew.records import make_id
from clew.store.bm25 import TermList, score_words
from clew.store.documents import Column, Documents
from clew.store.name_resolution import Names
from clew.store.search import compute_similarity
from clew.store.shard import PartKey, compute_part_digest
from clew.text.postings import NameUse, SearchDocument, pack_postings
from clew.text.words import WORD_CHARS_MAX, extract_terms, split_word


class Toy:
    """A model of two words."""

    name = "toy"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([[text.count("x"), text.count("y")] for text in texts], np.float32)


WORDS = ["parse", "token", "budget", "handle", "graph", "edge", "store", "read_file", "HTTPServer", "resolve"]
EQUAL = np.ones(5, np.float32)
FLAT = np.full(5, 0.5, np.float32)


def document(path: str, name: str, body: str = "", *, uses: tuple[str, ...] = (), parent: int = -1) -> SearchDocument:
    return SearchDocument(
        make_id(path, name),
        "fact",
        "function",
        path,
        (name, path, "", "", body),
        (name,),
        tuple((use, NameUse.CALL, 1, 0) for use in uses),
        parent,
    )


def part(path: str, *documents: SearchDocument, imports: tuple[tuple[str, float], ...] = ()) -> tuple[PartKey, bytes]:
    data = pack_postings(documents, imports)
    return (f"file:{path}", 0, compute_part_digest(data)), data


def scores(index: Documents, question: str) -> dict[str, float]:
    [scored] = score_words(index, [TermList(tuple((term, 1.0) for term in extract_terms(question)))], EQUAL, prefix="file:", b=FLAT, k1=1.2)
    found = scored.by_document
    return {index.id_of(doc): float(found[doc]) for doc in np.flatnonzero(found).tolist()}


def links(index: Documents) -> set[tuple[str, str, float]]:
    found = Names(index).outgoing(np.flatnonzero(index.alive).astype(np.int32))
    return {
        (index.id_of(tail), index.id_of(head), round(float(weight), 5))
        for tail, head, weight in zip(found.tails.tolist(), found.heads.tolist(), found.weights.tolist(), strict=True)
    }


def test_a_word_is_scored_as_the_textbook_says() -> None:
    """BM25F with one field in use is BM25."""
    parts = [part("a.py", document("a.py", "x", "token token budget")), part("b.py", document("b.py", "y", "budget"))]
    index = Documents.build(parts)
    weights = np.array([0, 0, 0, 0, 1], np.float32)

    [scored] = score_words(index, [TermList((("token", 1.0),))], weights, prefix="file:", b=FLAT, k1=1.2)
    found = scored.by_document

    mass = 2 / (0.5 + 0.5 * 3 / 2)  # two of three words, where the mean body has two
    assert float(found.max()) == pytest.approx(log(1 + (2 - 1 + 0.5) / 1.5) * mass / (1.2 + mass), rel=1e-5)
    assert int(np.count_nonzero(found)) == 1


def test_an_identifier_is_found_by_its_parts_and_more_strongly_by_itself() -> None:
    index = Documents.build([part("a.py", document("a.py", "resolve_redirects")), part("b.py", document("b.py", "resolve_names"))])

    by_part, by_name = scores(index, "resolve"), scores(index, "resolve_redirects")

    assert len(by_part) == 2
    assert max(by_name, key=lambda record: by_name[record]) == make_id("a.py", "resolve_redirects")


def test_a_name_resolves_to_the_nearest_bearer() -> None:
    """The same file before an imported one, an imported one before any other."""
    index = Documents.build(
        [
            part("a.py", document("a.py", "caller", uses=("helper",)), imports=(("b.py", 1.0),)),
            part("b.py", document("b.py", "helper")),
            part("c.py", document("c.py", "helper")),
            part("d.py", document("d.py", "helper"), document("d.py", "near", uses=("helper",))),
        ]
    )

    heads = {(tail, head) for tail, head, _ in links(index)}

    assert (make_id("a.py", "caller"), make_id("b.py", "helper")) in heads
    assert (make_id("a.py", "caller"), make_id("c.py", "helper")) not in heads
    assert [head for tail, head in heads if tail == make_id("d.py", "near")] == [make_id("d.py", "helper")]


def test_users_and_used_are_two_views_of_the_same_links() -> None:
    index = Documents.build([part("a.py", document("a.py", "caller", uses=("helper",))), part("b.py", document("b.py", "helper"))])
    [helper] = Names(index).defining("helper").tolist()

    back = Names(index).incoming(np.array([helper], np.int32))

    assert [index.id_of(doc) for doc in back.tails.tolist()] == [make_id("a.py", "caller")]
    assert back.heads.tolist() == [helper]


def test_an_index_survives_its_own_file_and_refuses_a_damaged_one() -> None:
    index = Documents.build([part("a\udcff.py", document("a\udcff.py", "token", "budget")), part("b.py", document("b.py", "y", "budget"))])
    data = index.to_bytes()

    assert scores(Documents.from_bytes(data), "budget") == scores(index, "budget")
    assert sorted(Documents.from_bytes(memoryview(data)).paths) == ["a\udcff.py", "b.py"]
    for broken in (data[:-1], b"", b"x" * 100, data[:40] + b"\xff" + data[41:]):
        with pytest.raises(ValueError, match="index"):
            Documents.from_bytes(broken)


def test_a_search_sees_only_the_sources_it_is_asked_for() -> None:
    index = Documents.build(
        [part("a.py", document("a.py", "x", "budget")), (("session:1", 0, "d"), pack_postings([document("", "y", "budget")]))]
    )

    assert set(scores(index, "budget")) == {make_id("a.py", "x")}


def test_a_vector_finds_what_points_the_same_way() -> None:
    data = pack_postings([document("a.py", "x"), document("a.py", "y")], embedder=Toy())
    index = Documents.build([(("file:a.py", 0, "d"), data)])

    found = compute_similarity(index, np.array([0.1, 2.0], np.float32), np.ones(index.size, np.bool_))

    assert found.argmax() == 1
    assert found[1] == pytest.approx(0.99875, abs=0.01)


BODIES = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
FILES = st.dictionaries(
    st.sampled_from([f"src/{name}.py" for name in "abcdef"]),
    st.lists(st.tuples(st.sampled_from(WORDS), BODIES), min_size=1, max_size=3, unique_by=lambda row: row[0]),
)


def parts_of(files: dict[str, list[tuple[str, str]]]) -> dict[str, tuple[PartKey, bytes]]:
    return {
        path: part(path, *(document(path, name, body, uses=tuple(body.split())) for name, body in rows), imports=(("src/a.py", 0.9),))
        for path, rows in files.items()
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(FILES, min_size=2, max_size=5))
def test_an_updated_index_equals_one_built_anew(versions: list[dict[str, list[tuple[str, str]]]]) -> None:
    """After any series of states of the files, whatever changed between them, and whichever of them was written to disk."""
    held = parts_of(versions[0])
    index = Documents.from_bytes(Documents.build(held.values()).to_bytes())
    for version in versions[1:]:
        wanted = parts_of(version)
        old, new = {key for key, _ in held.values()}, {key for key, _ in wanted.values()}
        index = index.updated(old - new, [(key, data) for key, data in wanted.values() if key not in old])
        held = wanted
        rebuilt = Documents.build(wanted.values())

        assert index.parts == rebuilt.parts
        assert index.count == rebuilt.count
        assert links(index) == links(rebuilt)
        for word in WORDS:
            assert scores(index, word) == scores(rebuilt, word)


def test_many_changes_one_by_one_are_few_layers_that_equal_an_index_built_anew() -> None:
    """Each file is written, and every third of them once more."""
    index, held = Documents.build([]), dict[str, tuple[PartKey, bytes]]()
    for number in [*range(60), *range(0, 60, 3)]:
        path, body = f"f{number}.py", f"{WORDS[number % 10]} {'again' if f'f{number}.py' in held else ''}"
        new = part(path, document(path, f"name{number}", body, uses=(f"name{number // 2}",)))
        index = index.updated([held[path][0]] if path in held else [], [new])
        held[path] = new

    rebuilt = Documents.build(held.values())
    assert len(index.shards) <= 8
    assert (index.parts, links(index)) == (rebuilt.parts, links(rebuilt))
    assert [scores(index, word) for word in (*WORDS, "again")] == [scores(rebuilt, word) for word in (*WORDS, "again")]


def test_a_word_of_too_many_records_ranks_what_a_rarer_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """And finds by itself where the question holds no rarer one."""
    bodies = {f"n{number}": "budget budget token" if number == 1 else "budget token" if number == 2 else "budget" for number in range(9)}
    index = Documents.build([part(f"{name}.py", document(f"{name}.py", name, body)) for name, body in bodies.items()])
    both, one = scores(index, "budget token"), scores(index, "budget")
    monkeypatch.setattr("clew.store.bm25.FINDING_RECORDS_MAX", 5)

    assert scores(index, "budget token") == {key: both[key] for key in (make_id("n1.py", "n1"), make_id("n2.py", "n2"))}
    assert scores(index, "budget") == one


def test_half_a_surrogate_pair_and_bytes_that_are_not_utf_8_are_words_like_others() -> None:
    """A transcript may hold the first, a file name the second."""
    index = Documents.build([part("a\udcff.py", document("a\udcff.py", "caller\ud83d", "budget \ud83d", uses=("x\ud83d",)))])

    assert Documents.from_bytes(index.to_bytes()).paths == ["a\udcff.py"]
    assert scores(index, "budget")


class Random:
    """A model of 64 dimensions that knows nothing but where it stands."""

    name = "random"

    def __init__(self, seed: int) -> None:
        self._numbers = np.random.default_rng(seed)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._numbers.standard_normal((len(texts), 64)).astype(np.float32)


def test_the_nearest_of_many_are_found_by_their_signs() -> None:
    """Sign bits leave out most documents, and not the nearest ones."""
    names = [f"f{number}" for number in range(3000)]
    index = Documents.build([(("file:a.py", 0, "d"), pack_postings([document("a.py", name) for name in names], embedder=Random(1)))])
    rows = Random(1).embed(names)
    query = rows[7] + 0.5 * rows[8]

    found = compute_similarity(index, query, np.ones(index.size, np.bool_))

    exact = rows @ query / (np.linalg.norm(rows, axis=1) * np.linalg.norm(query))
    assert found.argsort()[::-1][:2].tolist() == exact.argsort()[::-1][:2].tolist() == [7, 8]
    assert 400 <= np.count_nonzero(found) < 1000
    assert found[7] == pytest.approx(exact[7], abs=0.02)


def test_only_documents_that_are_asked_for_take_a_place_among_the_nearest() -> None:
    names = [f"f{number}" for number in range(3000)]
    index = Documents.build([(("file:a.py", 0, "d"), pack_postings([document("a.py", name) for name in names], embedder=Random(1)))])
    rows = Random(1).embed(names)
    farthest = int((rows @ rows[7]).argmin())
    mask = np.arange(index.size) == farthest

    found = compute_similarity(index, rows[7], mask)

    assert np.flatnonzero(found).tolist() == [farthest]


def test_of_a_run_of_digits_without_end_only_the_beginning_is_kept() -> None:
    """Words are remembered, because most come again; runs of encoded data must not stay in memory whole."""
    assert split_word("a1" * WORD_CHARS_MAX) is split_word("a1" * 2 * WORD_CHARS_MAX)


def test_what_a_file_no_longer_imports_is_forgotten_with_its_old_version() -> None:
    """The base still holds the old version's imports; an index that is built anew does not."""
    two = [part("b.py", document("b.py", "helper")), part("c.py", document("c.py", "helper"))]
    old = part("a.py", document("a.py", "caller", "old", uses=("helper",)), imports=(("b.py", 1.0),))
    new = part("a.py", document("a.py", "caller", "new", uses=("helper",)))

    updated = Documents.build([old, *two]).updated([old[0]], [new])

    assert links(updated) == links(Documents.build([new, *two]))


def test_an_import_counts_while_both_files_are_there() -> None:
    """Also where a session, which stands in the same shard, names the file that is gone."""
    kept = part("a.py", document("a.py", "caller"), imports=(("b.py", 1.0), ("c.py", 1.0)))
    gone = part("b.py", document("b.py", "helper"), imports=(("c.py", 1.0),))
    last = part("c.py", document("c.py", "other"))
    data = pack_postings([document("b.py", "Edit b.py")])
    session = ("session:s", 0, compute_part_digest(data)), data
    whole = Documents.build([kept, gone, last, session])

    updated = whole.updated([gone[0]], [])

    def imports(index: Documents) -> list[tuple[str, str]]:
        return [(index.paths[key >> 32], index.paths[key & 0xFFFFFFFF]) for key in index.imports[0].tolist()]

    assert imports(whole) == [("a.py", "b.py"), ("a.py", "c.py"), ("b.py", "c.py")]
    assert imports(updated) == [("a.py", "c.py")]
    assert imports(updated.updated([], [gone])) == imports(whole)


def test_uses_across_files_leave_out_what_a_file_defines_itself() -> None:
    index = Documents.build([
        part("a.py", document("a.py", "run", uses=("helper", "own")), document("a.py", "own"), imports=(("b.py", 1.0),)),
        part("b.py", document("b.py", "helper"), document("b.py", "own")),
        part("c.py", document("c.py", "helper", uses=("helper",))),
    ])  # fmt: skip
    across = Names(index).across("file:")

    found = [(index.paths[user], index.id_of(head)) for user, head in zip(across.users, across.heads, strict=True)]
    assert found == [("a.py", make_id("b.py", "helper"))]
    assert not across.is_sure.any(), "no place says which helper is meant"


def test_several_lists_of_terms_score_as_each_alone() -> None:
    index = Documents.build(
        [part("a.py", document("a.py", "parse_token", "budget budget")), part("b.py", document("b.py", "graph", "token"))]
    )
    lists = [TermList((("token", 1.0), ("budget", 2.0)), with_paths=True), TermList((("token", 0.5),), share_max=0.5), TermList(())]

    together = score_words(index, lists, EQUAL, prefix="file:", b=FLAT, k1=1.2)

    for asked, found in zip(lists, together, strict=True):
        [alone] = score_words(index, [asked], EQUAL, prefix="file:", b=FLAT, k1=1.2)
        assert np.array_equal(found.by_document, alone.by_document)
        assert np.array_equal(found.by_path, alone.by_path)
        assert [term for term, _, _ in found.used] == [term for term, _, _ in alone.used]
    assert not together[1].by_document.any()  # it stands in more than half of the documents


def test_a_column_in_pieces_reads_as_one_array_also_below_zero() -> None:
    """-1 stands for "no such document" in many places; what is read there is left out afterwards."""
    whole = np.arange(7) * 10
    column = Column([whole[:3], whole[3:4], whole[4:]], (0, 3, 4))

    for asked in (0, 3, 6, -1, -5, np.int32(-7)):
        assert column[asked] == whole[asked]
    for many in ([0, 3, 6], [-1, 2, -7], []):
        assert column[np.array(many, np.int32)].tolist() == whole[np.array(many, np.int32)].tolist()
    assert column[whole > 20].tolist() == whole[whole > 20].tolist()
