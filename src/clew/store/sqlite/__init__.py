"""SQLite: the embedded store, one file per user, no server.

`store` holds the ports; `connections` opens files and names what went wrong with them, `migrations`
brings old ones up to date, `changes` and `purging` are the two ways to write, `indexing` and
`snapshots` keep the index, `codec` turns nouns into rows. The SQL lies in `sql/`, each statement under
its name and a sentence, and the schema in `migrations/`.
"""

from clew.store.ports import RefreshResult
from clew.store.sqlite.migrations import MIGRATIONS, Migration
from clew.store.sqlite.store import SqliteStore

__all__ = ["MIGRATIONS", "Migration", "RefreshResult", "SqliteStore"]
