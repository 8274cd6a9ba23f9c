"""Speed: seconds, milliseconds and memory of indexing and retrieving, on one tree at one commit."""
