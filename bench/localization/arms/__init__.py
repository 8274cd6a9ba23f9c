"""Arms: one file per rival, each with `create(scratch)`. A rival's own packages are imported by its file alone."""
