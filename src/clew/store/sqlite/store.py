"""SqliteStore: the store in one SQLite database file.

Several processes may read while one writes, and several threads may use one object: each read borrows a connection from a pool; writes
go one at a time through one connection, behind a lock here and SQLite's own between processes. A store must not be used after a fork.

The search index is cached by generation. If it is not in memory, it is mapped from the index file beside the database, and parts that
changed since are added; `refresh` writes a new index file if too many have.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from glob import escape
from pathlib import Path

import apsw

from clew.errors import (
    PurgeUnfinished,
    SchemaTooNew,
    StoreBusy,
    StoreClosed,
    StoreUnusable,
    StoreUnwritable,
    UnknownWorkspace,
)
from clew.records import Delta, SourceState, Tier
from clew.store import rules
from clew.store.documents import Documents
from clew.store.ports import CondenseResult, PurgeResult, RefreshResult, Snapshot, StoreDescription, Workspace, WriteResult
from clew.store.rows import ImportResult, StoredRow
from clew.store.sqlite import migrations
from clew.store.sqlite.connections import (
    BUSY_TIMEOUT_S,
    Connection,
    check_owner,
    connect,
    connect_read_only,
    enable_wal,
    make_private,
    query_header,
    read_header,
    translate_errors,
)
from clew.store.tables import changes, exchange, packs, purging
from clew.store.tables.codec import compute_seal, decode_text, encode_text
from clew.store.tables.indexing import IndexCache, WorkspaceCounters
from clew.store.tables.reading import ReadCache, TableRows, translate_unpack_errors
from clew.store.tombstones import Tombstone, read_tombstones, tombstone_path, write_tombstones

_TOUCH_WAIT_S = 0.02  # for another writer: counting a use must not delay an answer by more
INDEX_FILE_BYTES_MIN = 1 << 20  # of packed postings, some 3,000 records: less is joined in 35 ms, a tenth of what a command takes to start
_POOL_MAX = 8  # guess: connections kept open for reading; more readers at once open their own for the call


class SqliteStore:
    """A Writer over one SQLite database file, which threads may share and several processes may open."""

    def __init__(
        self,
        path: Path,
        *,
        is_read_only: bool = False,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        index_file_bytes_min: int = INDEX_FILE_BYTES_MIN,
        steps: Sequence[migrations.Migration] = migrations.MIGRATIONS,
    ) -> None:
        """Open the database at `path`, creating or migrating it as needed.

        is_read_only    do not create or migrate it; every writing method raises StoreUnwritable. Also works on a read-only disk.
        busy_timeout_s  how long to wait for another writer.
        index_file_bytes_min  of packed postings from which a workspace's index is kept in a file.
        steps           the migrations that lead to the newest schema.
        Raises StoreUnwritable, StoreBusy, StoreUnusable, SchemaTooNew; a file that is refused is left as it is.
        """
        migrations.check_migrations(steps)
        self.path, self.busy_timeout_s, self.is_read_only = path, busy_timeout_s, is_read_only
        self._is_closed = False
        self._write_lock = threading.Lock()
        self._pool_lock = threading.Lock()
        self._idle: list[Connection] = []
        self._recent = ReadCache()
        self._write_connection: Connection | None = None
        self._indexes = IndexCache(path.with_name(f"{path.name}.snapshots"), file_bytes_min=index_file_bytes_min)
        header = read_header(path)
        if header is not None:
            check_owner(path, header, len(steps))
        try:
            if is_read_only:
                self._open_reading(len(steps), is_missing=header is None)
            else:
                self._open_writing(steps)
            with self._reading() as connection:
                identity = connection.fetch_one("meta.identity")
            if identity is None or not isinstance(identity[0], bytes):
                raise StoreUnusable(path, "has lost what tells it from another database at its path")
            self._indexes.identity = identity[0]
        except BaseException:
            self.close()
            raise

    # -- Reader ---------------------------------------------------------------------------------

    def describe(self) -> StoreDescription:
        """Return the path of the file, the bytes of it and of what lies beside it, and its schema."""
        files = [file for file in self.path.parent.glob(f"{escape(self.path.name)}*") if file.is_file()]
        with self._reading() as connection:
            return StoreDescription(str(self.path), sum(file.stat().st_size for file in files), query_header(connection).schema)

    def workspaces(self) -> list[Workspace]:
        """Return every workspace, ordered by key; `records` counts a record once for each source that holds it."""
        with self._reading() as connection:
            rows = connection.fetch_all("workspaces.list")
        described = [Workspace(decode_text(row[0]), decode_text(row[1]), *row[2:]) for row in rows]
        return sorted(described, key=lambda workspace: workspace.key)

    def roots(self) -> list[tuple[str, str]]:
        """Return (key, root) of every workspace, ordered by key."""
        with self._reading() as connection:
            return sorted((decode_text(key), decode_text(root)) for key, root in connection.fetch_all("workspaces.roots"))

    def snapshot(self, tenant: str, workspace: str, as_of_ns: int = 0, known_by_ns: int = 0) -> Snapshot:
        """Open one workspace for reading, now or as of a time; it borrows a connection until it is closed."""
        lent = contextlib.ExitStack()
        connection = lent.enter_context(self._reading())
        try:
            space = _space(connection, rules.stored_key(tenant, workspace))
        except BaseException:
            lent.close()
            raise

        def documents() -> Documents:
            with self._indexes.lock:
                return self._indexes.get(connection, space)

        def keep(recent: ReadCache) -> None:
            self._recent = recent

        rows = TableRows(
            connection, space, self.path, translate=lambda: translate_errors(self.path, self.busy_timeout_s, is_writing=False),
            documents=documents, recent=self._recent, keep=keep, give_back=lent.close,
        )  # fmt: skip
        return Snapshot(rows, as_of_ns, known_by_ns)

    def export_rows(self, workspaces: Sequence[str]) -> Generator[StoredRow]:
        """Yield all that these workspaces hold, from one read transaction, which lasts until the generator is exhausted or closed."""
        with self._reading() as connection, translate_unpack_errors(self.path):
            for key in workspaces:
                yield from exchange.read_rows(connection, _written(connection, key).number, key)

    def list_tombstones(self) -> list[Tombstone]:
        """Return what was ever purged from the database, of all workspaces, in no order."""
        with self._reading() as connection:
            return _list_tombstones(connection)

    def find_faults_beside(self) -> list[str]:
        """Return in words what is wrong with the files beside the database: the list of what was purged, and the index files."""
        listed, stored = read_tombstones(self.path) or [], self.list_tombstones()
        found = [f"{tombstone_path(self.path)}: does not list what was purged"] if set(listed) != set(stored) else []
        faults = {key: self._indexes.find_fault(key) for key, _ in self.roots()}
        return found + [f"the search index of workspace {key} in {self._indexes.folder}: {fault}" for key, fault in faults.items() if fault]

    def rewrite_beside(self) -> None:
        """Write the files beside the database anew: the list of what was purged, and the index files. Raises StoreUnwritable."""
        with self._writing() as connection:
            self._note_graves(connection)
        for key, _ in self.roots():
            try:
                self._indexes.drop(key)
            except OSError as error:
                raise StoreUnwritable(self._indexes.folder, error.strerror or str(error)) from error
            self.refresh(key)

    def close(self) -> None:
        """Close all connections after the write under way; indexes that were handed out stay usable."""
        with self._write_lock, self._pool_lock:
            self._is_closed = True
            connections = [*self._idle, *([self._write_connection] if self._write_connection else [])]
            self._idle, self._write_connection = [], None
            self._indexes.clear()
            for connection in connections:
                connection.close()

    # -- Writer ---------------------------------------------------------------------------------

    def open_workspace(self, key: str, root: str) -> None:
        """Create the workspace if it is new, and set its folder. Raises StoreUnwritable, StoreBusy."""
        with self._writing() as connection:
            connection.execute("workspaces.open", encode_text(key), encode_text(root), compute_seal(encode_text(key), encode_text(root)))

    def apply(self, workspace: str, deltas: Sequence[Delta], at_ns: int = 0) -> WriteResult:
        """Apply all deltas in one transaction at a time, and return the counts of changed records.

        Many deltas in one call are much cheaper than many calls. The index file is not updated; call `refresh` after a series of calls.
        Raises InvalidDelta, UnknownWorkspace, StoreUnwritable, StoreBusy; then nothing was stored.
        """
        with self._writing() as connection:
            space = _written(connection, workspace)
            if not deltas:
                return WriteResult(space.generation)
            counts = changes.write_deltas(connection, space.number, deltas, at_ns, self._indexes.identity.hex())
            return WriteResult(_advance(connection, space), **counts)

    def move(self, workspace: str, ids: Sequence[str], tier: Tier) -> int:
        """Set the tier of these records, and return how many had another one. Raises UnknownWorkspace, StoreUnwritable, StoreBusy."""
        with self._writing() as connection:
            space = _written(connection, workspace)
            moved = 0
            for record_id in dict.fromkeys(ids):
                moved += connection.execute("records.move", int(tier), space.number, encode_text(record_id)) > 0
            if moved:
                _advance(connection, space)
            return moved

    def replace_state(self, workspace: str, before: SourceState, after: SourceState) -> bool:
        """Replace the state of a source if it is still `before`, and return whether it was. Raises as `apply` does."""
        with self._writing() as connection:
            return changes.replace_state(connection, _written(connection, workspace).number, before, after)

    def condense(self, workspace: str, source: str, bytes_max: int) -> CondenseResult:
        """Shorten the rows of archived records of a source, and pack the originals that nothing else needs; the generation stays.

        Raises UnknownWorkspace, StoreUnwritable, StoreBusy, and StoreUnusable where an original could not be read back.
        Cost  about 60 ms for each MB of originals.
        """
        with self._writing() as connection, translate_unpack_errors(self.path):
            return packs.condense(connection, _written(connection, workspace).number, source, bytes_max)

    def touch(self, workspace: str, ids: Sequence[str], at_ns: int) -> None:
        """Count a use of each of these records at a time. Raises StoreBusy after _TOUCH_WAIT_S."""
        with self._writing(_TOUCH_WAIT_S) as connection:
            number = _written(connection, workspace).number
            connection.execute_many("records.touch", [(at_ns, number, encode_text(record_id)) for record_id in dict.fromkeys(ids)])

    def purge(self, workspace: str, ids: Sequence[str], reason: str, at_ns: int) -> PurgeResult:
        """Erase records, leaving tombstones, and delete the index file and all backups, which hold copies; return the counts.

        Raises PurgeUnfinished if the records are erased, but a copy cannot be: in the log, a backup, or a database set aside as damaged.
        """
        return self._purge(workspace, lambda connection, number: purging.purge_records(connection, number, ids, reason, at_ns))

    def purge_source(self, workspace: str, source: str, reason: str, at_ns: int) -> PurgeResult:
        """Erase a source with its records, except those that another source also holds. Deletes copies and raises as `purge` does."""
        return self._purge(workspace, lambda connection, number: purging.purge_source(connection, number, source, reason, at_ns))

    def import_rows(self, rows: Iterable[StoredRow]) -> ImportResult:
        """Add what the database lacks of these rows, in one transaction. Other writers wait meanwhile, readers do not.

        Raises InvalidExport, StoreUnwritable, StoreBusy; then nothing was stored.
        Cost  about 120 µs a record, with its share of originals and postings; as many bytes of log as are stored.
        """
        with self._writing() as connection:
            imported = exchange.write_rows(connection, rows)
            if imported.tombstones:
                self._note_graves(connection)
            return imported

    def refresh(self, workspace: str) -> RefreshResult:
        """Write a new index file if there is none, or if too much has changed since it was written. Call it after bulk work.

        The file is only a cache: if it cannot be written, the result says why.
        Cost  up to a second per 100,000 records when it is written; a few milliseconds otherwise.
        """
        if self.is_read_only:
            return RefreshResult(is_written=False, reason="the store was opened for reading only")
        try:
            with self._indexes.lock:
                return self._refresh(workspace)
        except (OSError, StoreBusy, StoreUnwritable) as error:
            return RefreshResult(is_written=False, reason=str(error))

    # -- opening --------------------------------------------------------------------------------

    def _open_writing(self, steps: Sequence[migrations.Migration]) -> None:
        make_private(self.path)
        connection = connect(self.path, self.busy_timeout_s)
        try:
            migrations.check_schema(connection, self.path, len(steps), self.busy_timeout_s)
            enable_wal(connection, self.path, self.busy_timeout_s)
            migrations.migrate(connection, self.path, steps, self.busy_timeout_s)
        except SchemaTooNew:
            # Its log may hold what only the newer release may apply to the file.
            connection.raw.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.close()
            raise
        except BaseException:
            connection.close()
            raise
        self._write_connection = connection
        if not tombstone_path(self.path).exists():
            with translate_errors(self.path, self.busy_timeout_s, is_writing=True):
                self._note_graves(connection)

    def _note_graves(self, connection: Connection) -> None:
        """Write the tombstone file if anything was purged. Raises StoreUnwritable."""
        found = _list_tombstones(connection)
        if found:
            try:
                write_tombstones(self.path, found)
            except OSError as error:
                raise StoreUnwritable(tombstone_path(self.path), error.strerror or str(error)) from error

    def _open_reading(self, known: int, *, is_missing: bool) -> None:
        if is_missing:
            raise StoreUnusable(self.path, "does not exist, and cannot be made by a reader", "`clew index` makes it")
        with self._reading() as connection:
            header = query_header(connection)
        check_owner(self.path, header, known)
        if header.schema != known:
            raise StoreUnwritable(self.path, f"schema {header.schema} must be migrated to {known}, and it was opened for reading only")

    # -- transactions ---------------------------------------------------------------------------

    @contextlib.contextmanager
    def _reading(self) -> Generator[Connection]:
        """Borrow a connection from the pool, in a read transaction."""
        with self._pool_lock:
            if self._is_closed:
                raise StoreClosed(self.path)
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = connect_read_only(self.path, self.busy_timeout_s)
        try:
            with translate_errors(self.path, self.busy_timeout_s, is_writing=False), connection.transaction("DEFERRED"):
                yield connection
        finally:
            with self._pool_lock:
                is_kept = not self._is_closed and len(self._idle) < _POOL_MAX
                if is_kept:
                    self._idle.append(connection)
            if not is_kept:
                connection.close()

    @contextlib.contextmanager
    def _writing(self, wait_s: float | None = None) -> Generator[Connection]:
        """Borrow the writing connection, in a transaction that is committed, or rolled back by any exception."""
        wait_s = self.busy_timeout_s if wait_s is None else min(wait_s, self.busy_timeout_s)
        if self.is_read_only:
            raise StoreUnwritable(self.path, "it was opened for reading only")
        if not self._write_lock.acquire(timeout=wait_s):
            raise StoreBusy(self.path, wait_s)
        try:
            connection = self._write_connection
            if connection is None:
                raise StoreClosed(self.path)
            connection.set_busy_timeout(wait_s)
            with translate_errors(self.path, wait_s, is_writing=True), connection.transaction("IMMEDIATE"):
                yield connection
        finally:
            self._write_lock.release()

    # -- inside ---------------------------------------------------------------------------------

    def _refresh(self, workspace: str) -> RefreshResult:
        with self._reading() as connection:
            space = _space(connection, workspace)
            changed, fresh = self._indexes.write_if_due(connection, space)
        if fresh is None:
            return RefreshResult(is_written=False, parts_changed=changed)
        try:
            with self._writing() as connection:
                if _space(connection, workspace).purges != space.purges:  # it holds what was purged while it was written
                    return RefreshResult(is_written=False, parts_changed=changed, reason="a purge came between")
                self._indexes.install(space, fresh)
        finally:
            fresh.unlink(missing_ok=True)
        return RefreshResult(is_written=True, parts_changed=changed)

    def _purge(self, workspace: str, erase: Callable[[Connection, int], PurgeResult | None]) -> PurgeResult:
        with self._writing() as connection:
            space = _written(connection, workspace)
            try:
                self._indexes.drop(workspace)
                purge = erase(connection, space.number)
                if purge is not None:
                    connection.execute("workspaces.count_purge", space.number)
                    self._note_graves(connection)
                    _advance(connection, space)
            except OSError as error:
                raise StoreUnwritable(self.path, f"the snapshot cannot be erased: {error.strerror}") from error
        # The rows are erased from here on; their copies follow, also those that an earlier call could not delete.
        with self._write_lock:
            self._scrub()
        return purge or PurgeResult(0, 0, 0)

    def _scrub(self) -> None:
        """Delete the backups, apply the log to the file and truncate it. Raises PurgeUnfinished."""
        try:
            for backup in sorted(self.path.parent.glob(f"{escape(self.path.name)}.bak-*")):
                backup.unlink()
        except OSError as error:
            raise PurgeUnfinished(self.path, f"a backup cannot be removed ({error.strerror})") from error
        aside = sorted(file for word in ("damaged", "replaced") for file in self.path.parent.glob(f"{escape(self.path.name)}.{word}-*"))
        left = [file.name for file in aside if not file.name.endswith(("-wal", "-shm"))]
        connection = self._write_connection
        if connection is None:
            raise StoreClosed(self.path)
        try:
            connection.raw.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except (apsw.BusyError, apsw.LockedError) as error:
            raise PurgeUnfinished(self.path, "another process still reads the state before the purge") from error
        except apsw.Error as error:
            raise PurgeUnfinished(self.path, f"the log cannot be cleared ({error})") from error
        if left:  # not deleted: only the user knows whether it is still needed
            raise PurgeUnfinished(self.path, f"{', '.join(left)} was set aside, and is as it was", "take it away")


def _list_tombstones(connection: Connection) -> list[Tombstone]:
    rows = connection.fetch_all("tombstones.all")
    return [Tombstone(decode_text(row[0]), row[1], decode_text(row[2]), decode_text(row[3]), row[4]) for row in rows]


def _space(connection: Connection, workspace: str) -> WorkspaceCounters:
    row = connection.fetch_one("workspaces.by_key", encode_text(workspace))
    return WorkspaceCounters(workspace, *row) if row else WorkspaceCounters(workspace)


def _written(connection: Connection, workspace: str) -> WorkspaceCounters:
    space = _space(connection, workspace)
    if not space.number:
        raise UnknownWorkspace(workspace)
    return space


def _advance(connection: Connection, space: WorkspaceCounters) -> int:
    ((generation,),) = connection.fetch_all("workspaces.advance", space.number)
    return generation
