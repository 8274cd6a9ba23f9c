"""Code as of: read the files of a repository as they were at a time, or in a commit, beside the live index.

What differs from the live index is parsed into a store in memory; everything else is read where it is. At a time, a file is what the
journal says that had been stored of it, and the history that of the commit which was HEAD. In a commit, it is what git has. Nothing
that was purged comes back from either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from clew.codebase import ENCODING, TREE_SOURCE
from clew.codebase.decoding import decode_source
from clew.codebase.file_changes import (
    IndexReport,
    build_delta_of_text,
    drop_credential_names,
    find_named_file_changes,
    find_roots,
    leads_as_before,
)
from clew.codebase.file_records import PRODUCER, file_source_name, restore_unread_file
from clew.codebase.imports import find_manifests
from clew.codebase.path_index import PathIndex
from clew.codebase.private_paths import is_credential_path
from clew.codebase.scan import ScannedFile
from clew.enrich import history
from clew.enrich.git import GitFailed, run_git
from clew.enrich.producers.commits import CO_CHANGE_SOURCE, build_co_change_delta, compute_co_changes
from clew.enrich.producers.sessions import SESSION_EDITS_SOURCE, build_session_edits_delta, decode_session_edits, find_edited_paths
from clew.errors import OriginalPurged, UnknownMoment
from clew.lifecycle.apply import apply_deltas
from clew.records import AsOf, Delta, SourceState, make_id
from clew.settings import Settings
from clew.store import rules
from clew.store.memory import MemoryStore
from clew.store.originals import digest_of
from clew.store.overlaid import OverlaidSnapshot
from clew.store.ports import LOCAL, Reader, Snapshot
from clew.store.shard import PartKey, compute_part_digest
from clew.text.secrets import mask_bytes
from clew.usecases.as_of import open_as_of
from clew.usecases.couplings import couple_files
from clew.usecases.inputs import load_configured_embedder

_FILES, _SESSIONS = "file:", "session:"
# Sources that are read off files, commits and sessions: what they held then is made anew. All others hold what was said.
_OF_CODE = (
    _FILES, TREE_SOURCE, history.HISTORY_SOURCE, CO_CHANGE_SOURCE, SESSION_EDITS_SOURCE, "coupling:", "alike:", "semantic:", "work:",
)  # fmt: skip
_ALL_TIME_NS = 1 << 62
_BATCH_BYTES = 16_000_000  # of blobs that git is asked for at once
_BLOB_BYTES_MAX = 48_000_000  # of one; what is longer is not read
_ATTRIBUTES = ".gitattributes"


def open_code_as_of(store: Reader, settings: Settings, key: str, root: Path, as_of: AsOf) -> tuple[Snapshot, AsOf]:
    """Open the workspace of a work tree as of a time or commit, and return it with what the answer is as of.

    Raises NothingStored, UnknownMoment where git cannot read the commit.
    Cost    a look at each file's digest, and parsing what differs from the live index; in a commit, reading each file of the same size.
    """
    here, answered = open_as_of(store, key, as_of)
    try:
        then = _FilesThen(here, root, answered, settings)
        then.find()
        derived = MemoryStore()
        derived.open_workspace(key, str(root))
        apply_deltas(derived, key, then.deltas)
        apply_deltas(derived, key, then.describe_couplings())
        couple_files(derived, key)
        sessions = here.sessions_on(as_of.branch) if as_of.branch else None
    except BaseException:
        here.close()
        raise

    def is_hidden(source: str) -> bool:
        session = _session_of(source)
        return sessions is not None and source.startswith(_SESSIONS) and session != "remembered" and session not in sessions

    snapshot = OverlaidSnapshot(
        here,
        over=derived.snapshot(LOCAL, key),
        parts=[part for delta in then.deltas for part in _list_parts(delta)],
        is_ours=lambda source: not source.startswith(_OF_CODE),
        is_current=then.current.__contains__,
        is_hidden=is_hidden,
    )
    return snapshot, replace(answered, missing=(*answered.missing, *then.missing))


def _session_of(source: str) -> str:
    return source.removeprefix(_SESSIONS).partition("/")[0]


def _list_parts(delta: Delta) -> list[tuple[PartKey, bytes]]:
    return [((delta.source, 0, compute_part_digest(delta.segment)), delta.segment)] if delta.segment else []


@dataclass(slots=True)
class _FilesThen:
    """What differs between the live index and the files of then.

    here      the live workspace, as of the time or commit.
    current   sources of the live index that hold what they held then.
    deltas    of all other sources, and the states alone of those.
    missing   what was there then and cannot be read, in sentences.
    """

    here: Snapshot
    root: Path
    as_of: AsOf
    settings: Settings
    current: set[str] = field(default_factory=set[str])
    deltas: list[Delta] = field(default_factory=list[Delta])
    missing: list[str] = field(default_factory=list[str])
    states: dict[str, SourceState] = field(default_factory=dict[str, SourceState])

    def find(self) -> None:
        """Fill `current`, `deltas` and `missing`."""
        self.states = {state.source: state for state in self.here.source_states(_FILES)}
        purged = frozenset(key for kind, key in self.here.purged_after(-1) if kind == "record")
        for delta in self._read_commit() if self.as_of.commit else self._read_journal():
            rest = rules.drop_purged(delta, rules.PurgedKeys(purged))
            if len(rest.records) < len(delta.records):
                self._miss(delta.source.removeprefix(_FILES), "some or all of it was purged")
            self.deltas.append(rest)
        self._add_current_files()
        head = self.as_of.commit
        if not head:
            head = self.here.digests_at(history.HISTORY_SOURCE, self.as_of.known_by_ns).get(history.HISTORY_SOURCE, ("", 0))[0]
        self._add_history(head)

    def describe_couplings(self) -> Iterator[Delta]:
        """Yield what couples files: the commits of then, and which files the sessions had edited by then."""
        commits = [delta.state for delta in self.deltas if delta.state and delta.source.startswith(history.HISTORY_SOURCE)]
        yield build_co_change_delta("then", compute_co_changes(history.decode_commits(commits)))
        table = self.here.documents
        codes: list[int] = np.unique(table.source_codes[~table.alive]).tolist()
        grown = {_session_of(table.sources[code]) for code in codes}
        edited = decode_session_edits(self.here.source_state(SESSION_EDITS_SOURCE))
        for session in edited.keys() & grown:
            sources = [state.source for state in self.here.source_states(_SESSIONS + session) if _session_of(state.source) == session]
            edited[session] = find_edited_paths(self.here.records_of_sources(*sources))
        yield build_session_edits_delta(edited)

    def _read_journal(self) -> Iterator[Delta]:
        """Yield what had been stored of each file by the time and differs from what is stored now."""
        digests = {source: digest for source, (digest, _) in self.here.digests_at(_FILES, self.as_of.known_by_ns).items()}
        journalled = self.here.digests_at(_FILES, _ALL_TIME_NS)
        digests |= {source: state.digest for source, state in self.states.items() if source not in journalled}  # older than the journal
        without = [source for source, digest in digests.items() if not digest]
        unread = {record.source: record for record in self.here.records_of_sources(*without) if record.kind == "file" and not record.digest}
        names = sorted(source.removeprefix(_FILES) for source, digest in digests.items() if digest or source in unread)
        marks = [name for name in find_manifests(names) if digests[_FILES + name]]
        with TemporaryDirectory() as folder:
            for name in marks:
                _write(Path(folder), name, self._read_original(name, digests[_FILES + name]) or b"")
            paths = PathIndex(names, find_roots(Path(folder), names))
        ids = {name: make_id("code", file_source_name(name), digests[_FILES + name]) for name in names}
        known = self.here.rows.records(ids.values())
        embedder = load_configured_embedder(self.settings)
        for name in names:
            source = file_source_name(name)
            state, digest = self.states.get(source), digests[source]
            if source in unread:
                reason = state.status if state and not state.digest else "unread"
                yield restore_unread_file(unread[source], SourceState(source, status=reason))
            elif state is not None and state.digest == digest and leads_as_before(state, name, paths):
                self.current.add(source)
            elif (data := self._read_original(name, digest)) is not None:
                record = known.get(ids[name])
                yield build_delta_of_text(
                    name, data, record.language if record else None, paths,
                    size=len(data), embedder=embedder, encoding=dict(record.lineage).get(ENCODING, "") if record else "",
                )  # fmt: skip

    def _read_commit(self) -> Iterator[Delta]:
        """Yield what git has of each file of the commit and differs from what is stored now."""
        try:
            blobs = self._list_blobs()
            with TemporaryDirectory() as folder:
                names, top = sorted(blobs), Path(folder)
                marks = [*find_manifests(names), *(name for name in names if name.rpartition("/")[2] == _ATTRIBUTES)]
                for name, data in self._read_blobs({name: blobs[name] for name in marks}):
                    _write(top, name, data)
                paths = PathIndex(names, find_roots(top, names))
                changed = [name for name in names if not self._may_be_current(name, blobs[name][1])]
                for name, data in self._read_blobs({name: blobs[name] for name in names if name not in set(changed)}):
                    if self._is_current(name, data, paths):
                        self.current.add(file_source_name(name))
                    else:
                        changed.append(name)
                for name, data in self._read_blobs({name: blobs[name] for name in changed}):
                    _write(top, name, data)
                there = sorted(name for name in changed if (top / name).is_file())
                yield from find_named_file_changes(top, there, names, None, embedder=self.settings.embedder)
        except GitFailed as failure:
            raise UnknownMoment(self.as_of.branch or self.as_of.commit, f"git cannot read it: {failure}") from None

    def _list_blobs(self) -> dict[str, tuple[str, int]]:
        """(hash, size) of each plain file of the commit, by path."""
        found: dict[str, tuple[str, int]] = {}
        for entry in run_git(self.root, "ls-tree", "-r", "-l", "-z", self.as_of.commit).split(b"\0"):
            about, _, path = entry.partition(b"\t")
            mode, kind, blob, size = about.decode().split() or ("", "", "", "")
            name = path.decode("utf-8", "surrogateescape")
            is_inside = not {"", ".", "..", ".git"}.intersection(name.split("/"))
            if kind == "blob" and mode != "120000" and is_inside and not is_credential_path(name):
                found[name] = blob, int(size)
        clean = drop_credential_names([ScannedFile(name, size, 0) for name, (_, size) in found.items()], IndexReport())
        return {file.path: found[file.path] for file in clean}

    def _may_be_current(self, name: str, size: int) -> bool:
        state = self.states.get(file_source_name(name))
        return state is not None and state.size == size and state.status not in ("cut", "vendored")

    def _is_current(self, name: str, data: bytes, paths: PathIndex) -> bool:
        state = self.states[file_source_name(name)]
        if not state.digest:  # of a file that is not read its name, its size and the reason are all that is stored
            return True
        return digest_of(mask_bytes(decode_source(data)[0])) == state.digest and leads_as_before(state, name, paths)

    def _read_blobs(self, blobs: Mapping[str, tuple[str, int]]) -> Iterator[tuple[str, bytes]]:
        """Yield the bytes of blobs by path, in batches. Raises GitFailed."""
        batch: list[str] = []
        size = 0
        for name, (_, length) in blobs.items():
            if length > _BLOB_BYTES_MAX:
                self._miss(name, f"it is longer than {_BLOB_BYTES_MAX // 1_000_000} MB")
                continue
            if batch and size + length > _BATCH_BYTES:
                yield from self._read_batch(batch, blobs)
                batch, size = [], 0
            batch.append(name)
            size += length
        if batch:
            yield from self._read_batch(batch, blobs)

    def _read_batch(self, names: Sequence[str], blobs: Mapping[str, tuple[str, int]]) -> Iterator[tuple[str, bytes]]:
        said = run_git(self.root, "cat-file", "--batch", given="".join(f"{blobs[name][0]}\n" for name in names).encode())
        at = 0
        for name in names:
            line = said.index(b"\n", at)
            words = said[at:line].split()
            at = line + 1
            if len(words) == 3:
                length = int(words[2])
                yield name, said[at : at + length]
                at += length + 1
            else:
                self._miss(name, "git does not have it here")

    def _read_original(self, name: str, digest: str) -> bytes | None:
        try:
            return self.here.rows.originals([digest])[digest]
        except OriginalPurged:
            self._miss(name, "it was purged")
        except KeyError:
            self._miss(name, "its text is not stored")
        return None

    def _add_current_files(self) -> None:
        """Add the states of the files that are as they were then, with their records by name alone: an edge needs both its ends."""
        for source in sorted(self.current):
            state = self.states[source]
            record_id = make_id("code", source, state.digest)
            records = self.here.rows.records([record_id]).values() if state.digest else ()
            named = tuple(replace(record, texts=record.texts[:1]) for record in records if not record.texts[0].blob)
            self.deltas.append(Delta(PRODUCER, source, is_whole=False, records=named, state=state))

    def _add_history(self, head: str) -> None:
        """Add the commits that lead to `head`, "" for none."""
        if not head:
            return
        before, report = self.here.source_state(history.HISTORY_SOURCE), history.HistoryReport()
        states = partial(self.here.source_states, history.HISTORY_SOURCE)
        found = list(history.find_commit_changes(self.root, before, states, report, head))
        if not found and (before is None or before.digest != head):
            self.missing.append(f"the commits of then cannot be read: {'; '.join(report.problems) or 'git does not have them'}")
            return
        changed = {delta.source for delta in found if delta.is_whole}
        kept = [state for state in states() if state.source not in changed]
        self.current |= {state.source for state in kept}
        self.deltas += [Delta(history.PRODUCER, state.source, is_whole=False, state=state) for state in kept]
        self.deltas += found

    def _miss(self, name: str, reason: str) -> None:
        sentence = f"{name}: {reason}"
        if sentence not in self.missing:
            self.missing.append(sentence)


def _write(folder: Path, name: str, data: bytes) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
