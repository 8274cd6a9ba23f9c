"""Rank the files that probably have to change together with given files."""
