-- When a record was first stored; and a journal of all writes: for each write of a source when it was, the digest of the source's content then, and the
-- ids of the records that came, so that one can ask which content a file had at a time. The entries of one writer (one database) are a
-- chain of hashes over content hashes; its last link is noted apart, so that a missing end is seen as well. Originals that are seldom read
-- are packed together, many in one frame, which takes half of what they take one by one: `pack` says in which, `pack_start` where.

ALTER TABLE records ADD COLUMN recorded_at_ns INTEGER NOT NULL DEFAULT 0;

-- source = 0: not all that the entry names is stored here, as of a source that was kept as it was by an import, or lost before a repair.
CREATE TABLE journal (
  row INTEGER NOT NULL PRIMARY KEY,
  workspace INTEGER NOT NULL,
  writer TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at_ns INTEGER NOT NULL,
  source INTEGER NOT NULL,
  digest TEXT NOT NULL,
  ids TEXT NOT NULL,
  link TEXT NOT NULL
);
CREATE UNIQUE INDEX journal_by_writer ON journal (workspace, writer, seq);
CREATE INDEX journal_by_source ON journal (workspace, source);

CREATE TABLE writers (
  workspace INTEGER NOT NULL,
  writer TEXT NOT NULL,
  seq INTEGER NOT NULL,
  link TEXT NOT NULL,
  PRIMARY KEY (workspace, writer)
) WITHOUT ROWID;

CREATE TABLE packs (
  pack INTEGER NOT NULL PRIMARY KEY,
  workspace INTEGER NOT NULL,
  size INTEGER NOT NULL,
  data BLOB NOT NULL
);
ALTER TABLE originals ADD COLUMN pack INTEGER NOT NULL DEFAULT 0;
ALTER TABLE originals ADD COLUMN pack_start INTEGER NOT NULL DEFAULT 0;
CREATE INDEX originals_by_pack ON originals (pack, pack_start) WHERE pack > 0;
