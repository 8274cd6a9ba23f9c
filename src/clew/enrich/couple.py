"""Couple: what the jobs found becomes stored edges between files.

Each file is a source of its own here, `coupling:<path>`, which holds the edges that begin at it. An edge is keyed by the
content of both ends, so it ends when either is edited, and is proposed anew by the run that reads the edit: what was
learned from history and sessions does not depend on a file's newest bytes. A source is written only when its edges differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b

import msgspec

from clew.enrich.namesakes import namesakes
from clew.enrich.partners import Partner, table_of
from clew.enrich.together import edited_together, sessions_in
from clew.records import Delta, Edge, EdgeKind, SourceState, identify

BY = "coupling/1"
COUPLING = "coupling:"  # the source that remembers what all edges were made from; those of a file are `coupling:<path>`
PARTNERS_MAX = 12  # of one file and one kind; guess


class Coupled(msgspec.Struct, array_like=True):
    """How many files have edges, and how many edges of each kind there are."""

    files: int = 0
    co_changes: int = 0
    tests: int = 0
    together: int = 0


def changes(
    files: Mapping[str, str],
    *,
    history: SourceState | None,
    sessions: SourceState | None,
    before: SourceState | None,
    states: Callable[[], Sequence[SourceState]],
) -> Iterator[Delta]:
    """Yield a Delta for each file whose edges differ from what an earlier run left.

    files     path → digest of its content, of all files that are indexed with their text.
    history, sessions   the states that keep what changes together, and what sessions edited together.
    before    the state of COUPLING.
    states    gives the states of the sources whose name begins with COUPLING; asked only when something has changed.
    Cost      about 2 ms for 2,000 files when nothing has changed.
    """
    key = _fingerprint(files, history, sessions)
    if before is not None and before.digest == key:
        return
    found: dict[EdgeKind, Mapping[str, Sequence[Partner]]] = {
        EdgeKind.CO_CHANGES: table_of(history),
        EdgeKind.TESTS: namesakes(files),
        EdgeKind.EDITED_TOGETHER: edited_together(sessions_in(sessions)),
    }
    if before is not None:  # a run that is killed leaves some files behind the others
        yield Delta(BY, COUPLING, is_whole=False, state=SourceState(COUPLING))
    known = {state.source: state.digest for state in states() if state.source != COUPLING}
    seen: set[str] = set()
    counts = dict.fromkeys(found, 0)
    for path in sorted(files):
        rows = [
            (kind, partner)
            for kind, table in found.items()
            for partner in [one for one in table.get(path, ()) if one.path in files and one.path != path][:PARTNERS_MAX]
        ]
        if not rows:
            continue
        source = COUPLING + path
        seen.add(source)
        for kind, _ in rows:
            counts[kind] += 1
        said = [files[path], *(f"{kind} {one.weight} {files[one.path]} {one.path}" for kind, one in rows)]
        digest = _digest("\n".join(said))
        if known.get(source) != digest:
            edges = tuple(_edge(kind, files, path, one) for kind, one in rows)
            yield Delta(BY, source, is_whole=True, edges=edges, state=SourceState(source, digest, len(edges)))
    for source in sorted(known.keys() - seen):
        yield Delta(BY, source, is_whole=True, state=None)
    coupled = Coupled(len(seen), *(counts[kind] for kind in found))
    yield Delta(BY, COUPLING, is_whole=False, state=SourceState(COUPLING, key, note=msgspec.json.encode(coupled).decode()))


def coupled_in(state: SourceState | None) -> Coupled:
    """What the state of COUPLING says of the edges."""
    return msgspec.json.decode(state.note, type=Coupled) if state is not None and state.note else Coupled()


def _edge(kind: EdgeKind, files: Mapping[str, str], path: str, partner: Partner) -> Edge:
    tail, head = files[path], files[partner.path]
    return Edge(kind, _file_id(path, tail), _file_id(partner.path, head), partner.weight, tail, head, BY)


def _file_id(path: str, digest: str) -> str:
    """Id of the record of a whole file, as `clew.codebase.remember` makes it."""
    return identify("code", f"file:{path}", digest)


def _fingerprint(files: Mapping[str, str], *states: SourceState | None) -> str:
    words = [BY, *(state.digest if state else "" for state in states), *(f"{digest} {path}" for path, digest in sorted(files.items()))]
    return _digest("\n".join(words))


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
