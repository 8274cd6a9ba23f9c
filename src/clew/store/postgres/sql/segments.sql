-- name: keys
-- Which segments there are; answered from an index alone.
SELECT s.name, g.part, g.digest
  FROM clew.segments g JOIN clew.sources s ON s.tenant = $1 AND s.workspace = $2 AND s.source = g.source
 WHERE g.tenant = $1 AND g.workspace = $2;

-- name: changed
-- The same of the sources that may have changed after a generation, and one row without a segment for one that has none.
SELECT s.name, g.part, g.digest
  FROM clew.sources s LEFT JOIN clew.segments g ON g.tenant = $1 AND g.workspace = $2 AND g.source = s.source
 WHERE s.tenant = $1 AND s.workspace = $2 AND s.changed_in > $3;

-- name: all
-- Every segment with its packed postings.
SELECT s.name, g.part, g.digest, g.data
  FROM clew.segments g JOIN clew.sources s ON s.tenant = $1 AND s.workspace = $2 AND s.source = g.source
 WHERE g.tenant = $1 AND g.workspace = $2;

-- name: size
-- The bytes of a workspace's packed postings.
SELECT coalesce(sum(length(data)), 0) FROM clew.segments WHERE tenant = $1 AND workspace = $2;

-- name: one
-- The packed postings of one segment.
SELECT g.data
  FROM clew.sources s JOIN clew.segments g ON g.tenant = $1 AND g.workspace = $2 AND g.source = s.source AND g.part = $4
 WHERE s.tenant = $1 AND s.workspace = $2 AND hashtextextended(s.name, 0) = hashtextextended($3, 0) AND s.name = $3;

-- name: of_source
-- The segments of one source, in the order in which they were added.
SELECT part, digest FROM clew.segments WHERE tenant = $1 AND workspace = $2 AND source = $3 ORDER BY part;

-- name: data
-- The packed postings of one segment, by the number of its source.
SELECT data FROM clew.segments WHERE tenant = $1 AND workspace = $2 AND source = $3 AND part = $4;

-- name: add
-- Add a segment.
INSERT INTO clew.segments (tenant, workspace, source, part, digest, data) VALUES ($1, $2, $3, $4, $5, $6::bytea);

-- name: replace
-- Put other postings in the place of a segment's.
UPDATE clew.segments SET digest = $2, data = $3::bytea WHERE tenant = $1 AND workspace = $4 AND source = $5 AND part = $6;

-- name: delete
-- Erase segments.
DELETE FROM clew.segments g USING unnest($2::int[], $3::int[], $4::int[]) a(workspace, source, part)
 WHERE g.tenant = $1 AND g.workspace = a.workspace AND g.source = a.source AND g.part = a.part;

-- name: in_order
-- Every segment by source and part, for an export.
SELECT source, part, data FROM clew.segments WHERE tenant = $1 AND workspace = $2 ORDER BY source, part;
