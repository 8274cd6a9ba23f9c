-- name: list
-- Every workspace with its counts; both counts of records come from an index alone.
SELECT w.key, w.root, w.generation,
       (SELECT count(*) FROM records r WHERE r.workspace = w.workspace),
       (SELECT coalesce(sum(r.is_live), 0) FROM records r WHERE r.workspace = w.workspace),
       (SELECT coalesce(sum(s.is_present), 0) FROM sources s WHERE s.workspace = w.workspace),
       w.blob_bytes, w.stored_bytes
  FROM workspaces w;

-- name: roots
-- Where each workspace stood last.
SELECT w.key, w.root FROM workspaces w;

-- name: by_key
-- The number of a workspace, its generation, and how often something was purged from it.
SELECT workspace, generation, purges FROM workspaces WHERE key = ?;

-- name: lock
-- The same in a transaction that writes, which the workspace is locked for.
SELECT workspace, generation, purges FROM workspaces WHERE key = ?;

-- name: open
-- Make a workspace, or note where it stands now.
INSERT INTO workspaces (key, root, seal) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET root = excluded.root, seal = excluded.seal;

-- name: advance
-- Count one acknowledged write.
UPDATE workspaces SET generation = generation + 1 WHERE workspace = ? RETURNING generation;

-- name: count_purge
-- Count one purge, so that an index that was built before it is not written after it.
UPDATE workspaces SET purges = purges + 1 WHERE workspace = ?;

-- name: weigh
-- Add to the bytes of originals, as they were seen and as they are stored.
UPDATE workspaces SET blob_bytes = blob_bytes + ?, stored_bytes = stored_bytes + ? WHERE workspace = ?;
