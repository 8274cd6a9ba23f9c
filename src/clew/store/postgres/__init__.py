"""PostgreSQL: the store of a team, in a database on a server.

`store` implements the ports over the modules of `clew.store.tables`; `connections` opens and keeps connections and translates errors,
`migrations` makes and upgrades the schema. The SQL lies in `sql/`, each statement under its name with a describing sentence. Needs the
extra `clew[server]`.
"""

from clew.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
