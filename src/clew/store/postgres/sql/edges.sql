-- name: upsert
-- Add edges; what a source said before of the same two ends and kind is replaced. Of two in one call, the last stands.
INSERT INTO clew.edges (tenant, workspace, source, tail, head, kind, weight, tail_digest, head_digest, by, seal)
SELECT DISTINCT ON (a.workspace, a.source, a.tail, a.head, a.kind)
       $1, a.workspace, a.source, a.tail, a.head, a.kind, a.weight, a.tail_digest, a.head_digest, a.by, a.seal
  FROM unnest($2::int[], $3::int[], $4::text[], $5::text[], $6::text[], $7::float8[], $8::text[], $9::text[], $10::text[], $11::bigint[])
       WITH ORDINALITY a(workspace, source, tail, head, kind, weight, tail_digest, head_digest, by, seal, place)
 ORDER BY a.workspace, a.source, a.tail, a.head, a.kind, a.place DESC
ON CONFLICT (tenant, workspace, tail, head, kind, source) DO UPDATE SET
  weight = excluded.weight, tail_digest = excluded.tail_digest, head_digest = excluded.head_digest, by = excluded.by,
  seal = excluded.seal;

-- name: touching
-- Edges that begin or end at one of the ids of a JSON list, as long as both ends are known and have the digests they were made from.
SELECT 0, e.kind, e.tail, e.head, e.weight, e.tail_digest, e.head_digest, e.by, s.name
  FROM (SELECT b.tail, b.head, b.kind, b.source FROM jsonb_array_elements_text($3::jsonb) a(id)
          JOIN clew.edges b ON b.tenant = $1 AND b.workspace = $2 AND b.tail = a.id
         UNION
        SELECT b.tail, b.head, b.kind, b.source FROM jsonb_array_elements_text($3::jsonb) a(id)
          JOIN clew.edges b ON b.tenant = $1 AND b.workspace = $2 AND b.head = a.id) f
  JOIN clew.edges e ON e.tenant = $1 AND e.workspace = $2 AND e.tail = f.tail AND e.head = f.head AND e.kind = f.kind AND e.source = f.source
  JOIN clew.sources s ON s.tenant = $1 AND s.workspace = $2 AND s.source = e.source
 WHERE EXISTS (SELECT 1 FROM clew.records r
                WHERE r.tenant = $1 AND r.workspace = $2 AND r.id = e.tail AND e.tail_digest IN ('', r.digest))
   AND EXISTS (SELECT 1 FROM clew.records r
                WHERE r.tenant = $1 AND r.workspace = $2 AND r.id = e.head AND e.head_digest IN ('', r.digest));

-- name: delete_of_source
-- Drop what a source said of couplings.
DELETE FROM clew.edges WHERE tenant = $1 AND workspace = $2 AND source = $3;

-- name: delete_touching
-- Erase every edge that begins or ends at one of these records.
DELETE FROM clew.edges e USING unnest($2::int[], $3::text[]) a(workspace, id)
 WHERE e.tenant = $1 AND e.workspace = a.workspace AND (e.tail = a.id OR e.head = a.id);

-- name: all
-- Every edge with its source, for an export.
SELECT 0, kind, tail, head, weight, tail_digest, head_digest, by, source FROM clew.edges
 WHERE tenant = $1 AND workspace = $2 ORDER BY source, tail, head, kind;
