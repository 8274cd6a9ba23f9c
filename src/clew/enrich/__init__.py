"""What couples things that no parser sees? Offline jobs that *propose* Deltas: history, tests by name, sessions.

`history` reads commits and makes records of them, `cochange` counts which files change together, `namesakes` pairs
tests with what they test, `together` counts what sessions edited, and `couple` turns all of it into edges. No job
writes, none needs a model, and none reaches the network.
"""
