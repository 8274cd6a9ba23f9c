-- Where a record was observed, beyond the session and the folder of its source: the branch that was checked out, the folder
-- or worktree, the exit code. Said by whoever read the session, shown by `explain`; packed as JSON, because nobody searches for
-- it and the kinds of it will grow. A record of before has none, and gets it when its session is read anew.

ALTER TABLE records ADD COLUMN lineage TEXT NOT NULL DEFAULT '';
