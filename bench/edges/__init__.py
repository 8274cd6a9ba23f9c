"""Edges: are the calls that clew shows true, and which of a resolver's does it find?"""
