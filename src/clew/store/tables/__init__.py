"""Tables: what the stores over an SQL database share, whatever the engine.

`changes` and `purging` write, `reading` reads, `exchange` exports and imports, `indexing` and `index_files` hold the search index, and
`codec` converts records to rows. They run statements by name through a `connection.Connection`; each engine has those statements in its own
dialect, in the folder `sql/` of `clew.store.sqlite` or `clew.store.postgres`, and `statements` loads them.
"""
