"""Where do records live? Two ports, `Reader` and `Writer`, and two stores behind them.

`memory` is the reference, in plain dicts; `sqlite` is the embedded default, one file per user. Both pass
the checks of `conformance`, which ship so that whoever writes another store can run them too. Nothing
here ranks, parses or counts tokens.
"""
