-- name: delete
-- Erase the vector of a record.
DELETE FROM vectors WHERE workspace = ? AND id = ?;
