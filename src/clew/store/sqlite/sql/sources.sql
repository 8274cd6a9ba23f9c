-- name: by_name
-- The number of a source, and the digest of its content.
SELECT source, digest FROM sources WHERE workspace = ? AND name = ?;

-- name: add
-- Make a source that has no state yet.
INSERT INTO sources (workspace, name) VALUES (?, ?) RETURNING source;

-- name: set_state
-- Note what its producer must remember of a source.
UPDATE sources SET is_present = 1, digest = ?, size = ?, mtime_ns = ?, status = ?, note = ?, seal = ?,
       changed_in = (SELECT generation + 1 FROM workspaces w WHERE w.workspace = sources.workspace)
 WHERE +workspace = ? AND source = ?;

-- name: retire
-- Forget the state of a source; its ended records keep naming it.
UPDATE sources SET is_present = 0, digest = '', size = 0, mtime_ns = 0, status = '', note = '', seal = ?,
       changed_in = (SELECT generation + 1 FROM workspaces w WHERE w.workspace = sources.workspace)
 WHERE +workspace = ? AND source = ?;

-- name: mark
-- Note that the next generation holds other postings of a source; `set_state` and `retire` note it too.
UPDATE sources SET changed_in = (SELECT generation + 1 FROM workspaces w WHERE w.workspace = sources.workspace)
 WHERE +workspace = ? AND source = ?;

-- name: count_edges
-- Count the edges of a source, so that one that is lost is missed.
UPDATE sources SET edges = (SELECT count(*) FROM edges e WHERE e.workspace = sources.workspace AND e.source = sources.source)
 WHERE +workspace = ? AND source = ?;

-- name: count_all_edges
-- Count the edges of every source of a workspace.
UPDATE sources SET edges = (SELECT count(*) FROM edges e WHERE e.workspace = sources.workspace AND e.source = sources.source)
 WHERE workspace = ?;

-- name: delete
-- Erase a source.
DELETE FROM sources WHERE +workspace = ? AND source = ?;

-- name: state
-- The state of one source.
SELECT name, digest, size, mtime_ns, status, note FROM sources WHERE workspace = ? AND name = ? AND is_present = 1;

-- name: states
-- The states of all sources whose name lies in a range of texts, or in one of bytes.
SELECT name, digest, size, mtime_ns, status, note FROM sources
 WHERE workspace = ?1 AND is_present = 1 AND name >= ?2 AND name < ?3
 UNION ALL
SELECT name, digest, size, mtime_ns, status, note FROM sources
 WHERE workspace = ?1 AND is_present = 1 AND name >= ?4 AND name < ?5;

-- name: all
-- Every source with its state, for an export.
SELECT source, name, is_present, digest, size, mtime_ns, status, note FROM sources WHERE source > 0 AND +workspace = ? ORDER BY source;
