"""Plugin files: the plugin as it ships, and as it is rendered for one machine and one user.

What ships holds no path. What is rendered does, lies in the data folder, and is its owner's alone. Neither holds a token.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import clew
from clew.adapters.claude_code.writing import Change, write_all
from clew.adapters.http.start import command
from clew.adapters.mcp.tools import INSTRUCTIONS, TOOLS
from clew.adapters.places import Places, address

SHIPPED = Path(__file__).parent / "plugin"
NAME = "clew"
ID = "clew@clew"  # plugin@marketplace, as the client names it
HOOKS = f"{NAME}/hooks/hooks.json"
TOOLS_RULE = "mcp__plugin_clew_clew"  # the permission rule for all tools of the plugin's server


def folder(places: Places) -> Path:
    """The marketplace that is rendered; the plugin is the folder `clew` in it."""
    return places.home / "plugin"


def marker(places: Places) -> Path:
    """The file that says that clew is installed: whoever would start the daemon looks for it first."""
    return folder(places) / NAME / ".claude-plugin" / "plugin.json"


def starter(places: Places) -> list[str]:
    """The command by which the plugin starts the daemon. Makes the address. Raises NotReadable."""
    return command(places, is_detached=True, needs=marker(places))


def shim(places: Places, module: str = "clew_hook") -> list[str]:
    """Return the command line of a script of the plugin: a bare interpreter that imports it, so that its byte-code is kept.

    Where it is gone, nothing is done and the exit code is 0: with Python's own, 2, a session that still has these hooks would have each of
    its prompts refused. Short, because the client shows it.
    """
    plugin = str(folder(places) / NAME)
    code = f"import sys\nsys.path.insert(0, {plugin!r})\ntry: import {module}\nexcept ImportError: pass\nelse: {module}.run()"
    return [sys.executable, "-I", "-S", "-c", code]


def rendered(places: Places, *, has_mods: bool = False) -> dict[str, bytes]:
    """Return the files of the marketplace by their path in it. Makes the address. Raises NotReadable.

    has_mods  the client that will load it runs the mod, which then does what the hooks of prompts and of tools' outputs would do: they are
              left out, since each costs the start of a process. Where that is not known they are there, and say nothing beside a mod.
    """
    address(places)
    start = starter(places)
    words = {"@VERSION@": clew.__version__, "@PYTHON@": sys.executable}
    words |= {f"@RUN_{name.upper()}@": shim(places, f"clew_{name}")[4] for name in ("hook", "mcp")}
    files: dict[str, bytes] = {}
    for path in sorted(SHIPPED.rglob("*")):
        if not path.is_file() or "__pycache__" in path.parts:
            continue
        name, data = path.relative_to(SHIPPED).as_posix(), path.read_bytes()
        if name == HOOKS:
            data = _json(_filled(_hooks(json.loads(data), has_mods=has_mods), words))
        elif name.endswith(".json"):
            data = _json(_filled(json.loads(data), words))
        elif name.endswith(".js"):
            data = data.replace(b'"@RELAY@"', json.dumps(shim(places, "clew_relay")).encode())
        files[name] = data
    about = "Place: where the daemon of this data folder listens, and what starts it. Written by `clew init`."
    files[f"{NAME}/clew_place.py"] = f'"""{about}"""\n\nSOCKET = {str(places.socket)!r}\nSTART = {start!r}\n'.encode()
    files[f"{NAME}/tools.json"] = _json(
        {"server": {"name": NAME, "version": clew.__version__}, "instructions": INSTRUCTIONS, "tools": TOOLS}
    )
    return files


def write_all_hooks(places: Places, trees: Iterable[Path]) -> bool:
    """Write the hooks of a client without mods, where those of one with mods stand. Returns whether they did. Raises NotWritable.

    trees  the client's folders of this plugin, which hold a folder for each release.
    """
    data = rendered(places)[HOOKS]
    files = [folder(places) / HOOKS, *(tree / clew.__version__ / "hooks" / "hooks.json" for tree in trees)]
    changed = [Change(file, data, 0o600) for file in files if file.is_file() and file.read_bytes() != data]
    write_all(changed)
    return bool(changed)


def _hooks(told: dict[str, Any], *, has_mods: bool) -> dict[str, Any]:
    """The hooks file of one form of the plugin."""
    if not has_mods:
        return told
    hooks = {event: entries for event, entries in told["hooks"].items() if event != "UserPromptSubmit"}
    [entry] = hooks["PostToolUse"]
    written = {**entry, "matcher": "Edit|Write|MultiEdit|NotebookEdit", "hooks": [{**each, "async": True} for each in entry["hooks"]]}
    return {**told, "hooks": {**hooks, "PostToolUse": [written]}}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def changes(root: Path, files: dict[str, bytes]) -> list[Change]:
    """Return the changes that make `root` hold exactly these files, readable by their owner alone."""
    old = [path for path in sorted(root.rglob("*")) if path.is_file() or path.is_symlink()] if root.is_dir() else []
    gone = [Change(path, None) for path in old if path.relative_to(root).as_posix() not in files]
    return [*gone, *(Change(root / name, data, 0o600) for name, data in files.items())]


def of_plugin(files: dict[str, bytes]) -> dict[str, bytes]:
    """Those of the files that are the plugin's own, by their path in it."""
    return {name.removeprefix(f"{NAME}/"): data for name, data in files.items() if name.startswith(f"{NAME}/")}


def _filled(value: Any, words: dict[str, str]) -> Any:
    """The value with each string that is one of the words replaced."""
    if isinstance(value, str):
        return words.get(value, value)
    if isinstance(value, dict):
        return {key: _filled(each, words) for key, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_filled(each, words) for each in cast("list[Any]", value)]
    return value
