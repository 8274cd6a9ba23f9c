"""Evaluation: what would have survived a compaction in one's own past sessions? The room of `clew eval`."""
