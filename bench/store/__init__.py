"""Store: what writing, retrieving and recalling cost as records grow, in the embedded store and in PostgreSQL; kill drills; load."""
