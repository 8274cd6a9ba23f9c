"""Additions to a user's prompt: which files the agent will reach for next, by the index and the state of its work."""
