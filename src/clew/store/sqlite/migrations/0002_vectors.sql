-- Vectors that are too dear to make while somebody waits, such as those of a small transformer: made in idle time, one for
-- each record, and looked up by record when a question is asked. They are no part of a source's postings, because those are
-- packed when a file is read, which must stay fast. An id names content, so a vector can never speak for other bytes than
-- those it was made of; what belongs to no live record is let go when more are kept. One model at a time.

CREATE TABLE vectors (
  workspace INTEGER NOT NULL,
  id TEXT NOT NULL,
  model TEXT NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (workspace, id)
) WITHOUT ROWID;
