"""aider's repository map (https://github.com/Aider-AI/aider): definitions by page rank, steered by what the text mentions.

It shows the lines of definitions and of what encloses them, not bodies; its ranks are of definitions.
"""

from __future__ import annotations

from pathlib import Path

from bench.localization.arms.worker import WORKERS, WorkerSystem
from bench.localization.rivals import AIDER_MAP, environment

VERSION = "0.86.2"


def create(scratch: Path) -> WorkerSystem:
    """Return the arm. Raises Unavailable."""
    python = environment(f"aider-chat-{VERSION}", *AIDER_MAP, bare=(f"aider-chat=={VERSION}",))
    return WorkerSystem("aider-map", VERSION, lambda: [str(python), str(WORKERS / "aider_worker.py")], scratch)
