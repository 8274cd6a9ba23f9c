"""Forget: what forgetting saves over a year, and whether everything that it archives is still found."""
