-- What `clew verify` could not find: an edge that is gone, so its source counts them now; and a bit that flipped in a record's status,
-- which changes in use and has no check of its own, so an index holds the sum of its times and counts, and SQLite's own check
-- compares the two. -1: not counted yet.

ALTER TABLE sources ADD COLUMN edges INTEGER NOT NULL DEFAULT -1;
UPDATE sources SET edges = (SELECT count(*) FROM edges e WHERE e.workspace = sources.workspace AND e.source = sources.source);
CREATE INDEX records_by_status
  ON records (valid_from_ns + valid_to_ns + recorded_at_ns + used_at_ns + ended_seq + uses + tier + is_live, reason, superseded_by);
