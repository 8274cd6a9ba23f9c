"""A session to try clew on: fictional work on clew itself, written by hand in Claude Code's transcript format.

It holds what real sessions hold: a prompt with constraints, a plan, reads, a failing test, two attempts that were
given up (one because the user said no, one because it was too slow), and a fix. Its figures are made up.
"""

from __future__ import annotations

from pathlib import Path

TIES = Path(__file__).parent / "ties.jsonl"
