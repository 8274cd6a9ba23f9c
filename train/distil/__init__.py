"""Distil: tune a small model on one's own sessions to name the lines that will be needed later, and judge it."""
