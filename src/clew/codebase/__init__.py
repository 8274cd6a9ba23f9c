"""What is in these bytes? `parse` → `remember`: bytes and previous fingerprints in, Delta out."""

TREE = "tree:"  # the source that remembers the set of paths; its presence says that a workspace was indexed
