-- name: head
-- The number and link of a writer's last entry.
SELECT seq, link FROM writers WHERE workspace = ? AND writer = ?;

-- name: set_head
-- Note a writer's last entry.
INSERT INTO writers (workspace, writer, seq, link) VALUES (?, ?, ?, ?)
ON CONFLICT (workspace, writer) DO UPDATE SET seq = excluded.seq, link = excluded.link;

-- name: add
-- Add an entry.
INSERT INTO journal (workspace, writer, seq, at_ns, source, digest, ids, link) VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: release_source
-- Say of the entries of a source that what they name is not all stored.
UPDATE journal SET source = 0 WHERE workspace = ? AND source = ?;

-- name: all
-- Every entry, for an export.
SELECT writer, seq, at_ns, source, digest, ids, link FROM journal WHERE workspace = ? ORDER BY writer, seq;

-- name: digests_at
-- The entries until a time of all sources whose name lies in a range of texts, or in one of bytes, oldest first.
SELECT s.name, j.digest, j.at_ns FROM sources s CROSS JOIN journal j ON j.workspace = ?1 AND j.source = s.source
 WHERE s.workspace = ?1 AND ((s.name >= ?3 AND s.name < ?4) OR (s.name >= ?5 AND s.name < ?6)) AND j.at_ns <= ?2 ORDER BY j.at_ns, j.row;

-- name: link
-- The link of one entry.
SELECT link FROM journal WHERE workspace = ? AND writer = ? AND seq = ?;

-- name: changes
-- The entries that set the status of a record, oldest first.
SELECT at_ns, ids FROM journal WHERE workspace = ? AND (ids LIKE '%-%' OR ids LIKE '%+%' OR ids LIKE '%~%') ORDER BY at_ns, row;

-- name: first
-- When the first entry was made.
SELECT min(at_ns) FROM journal WHERE workspace = ?;
