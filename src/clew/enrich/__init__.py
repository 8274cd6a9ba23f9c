"""What couples things that no parser sees? Offline jobs that *propose* Deltas: history, tests by name, sessions.

`history` reads commits and makes records of them, `cochange` counts which files change together, `namesakes` pairs
tests with what they test, `together` counts what sessions edited, and `couple` turns all of it into edges. `compress` has
a model make short texts of sessions, and only it needs one: only `models` reaches the network. No job writes.
"""
