-- name: any
-- Whether anything was ever purged from a workspace.
SELECT 1 FROM tombstones WHERE workspace = ? LIMIT 1;

-- name: get
-- Why and when a record or an original was purged.
SELECT id, reason, at_ns FROM tombstones WHERE workspace = ? AND kind = ? AND id = ?;

-- name: all
-- What was purged anywhere, with the key of its workspace: for the file beside the database, with each purge.
SELECT w.key, t.kind, t.id, t.reason, t.at_ns FROM workspaces w CROSS JOIN tombstones t ON t.workspace = w.workspace;

-- name: raise
-- Leave a mark for what was purged.
INSERT INTO tombstones (workspace, kind, id, reason, at_ns) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (workspace, kind, id) DO UPDATE SET reason = excluded.reason, at_ns = excluded.at_ns;

-- name: lift
-- An original has come back with a record that was not purged.
DELETE FROM tombstones WHERE workspace = ? AND kind = 'original' AND id = ?;

-- name: of_workspace
-- What was purged from a workspace, for an export.
SELECT kind, id, reason, at_ns FROM tombstones WHERE workspace = ? ORDER BY kind, id;
