"""Read transcripts of coding agents: bytes in, observations and Deltas out."""
