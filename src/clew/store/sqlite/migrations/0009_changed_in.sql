-- Which sources changed after a generation: a process that holds the search index of an earlier one adds those, and reads no list of
-- all others. 0: before this was noted.

ALTER TABLE sources ADD COLUMN changed_in INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sources_by_change ON sources (workspace, changed_in);
