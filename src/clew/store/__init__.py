"""Store: two ports, `Reader` and `Writer`, and the two stores that implement them.

`memory` is the reference, in plain dicts; `sqlite` is the embedded default, one file per user. Both pass the checks of
tests/store/conformance.py, which a further store can run too. Nothing here ranks, parses or counts tokens.
"""
