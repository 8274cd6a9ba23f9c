"""SqliteStore as it is with large workspaces: it keeps the index of every workspace in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import clew.store.sqlite


class SqliteStore(clew.store.sqlite.SqliteStore):
    """Writes an index file for the smallest workspace too."""

    def __init__(self, path: Path, **chosen: Any) -> None:
        super().__init__(path, index_file_bytes_min=0, **chosen)
