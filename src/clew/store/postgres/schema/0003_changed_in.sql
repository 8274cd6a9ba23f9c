-- Which sources changed after a generation: a process that holds the search index of an earlier one adds those, and reads no list of
-- all others. 0: before this was noted.

ALTER TABLE clew.sources ADD COLUMN changed_in bigint NOT NULL DEFAULT 0;
CREATE INDEX sources_by_change ON clew.sources (tenant, workspace, changed_in);
