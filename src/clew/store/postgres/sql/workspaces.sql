-- name: list
-- Every workspace of the tenant with its counts.
SELECT w.key, w.root, w.generation,
       (SELECT count(*) FROM clew.records r WHERE r.tenant = $1 AND r.workspace = w.workspace),
       (SELECT count(*) FROM clew.records r WHERE r.tenant = $1 AND r.workspace = w.workspace AND r.is_live = 1),
       (SELECT count(*) FROM clew.sources s WHERE s.tenant = $1 AND s.workspace = w.workspace AND s.is_present = 1),
       w.blob_bytes, w.stored_bytes
  FROM clew.workspaces w WHERE w.tenant = $1;

-- name: roots
-- Where each workspace stood last.
SELECT key, root FROM clew.workspaces WHERE tenant = $1;

-- name: by_key
-- The number of a workspace, its generation, and how often something was purged from it.
SELECT workspace, generation, purges FROM clew.workspaces WHERE tenant = $1 AND key = $2;

-- name: lock
-- The same, and no other transaction writes to the workspace until this one has ended.
SELECT workspace, generation, purges FROM clew.workspaces WHERE tenant = $1 AND key = $2 FOR NO KEY UPDATE;

-- name: reopen
-- Note where a workspace stands now.
UPDATE clew.workspaces SET root = $3, seal = $4 WHERE tenant = $1 AND key = $2;

-- name: open
-- Make a workspace with the tenant's next number, or note where it stands now.
WITH next AS (UPDATE clew.tenants SET workspaces = workspaces + 1 WHERE tenant = $1 RETURNING workspaces)
INSERT INTO clew.workspaces (tenant, workspace, key, root, seal)
SELECT $1, next.workspaces, $2, $3, $4 FROM next
ON CONFLICT (tenant, key) DO UPDATE SET root = excluded.root, seal = excluded.seal;

-- name: advance
-- Count one acknowledged write.
UPDATE clew.workspaces SET generation = generation + 1 WHERE tenant = $1 AND workspace = $2 RETURNING generation;

-- name: count_purge
-- Count one purge, so that an index that was built before it is not used after it.
UPDATE clew.workspaces SET purges = purges + 1 WHERE tenant = $1 AND workspace = $2;

-- name: weigh
-- Add to the bytes of originals, as they were seen and as they are stored.
UPDATE clew.workspaces SET blob_bytes = blob_bytes + $2, stored_bytes = stored_bytes + $3 WHERE tenant = $1 AND workspace = $4;
