-- name: add
-- Store a pack of originals.
INSERT INTO packs (workspace, size, data, filling) VALUES (?, ?, ?, ?) RETURNING pack;

-- name: filling
-- The pack to which lines, or texts, of a workspace are added: its number, the bytes of originals in it, and its frame.
SELECT pack, size, data FROM packs WHERE workspace = ? AND filling = ? AND filling > 0;

-- name: refill
-- Store a pack with more originals behind those that it had, and whether it goes on being filled.
UPDATE packs SET size = ?, data = ?, filling = ? WHERE pack = ?;

-- name: join
-- Store an original that stands in a pack.
INSERT INTO originals (workspace, digest, size, packing, data, pack_start, pack) VALUES (?, ?, ?, 2, zeroblob(0), ?, ?);

-- name: data
-- The frame of a pack.
SELECT data FROM packs WHERE pack = ?;

-- name: place
-- Say that an original stands in a pack.
UPDATE originals SET packing = 2, data = zeroblob(0), pack = ?, pack_start = ? WHERE workspace = ? AND digest = ?;

-- name: take_out
-- Store an original by itself again.
UPDATE originals SET packing = ?, data = ?, pack = 0, pack_start = 0 WHERE workspace = ? AND digest = ?;

-- name: members
-- The originals that stand in a pack.
SELECT digest, size, pack_start FROM originals WHERE pack = ? AND pack > 0 ORDER BY pack_start;

-- name: delete
-- Erase a pack; answers the bytes that it took.
DELETE FROM packs WHERE pack = ? RETURNING length(data);

-- name: alone
-- The originals of a source that stand by themselves, with their lengths.
SELECT o.digest, o.size FROM original_sources n CROSS JOIN originals o ON o.workspace = n.workspace AND o.digest = n.digest
 WHERE n.workspace = ? AND n.source = ? AND o.pack = 0 ORDER BY o.row;

-- name: texts
-- The texts of everything that a source holds and held, with what decides whether they are seldom read.
SELECT row, texts, is_live, is_indexed, tier FROM records WHERE workspace = ? AND source = ? ORDER BY row;

-- name: set_texts
-- Store other texts of a record, with the check of its row.
UPDATE records SET texts = ?, seal = ? WHERE row = ?;

-- name: sealed
-- All that the check of a record covers.
SELECT workspace, id, source, subject, digest, seq, at_ns, layer, kind, name, parent, path, language, session, uuid, agent, trust, texts, lineage,
       seal FROM records WHERE row = ?;

-- name: archived
-- Whether a source holds anything that is archived.
SELECT 1 FROM records WHERE workspace = ? AND source = ? AND tier = 2 LIMIT 1;

-- name: originals
-- Every original that stands in a pack, for an export, those of one pack together.
SELECT o.digest, o.packing, o.data, o.pack, o.pack_start, o.size
  FROM packs p CROSS JOIN originals o ON o.pack = p.pack AND o.pack > 0 WHERE p.pack > 0 AND +p.workspace = ? ORDER BY p.pack, o.pack_start;

-- name: holding
-- In which pack an original stands, 0 for none.
SELECT pack FROM originals WHERE workspace = ? AND digest = ?;
