"""Keep private data out of the index: refuse home and system folders, and files whose names mark them as credentials.

A session that was started in a home folder must not have the passwords in it indexed and shown. So a home folder, what holds it, and the
folders of the system are refused; files that by their names hold credentials are never opened; and of other hidden files only those are
read that version control knows. Names stand in `private_paths.toml`; what is in a file is not looked at here
(`clew.text.secrets` does that).
"""

from __future__ import annotations

import os
import pwd
import tomllib
from contextlib import suppress
from pathlib import Path

_NAMES = {
    key: tuple(words.split()) for key, words in tomllib.loads(Path(__file__).with_name("private_paths.toml").read_text("utf-8")).items()
}
_SECRET_FOLDERS = frozenset(_NAMES["secret_folders"])
_SECRET_PATHS = tuple(f"/{each}" for each in _NAMES["secret_paths"])


def find_refusal_reason(root: Path) -> str:
    """Return why a folder may not be indexed, as the rest of a sentence about it ("is a home folder, …"); "" where it may.

    root  resolved. A home folder is refused also where it is a git work tree.
    """
    text = str(root)
    homes = _homes()
    if root in homes:
        return "is a home folder, whose files are private: it is not indexed"
    if text in _NAMES["system"] or any(home.is_relative_to(root) for home in homes):
        return "is a folder of the system, and no repository: it is not indexed"
    if any(root.is_relative_to(tree) for tree in _NAMES["system_trees"]):
        return "belongs to the system, and is no repository: it is not indexed"
    for home in homes:
        top = root.relative_to(home).parts[0] if root.is_relative_to(home) else ""
        if top in _NAMES["secret_folders"] or (top.startswith(".") and not (root / ".git").exists()):
            return "holds what programs keep in a home folder: it is not indexed"
    return ""


def is_credential_path(path: str) -> bool:
    """Return whether a file holds credentials by its name (`.env`, `id_rsa`, anything in `.ssh`); such a file is never opened.

    path  relative to the repository, with "/".
    """
    path = path.lower()
    *folders, name = path.split("/")
    if not _SECRET_FOLDERS.isdisjoint(folders):
        return True
    if name.endswith(_NAMES["examples"]):
        return False
    if name in _NAMES["secret_names"] or name.startswith(".env."):
        return True
    return name.endswith(_NAMES["secret_endings"]) or f"/{path}".endswith(_SECRET_PATHS)


def is_hidden_path(path: str) -> bool:
    """Return whether a path, or a folder in it, begins with a dot."""
    return path.startswith(".") or "/." in path


def _homes() -> set[Path]:
    """The home folders of this user: as the environment says, and as the system does."""
    found = {Path(os.environ.get("HOME") or "/nonexistent")}
    with suppress(KeyError):  # a user that the system does not know
        found.add(Path(pwd.getpwuid(os.getuid()).pw_dir))
    return {home.resolve() for home in found if home.is_absolute() and str(home) != "/"}
