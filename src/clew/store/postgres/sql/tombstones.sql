-- name: any
-- Whether anything was ever purged from a workspace.
SELECT 1 FROM clew.tombstones WHERE tenant = $1 AND workspace = $2 LIMIT 1;

-- name: get
-- Why and when records or originals were purged.
SELECT t.id, t.reason, t.at_ns FROM unnest($2::int[], $3::text[], $4::text[]) a(workspace, kind, id)
  JOIN clew.tombstones t ON t.tenant = $1 AND t.workspace = a.workspace AND t.kind = a.kind AND t.id = a.id;

-- name: all
-- What was purged anywhere, with the key of its workspace.
SELECT w.key, t.kind, t.id, t.reason, t.at_ns
  FROM clew.workspaces w JOIN clew.tombstones t ON t.tenant = $1 AND t.workspace = w.workspace WHERE w.tenant = $1;

-- name: raise
-- Leave marks for what was purged.
INSERT INTO clew.tombstones (tenant, workspace, kind, id, reason, at_ns)
SELECT $1, a.workspace, a.kind, a.id, a.reason, a.at_ns
  FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::bigint[]) a(workspace, kind, id, reason, at_ns)
ON CONFLICT (tenant, workspace, kind, id) DO UPDATE SET reason = excluded.reason, at_ns = excluded.at_ns;

-- name: lift
-- Originals have come back with a record that was not purged.
DELETE FROM clew.tombstones t USING unnest($2::int[], $3::text[]) a(workspace, digest)
 WHERE t.tenant = $1 AND t.workspace = a.workspace AND t.kind = 'original' AND t.id = a.digest;

-- name: of_workspace
-- What was purged from a workspace, for an export.
SELECT kind, id, reason, at_ns FROM clew.tombstones WHERE tenant = $1 AND workspace = $2 ORDER BY kind, id;
