-- The first schema. One file holds every workspace of one user, so each table is keyed first by workspace,
-- a small number for the key that callers use; that keeps tenants apart here and lets the same shape be
-- distributed over servers later. A record is keyed by workspace, id and source: the same bytes under the
-- same subject have the same id wherever they are seen, and a record that two sources hold must outlive
-- either. Its texts are one msgpack value, because they are always read together; everything that a
-- question filters by has a column. Originals are counted in `workspaces` as they come and go, because
-- adding them up would read every page of them. TEXT columns hold text where it is valid UTF-8, and the
-- bytes of its WTF-8 form where it is not (file names, and halves of emoji in transcripts).

CREATE TABLE meta (
  name TEXT NOT NULL PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;

-- Tells this database from another one at the same path, for what is cached in files beside it.
INSERT INTO meta (name, value) VALUES ('identity', randomblob(16));

CREATE TABLE workspaces (
  workspace INTEGER NOT NULL PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  root TEXT NOT NULL,
  generation INTEGER NOT NULL DEFAULT 0,
  purges INTEGER NOT NULL DEFAULT 0,
  blob_bytes INTEGER NOT NULL DEFAULT 0,
  stored_bytes INTEGER NOT NULL DEFAULT 0
);

-- is_present = 0: retired; the row stays for the ended records that still name it.
CREATE TABLE sources (
  workspace INTEGER NOT NULL,
  source INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  is_present INTEGER NOT NULL DEFAULT 0,
  digest TEXT NOT NULL DEFAULT '',
  size INTEGER NOT NULL DEFAULT 0,
  mtime_ns INTEGER NOT NULL DEFAULT 0,
  status TEXT NOT NULL DEFAULT '',
  note TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX sources_by_name ON sources (workspace, name);

CREATE TABLE records (
  row INTEGER NOT NULL PRIMARY KEY,
  workspace INTEGER NOT NULL,
  id TEXT NOT NULL,
  source INTEGER NOT NULL,
  is_live INTEGER NOT NULL DEFAULT 1,
  is_indexed INTEGER NOT NULL,
  tier INTEGER NOT NULL DEFAULT 0,
  superseded_by TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '',
  ended_seq INTEGER NOT NULL DEFAULT 0,
  valid_from_ns INTEGER NOT NULL,
  valid_to_ns INTEGER NOT NULL DEFAULT 0,
  uses INTEGER NOT NULL DEFAULT 0,
  used_at_ns INTEGER NOT NULL DEFAULT 0,
  subject TEXT NOT NULL,
  digest TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at_ns INTEGER NOT NULL,
  layer TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  parent TEXT NOT NULL,
  path TEXT NOT NULL,
  language TEXT NOT NULL,
  session TEXT NOT NULL,
  uuid TEXT NOT NULL,
  agent TEXT NOT NULL,
  trust INTEGER NOT NULL,
  importance REAL NOT NULL,
  texts BLOB NOT NULL
);
CREATE UNIQUE INDEX records_by_id ON records (workspace, id, source);
CREATE INDEX records_by_subject ON records (workspace, subject, is_live);
CREATE INDEX records_by_source ON records (workspace, source, is_live);
CREATE INDEX records_unusual ON records (workspace, id) WHERE is_indexed = 1 AND (is_live = 0 OR tier <> 0);

-- One row per packed segment of postings; the index answers which there are without reading them.
CREATE TABLE segments (
  row INTEGER NOT NULL PRIMARY KEY,
  workspace INTEGER NOT NULL,
  source INTEGER NOT NULL,
  part INTEGER NOT NULL,
  digest TEXT NOT NULL,
  data BLOB NOT NULL
);
CREATE UNIQUE INDEX segments_by_part ON segments (workspace, source, part, digest);

CREATE TABLE edges (
  row INTEGER NOT NULL PRIMARY KEY,
  workspace INTEGER NOT NULL,
  source INTEGER NOT NULL,
  tail TEXT NOT NULL,
  head TEXT NOT NULL,
  kind TEXT NOT NULL,
  weight REAL NOT NULL,
  tail_digest TEXT NOT NULL,
  head_digest TEXT NOT NULL,
  by TEXT NOT NULL
);
CREATE UNIQUE INDEX edges_by_tail ON edges (workspace, tail, head, kind, source);
CREATE INDEX edges_by_head ON edges (workspace, head);
CREATE INDEX edges_by_source ON edges (workspace, source);

-- packing: how `data` becomes the original again (0: as it is, 1: zstd).
CREATE TABLE originals (
  row INTEGER NOT NULL PRIMARY KEY,
  workspace INTEGER NOT NULL,
  digest TEXT NOT NULL,
  size INTEGER NOT NULL,
  packing INTEGER NOT NULL,
  data BLOB NOT NULL
);
CREATE UNIQUE INDEX originals_by_digest ON originals (workspace, digest);

-- Which sources ever brought, or pointed into, an original: what a purge must know.
CREATE TABLE original_sources (
  workspace INTEGER NOT NULL,
  source INTEGER NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (workspace, source, digest)
) WITHOUT ROWID;
CREATE INDEX original_sources_by_digest ON original_sources (workspace, digest);

-- kind: 'record' (id is a record's) or 'original' (id is a digest).
CREATE TABLE tombstones (
  workspace INTEGER NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  reason TEXT NOT NULL,
  at_ns INTEGER NOT NULL,
  PRIMARY KEY (workspace, kind, id)
) WITHOUT ROWID;
