-- name: keep
-- Keep a model's vector of a record, if a live record has this id; what was kept for it before is replaced.
INSERT INTO vectors (workspace, id, model, data)
SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM records WHERE workspace = ?1 AND id = ?2 AND is_live = 1)
ON CONFLICT (workspace, id) DO UPDATE SET model = excluded.model, data = excluded.data;

-- name: by_id
-- What a model's vectors of the ids of a JSON list are.
SELECT v.id, v.data FROM json_each(?3) asked CROSS JOIN vectors v
 WHERE v.workspace = ?1 AND v.id = asked.value AND v.model = ?2;

-- name: let_go
-- Drop what another model made, and what belongs to no live record.
DELETE FROM vectors WHERE workspace = ?1 AND (model <> ?2
   OR NOT EXISTS (SELECT 1 FROM records r WHERE r.workspace = ?1 AND r.id = vectors.id AND r.is_live = 1));

-- name: delete
-- Erase the vector of a record.
DELETE FROM vectors WHERE workspace = ? AND id = ?;
