"""Propose edges and records that no parser finds: commits, files that change together, tests by name, compressed sessions.

`history` reads commits and makes records of them, the modules of `producers` find coupled files, and `file_edges` turns those
into stored edges. `compress` has a model choose lines of sessions, and only it needs one: only `models` reaches the
network. Every job returns Deltas (proposed store changes); none writes.
"""
