"""Inside the client: what clew costs where a person waits."""
