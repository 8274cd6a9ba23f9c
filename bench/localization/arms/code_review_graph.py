"""code-review-graph (https://github.com/tirth8205/code-review-graph): its search for nodes, full text without embeddings.

Its answer names nodes with their lines and shows no code; the harness shows those lines in its order.
"""

from __future__ import annotations

from pathlib import Path

from bench.localization.arms.worker import WORKERS, WorkerSystem
from bench.localization.rivals import environment

VERSION = "2.3.9"


def create(scratch: Path) -> WorkerSystem:
    """Return the arm. Raises Unavailable."""
    python = environment(f"code-review-graph-{VERSION}", f"code-review-graph=={VERSION}")
    command = [str(python), str(WORKERS / "code_review_graph_worker.py")]
    return WorkerSystem("code-review-graph", VERSION, lambda: command, scratch, CRG_DATA_DIR=str(scratch / "graph"))
