-- name: keys
-- Which segments there are; answered from an index alone.
SELECT s.name, g.part, g.digest FROM segments g JOIN sources s ON s.source = g.source WHERE g.workspace = ?;

-- name: changed
-- The same of the sources that may have changed after a generation, and one row without a segment for one that has none.
SELECT s.name, g.part, g.digest FROM sources s LEFT JOIN segments g ON g.workspace = s.workspace AND g.source = s.source
 WHERE s.workspace = ? AND s.changed_in > ?;

-- name: all
-- Every segment with its packed postings.
SELECT s.name, g.part, g.digest, g.data FROM segments g JOIN sources s ON s.source = g.source WHERE g.workspace = ?;

-- name: size
-- The bytes of a workspace's packed postings.
SELECT coalesce(sum(length(data)), 0) FROM segments WHERE workspace = ?;

-- name: one
-- The packed postings of one segment.
SELECT g.data FROM segments g JOIN sources s ON s.source = g.source WHERE g.workspace = ?1 AND s.workspace = ?1 AND s.name = ?2 AND g.part = ?3;

-- name: of_source
-- The segments of one source, in the order in which they were added.
SELECT part, digest FROM segments WHERE workspace = ? AND source = ? ORDER BY part;

-- name: data
-- The packed postings of one segment, by the number of its source.
SELECT data FROM segments WHERE workspace = ? AND source = ? AND part = ?;

-- name: add
-- Add a segment.
INSERT INTO segments (workspace, source, part, digest, data) VALUES (?, ?, ?, ?, ?);

-- name: replace
-- Put other postings in the place of a segment's.
UPDATE segments SET digest = ?, data = ? WHERE workspace = ? AND source = ? AND part = ?;

-- name: delete
-- Erase a segment.
DELETE FROM segments WHERE workspace = ? AND source = ? AND part = ?;

-- name: in_order
-- Every segment by source and part, for an export.
SELECT source, part, data FROM segments WHERE workspace = ? ORDER BY source, part;
