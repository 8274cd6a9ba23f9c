"""SQLite: the embedded store, one database file per user, no server.

`store` implements the ports over the modules of `clew.store.tables`; `connections` opens files and translates errors, `migrations`
upgrades the schema, `verify`, `repair` and `salvage` are for damaged files. The SQL lies in `sql/`, each statement under its name with a
describing sentence.
"""

from clew.store.ports import RefreshResult
from clew.store.sqlite.migrations import MIGRATIONS, Migration
from clew.store.sqlite.store import SqliteStore

__all__ = ["MIGRATIONS", "Migration", "RefreshResult", "SqliteStore"]
