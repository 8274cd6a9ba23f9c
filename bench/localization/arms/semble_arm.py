"""semble (https://github.com/MinishLab/semble): code snippets by BM25 and a static embedding, reordered.

Its own model lies on a model hub; here it gets a local Model2Vec directory, hence the name. Each tree is indexed anew.
"""

from __future__ import annotations

from pathlib import Path

from bench.localization.arms.worker import WORKERS, WorkerSystem
from bench.localization.rivals import STATIC_MODEL, environment, static_model

VERSION = "0.7.0"


def create(scratch: Path) -> WorkerSystem:
    """Return the arm. Raises Unavailable."""
    python, model = environment(f"semble-{VERSION}", f"semble=={VERSION}"), static_model()
    command = [str(python), str(WORKERS / "semble_worker.py"), str(model)]
    return WorkerSystem(
        "semble-local-model", f"{VERSION} {STATIC_MODEL}", lambda: command, scratch, SEMBLE_CACHE_LOCATION=str(scratch / "semble")
    )
