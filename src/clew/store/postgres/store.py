"""PostgresStore: the store of one tenant in a PostgreSQL database.

Any number of processes and machines may read and write: a write holds a lock on its workspace's row until it ends, a snapshot is one
REPEATABLE READ transaction. Threads may share one object. What a call acknowledged is on the server's disk.

The search index is cached by generation, in memory and in files of this machine that any process can make again from the server's rows.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from clew.errors import BadStoreAddress, StoreBusy, StoreError, StoreUnwritable, UnknownWorkspace
from clew.records import Delta, SourceState, Tier
from clew.store import rules
from clew.store.documents import Documents
from clew.store.ports import CondenseResult, PurgeResult, RefreshResult, Snapshot, StoreDescription, Workspace, WriteResult
from clew.store.postgres import migrations
from clew.store.postgres.connections import BUSY_TIMEOUT_S, CONNECT_TIMEOUT_S, ConnectionPool, ServerConnection, translate_errors
from clew.store.rows import ImportResult, StoredRow
from clew.store.tables import changes, exchange, purging
from clew.store.tables.codec import compute_seal, encode_text
from clew.store.tables.indexing import IndexCache, WorkspaceCounters
from clew.store.tables.reading import ReadCache, TableRows, translate_unpack_errors
from clew.store.tombstones import Tombstone

_TOUCH_WAIT_S = 0.02  # for another writer: counting a use must not delay an answer by more
_READING = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITING = "ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = "
_VACUUM = b"VACUUM clew.records, clew.segments, clew.edges, clew.originals, clew.original_sources, clew.sources"


class PostgresStore:
    """A Writer over one tenant of a PostgreSQL database, which threads may share and many processes may open."""

    def __init__(
        self,
        address: str,
        cache: Path,
        *,
        tenant: str = rules.LOCAL,
        is_read_only: bool = False,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        steps: tuple[migrations.Step, ...] = migrations.STEPS,
    ) -> None:
        """Connect to the database at `address`, making or upgrading its schema as needed.

        address         postgresql://USER@HOST:PORT/DATABASE?option=value, as libpq reads it; PGHOST and the like say what is left out.
        cache           folder for index files of this machine.
        tenant          whose rows are read and written; callers name it LOCAL.
        is_read_only    do not make or upgrade the schema; every writing method raises StoreUnwritable.
        busy_timeout_s  how long to wait for another writer of the same workspace.
        Raises BadStoreAddress, StoreUnreachable, StoreUnwritable, StoreUnusable, SchemaTooNew.
        """
        self.place, complete = _read_address(address)
        self.tenant, self.busy_timeout_s, self.is_read_only = tenant, busy_timeout_s, is_read_only
        self._pool = ConnectionPool(complete, self.place)
        self._recent = ReadCache()
        self._indexes = IndexCache(cache, is_shared=True)
        try:
            with translate_errors(self.place, busy_timeout_s):
                self._open(steps)
        except BaseException:
            self.close()
            raise

    # -- Reader ---------------------------------------------------------------------------------

    def describe(self) -> StoreDescription:
        """Return the address without its password, the bytes of the tables of all tenants, and the schema."""
        with self._reading(self.tenant) as connection:
            row = connection.fetch_one("tenants.describe")
        return StoreDescription(self.place, *(row or (0, 0)))

    def workspaces(self) -> list[Workspace]:
        """Return every workspace, ordered by key; `records` counts a record once for each source that holds it."""
        with self._reading(self.tenant) as connection:
            rows = connection.fetch_all("workspaces.list")
        return sorted((Workspace(*row) for row in rows), key=lambda workspace: workspace.key)

    def roots(self) -> list[tuple[str, str]]:
        """Return (key, root) of every workspace, ordered by key."""
        with self._reading(self.tenant) as connection:
            return sorted((key, root) for key, root in connection.fetch_all("workspaces.roots"))

    def snapshot(self, tenant: str, workspace: str, as_of_ns: int = 0, known_by_ns: int = 0) -> Snapshot:
        """Open one workspace for reading, now or as of a time; it borrows a connection until it is closed."""
        owner = self.tenant if tenant == rules.LOCAL else tenant
        lent = contextlib.ExitStack()
        connection = lent.enter_context(self._reading(owner))
        try:
            with translate_errors(self.place, self.busy_timeout_s):
                space = _space(connection, owner, workspace)
        except BaseException:
            lent.close()
            raise

        def documents() -> Documents:
            with self._indexes.lock:
                return self._indexes.get(connection, space)

        def keep(recent: ReadCache) -> None:
            self._recent = recent

        rows = TableRows(
            connection, space, self.place, translate=lambda: translate_errors(self.place, self.busy_timeout_s),
            documents=documents, recent=self._recent, keep=keep, give_back=lent.close,
        )  # fmt: skip
        return Snapshot(rows, as_of_ns, known_by_ns)

    def export_rows(self, workspaces: Sequence[str]) -> Generator[StoredRow]:
        """Yield all that these workspaces hold, from one read transaction, which lasts until the generator is exhausted or closed."""
        with self._reading(self.tenant) as connection, translate_unpack_errors(self.place):
            for key in workspaces:
                space = _space(connection, self.tenant, key)
                if not space.number:
                    raise UnknownWorkspace(key)
                yield from exchange.read_rows(connection, space.number, key)

    def list_tombstones(self) -> list[Tombstone]:
        """Return what was ever purged from the tenant's workspaces, in no order."""
        with self._reading(self.tenant) as connection:
            return [Tombstone(*row) for row in connection.fetch_all("tombstones.all")]

    def close(self) -> None:
        """Close all connections that are not in use; indexes that were handed out stay usable."""
        self._pool.close()
        self._indexes.clear()

    # -- Writer ---------------------------------------------------------------------------------

    def open_workspace(self, key: str, root: str) -> None:
        """Create the workspace if it is new, and set its folder. Raises StoreUnwritable, StoreBusy, StoreUnreachable."""
        stored = (encode_text(key), encode_text(root))
        with self._writing() as connection:
            if not connection.execute("workspaces.reopen", *stored, compute_seal(*stored)):
                connection.execute("workspaces.open", *stored, compute_seal(*stored))

    def apply(self, workspace: str, deltas: Sequence[Delta], at_ns: int = 0) -> WriteResult:
        """Apply all deltas in one transaction, and return the counts of changed records.

        Many deltas in one call are much cheaper than many calls.
        Raises InvalidDelta, UnknownWorkspace, StoreUnwritable, StoreBusy, StoreUnreachable; then nothing was stored, unless `is_lost`.
        """
        with self._writing() as connection:
            space = self._locked(connection, workspace)
            if not deltas:
                return WriteResult(space.generation)
            counts = changes.write_deltas(connection, space.number, deltas, at_ns, self._indexes.identity.hex())
            return WriteResult(_advance(connection, space), **counts)

    def condense(self, workspace: str, source: str, bytes_max: int) -> CondenseResult:  # noqa: ARG002 - as the port
        """Do nothing: the server stores each original by itself."""
        return CondenseResult()

    def move(self, workspace: str, ids: Sequence[str], tier: Tier) -> int:
        """Set the tier of these records, and return how many had another one. Raises as `apply` does."""
        with self._writing() as connection:
            space = self._locked(connection, workspace)
            moved = 0
            for record_id in dict.fromkeys(ids):
                moved += connection.execute("records.move", int(tier), space.number, encode_text(record_id)) > 0
            if moved:
                _advance(connection, space)
            return moved

    def replace_state(self, workspace: str, before: SourceState, after: SourceState) -> bool:
        """Replace the state of a source if it is still `before`, and return whether it was. Raises as `apply` does."""
        with self._writing() as connection:
            return changes.replace_state(connection, self._locked(connection, workspace).number, before, after)

    def touch(self, workspace: str, ids: Sequence[str], at_ns: int) -> None:
        """Count a use of each of these records at a time. Raises StoreBusy after _TOUCH_WAIT_S."""
        with self._writing(_TOUCH_WAIT_S) as connection:
            space = _space(connection, self.tenant, workspace)
            if not space.number:
                raise UnknownWorkspace(workspace)
            connection.execute_many("records.touch", [(at_ns, space.number, encode_text(record_id)) for record_id in dict.fromkeys(ids)])

    def purge(self, workspace: str, ids: Sequence[str], reason: str, at_ns: int) -> PurgeResult:
        """Erase records, leaving tombstones, and the index file of this machine; return the counts.

        The server keeps its own copies in its log and its backups for a time, see docs/server.md. Raises as `apply` does.
        """
        return self._purge(workspace, lambda connection, number: purging.purge_records(connection, number, ids, reason, at_ns))

    def purge_source(self, workspace: str, source: str, reason: str, at_ns: int) -> PurgeResult:
        """Erase a source with its records, except those that another source also holds. Deletes and raises as `purge` does."""
        return self._purge(workspace, lambda connection, number: purging.purge_source(connection, number, source, reason, at_ns))

    def import_rows(self, rows: Iterable[StoredRow]) -> ImportResult:
        """Add what the database lacks of these rows, in one transaction. Other writers of the same workspaces wait meanwhile.

        Raises InvalidExport, and as `apply` does; then nothing was stored.
        """
        with self._writing() as connection:
            return exchange.write_rows(connection, rows)

    def refresh(self, workspace: str) -> RefreshResult:
        """Write a new index file of this machine if there is none, or if too much has changed since it was written."""
        if self.is_read_only:
            return RefreshResult(is_written=False, reason="the store was opened for reading only")
        try:
            with self._indexes.lock, self._reading(self.tenant) as connection:
                space = _space(connection, self.tenant, workspace)
                changed, fresh = self._indexes.write_if_due(connection, space)
                if fresh is None:
                    return RefreshResult(is_written=False, parts_changed=changed)
                try:
                    self._indexes.install(space, fresh)
                finally:
                    fresh.unlink(missing_ok=True)
                return RefreshResult(is_written=True, parts_changed=changed)
        except (OSError, StoreError) as error:
            return RefreshResult(is_written=False, reason=str(error))

    # -- inside ---------------------------------------------------------------------------------

    def _open(self, steps: tuple[migrations.Step, ...]) -> None:
        connection = self._pool.connect()
        try:
            known = len(steps)
            if not self.is_read_only:
                migrations.migrate(connection, self.place, steps)
            elif (found := migrations.check(connection, self.place, known)) != known:
                raise StoreUnwritable(self.place, f"schema {found} must be upgraded to {known}, and it was opened for reading only")
            self._pool.role = connection.role = migrations.find_role(connection, is_read_only=self.is_read_only)
            if connection.raw.execute("SHOW synchronous_commit").fetchone() == ("off",):
                self._pool.must_wait_for_disk = True
        finally:
            connection.close()
        if not self.is_read_only:
            with self._writing() as connection:
                connection.execute("tenants.add", os.urandom(16))
        with self._reading(self.tenant) as connection:
            found = connection.fetch_one("tenants.identity")
            self._indexes.identity = found[0] if found else b""

    @contextlib.contextmanager
    def _reading(self, tenant: str) -> Generator[ServerConnection]:
        """Borrow a connection, in a read transaction of a tenant."""
        with translate_errors(self.place, self.busy_timeout_s):
            connection = self._pool.borrow(tenant, _READING)
            try:
                yield connection
            finally:
                connection.end(is_committed=False)
                self._pool.give_back(connection)

    @contextlib.contextmanager
    def _writing(self, wait_s: float | None = None) -> Generator[ServerConnection]:
        """Borrow a connection, in a transaction that is committed, or rolled back by any exception."""
        wait_s = self.busy_timeout_s if wait_s is None else min(wait_s, self.busy_timeout_s)
        if self.is_read_only:
            raise StoreUnwritable(self.place, "it was opened for reading only")
        with translate_errors(self.place, wait_s):
            connection = self._pool.borrow(self.tenant, f"{_WRITING}{max(1, int(wait_s * 1000))}")
            is_committed = False
            try:
                yield connection
                connection.end(is_committed=True)
                is_committed = True
            finally:
                if not is_committed:
                    connection.end(is_committed=False)
                self._pool.give_back(connection)

    def _locked(self, connection: ServerConnection, workspace: str) -> WorkspaceCounters:
        row = connection.fetch_one("workspaces.lock", encode_text(workspace))
        if row is None:
            raise UnknownWorkspace(workspace)
        return WorkspaceCounters(_cache_key(self.tenant, workspace), *row)

    def _purge(self, workspace: str, erase: Callable[[ServerConnection, int], PurgeResult | None]) -> PurgeResult:
        with self._writing() as connection:
            space = self._locked(connection, workspace)
            try:
                self._indexes.drop(space.key)
            except OSError as error:
                raise StoreUnwritable(self._indexes.folder, f"the snapshot cannot be erased: {error.strerror}") from error
            purge = erase(connection, space.number)
            if purge is not None:
                connection.execute("workspaces.count_purge", space.number)
                _advance(connection, space)
        if purge is not None:
            self._vacuum()
        return purge or PurgeResult(0, 0, 0)

    def _vacuum(self) -> None:
        """Have the server reuse the room of erased rows now, as far as this role may; otherwise it does so by itself, later."""
        with contextlib.suppress(psycopg.Error, StoreBusy):
            connection = self._pool.connect()
            try:
                connection.raw.execute(b"SET lock_timeout = '2s'")
                connection.raw.execute(_VACUUM)
            finally:
                connection.close()


def _read_address(address: str) -> tuple[str, str]:
    """Return an address as it is shown, without its password, and in full. Raises BadStoreAddress."""
    try:
        parts = conninfo_to_dict(address)
    except psycopg.ProgrammingError as error:
        raise BadStoreAddress from error
    shown = "postgresql://" + (f"{parts['user']}@" if parts.get("user") else "") + str(parts.get("host") or "")
    shown += (f":{parts['port']}" if parts.get("port") else "") + f"/{parts.get('dbname') or ''}"
    defaults = {"connect_timeout": CONNECT_TIMEOUT_S, "keepalives_idle": 30, "tcp_user_timeout": 30_000, "application_name": "clew"}
    return shown, make_conninfo(address, **{name: value for name, value in defaults.items() if name not in parts})


def _cache_key(tenant: str, workspace: str) -> str:
    return f"{tenant}\n{workspace}"


def _space(connection: ServerConnection, tenant: str, workspace: str) -> WorkspaceCounters:
    row = connection.fetch_one("workspaces.by_key", encode_text(workspace))
    return WorkspaceCounters(_cache_key(tenant, workspace), *(row or ()))


def _advance(connection: ServerConnection, space: WorkspaceCounters) -> int:
    ((generation,),) = connection.fetch_all("workspaces.advance", space.number)
    return generation
