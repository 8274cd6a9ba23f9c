-- name: head
-- The number and link of a writer's last entry.
SELECT seq, link FROM clew.writers WHERE tenant = $1 AND workspace = $2 AND writer = $3;

-- name: set_head
-- Note a writer's last entry.
INSERT INTO clew.writers (tenant, workspace, writer, seq, link) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, workspace, writer) DO UPDATE SET seq = excluded.seq, link = excluded.link;

-- name: add
-- Add an entry.
INSERT INTO clew.journal (tenant, workspace, writer, seq, at_ns, source, digest, ids, link) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: release_source
-- Say of the entries of a source that what they name is not all stored.
UPDATE clew.journal SET source = 0 WHERE tenant = $1 AND workspace = $2 AND source = $3;

-- name: all
-- Every entry, for an export.
SELECT writer, seq, at_ns, source, digest, ids, link FROM clew.journal WHERE tenant = $1 AND workspace = $2 ORDER BY writer, seq;

-- name: digests_at
-- The entries until a time of all sources whose name begins with a text, oldest first.
SELECT s.name, j.digest, j.at_ns FROM clew.sources s JOIN clew.journal j ON j.tenant = $1 AND j.workspace = $2 AND j.source = s.source
 WHERE s.tenant = $1 AND s.workspace = $2 AND starts_with(s.name, $4) AND j.at_ns <= $3 ORDER BY j.at_ns, j.writer, j.seq;

-- name: link
-- The link of one entry.
SELECT link FROM clew.journal WHERE tenant = $1 AND workspace = $2 AND writer = $3 AND seq = $4;

-- name: changes
-- The entries that set the status of a record, oldest first.
SELECT at_ns, ids FROM clew.journal WHERE tenant = $1 AND workspace = $2 AND ids ~ '[-+~]' ORDER BY at_ns, writer, seq;

-- name: first
-- When the first entry was made.
SELECT min(at_ns) FROM clew.journal WHERE tenant = $1 AND workspace = $2;
