-- name: upsert
-- Add a record, or bring one that the source held before to its new position and back to life.
-- What it was used for, its tier, since when it is true and when it was first stored stay. The column `importance` is read no more.
INSERT INTO records (workspace, id, source, is_indexed, subject, digest, seq, at_ns, valid_from_ns, layer, kind, name,
                     parent, path, language, session, uuid, agent, trust, importance, texts, lineage, seal, recorded_at_ns)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, 0, ?19, ?20, ?21, ?22)
ON CONFLICT (workspace, id, source) DO UPDATE SET
  is_live = 1, superseded_by = '', reason = '', ended_seq = 0, valid_to_ns = 0,
  is_indexed = excluded.is_indexed, subject = excluded.subject, digest = excluded.digest, seq = excluded.seq,
  at_ns = excluded.at_ns, layer = excluded.layer, kind = excluded.kind, name = excluded.name, parent = excluded.parent,
  path = excluded.path, language = excluded.language, session = excluded.session, uuid = excluded.uuid,
  agent = excluded.agent, trust = excluded.trust, texts = excluded.texts,
  lineage = excluded.lineage, seal = excluded.seal;

-- name: held
-- What a source holds and held: the rows that a whole delta is compared with.
SELECT row, id, is_live, is_indexed FROM records WHERE workspace = ? AND source = ?;

-- name: held_one
-- The same for one record.
SELECT row, id, is_live, is_indexed FROM records WHERE workspace = ? AND id = ? AND source = ?;

-- name: leave
-- End a record for now, and take it out of the index; its successor is found when all have ended.
UPDATE records SET is_live = 0, is_indexed = 0 WHERE +workspace = ? AND row = ?;

-- name: subject
-- The subject of a record, and since when it is true.
SELECT subject, valid_from_ns FROM records WHERE +workspace = ? AND row = ?;

-- name: successors
-- The live records of a subject.
SELECT r.id, (SELECT s.name FROM sources s WHERE s.source = r.source), r.seq, r.at_ns FROM records r
 WHERE r.workspace = ? AND r.subject = ? AND r.is_live = 1;

-- name: set_ending
-- Say why a record ended, when, and what replaced it.
UPDATE records SET superseded_by = ?, reason = ?, ended_seq = ?, valid_to_ns = ? WHERE +workspace = ? AND row = ?;

-- name: supersede
-- End a record wherever it is held, or bring it back, because a producer says so.
UPDATE records SET is_live = ?, superseded_by = ?, reason = ?, ended_seq = ?, valid_to_ns = ? WHERE workspace = ? AND id = ?;

-- name: move
-- Put a record on a tier.
UPDATE records SET tier = ?1 WHERE workspace = ?2 AND id = ?3 AND tier <> ?1;

-- name: touch
-- Remember that a record was retrieved.
UPDATE records SET uses = uses + 1, used_at_ns = ? WHERE workspace = ? AND id = ?;

-- name: by_id
-- The records with the ids of a JSON list, once per source that holds or held them.
-- One statement for all: with STAT4, SQLite plans a join anew for each binding, which took eight times as long.
SELECT r.is_live, s.name, r.row, r.id, r.layer, r.kind, r.subject, r.digest, r.name, r.texts, r.seq, r.parent, r.path,
       r.language, r.session, r.uuid, r.agent, r.trust, r.lineage, r.at_ns
  FROM json_each(?2) asked CROSS JOIN records r JOIN sources s ON s.source = r.source
 WHERE r.workspace = ?1 AND r.id = asked.value;

-- name: by_subject
-- Every version of a subject, once per source that holds or held it.
SELECT r.is_live, s.name, r.row, r.id, r.layer, r.kind, r.subject, r.digest, r.name, r.texts, r.seq, r.parent, r.path,
       r.language, r.session, r.uuid, r.agent, r.trust, r.lineage, r.at_ns
  FROM records r JOIN sources s ON s.source = r.source
 WHERE r.workspace = ? AND r.subject = ?;

-- name: by_source
-- What a source holds, and held too where 0 is asked for: of that only what stands in the index where 1 is asked for.
SELECT r.is_live, s.name, r.row, r.id, r.layer, r.kind, r.subject, r.digest, r.name, r.texts, r.seq, r.parent, r.path,
       r.language, r.session, r.uuid, r.agent, r.trust, r.lineage, r.at_ns
  FROM sources s CROSS JOIN records r ON r.source = s.source
 WHERE s.workspace = ?1 AND s.name = ?2 AND r.workspace = ?1 AND r.is_live >= ?3 AND (r.is_live = 1 OR r.is_indexed >= ?4);

-- name: status
-- What is known beyond their words of the records with the ids of a JSON list, once per source that holds or held them.
SELECT r.id, s.name, r.is_live, r.superseded_by, r.reason, r.ended_seq, r.valid_from_ns, r.valid_to_ns, r.tier, r.uses, r.used_at_ns,
       r.recorded_at_ns
  FROM json_each(?2) asked CROSS JOIN records r JOIN sources s ON s.source = r.source
 WHERE r.workspace = ?1 AND r.id = asked.value;

-- name: stale_or_cold
-- Ids of records that stand in the index in at least one source and are ended there, or not on the hot tier.
SELECT DISTINCT id FROM records WHERE workspace = ? AND is_indexed = 1 AND (is_live = 0 OR tier <> 0) ORDER BY id;

-- name: begun_after
-- Ids of records that are true only since a later time, or were stored only after another one.
SELECT id FROM records WHERE workspace = ?1 AND (valid_from_ns > ?2 OR recorded_at_ns > ?3)
EXCEPT SELECT id FROM records WHERE workspace = ?1 AND valid_from_ns <= ?2 AND recorded_at_ns <= ?3;

-- name: sessions_on
-- Ids of the sessions of records whose lineage holds a text.
SELECT DISTINCT session FROM records WHERE workspace = ? AND instr(lineage, ?) > 0;

-- name: find
-- Ids in a range, of records that are held, were held, or were purged.
SELECT id FROM (SELECT id FROM records WHERE workspace = ?1 AND id >= ?2 AND id < ?3
                 UNION
                SELECT id FROM tombstones WHERE workspace = ?1 AND kind = 'record' AND id >= ?2 AND id < ?3)
 ORDER BY id LIMIT ?4;

-- name: sources_of
-- The rows of a record and the sources that hold or held it.
SELECT row, id, source FROM records WHERE workspace = ? AND id = ?;

-- name: texts_of_source
-- The texts of everything that a source holds and held.
SELECT texts FROM records WHERE workspace = ? AND source = ?;

-- name: delete
-- Erase a record as one source holds it.
DELETE FROM records WHERE +workspace = ? AND row = ?;

-- name: all
-- Every record as each source holds it, with its status, for an export.
SELECT r.is_live, s.name, r.row, r.id, r.layer, r.kind, r.subject, r.digest, r.name, r.texts, r.seq, r.parent, r.path,
       r.language, r.session, r.uuid, r.agent, r.trust, r.lineage, r.at_ns,
       r.is_indexed, r.superseded_by, r.reason, r.ended_seq, r.valid_from_ns, r.valid_to_ns, r.tier, r.uses, r.used_at_ns,
       r.recorded_at_ns
  FROM records r CROSS JOIN sources s ON s.source = r.source
 WHERE r.row > 0 AND +r.workspace = ? ORDER BY r.row;

-- name: restore
-- Give a record that was imported the status that it had.
UPDATE records SET is_live = ?, superseded_by = ?, reason = ?, ended_seq = ?, valid_from_ns = ?, valid_to_ns = ?, tier = ?, uses = ?,
  used_at_ns = ?, recorded_at_ns = ? WHERE workspace = ? AND id = ? AND source = ?;

-- name: unrecord
-- Forget when a record was stored.
UPDATE records SET recorded_at_ns = 0 WHERE workspace = ? AND id = ? AND source = ?;
