"""Decide what is still true and on which tier it is; the only package that calls the store's Writer."""
