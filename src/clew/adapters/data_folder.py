"""List and delete the files that clew keeps in its data folder.

Only files that clew creates or reads count as clew's; others in the folder are listed and kept, and the folder with them.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clew.adapters.daemon_files import DaemonPaths
from clew.settings import CONFIG_NAME, DATABASE_NAME
from clew.trial.log import FOLDER_NAME


@dataclass(frozen=True, slots=True)
class DataFolderEntry:
    """File or folder at the top of the data folder.

    size_bytes  of all files in it.
    is_ours     it was created by clew and may be deleted.
    """

    path: Path
    size_bytes: int
    is_ours: bool


def list_entries(home: Path) -> list[DataFolderEntry]:
    """Return the entries of the data folder, clew's own first, then by name; [] where the folder does not exist. Raises OSError."""
    if not home.is_dir():
        return []
    found = [DataFolderEntry(path, _size(path), _is_ours(path.name)) for path in home.iterdir()]
    return sorted(found, key=lambda each: (not each.is_ours, each.path.name))


def delete_clew_files(home: Path) -> list[DataFolderEntry]:
    """Delete clew's entries in the data folder `home`, and the folder once it is empty. Returns the entries that could not be deleted."""
    for each in list_entries(home):
        if each.is_ours:
            if each.path.is_dir() and not each.path.is_symlink():
                shutil.rmtree(each.path, ignore_errors=True)
            else:
                with suppress(OSError):  # it is returned below
                    each.path.unlink()
    left = [each for each in list_entries(home) if each.is_ours]
    if not home.is_symlink():
        with suppress(OSError):  # something is left in it
            home.rmdir()
    return left


def delete_run_files(paths: DaemonPaths) -> None:
    """Delete the daemon's runtime files: address, lock, journal, live sessions. Call only while no daemon runs."""
    for folder in {paths.run_dir, paths.socket.parent}:
        shutil.rmtree(folder, ignore_errors=True)


def _is_ours(name: str) -> bool:
    return (
        name in {"run", "plugin", "installed.json", "installed.new", FOLDER_NAME, CONFIG_NAME}
        or name == DATABASE_NAME
        or name.startswith((f"{DATABASE_NAME}-", f"{DATABASE_NAME}."))
    )


def _size(path: Path) -> int:
    files = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    return sum(file.lstat().st_size for file in files if file.is_symlink() or file.is_file())
