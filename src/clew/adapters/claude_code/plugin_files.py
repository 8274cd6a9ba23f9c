"""Plugin files: the plugin as it ships, and as it is rendered for one machine and one user.

What ships holds no path, port or token. What is rendered does, lies in the data folder, and is its owner's alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

import clew
from clew.adapters.claude_code.writing import Change
from clew.adapters.http.start import command
from clew.adapters.places import Places, address

SHIPPED = Path(__file__).parent / "plugin"
NAME = "clew"
ID = "clew@clew"  # plugin@marketplace, as the client names it
TOOLS_RULE = "mcp__plugin_clew_clew"  # the permission rule for all tools of the plugin's server


def folder(places: Places) -> Path:
    """The marketplace that is rendered; the plugin is the folder `clew` in it."""
    return places.home / "plugin"


def marker(places: Places) -> Path:
    """The file that says that clew is installed: whoever would start the daemon looks for it first."""
    return folder(places) / NAME / ".claude-plugin" / "plugin.json"


def shim(places: Places) -> list[str]:
    """The command line that asks the daemon, less the route: a bare interpreter, the script, the socket."""
    return [sys.executable, "-I", "-S", str(folder(places) / NAME / "clew_hook.py"), str(places.socket)]


def starter(places: Places) -> list[str]:
    """The command by which the plugin starts the daemon. Makes the address. Raises NotReadable."""
    return command(places, is_detached=True, needs=marker(places))


def rendered(places: Places) -> dict[str, bytes]:
    """Return the files of the marketplace by their path in it. Makes the address. Raises NotReadable."""
    where = address(places)
    words = {
        "@VERSION@": clew.__version__,
        "@PYTHON@": sys.executable,
        "@PLUGIN@": str(folder(places) / NAME),
        "@SOCKET@": str(places.socket),
        "@PORT@": str(where.port),
        "@TOKEN@": where.token,
    }
    start = starter(places)
    files: dict[str, bytes] = {}
    for path in sorted(SHIPPED.rglob("*")):
        if not path.is_file() or "__pycache__" in path.parts:
            continue
        name, data = path.relative_to(SHIPPED).as_posix(), path.read_bytes()
        if name.endswith(".json"):
            told = _filled(json.loads(data), words, start)
            data = (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode()
        elif name.endswith(".js"):
            data = data.replace(b'"@SOCKET@"', json.dumps(str(places.socket)).encode())
        files[name] = data
    return files


def changes(root: Path, files: dict[str, bytes]) -> list[Change]:
    """Return the changes that make `root` hold exactly these files, readable by their owner alone."""
    old = [path for path in sorted(root.rglob("*")) if path.is_file() or path.is_symlink()] if root.is_dir() else []
    gone = [Change(path, None) for path in old if path.relative_to(root).as_posix() not in files]
    return [*gone, *(Change(root / name, data, 0o600) for name, data in files.items())]


def of_plugin(files: dict[str, bytes]) -> dict[str, bytes]:
    """Those of the files that are the plugin's own, by their path in it."""
    return {name.removeprefix(f"{NAME}/"): data for name, data in files.items() if name.startswith(f"{NAME}/")}


def _filled(value: Any, words: dict[str, str], start: list[str]) -> Any:
    """The value with the words filled in; `@START@` in a list becomes the whole command line."""
    if isinstance(value, str):
        for word, text in words.items():
            value = value.replace(word, text)
        return value
    if isinstance(value, dict):
        return {key: _filled(each, words, start) for key, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        filled: list[Any] = []
        for each in cast("list[Any]", value):
            filled.extend(start if each == "@START@" else [_filled(each, words, start)])
        return filled
    return value
