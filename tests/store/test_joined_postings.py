"""Parts of one source's postings are joined as it grows, and the index is the same."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import numpy as np

from clew.records import make_id
from clew.store.shard import IndexShard
from clew.store.sqlite import SqliteStore
from clew.store.sqlite.repair import find_damage
from clew.store.tables.changes import JOINED_PARTS
from clew.text.postings import NameUse, SearchDocument, join_postings, pack_postings, unpack_postings
from tests.looking import look
from tests.store.conformance import make_delta

WORDS = ["parse", "token", "budget", "handle", "graph", "edge", "store", "resolve"]


def make_part(chance: random.Random, number: int) -> bytes:
    def document(at: int) -> SearchDocument:
        name, path = chance.choice(WORDS), f"a/{chance.choice(WORDS)}\udce9.py"
        used = chance.choices(WORDS, k=chance.randrange(4))
        uses = tuple((word, NameUse.CALL, chance.randrange(1, 400), chance.randrange(3)) for word in used)
        body = " ".join(chance.choices(WORDS, k=9))
        return SearchDocument(make_id(str(number), str(at)), "fact", "tool", path, (name, path, "", "", body), (name,), uses, at - 1)

    return pack_postings([document(at) for at in range(chance.randrange(1, 5))])


def test_an_index_of_joined_parts_is_that_of_the_parts() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        parts = [make_part(chance, number) for number in range(chance.randrange(1, 6))]

        apart = IndexShard.join_parts([(("s", at, ""), unpack_postings(part)) for at, part in enumerate(parts)])
        together = IndexShard.join_parts([(("s", 0, ""), unpack_postings(join_postings(parts)))])

        assert (together.header.paths, together.header.kinds) == (apart.header.paths, apart.header.kinds)
        assert together.arrays.keys() == apart.arrays.keys()
        for name, array in apart.arrays.items():
            assert np.array_equal(together.arrays[name], array), name


def test_parts_that_cannot_be_joined_stay_apart() -> None:
    part = make_part(random.Random(1), 1)
    assert join_postings([part, b"clewseg2 damaged"]) == b""
    assert join_postings([part, pack_postings([], [("a.py", 0.5)])]) == b""


def test_a_session_that_grows_keeps_few_parts_and_finds_every_turn(tmp_path: Path) -> None:
    path, turns = tmp_path / "clew.db", 3 * JOINED_PARTS + 2
    with closing(SqliteStore(path)) as store:
        store.open_workspace("w", "/w")
        for number in range(turns):
            turn = make_delta("session:s", [(f"turn {number}", f"word{number} of a turn")], first_seq=number)
            store.apply("w", [replace(turn, is_whole=False)])
            assert look(store, "w").documents.count == number + 1
        store.purge("w", [look(store, "w").records_of_sources("session:s")[5].id], "a secret", 1)
        assert look(store, "w").documents.count == turns - 1
    with closing(SqliteStore(path)) as store:
        assert look(store, "w").documents.count == turns - 1
    with closing(apsw.Connection(str(path))) as connection:
        assert list(connection.execute("SELECT count(*) FROM segments")) == [(5,)]
    assert find_damage(path) == []
