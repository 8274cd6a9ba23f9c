-- name: any_table
-- Whether the database holds anything at all, ours or another program's.
SELECT 1 FROM sqlite_schema LIMIT 1;

-- name: identity
-- The random mark that tells this database from another one at the same path.
SELECT value FROM meta WHERE name = 'identity';
