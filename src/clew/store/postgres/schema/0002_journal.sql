-- When a record was first stored, and a journal of all writes, as a chain of hashes for each writer (`clew.store.journal`).

ALTER TABLE clew.records ADD COLUMN recorded_at_ns bigint NOT NULL DEFAULT 0;

CREATE TABLE clew.journal (
  tenant text COLLATE "C" NOT NULL,
  workspace int NOT NULL,
  writer text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  at_ns bigint NOT NULL,
  source int NOT NULL,
  digest text COLLATE "C" NOT NULL,
  ids text COLLATE "C" NOT NULL,
  link text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, workspace, writer, seq)
);
CREATE INDEX journal_by_source ON clew.journal (tenant, workspace, source);

CREATE TABLE clew.writers (
  tenant text COLLATE "C" NOT NULL,
  workspace int NOT NULL,
  writer text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  link text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, workspace, writer)
);

ALTER TABLE clew.journal ENABLE ROW LEVEL SECURITY;
ALTER TABLE clew.journal FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON clew.journal USING (tenant = current_setting('clew.tenant', true));
ALTER TABLE clew.writers ENABLE ROW LEVEL SECURITY;
ALTER TABLE clew.writers FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON clew.writers USING (tenant = current_setting('clew.tenant', true));
