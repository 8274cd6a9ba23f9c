"""Which records matter now? seed, diffuse, order; pure over a snapshot."""
