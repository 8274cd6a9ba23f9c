-- Lines of a transcript, and the outputs that were taken from them, repeat each other, so they are stored in packs from the start, and not only
-- when they are seldom read: lines in large packs, because they are read one after the other, other texts in small ones, so that each is read
-- in a fraction of a millisecond. `filling` says to which packs the next ones are added: 1 lines, 2 texts, 0 for a pack that is full.

ALTER TABLE packs ADD COLUMN filling INTEGER NOT NULL DEFAULT 0;
CREATE INDEX packs_filling ON packs (workspace, filling) WHERE filling > 0;
