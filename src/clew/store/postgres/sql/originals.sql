-- name: exists
-- Which of these originals are stored.
SELECT o.digest FROM unnest($2::int[], $3::text[]) a(workspace, digest)
  JOIN clew.originals o ON o.tenant = $1 AND o.workspace = a.workspace AND o.digest = a.digest;

-- name: get
-- Originals as they are packed.
SELECT o.digest, o.packing, o.data FROM unnest($2::int[], $3::text[]) a(workspace, digest)
  JOIN clew.originals o ON o.tenant = $1 AND o.workspace = a.workspace AND o.digest = a.digest;

-- name: add
-- Store originals.
INSERT INTO clew.originals (tenant, workspace, digest, size, packing, data)
SELECT $1, a.workspace, a.digest, a.size, a.packing, a.data
  FROM unnest($2::int[], $3::text[], $4::bigint[], $5::smallint[], $6::bytea[]) a(workspace, digest, size, packing, data);

-- name: name
-- Note that a source brought, or points into, originals.
INSERT INTO clew.original_sources (tenant, workspace, source, digest)
SELECT $1, a.workspace, a.source, a.digest FROM unnest($2::int[], $3::int[], $4::text[]) a(workspace, source, digest)
ON CONFLICT (tenant, workspace, source, digest) DO NOTHING;

-- name: of_source
-- Every original that a source ever named.
SELECT digest FROM clew.original_sources WHERE tenant = $1 AND workspace = $2 AND source = $3;

-- name: sources
-- The sources that ever named an original.
SELECT source FROM clew.original_sources WHERE tenant = $1 AND workspace = $2 AND digest = $3;

-- name: delete
-- Erase an original; answers the bytes that it had, and those that it took.
DELETE FROM clew.originals WHERE tenant = $1 AND workspace = $2 AND digest = $3 RETURNING size, length(data);

-- name: unname
-- Forget that a source named these originals.
DELETE FROM clew.original_sources n USING unnest($2::int[], $3::int[], $4::text[]) a(workspace, source, digest)
 WHERE n.tenant = $1 AND n.workspace = a.workspace AND n.source = a.source AND n.digest = a.digest;

-- name: all_names
-- Which source named which original, for an export.
SELECT source, digest FROM clew.original_sources WHERE tenant = $1 AND workspace = $2 ORDER BY source, digest;

-- name: all
-- Every original as it is packed, for an export.
SELECT digest, packing, data FROM clew.originals WHERE tenant = $1 AND workspace = $2 ORDER BY digest;

-- name: size
-- How long an original is.
SELECT size FROM clew.originals WHERE tenant = $1 AND workspace = $2 AND digest = $3;

-- name: named_but_absent
-- An original that a source names and that is not stored.
SELECT n.digest FROM clew.original_sources n
 WHERE n.tenant = $1 AND n.workspace = $2
   AND NOT EXISTS (SELECT 1 FROM clew.originals o WHERE o.tenant = $1 AND o.workspace = $2 AND o.digest = n.digest) LIMIT 1;
