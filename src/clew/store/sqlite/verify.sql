-- name: records
-- Every record with all that its check covers, and its status.
SELECT row, workspace, id, source, subject, digest, seq, at_ns, layer, kind, name, parent, path, language, session, uuid, agent, trust,
       texts, lineage, seal, is_live, is_indexed, tier, reason, uses, used_at_ns FROM records ORDER BY row;

-- name: edges
-- Every edge with its check.
SELECT workspace, source, tail, head, kind, weight, tail_digest, head_digest, by, seal FROM edges ORDER BY row;

-- name: sources
-- Every source with its state and its check.
SELECT workspace, source, name, is_present, digest, size, mtime_ns, status, note, seal FROM sources ORDER BY source;

-- name: edge_counts
-- Every source whose edges are not as many as were counted.
SELECT s.name, s.edges, (SELECT count(*) FROM edges e WHERE e.workspace = s.workspace AND e.source = s.source) found
  FROM sources s WHERE s.edges >= 0 AND s.edges <> found;

-- name: identity
-- What tells this database from another one at its path.
SELECT value FROM meta WHERE name = 'identity';

-- name: columns
-- Every column of every table, with the type that it was made with.
SELECT t.name, c.name, c.type FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%';

-- name: workspaces
-- Every workspace with its counts, those that are stored and those that are counted now.
SELECT w.workspace, w.key, w.root, w.seal, w.blob_bytes, w.stored_bytes,
       (SELECT coalesce(sum(o.size), 0) FROM originals o WHERE o.workspace = w.workspace),
       (SELECT coalesce(sum(length(o.data)), 0) FROM originals o WHERE o.workspace = w.workspace)
         + (SELECT coalesce(sum(length(p.data)), 0) FROM packs p WHERE p.workspace = w.workspace)
  FROM workspaces w ORDER BY w.workspace;

-- name: originals
-- Every original as it is stored, those of one pack together.
SELECT workspace, digest, packing, data, pack, pack_start, size FROM originals ORDER BY pack, pack_start, row;

-- name: packs
-- Every pack, and how many bytes of originals stand in it.
SELECT pack, workspace, size, data, (SELECT coalesce(sum(o.size), 0) FROM originals o WHERE o.pack = packs.pack AND o.pack > 0 AND o.workspace = packs.workspace)
  FROM packs ORDER BY pack;

-- name: journal
-- Every entry of the journal, those of a writer together.
SELECT workspace, writer, seq, at_ns, source, digest, ids, link FROM journal ORDER BY workspace, writer, seq;

-- name: writers
-- The last link of each writer's chain.
SELECT workspace, writer, seq, link FROM writers;

-- name: unaccounted
-- Those of a JSON list of ids that are neither stored nor purged.
SELECT asked.value FROM json_each(?2) asked
 WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.workspace = ?1 AND r.id = asked.value)
   AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.workspace = ?1 AND t.kind = 'record' AND t.id = asked.value);

-- name: recorded
-- The records that were stored since there is a journal.
SELECT workspace, id FROM records WHERE recorded_at_ns > 0;

-- name: pack_holder
-- The workspace of a pack.
SELECT workspace FROM packs WHERE pack = ?;

-- name: digests
-- Which originals are stored.
SELECT workspace, digest FROM originals ORDER BY row;

-- name: segments
-- Every segment of postings, those of a source together.
SELECT workspace, source, digest, data FROM segments ORDER BY workspace, source, part;

-- name: size
-- How long an original is, and whether a source is noted to need it.
SELECT o.size, EXISTS (SELECT 1 FROM original_sources n WHERE n.workspace = ?1 AND n.source = ?2 AND n.digest = ?3)
  FROM originals o WHERE o.workspace = ?1 AND o.digest = ?3;

-- name: indexed
-- The records of a source that are said to stand in the search index.
SELECT id FROM records WHERE workspace = ? AND source = ? AND is_indexed = 1;

-- name: lost_workspaces
-- What belongs to a workspace that is not stored.
SELECT 'source', source FROM sources WHERE workspace NOT IN (SELECT workspace FROM workspaces)
 UNION ALL SELECT 'original', digest FROM originals WHERE workspace NOT IN (SELECT workspace FROM workspaces)
 UNION ALL SELECT 'tombstone', id FROM tombstones WHERE workspace NOT IN (SELECT workspace FROM workspaces)
 UNION ALL SELECT 'pack', pack FROM packs WHERE workspace NOT IN (SELECT workspace FROM workspaces)
 UNION ALL SELECT 'link ' || seq || ' of writer', writer FROM journal WHERE workspace NOT IN (SELECT workspace FROM workspaces)
 UNION ALL SELECT 'writer', writer FROM writers WHERE workspace NOT IN (SELECT workspace FROM workspaces);

-- name: lost_sources
-- What belongs to a source that is not stored, or to one of another workspace.
SELECT 'record', id FROM records r WHERE NOT EXISTS (SELECT 1 FROM sources s WHERE s.source = r.source AND s.workspace = r.workspace)
 UNION ALL SELECT 'edge from record', tail FROM edges e WHERE NOT EXISTS (SELECT 1 FROM sources s WHERE s.source = e.source AND s.workspace = e.workspace)
 UNION ALL SELECT 'part of postings', digest FROM segments g WHERE NOT EXISTS (SELECT 1 FROM sources s WHERE s.source = g.source AND s.workspace = g.workspace)
 UNION ALL SELECT 'link ' || seq || ' of writer', writer FROM journal j WHERE source <> 0
             AND NOT EXISTS (SELECT 1 FROM sources s WHERE s.source = j.source AND s.workspace = j.workspace)
 UNION ALL SELECT 'note of original', digest FROM original_sources n WHERE NOT EXISTS (SELECT 1 FROM sources s WHERE s.source = n.source AND s.workspace = n.workspace);

-- name: lost_originals
-- Originals that a source needs and that are not stored.
SELECT 'original', digest FROM original_sources n WHERE NOT EXISTS (SELECT 1 FROM originals o WHERE o.workspace = n.workspace AND o.digest = n.digest);

-- name: needless_originals
-- Originals that no source needs, which no purge could reach.
SELECT 'original', digest FROM originals o WHERE NOT EXISTS (SELECT 1 FROM original_sources n WHERE n.workspace = o.workspace AND n.digest = o.digest);

-- name: dangling_edges
-- Edges with an end that is no record.
SELECT 'edge from record', tail FROM edges e
 WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.workspace = e.workspace AND r.id = e.tail)
    OR NOT EXISTS (SELECT 1 FROM records r WHERE r.workspace = e.workspace AND r.id = e.head);

-- name: dangling_successors
-- Records that are said to be replaced by what is neither stored nor purged.
SELECT 'record', id FROM records e WHERE superseded_by <> ''
   AND NOT EXISTS (SELECT 1 FROM records r WHERE r.workspace = e.workspace AND r.id = e.superseded_by)
   AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.workspace = e.workspace AND t.kind = 'record' AND t.id = e.superseded_by);

-- name: kept_though_purged
-- What was purged and is stored all the same.
SELECT 'record', id FROM records r WHERE EXISTS (SELECT 1 FROM tombstones t WHERE t.workspace = r.workspace AND t.kind = 'record' AND t.id = r.id)
 UNION ALL SELECT 'original', digest FROM originals o
 WHERE EXISTS (SELECT 1 FROM tombstones t WHERE t.workspace = o.workspace AND t.kind = 'original' AND t.id = o.digest);

-- name: unposted
-- Records that are said to stand in the search index, of sources without any postings.
SELECT 'record', id FROM records r WHERE is_indexed = 1
   AND NOT EXISTS (SELECT 1 FROM segments g WHERE g.workspace = r.workspace AND g.source = r.source);
