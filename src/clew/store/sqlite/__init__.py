"""SQLite: the embedded store, one database file per user, no server.

`store` implements the ports; `connections` opens files and translates errors, `migrations` upgrades the schema, `changes` and
`purging` write, `reading` reads, `indexing` and `index_files` hold the search index, `codec` converts records to rows. The SQL lies in
`sql/`, each statement under its name with a describing sentence.
"""

from clew.store.ports import RefreshResult
from clew.store.sqlite.migrations import MIGRATIONS, Migration
from clew.store.sqlite.store import SqliteStore

__all__ = ["MIGRATIONS", "Migration", "RefreshResult", "SqliteStore"]
