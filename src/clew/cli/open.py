"""Opening: create the Engine from the user's settings, and check paths that commands are given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

import clew
from clew.cli import output
from clew.cli.progress import show_progress

if TYPE_CHECKING:  # the engine is imported when a command runs, not when its help is shown
    from clew.engine import Engine
    from clew.settings import Settings

_SAID = "clew.settings said"


def open_engine() -> Engine:
    """Open the user's store, and return an engine over it, to be closed by a `with` block. Raises BadSetting or a StoreError.

    A store that cannot be written is opened for reading; calls that write then raise StoreUnwritable.
    """
    return clew.open(settings=load_settings())


def load_settings() -> Settings:
    """Return the settings in force, and print once on standard error which names of config.toml are unknown. Raises BadSetting."""
    from clew.settings import load_settings_leniently

    chosen = load_settings_leniently()
    if chosen.errors:
        raise chosen.errors[0]
    context = click.get_current_context(silent=True)
    if context is None or not (context.params.get("is_quiet") or context.meta.get(_SAID)):
        for warning in chosen.warnings:
            output.write_message(f"clew: warning: {warning}")
    if context is not None:
        context.meta[_SAID] = True
    return chosen.settings


def load_file_settings(hint: str) -> Settings:
    """Return the settings in force for a command about the database file. Raises NotForServer, with `hint`, where a server is used."""
    from clew.errors import NotForServer

    chosen = load_settings()
    if chosen.store:
        raise NotForServer(hint)
    return chosen


def check_folder(path: Path) -> Path:
    """Return `path` if it is a folder. Raises NotReadable otherwise."""
    from clew.errors import NotReadable

    if not path.exists():
        raise NotReadable(str(path), "does not exist", "--repo takes a folder, by default the current one")
    if not path.is_dir():
        raise NotReadable(str(path), "is a file", "name the folder of a repository")
    return path


def find_client_transcripts(repo: Path) -> tuple[Path, ...]:
    """Return the folders in which clients keep their transcripts of the repository at `repo`, of all its work trees, also of removed ones.

    Raises click.UsageError if there is none.
    """
    from clew.adapters.clients import find_repository_transcript_dirs, load_all_clients
    from clew.settings import find_workspace

    _, root = find_workspace(repo)
    found = find_repository_transcript_dirs(root)
    if not found:
        known = ", ".join(f"{client.title} has no transcripts of {root} under {client.config_dir()}" for client in load_all_clients())
        raise click.UsageError(f"no session was named, and {known}")
    return tuple(found)


def find_latest_transcript(repo: Path, begun_by_ns: int = 0) -> Path:
    """Return the transcript of the repository's latest session, of those begun by a time. Raises click.UsageError if there is none."""
    from clew.adapters import clients
    from clew.settings import find_workspace

    find_client_transcripts(repo)  # which says where none was found
    found = clients.find_latest_transcript(find_workspace(repo)[1], begun_by_ns)
    if found is None:
        then = " of then" if begun_by_ns else ""
        raise click.UsageError(f"no session was named, and the client's folder of this repository holds no transcript{then}")
    return found


def find_transcript(repo: Path, session: str) -> Path | None:
    """Return the transcript of a session of the repository by its id; None where no client keeps it."""
    from clew.adapters import clients
    from clew.settings import find_workspace

    files = (folder / f"{session}.jsonl" for folder in clients.find_transcript_dirs(find_workspace(repo)[1]))
    return next((file for file in files if file.is_file()), None)


def index_if_new(engine: Engine, path: Path, *, is_quiet: bool) -> None:
    """Index the repository that holds `path` if it was never indexed, and print that on standard error."""
    from clew.codebase import TREE_SOURCE
    from clew.usecases.inputs import get_source_state
    from clew.usecases.places import find_code

    key, root = find_code(engine.store, path)
    if get_source_state(engine.store, key, TREE_SOURCE) is not None:
        return
    if not is_quiet:
        output.write_message(f"clew: {root} was never indexed; indexing it first")
    with show_progress(is_quiet=is_quiet) as bar:
        engine.index(path, progress=bar)
