"""Write several files, all or none.

`check_writable` finds most obstacles beforehand; when a write fails all the same (full disk), earlier ones are undone. A file is replaced
by a rename. A symbolic link stays, and its target is written. No temporary file is left.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clew.errors import ClewError


class FilesNotWritable(ClewError):
    """Raised when a file cannot be written. Files written before it were restored, except those in `not_restored`."""

    def __init__(self, path: Path, reason: str, not_restored: tuple[Path, ...] = ()) -> None:
        self.path, self.reason, self.left = path, reason, not_restored
        but = f" but for {', '.join(map(str, not_restored))}, which could not be taken back" if not_restored else ""
        hint = "make it writable, or choose another --scope or CLEW_HOME"
        super().__init__(f"{path}: cannot be written ({reason}), so nothing was changed{but}\nhint: {hint}")


@dataclass(frozen=True, slots=True)
class FileReplacement:
    """New content of a file.

    data  None deletes the file.
    mode  None keeps its mode; a new file then gets 0600.
    """

    path: Path
    data: bytes | None
    mode: int | None = None


def resolve_links(path: Path) -> Path:
    """Return the path that symbolic links lead to. Raises FilesNotWritable where they form a loop."""
    try:
        found = path.resolve()
    except (OSError, RuntimeError) as error:
        raise FilesNotWritable(path, "its links lead in a circle") from error
    if found.is_symlink():
        raise FilesNotWritable(path, "its links lead in a circle")
    return found


def list_missing_dirs(path: Path) -> list[Path]:
    """Return the folders that must be created for a file, outermost first."""
    return [each for each in reversed(resolve_links(path).parents) if not each.exists()]


def check_writable(paths: Iterable[Path]) -> None:
    """Raise FilesNotWritable for the first path that cannot be replaced, or created with its folders. Writes nothing."""
    for path in paths:
        found = resolve_links(path)
        is_link = f", to which {path} leads," if found != path.absolute() and path.is_symlink() else ""
        if found.exists():
            about = found.stat()
            if not stat.S_ISREG(about.st_mode):
                raise FilesNotWritable(path, f"{found}{is_link} is no file")
            if not about.st_mode & 0o222:  # also for who may write everything: whoever took the right away meant it
                raise FilesNotWritable(path, f"{found}{is_link} is read-only")
            try:
                os.close(os.open(found, os.O_WRONLY | os.O_CLOEXEC))
            except OSError as error:
                raise FilesNotWritable(path, f"{found}{is_link}: {error.strerror}") from error
        folder = next((each for each in found.parents if os.path.lexists(each)), found.parent)
        if not folder.is_dir():
            raise FilesNotWritable(path, f"{folder} is no folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise FilesNotWritable(path, f"the folder {folder} is read-only for you")


def apply_changes(changes: Iterable[FileReplacement]) -> None:
    """Write all changes, or none. Raises FilesNotWritable after undoing those already written.

    New folders get mode 0700. A file with several hard links, or of another owner, is overwritten in place to stay so.
    """
    undo: list[tuple[Path, Callable[[], object]]] = []
    at = Path()
    try:
        for change in changes:
            at = change.path
            path = resolve_links(change.path)
            if change.data is None:
                if os.path.lexists(path):
                    undo.append((path, _restorer(path)))
                    path.unlink()
                continue
            for folder in list_missing_dirs(path):
                folder.mkdir(mode=0o700)
                undo.append((folder, folder.rmdir))
            about = path.stat() if path.exists() else None
            if about is not None and change.mode in {None, stat.S_IMODE(about.st_mode)} and path.read_bytes() == change.data:
                continue
            undo.append((path, _restorer(path)))
            _write(path, change.data, change.mode)
    except OSError as error:
        left: list[Path] = []
        for path, back in reversed(undo):
            try:
                back()
            except OSError:
                left.append(path)
        raise FilesNotWritable(at, error.strerror or str(error), tuple(left)) from error


def _restorer(path: Path) -> Callable[[], object]:
    if not path.exists():
        return lambda: path.unlink(missing_ok=True)
    data, mode = path.read_bytes(), stat.S_IMODE(path.stat().st_mode)
    return lambda: None if path.exists() and path.read_bytes() == data else _write(path, data, mode)


def _write(path: Path, data: bytes, mode: int | None) -> None:
    about = path.stat() if path.exists() else None
    if mode is None:
        mode = stat.S_IMODE(about.st_mode) if about is not None else 0o600
    if about is not None and (about.st_nlink > 1 or about.st_uid != os.geteuid()):
        with path.open("r+b") as stream:
            stream.write(data)
            stream.truncate()
            stream.flush()
            os.fsync(stream.fileno())
        return
    descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            os.fchmod(stream.fileno(), mode)
            stream.flush()
            os.fsync(stream.fileno())
        Path(beside).replace(path)
    except OSError:
        with suppress(OSError):
            Path(beside).unlink()
        raise
