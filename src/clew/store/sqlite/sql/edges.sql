-- name: upsert
-- Add an edge; what a source said before of the same two ends and kind is replaced.
INSERT INTO edges (workspace, source, tail, head, kind, weight, tail_digest, head_digest, by, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (workspace, tail, head, kind, source) DO UPDATE SET
  weight = excluded.weight, tail_digest = excluded.tail_digest, head_digest = excluded.head_digest, by = excluded.by,
  seal = excluded.seal;

-- name: touching
-- Edges that begin or end at one of the ids of a JSON list, as long as both ends are known and have the digests they were made from.
SELECT e.row, e.kind, e.tail, e.head, e.weight, e.tail_digest, e.head_digest, e.by, s.name
  FROM (SELECT b.row FROM json_each(?2) asked CROSS JOIN edges b WHERE b.workspace = ?1 AND b.tail = asked.value
         UNION
        SELECT b.row FROM json_each(?2) asked CROSS JOIN edges b WHERE b.workspace = ?1 AND b.head = asked.value) found
  JOIN edges e ON e.row = found.row
  JOIN sources s ON s.source = e.source
 WHERE EXISTS (SELECT 1 FROM records r WHERE r.workspace = ?1 AND r.id = e.tail AND e.tail_digest IN ('', r.digest))
   AND EXISTS (SELECT 1 FROM records r WHERE r.workspace = ?1 AND r.id = e.head AND e.head_digest IN ('', r.digest));

-- name: delete_of_source
-- Drop what a source said of couplings.
DELETE FROM edges WHERE workspace = ? AND source = ?;

-- name: delete_touching
-- Erase every edge that begins or ends at a record.
DELETE FROM edges WHERE row IN (SELECT row FROM edges WHERE workspace = ?1 AND tail = ?2
                                UNION SELECT row FROM edges WHERE workspace = ?1 AND head = ?2);

-- name: all
-- Every edge with its source, for an export.
SELECT row, kind, tail, head, weight, tail_digest, head_digest, by, source FROM edges WHERE row > 0 AND +workspace = ? ORDER BY row;
