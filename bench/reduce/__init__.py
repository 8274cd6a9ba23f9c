"""Reduce: does a reduced output still hold what the agent turns out to use of it?"""
