"""Freshness: after replayed commits, does any shown entry say what is no longer so?"""
