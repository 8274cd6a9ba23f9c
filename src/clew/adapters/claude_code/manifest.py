"""What clew wrote into the client's files, as `installed.json` in the data folder stores it, and what a file is without it.

Reads files and writes none. JSON is written in the style of what stood there before.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec

from clew.adapters.claude_code import owned_entries, plugin_files
from clew.adapters.claude_code.owned_entries import KeyPath, OwnedEntry
from clew.adapters.daemon_files import DaemonPaths
from clew.errors import ClewError

MANIFEST_NAME = "installed.json"
INSTALLATION_KEYS = ["scope", "projectPath"]  # by these the client tells one installation of a plugin from another


class ClientFileInvalid(ClewError):
    """Raised when a file of the client, or clew's manifest, cannot be parsed; nothing is changed then."""

    def __init__(self, path: Path, found: str) -> None:
        self.path = path
        super().__init__(f"{path}: {found}, so nothing was changed\nhint: mend the file, then call `clew init` again")


class FileRecord(msgspec.Struct):
    """Manifest record of one client file: its bytes before and after `init`, and the entries that are clew's.

    before     base64, None where there was no file.
    real       target of `path`, where it is a symbolic link.
    entries    clew's; `containers` are key paths of objects and lists that were created for them.
    key_paths  what an early release stored instead of entries; read, not written.
    """

    path: str
    before: str | None
    mode: int
    after: str
    scope: str
    key_paths: list[KeyPath] = msgspec.field(name="places", default_factory=list[KeyPath])
    real: str = ""
    entries: list[OwnedEntry] = []
    containers: list[KeyPath] = []


class InstallManifest(msgspec.Struct):
    """Everything that `init` did on this machine, as stored in `installed.json`.

    files           configuration files of clients to which clew added entries.
    folders, trees  folders that `init` created: `folders` are deleted once they are empty, `trees` with all they hold.
    projects        repositories with an installation of their own; starter  the command that starts the daemon.
    """

    files: list[FileRecord] = msgspec.field(name="touched", default_factory=list[FileRecord])
    folders: list[str] = []
    trees: list[str] = []
    projects: list[str] = []
    version: str = ""
    starter: list[str] = []


@dataclass(frozen=True, slots=True)
class RestoredFile:
    """Bytes of a file after clew's entries were removed; `is_original` where they are those from before `init`."""

    data: bytes | None
    removed: list[OwnedEntry]
    changed: list[OwnedEntry]
    is_original: bool


def restore_content(touched: FileRecord, now: bytes | None) -> RestoredFile:
    """Return what remains of a file's bytes without clew's entries. Raises ClientFileInvalid where they are no JSON."""
    entries, containers, before = find_entries(touched)
    if now is None or now == before:
        return RestoredFile(now, [], [], is_original=True)
    if now == decode_bytes(touched.after) and before == decode_bytes(touched.before):
        value = parse_object(now)
        left = owned_entries.remove_entries(value, entries, containers)
        return RestoredFile(before, left.removed, left.changed, is_original=True)
    try:
        value = parse_object(now)
    except ValueError as error:
        raise ClientFileInvalid(Path(touched.path), f"is no JSON any more ({error})") from error
    left = owned_entries.remove_entries(value, entries, containers)
    if before is None and not left.value:
        return RestoredFile(None, left.removed, left.changed, is_original=True)
    if before is not None and left.value == parse_object(before):
        return RestoredFile(before, left.removed, left.changed, is_original=True)
    return RestoredFile(dump_object(left.value, now) if left.removed else now, left.removed, left.changed, is_original=False)


def find_entries(touched: FileRecord) -> tuple[list[OwnedEntry], list[KeyPath], bytes | None]:
    """Return clew's entries and containers in a file, and its bytes before.

    An early release stored no entries, and did not renew "before" when it wrote a file twice. So where its "after" holds entries of
    others, "after" without clew's entries is what was there before.
    """
    before = decode_bytes(touched.before)
    if touched.entries or not touched.key_paths:
        return touched.entries, touched.containers, before
    was, after = parse_object(before), parse_object(decode_bytes(touched.after))
    entries = owned_entries.derive_entries(was, after, touched.key_paths, (plugin_files.TOOLS_PERMISSION,), INSTALLATION_KEYS)
    containers = owned_entries.find_created_containers(was, after, entries)
    left = owned_entries.remove_entries(after, entries, containers)
    if left.value != was:
        before = dump_object(left.value, decode_bytes(touched.after))
    return entries, containers, before


def read_manifest(paths: DaemonPaths) -> InstallManifest:
    """Return the stored manifest, an empty one where clew is not installed. Raises ClientFileInvalid where it cannot be parsed."""
    path = paths.home / MANIFEST_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=InstallManifest)
    except FileNotFoundError:
        return InstallManifest()
    except (OSError, msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise ClientFileInvalid(path, str(error)) from error


def read_client_file(path: Path) -> dict[str, Any]:
    """Return the JSON object in a client's file, {} where it is missing or empty. Raises ClientFileInvalid for anything else."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ClientFileInvalid(path, error.strerror or str(error)) from error
    if not data.strip():
        return {}
    try:
        told = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ClientFileInvalid(path, f"is no JSON ({error})") from error
    if not isinstance(told, dict):
        raise ClientFileInvalid(path, "is no JSON object")
    return cast("dict[str, Any]", told)


def parse_object(data: bytes | None) -> dict[str, Any]:
    """Return the JSON object in these bytes, {} for none, for blanks and for other JSON. Raises ValueError for what is no JSON."""
    if data is None or not data.strip():
        return {}
    told = json.loads(data.decode("utf-8-sig"))
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def dump_object(value: dict[str, Any], before: bytes | None) -> bytes:
    """Return a value as JSON in the style of `before`: its indent and its line ends."""
    indent: int | str = 2
    for line in (before or b"").splitlines()[1:2]:
        lead = line[: len(line) - len(line.lstrip())]
        indent = "\t" if lead.startswith(b"\t") else len(lead) or 2
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=False) + "\n"
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can hold as an escape alone
        text = json.dumps(value, indent=indent) + "\n"
    return text.replace("\n", "\r\n").encode() if before and b"\r\n" in before else text.encode()


def decode_bytes(kept: str | None) -> bytes | None:
    """Return the bytes that a record keeps in base64; None for None."""
    return None if kept is None else base64.b64decode(kept)


def read_bytes(path: Path) -> bytes | None:
    """Return the bytes of a file, None where there is none. Raises OSError."""
    return path.read_bytes() if path.is_file() else None
