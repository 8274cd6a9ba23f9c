"""Drills: hostile input at every door."""
