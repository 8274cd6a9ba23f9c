"""Evaluate compactions of recorded sessions: how much of what was needed later would each window hold? For `clew eval`."""
