"""Fit what a line of a session is worth to sessions whose future is known."""
