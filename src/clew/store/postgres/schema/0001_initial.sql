-- The first schema. Every table and every key begins with the tenant, so that the tables can be distributed by it (docs/server.md) without a change
-- of any statement: no foreign key, no sequence and no unique index reaches over two tenants. Numbers of workspaces are counted in the
-- tenant's row, numbers of sources and records within their workspace, both under a lock on that row. Names and subjects can be longer than
-- an index takes, so their indexes hold a hash, and the lock keeps them unique. Texts are in the order of their bytes, whatever the
-- database's collation; what is packed already is not compressed again. Row-level security shows a transaction the rows of the tenant that it
-- named in `clew.tenant`, also to the owner of the tables.

CREATE TABLE clew.tenants (
  tenant text COLLATE "C" NOT NULL PRIMARY KEY,
  identity bytea NOT NULL,
  workspaces int NOT NULL DEFAULT 0
);

CREATE TABLE clew.workspaces (
  tenant text COLLATE "C" NOT NULL,
  workspace int NOT NULL,
  key text COLLATE "C" NOT NULL,
  root text COLLATE "C" NOT NULL,
  generation bigint NOT NULL DEFAULT 0,
  purges bigint NOT NULL DEFAULT 0,
  blob_bytes bigint NOT NULL DEFAULT 0,
  stored_bytes bigint NOT NULL DEFAULT 0,
  seal bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, key),
  UNIQUE (tenant, workspace)
) WITH (fillfactor = 50);

CREATE TABLE clew.sources (
  tenant text COLLATE "C" NOT NULL,
  workspace int NOT NULL,
  source int NOT NULL,
  name text COLLATE "C" NOT NULL,
  is_present smallint NOT NULL DEFAULT 0,
  digest text COLLATE "C" NOT NULL DEFAULT '',
  size bigint NOT NULL DEFAULT 0,
  mtime_ns bigint NOT NULL DEFAULT 0,
  status text COLLATE "C" NOT NULL DEFAULT '',
  note text COLLATE "C" NOT NULL DEFAULT '',
  seal bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, workspace, source)
) WITH (fillfactor = 90);
CREATE INDEX sources_by_name ON clew.sources (tenant, workspace, hashtextextended(name, 0));

CREATE TABLE clew.records (
  tenant text COLLATE "C" NOT NULL,
  workspace int NOT NULL,
  number bigint NOT NULL,
  source int NOT NULL,
  is_live smallint NOT NULL DEFAULT 1,
  is_indexed smallint NOT NULL,
  tier smallint NOT NULL DEFAULT 0,
  trust smallint NOT NULL,
  uses bigint NOT NULL DEFAULT 0,
  used_at_ns bigint NOT NULL DEFAULT 0,
  ended_seq bigint NOT NULL DEFAULT 0,
  valid_from_ns bigint NOT NULL,
  valid_to_ns bigint NOT NULL DEFAULT 0,
  seq bigint NOT NULL,
  at_ns bigint NOT NULL,
  seal bigint NOT NULL DEFAULT 0,
  id text COLLATE "C" NOT NULL,
  superseded_by text COLLATE "C" NOT NULL DEFAULT '',
  reason text COLLATE "C" NOT NULL DEFAULT '',
  subject text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,
  layer text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  parent text COLLATE "C" NOT NULL,
  path text COLLATE "C" NOT NULL,
  language text COLLATE "C" NOT NULL,
  session text COLLATE "C" NOT NULL,
  uuid text COLLATE "C" NOT NULL,
  agent text COLLATE "C" NOT NULL,
  lineage text COLLATE "C" NOT NULL DEFAULT '',
  texts bytea NOT NULL,
  PRIMARY KEY (tenant, workspace, id, source)
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX records_by_number ON clew.records (tenant, workspace, number);
CREATE INDEX records_by_subject ON clew.records (tenant, workspace, hashtextextended(subject, 0));
CREATE INDEX records_by_source ON clew.records (tenant, workspace, source);
CREATE INDEX records_stale_or_cold ON clew.records (tenant, workspace, id) WHERE is_indexed = 1 AND (is_live = 0 OR tier <> 0);

CREATE TABLE clew.segments (
  tenant text COLLATE "C" NOT NULL,
  workspace int NOT NULL,
  source int NOT NULL,
  part int NOT NULL,
  digest text COLLATE "C" NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (tenant, workspace, source, part) INCLUDE (digest)
);
ALTER TABLE clew.segments ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE clew.edges (
  tenant text COLLATE "C" NOT NULL,
  workspace int NOT NULL,
  source int NOT NULL,
  tail text COLLATE "C" NOT NULL,
  head text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  weight double precision NOT NULL,
  tail_digest text COLLATE "C" NOT NULL,
  head_digest text COLLATE "C" NOT NULL,
  by text COLLATE "C" NOT NULL,
  seal bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, workspace, tail, head, kind, source)
);
CREATE INDEX edges_by_head ON clew.edges (tenant, workspace, head);
CREATE INDEX edges_by_source ON clew.edges (tenant, workspace, source);

-- packing: how `data` becomes the original again (0: as it is, 1: zstd).
CREATE TABLE clew.originals (
  tenant text COLLATE "C" NOT NULL,
  workspace int NOT NULL,
  digest text COLLATE "C" NOT NULL,
  size bigint NOT NULL,
  packing smallint NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (tenant, workspace, digest)
);
ALTER TABLE clew.originals ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE clew.original_sources (
  tenant text COLLATE "C" NOT NULL,
  workspace int NOT NULL,
  source int NOT NULL,
  digest text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, workspace, source, digest)
);
CREATE INDEX original_sources_by_digest ON clew.original_sources (tenant, workspace, digest);

-- kind: 'record' (id is a record's) or 'original' (id is a digest).
CREATE TABLE clew.tombstones (
  tenant text COLLATE "C" NOT NULL,
  workspace int NOT NULL,
  kind text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  reason text COLLATE "C" NOT NULL,
  at_ns bigint NOT NULL,
  PRIMARY KEY (tenant, workspace, kind, id)
);

ALTER TABLE clew.tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE clew.tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON clew.tenants USING (tenant = current_setting('clew.tenant', true));
ALTER TABLE clew.workspaces ENABLE ROW LEVEL SECURITY;
ALTER TABLE clew.workspaces FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON clew.workspaces USING (tenant = current_setting('clew.tenant', true));
ALTER TABLE clew.sources ENABLE ROW LEVEL SECURITY;
ALTER TABLE clew.sources FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON clew.sources USING (tenant = current_setting('clew.tenant', true));
ALTER TABLE clew.records ENABLE ROW LEVEL SECURITY;
ALTER TABLE clew.records FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON clew.records USING (tenant = current_setting('clew.tenant', true));
ALTER TABLE clew.segments ENABLE ROW LEVEL SECURITY;
ALTER TABLE clew.segments FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON clew.segments USING (tenant = current_setting('clew.tenant', true));
ALTER TABLE clew.edges ENABLE ROW LEVEL SECURITY;
ALTER TABLE clew.edges FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON clew.edges USING (tenant = current_setting('clew.tenant', true));
ALTER TABLE clew.originals ENABLE ROW LEVEL SECURITY;
ALTER TABLE clew.originals FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON clew.originals USING (tenant = current_setting('clew.tenant', true));
ALTER TABLE clew.original_sources ENABLE ROW LEVEL SECURITY;
ALTER TABLE clew.original_sources FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON clew.original_sources USING (tenant = current_setting('clew.tenant', true));
ALTER TABLE clew.tombstones ENABLE ROW LEVEL SECURITY;
ALTER TABLE clew.tombstones FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON clew.tombstones USING (tenant = current_setting('clew.tenant', true));
