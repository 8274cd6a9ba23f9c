-- A check of every row's content, so that a bit that flipped in a name, a time or a state is found by `clew verify`, as one in an original
-- or in postings is by its digest: 63 bits of xxh3 over the row's values, set when the row is written. What changes in use (tier, uses, what ended a
-- record) is not part of it. 0 for a row of before, which gets its check when it is written again.

ALTER TABLE records ADD COLUMN seal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN seal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE edges ADD COLUMN seal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN seal INTEGER NOT NULL DEFAULT 0;
