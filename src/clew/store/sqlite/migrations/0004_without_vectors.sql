-- Vectors of a record that are made in idle time are neither made nor read any more: those that count are part of a source's
-- postings. The table goes with what older releases put into it, so that no purge has to reach it.

DROP TABLE vectors;
