"""What happened in this session? Transcripts in, observations and Deltas out."""
