"""Cost: what sessions would have been billed under other ways of keeping their windows."""
