-- name: upsert
-- Add records, or bring those that the source held before to their new position and back to life.
-- What they were used for, their tier, since when they are true and when they were first stored stay.
INSERT INTO clew.records (tenant, workspace, number, valid_from_ns, id, source, is_indexed, subject, digest, seq, at_ns, layer,
                          kind, name, parent, path, language, session, uuid, agent, trust, texts, lineage, seal,
                          recorded_at_ns)
SELECT $1, a.workspace, b.number + a.place, a.at_ns, a.id, a.source, a.is_indexed, a.subject, a.digest, a.seq, a.at_ns, a.layer,
       a.kind, a.name, a.parent, a.path, a.language, a.session, a.uuid, a.agent, a.trust, a.texts, a.lineage, a.seal,
       a.recorded_at_ns
  FROM unnest($2::int[], $3::text[], $4::int[], $5::smallint[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::text[],
            $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[],
            $19::smallint[], $20::bytea[], $21::text[], $22::bigint[], $23::bigint[])
       WITH ORDINALITY a(workspace, id, source, is_indexed, subject, digest, seq, at_ns, layer, kind, name, parent, path,
                         language, session, uuid, agent, trust, texts, lineage, seal, recorded_at_ns, place)
 CROSS JOIN (SELECT coalesce(max(number), 0) AS number FROM clew.records WHERE tenant = $1 AND workspace = ($2::int[])[1]) b
 WHERE true
ON CONFLICT (tenant, workspace, id, source) DO UPDATE SET
  is_live = 1, superseded_by = '', reason = '', ended_seq = 0, valid_to_ns = 0,
  is_indexed = excluded.is_indexed, subject = excluded.subject, digest = excluded.digest, seq = excluded.seq, at_ns =
  excluded.at_ns, layer = excluded.layer, kind = excluded.kind, name = excluded.name, parent = excluded.parent, path =
  excluded.path, language = excluded.language, session = excluded.session, uuid = excluded.uuid, agent = excluded.agent, trust =
  excluded.trust, texts = excluded.texts, lineage = excluded.lineage, seal = excluded.seal;

-- name: held
-- What a source holds and held: the rows that a whole delta is compared with.
SELECT number, id, is_live, is_indexed FROM clew.records WHERE tenant = $1 AND workspace = $2 AND source = $3;

-- name: held_one
-- The same for these records.
SELECT r.number, r.id, r.is_live, r.is_indexed FROM unnest($2::int[], $3::text[], $4::int[]) a(workspace, id, source)
  JOIN clew.records r ON r.tenant = $1 AND r.workspace = a.workspace AND r.id = a.id AND r.source = a.source;

-- name: leave
-- End records for now, and take them out of the index; their successors are found when all have ended.
UPDATE clew.records r SET is_live = 0, is_indexed = 0 FROM unnest($2::int[], $3::bigint[]) a(workspace, number)
 WHERE r.tenant = $1 AND r.workspace = a.workspace AND r.number = a.number;

-- name: subject
-- The subject of a record, and since when it is true.
SELECT subject, valid_from_ns FROM clew.records WHERE tenant = $1 AND workspace = $2 AND number = $3;

-- name: successors
-- The live records of a subject.
SELECT r.id, s.name, r.seq, r.at_ns
  FROM clew.records r JOIN clew.sources s ON s.tenant = $1 AND s.workspace = $2 AND s.source = r.source
 WHERE r.tenant = $1 AND r.workspace = $2 AND hashtextextended(r.subject, 0) = hashtextextended($3, 0) AND r.subject = $3 AND r.is_live = 1;

-- name: set_ending
-- Say why records ended, when, and what replaced them.
UPDATE clew.records r SET superseded_by = a.superseded_by, reason = a.reason, ended_seq = a.ended_seq, valid_to_ns = a.valid_to_ns
  FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::int[], $7::bigint[])
       a(superseded_by, reason, ended_seq, valid_to_ns, workspace, number)
 WHERE r.tenant = $1 AND r.workspace = a.workspace AND r.number = a.number;

-- name: supersede
-- End a record wherever it is held, or bring it back, because a producer says so.
UPDATE clew.records SET is_live = $2, superseded_by = $3, reason = $4, ended_seq = $5, valid_to_ns = $6
 WHERE tenant = $1 AND workspace = $7 AND id = $8;

-- name: move
-- Put a record on a tier.
UPDATE clew.records SET tier = $2 WHERE tenant = $1 AND workspace = $3 AND id = $4 AND tier <> $2;

-- name: touch
-- Remember that records were retrieved.
UPDATE clew.records r SET uses = r.uses + 1, used_at_ns = a.at_ns FROM unnest($2::bigint[], $3::int[], $4::text[]) a(at_ns, workspace, id)
 WHERE r.tenant = $1 AND r.workspace = a.workspace AND r.id = a.id;

-- name: by_id
-- The records with the ids of a JSON list, once per source that holds or held them.
SELECT r.is_live, s.name, r.number, r.id, r.layer, r.kind, r.subject, r.digest, r.name, r.texts, r.seq, r.parent, r.path,
       r.language, r.session, r.uuid, r.agent, r.trust, r.lineage, r.at_ns
  FROM jsonb_array_elements_text($3::jsonb) a(id)
  JOIN clew.records r ON r.tenant = $1 AND r.workspace = $2 AND r.id = a.id
  JOIN clew.sources s ON s.tenant = $1 AND s.workspace = $2 AND s.source = r.source;

-- name: by_subject
-- Every version of a subject, once per source that holds or held it.
SELECT r.is_live, s.name, r.number, r.id, r.layer, r.kind, r.subject, r.digest, r.name, r.texts, r.seq, r.parent, r.path,
       r.language, r.session, r.uuid, r.agent, r.trust, r.lineage, r.at_ns
  FROM clew.records r JOIN clew.sources s ON s.tenant = $1 AND s.workspace = $2 AND s.source = r.source
 WHERE r.tenant = $1 AND r.workspace = $2 AND hashtextextended(r.subject, 0) = hashtextextended($3, 0) AND r.subject = $3;

-- name: by_source
-- What sources hold, and held too where 0 is asked for: of that only what stands in the index where 1 is asked for.
SELECT r.is_live, s.name, r.number, r.id, r.layer, r.kind, r.subject, r.digest, r.name, r.texts, r.seq, r.parent, r.path,
       r.language, r.session, r.uuid, r.agent, r.trust, r.lineage, r.at_ns
  FROM unnest($2::int[], $3::text[], $4::int[], $5::int[]) a(workspace, name, is_live, is_indexed)
  JOIN clew.sources s ON s.tenant = $1 AND s.workspace = a.workspace AND hashtextextended(s.name, 0) = hashtextextended(a.name, 0) AND s.name = a.name
  JOIN clew.records r ON r.tenant = $1 AND r.workspace = a.workspace AND r.source = s.source AND r.is_live >= a.is_live
   AND (r.is_live = 1 OR r.is_indexed >= a.is_indexed);

-- name: status
-- What is known beyond their words of the records with the ids of a JSON list, once per source that holds or held them.
SELECT r.id, s.name, r.is_live, r.superseded_by, r.reason, r.ended_seq, r.valid_from_ns, r.valid_to_ns, r.tier, r.uses, r.used_at_ns,
       r.recorded_at_ns
  FROM jsonb_array_elements_text($3::jsonb) a(id)
  JOIN clew.records r ON r.tenant = $1 AND r.workspace = $2 AND r.id = a.id
  JOIN clew.sources s ON s.tenant = $1 AND s.workspace = $2 AND s.source = r.source;

-- name: stale_or_cold
-- Ids of records that stand in the index in at least one source and are ended there, or not on the hot tier.
SELECT DISTINCT id FROM clew.records
 WHERE tenant = $1 AND workspace = $2 AND is_indexed = 1 AND (is_live = 0 OR tier <> 0) ORDER BY id;

-- name: begun_after
-- Ids of records that are true only since a later time, or were stored only after another one.
SELECT id FROM clew.records WHERE tenant = $1 AND workspace = $2 AND (valid_from_ns > $3 OR recorded_at_ns > $4)
EXCEPT SELECT id FROM clew.records WHERE tenant = $1 AND workspace = $2 AND valid_from_ns <= $3 AND recorded_at_ns <= $4;

-- name: sessions_on
-- Ids of the sessions of records whose lineage holds a text.
SELECT DISTINCT session FROM clew.records WHERE tenant = $1 AND workspace = $2 AND strpos(lineage, $3) > 0;

-- name: find
-- Ids in a range, of records that are held, were held, or were purged.
SELECT id FROM (SELECT id FROM clew.records WHERE tenant = $1 AND workspace = $2 AND id >= $3 AND id < $4
                 UNION
                SELECT id FROM clew.tombstones WHERE tenant = $1 AND workspace = $2 AND kind = 'record' AND id >= $3 AND id < $4) f
 ORDER BY id LIMIT $5;

-- name: sources_of
-- The rows of records and the sources that hold or held them.
SELECT r.number, r.id, r.source FROM unnest($2::int[], $3::text[]) a(workspace, id)
  JOIN clew.records r ON r.tenant = $1 AND r.workspace = a.workspace AND r.id = a.id;

-- name: texts_of_source
-- The texts of everything that a source holds and held.
SELECT texts FROM clew.records WHERE tenant = $1 AND workspace = $2 AND source = $3;

-- name: delete
-- Erase records as one source holds them.
DELETE FROM clew.records r USING unnest($2::int[], $3::bigint[]) a(workspace, number)
 WHERE r.tenant = $1 AND r.workspace = a.workspace AND r.number = a.number;

-- name: all
-- Every record as each source holds it, with its status, for an export.
SELECT r.is_live, s.name, r.number, r.id, r.layer, r.kind, r.subject, r.digest, r.name, r.texts, r.seq, r.parent, r.path,
       r.language, r.session, r.uuid, r.agent, r.trust, r.lineage, r.at_ns,
       r.is_indexed, r.superseded_by, r.reason, r.ended_seq, r.valid_from_ns, r.valid_to_ns, r.tier, r.uses, r.used_at_ns,
       r.recorded_at_ns
  FROM clew.records r JOIN clew.sources s ON s.tenant = $1 AND s.workspace = $2 AND s.source = r.source
 WHERE r.tenant = $1 AND r.workspace = $2 ORDER BY r.number;

-- name: restore
-- Give a record that was imported the status that it had.
UPDATE clew.records SET is_live = $2, superseded_by = $3, reason = $4, ended_seq = $5, valid_from_ns = $6, valid_to_ns = $7, tier = $8,
  uses = $9, used_at_ns = $10, recorded_at_ns = $11 WHERE tenant = $1 AND workspace = $12 AND id = $13 AND source = $14;

-- name: unrecord
-- Forget when records were stored.
UPDATE clew.records r SET recorded_at_ns = 0 FROM unnest($2::int[], $3::text[], $4::int[]) a(workspace, id, source)
 WHERE r.tenant = $1 AND r.workspace = a.workspace AND r.id = a.id AND r.source = a.source;
