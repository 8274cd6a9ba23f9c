"""Benchmark of the state: is what a hand-off claims right, and does it say what a successor must know?

Two sets, both of places and paraphrases, never of a session's own text at length:

- `cuts.jsonl` and `marks/NN.json`: 40 cuts of recorded sessions of four projects, read from first to last line before any output of
  a tool was looked at. Each has facts that a successor must know, with the strings of which one must stand in the text, and
  statements that would be false, as regular expressions. The cuts of two projects are held out: nothing is tuned on them.
- `verdicts.jsonl`: runs of checks in the same sessions, each labelled by a reader from its command and its output alone as
  `passed`, `failed` or `not seen`.
"""
