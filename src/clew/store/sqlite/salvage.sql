-- name: seen
-- What the indexes of a damaged file say that it held: rows of records, by number, with the record's id where an index had it.
CREATE TEMP TABLE seen (row INTEGER PRIMARY KEY, workspace INTEGER NOT NULL, source INTEGER NOT NULL, id TEXT NOT NULL);

-- name: see
-- Note a row that an index names; what knows the record's id says more than what does not.
INSERT INTO seen (row, workspace, source, id) VALUES (?, ?, ?, ?) ON CONFLICT (row) DO UPDATE SET id = max(id, excluded.id);

-- name: workspace_numbers
-- The numbers of workspaces that something was found of.
SELECT workspace FROM records UNION SELECT workspace FROM sources UNION SELECT workspace FROM tombstones
 UNION SELECT workspace FROM workspaces ORDER BY 1;

-- name: known_workspaces
-- The workspaces whose own row was found.
SELECT workspace, key, root, purges FROM workspaces;

-- name: add_workspace
-- Put back a workspace whose row is lost.
INSERT INTO workspaces (workspace, key, root) VALUES (?, ?, ?);

-- name: homeless
-- The sources that records name and whose own row is lost, each with its latest record.
SELECT r.source, r.workspace, max(r.seq) + 1, r.kind, r.session, r.path FROM records r
 WHERE r.source NOT IN (SELECT source FROM sources) GROUP BY r.source;

-- name: add_source
-- Put back a source whose row is lost.
INSERT INTO sources (workspace, source, name, is_present, size) VALUES (?, ?, ?, 1, ?) ON CONFLICT DO NOTHING;

-- name: file_names
-- Names of a workspace's files.
SELECT name FROM sources WHERE workspace = ? AND name >= 'file:' AND name < 'file;' LIMIT 200;

-- name: drop_homeless_records
-- Let go of records of which nobody knows who said them.
DELETE FROM records WHERE source NOT IN (SELECT source FROM sources);

-- name: drop_homeless_segments
-- The same for postings.
DELETE FROM segments WHERE source NOT IN (SELECT source FROM sources);

-- name: drop_homeless_edges
-- The same for couplings.
DELETE FROM edges WHERE source NOT IN (SELECT source FROM sources);

-- name: drop_purged
-- Erase what was purged, wherever it was found.
DELETE FROM records WHERE EXISTS (SELECT 1 FROM tombstones t WHERE t.workspace = records.workspace AND t.kind = 'record' AND t.id = records.id);

-- name: drop_purged_edges
-- The same for couplings.
DELETE FROM edges WHERE EXISTS (SELECT 1 FROM tombstones t WHERE t.workspace = edges.workspace AND t.kind = 'record' AND t.id IN (edges.tail, edges.head));

-- name: texts
-- The texts of every record.
SELECT row, workspace, source, texts FROM records ORDER BY row;

-- name: originals
-- Which originals were found.
SELECT workspace, digest FROM originals;

-- name: drop_names
-- Let go of what is noted of originals, or of sources, that are lost.
DELETE FROM original_sources WHERE source NOT IN (SELECT source FROM sources)
   OR NOT EXISTS (SELECT 1 FROM originals o WHERE o.workspace = original_sources.workspace AND o.digest = original_sources.digest);

-- name: drop_orphans
-- Let go of originals that no source names: no purge could ever reach them.
DELETE FROM originals
 WHERE NOT EXISTS (SELECT 1 FROM original_sources n WHERE n.workspace = originals.workspace AND n.digest = originals.digest)
    OR (EXISTS (SELECT 1 FROM tombstones t WHERE t.workspace = originals.workspace AND t.kind = 'original' AND t.id = originals.digest)
        AND originals.digest NOT IN (SELECT value FROM json_each(?1)));

-- name: lift
-- Take back the tombstones of originals that records have which were not purged.
DELETE FROM tombstones WHERE kind = 'original'
   AND EXISTS (SELECT 1 FROM originals o WHERE o.workspace = tombstones.workspace AND o.digest = tombstones.id);

-- name: segments
-- Every segment, in the order in which the segments of each source were added.
SELECT row, workspace, source, data FROM segments ORDER BY source, part;

-- name: delete_segment
-- Erase a segment by its row, because two may claim to be the same part.
DELETE FROM segments WHERE row = ?;

-- name: replace_segment
-- Put other postings in the place of a segment's.
UPDATE segments SET digest = ?, data = ? WHERE row = ?;

-- name: unindex
-- Take every record out of the index, until its postings are found: 2 remembers that it stood there.
UPDATE records SET is_indexed = 2 * is_indexed;

-- name: reindex
-- Put a record back into the index.
UPDATE records SET is_indexed = 1 WHERE workspace = ? AND source = ? AND id = ?;

-- name: unfindable
-- The live records whose postings are lost: the workspace's key, the source's name, the id.
SELECT w.key, s.name, r.id FROM records r JOIN sources s ON s.source = r.source JOIN workspaces w ON w.workspace = r.workspace
 WHERE r.is_indexed = 2 AND r.is_live = 1 ORDER BY 1, 2, 3;

-- name: settle_index
-- Forget that records without postings stood in the index.
UPDATE records SET is_indexed = 0 WHERE is_indexed = 2;

-- name: count_edges
-- Count the edges of every source anew.
UPDATE sources SET edges = (SELECT count(*) FROM edges e WHERE e.workspace = sources.workspace AND e.source = sources.source);

-- name: weigh
-- Add up what the originals take, and go on counting writes where nobody has been.
UPDATE workspaces SET generation = generation + 1,
  blob_bytes = (SELECT coalesce(sum(o.size), 0) FROM originals o WHERE o.workspace = workspaces.workspace),
  stored_bytes = (SELECT coalesce(sum(length(o.data)), 0) FROM originals o WHERE o.workspace = workspaces.workspace)
    + (SELECT coalesce(sum(length(p.data)), 0) FROM packs p WHERE p.workspace = workspaces.workspace);

-- name: lost
-- The records that an index names and that were not found: the workspace's key, the source's name, the id.
SELECT w.key, coalesce(s.name, ''), n.id FROM seen n
  LEFT JOIN workspaces w ON w.workspace = n.workspace LEFT JOIN sources s ON s.source = n.source
 WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.row = n.row)
   AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.workspace = n.workspace AND t.kind = 'record' AND t.id = n.id)
 ORDER BY 1, 2, 3;

-- name: counts
-- How many records of each source there are now.
SELECT w.key, s.name, count(*) FROM records r JOIN sources s ON s.source = r.source JOIN workspaces w ON w.workspace = r.workspace
 GROUP BY r.source ORDER BY 1, 2;

-- name: drop_unneeded_names
-- Let go of notes of originals that no record needs any more.
DELETE FROM original_sources WHERE digest NOT IN (SELECT value FROM json_each(?1));

-- name: drop_dangling_edges
-- Let go of couplings with an end that is lost.
DELETE FROM edges WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.workspace = edges.workspace AND r.id = edges.tail)
    OR NOT EXISTS (SELECT 1 FROM records r WHERE r.workspace = edges.workspace AND r.id = edges.head);

-- name: forget_successors
-- Forget which record replaced another, where that is lost.
UPDATE records SET superseded_by = '' WHERE superseded_by <> ''
   AND NOT EXISTS (SELECT 1 FROM records r WHERE r.workspace = records.workspace AND r.id = records.superseded_by)
   AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.workspace = records.workspace AND t.kind = 'record' AND t.id = records.superseded_by);

-- name: mend_status
-- Give records whose status makes no sense one that does: what lives and what was used stays so.
UPDATE records SET is_live = is_live <> 0, is_indexed = is_indexed <> 0, uses = CASE WHEN used_at_ns > 0 THEN max(uses, 1) ELSE 0 END,
  used_at_ns = max(used_at_ns, 0) WHERE is_live NOT IN (0, 1) OR is_indexed NOT IN (0, 1) OR uses < 0 OR (uses > 0) <> (used_at_ns > 0);

-- name: reasons
-- Why records ended.
SELECT row, reason FROM records WHERE reason <> '';

-- name: forget_reason
-- Forget why a record ended, where that cannot be read.
UPDATE records SET reason = '' WHERE row = ?;

-- name: packs
-- Every pack that was found.
SELECT pack, workspace, data FROM packs;

-- name: members
-- The originals of a pack.
SELECT row, workspace, digest, size, pack_start FROM originals WHERE pack = ? AND pack > 0;

-- name: take_out
-- Store an original by itself.
UPDATE originals SET packing = ?, data = ?, pack = 0, pack_start = 0 WHERE row = ?;

-- name: drop_pack
-- Let go of a pack, whose originals stand by themselves now.
DELETE FROM packs WHERE pack = ?;

-- name: drop_packed
-- Let go of originals whose pack is lost; answers them.
DELETE FROM originals WHERE (packing = 2) <> (pack > 0) OR (pack <> 0 AND pack NOT IN (SELECT pack FROM packs)) RETURNING row;

-- name: drop_homeless_entries
-- Let go of entries of the journal whose workspace is lost.
DELETE FROM journal WHERE workspace NOT IN (SELECT workspace FROM workspaces);

-- name: entries
-- Every entry of the journal, those of a writer together.
SELECT row, workspace, writer, seq, at_ns, source, digest, ids, link FROM journal ORDER BY workspace, writer, seq, row;

-- name: unaccounted
-- Whether one of a JSON list of ids is neither stored nor purged.
SELECT 1 FROM json_each(?2) asked
 WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.workspace = ?1 AND r.id = asked.value)
   AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.workspace = ?1 AND t.kind = 'record' AND t.id = asked.value) LIMIT 1;

-- name: release
-- Say of an entry that what it names is not all stored.
UPDATE journal SET source = 0 WHERE row = ?;

-- name: release_lost
-- The same of entries whose source is lost.
UPDATE journal SET source = 0 WHERE source <> 0 AND NOT EXISTS (SELECT 1 FROM sources s WHERE s.source = journal.source AND s.workspace = journal.workspace);

-- name: relink
-- Put an entry at another place of a chain.
UPDATE journal SET writer = ?, seq = ?, link = ? WHERE row = ?;

-- name: drop_heads
-- Let go of the last links, which are noted anew.
DELETE FROM writers;

-- name: recorded
-- The records that were stored since there is a journal.
SELECT row, workspace, id FROM records WHERE recorded_at_ns > 0;

-- name: unrecord
-- Forget when a record was stored.
UPDATE records SET recorded_at_ns = 0 WHERE row = ?;

-- name: identity
-- The name of this database as a writer.
SELECT lower(hex(value)) FROM meta WHERE name = 'identity';
