"""Which records matter now, and which fit? `seed` → `diffuse` → `assemble`, pure over a snapshot."""
