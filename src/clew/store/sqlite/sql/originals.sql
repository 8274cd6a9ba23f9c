-- name: exists
-- Whether an original is stored.
SELECT digest FROM originals WHERE workspace = ? AND digest = ?;

-- name: get
-- An original as it is stored.
SELECT digest, packing, data, pack, pack_start, size FROM originals WHERE workspace = ? AND digest = ?;

-- name: add
-- Store an original.
INSERT INTO originals (workspace, digest, size, packing, data) VALUES (?, ?, ?, ?, ?);

-- name: name
-- Note that a source brought, or points into, an original.
INSERT INTO original_sources (workspace, source, digest) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

-- name: of_source
-- Every original that a source ever named.
SELECT digest FROM original_sources WHERE workspace = ? AND source = ?;

-- name: sources
-- The sources that ever named an original.
SELECT source FROM original_sources WHERE workspace = ? AND digest = ?;

-- name: delete
-- Erase an original that stands in no pack; answers the bytes that it had, and those that it took.
DELETE FROM originals WHERE workspace = ? AND digest = ? AND pack = 0 RETURNING size, length(data);

-- name: unname
-- Forget that a source named an original.
DELETE FROM original_sources WHERE workspace = ? AND source = ? AND digest = ?;

-- name: all_names
-- Which source named which original, for an export.
SELECT source, digest FROM original_sources WHERE workspace = ? ORDER BY source, digest;

-- name: all
-- Every original that stands by itself, for an export.
SELECT digest, packing, data, pack, pack_start, size FROM originals WHERE row > 0 AND +pack = 0 AND +workspace = ? ORDER BY row;

-- name: size
-- How long an original is.
SELECT size FROM originals WHERE workspace = ? AND digest = ?;

-- name: named_but_absent
-- An original that a source names and that is not stored.
SELECT n.digest FROM original_sources n
 WHERE n.workspace = ?1 AND NOT EXISTS (SELECT 1 FROM originals o WHERE o.workspace = ?1 AND o.digest = n.digest) LIMIT 1;
