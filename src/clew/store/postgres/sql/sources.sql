-- name: by_name
-- The number of a source, and the digest of its content.
SELECT source, digest FROM clew.sources
 WHERE tenant = $1 AND workspace = $2 AND hashtextextended(name, 0) = hashtextextended($3, 0) AND name = $3;

-- name: add
-- Make a source that has no state yet, with the workspace's next number.
INSERT INTO clew.sources (tenant, workspace, source, name)
SELECT $1, $2, coalesce(max(source), 0) + 1, $3 FROM clew.sources WHERE tenant = $1 AND workspace = $2
RETURNING source;

-- name: set_state
-- Note what its producer must remember of a source.
UPDATE clew.sources SET is_present = 1, digest = $2, size = $3, mtime_ns = $4, status = $5, note = $6, seal = $7,
       changed_in = (SELECT generation + 1 FROM clew.workspaces w WHERE w.tenant = $1 AND w.workspace = $8)
 WHERE tenant = $1 AND workspace = $8 AND source = $9;

-- name: retire
-- Forget the state of a source; its ended records keep naming it.
UPDATE clew.sources SET is_present = 0, digest = '', size = 0, mtime_ns = 0, status = '', note = '', seal = $2,
       changed_in = (SELECT generation + 1 FROM clew.workspaces w WHERE w.tenant = $1 AND w.workspace = $3)
 WHERE tenant = $1 AND workspace = $3 AND source = $4;

-- name: mark
-- Note that the next generation holds other postings of a source; `set_state` and `retire` note it too.
UPDATE clew.sources SET changed_in = (SELECT generation + 1 FROM clew.workspaces w WHERE w.tenant = $1 AND w.workspace = $2)
 WHERE tenant = $1 AND workspace = $2 AND source = $3;

-- name: delete
-- Erase a source.
DELETE FROM clew.sources WHERE tenant = $1 AND workspace = $2 AND source = $3;

-- name: state
-- The states of sources by name.
SELECT s.name, s.digest, s.size, s.mtime_ns, s.status, s.note
  FROM unnest($2::int[], $3::text[]) a(workspace, name)
  JOIN clew.sources s ON s.tenant = $1 AND s.workspace = a.workspace AND hashtextextended(s.name, 0) = hashtextextended(a.name, 0) AND s.name = a.name
 WHERE s.is_present = 1;

-- name: states
-- The states of all sources whose name begins with a text.
SELECT name, digest, size, mtime_ns, status, note FROM clew.sources
 WHERE tenant = $1 AND workspace = $2 AND is_present = 1 AND starts_with(name, $3);

-- name: all
-- Every source with its state, for an export.
SELECT source, name, is_present, digest, size, mtime_ns, status, note FROM clew.sources WHERE tenant = $1 AND workspace = $2 ORDER BY source;
