"""Render the plugin's template for one machine and one user.

The template holds no path. The rendered plugin does, lies in the data folder, and is readable by its owner alone. Neither holds a
token.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import clew
from clew.adapters.claude_code.file_changes import FileReplacement, apply_changes
from clew.adapters.daemon_files import DaemonPaths, ensure_address
from clew.adapters.http.start import build_supervisor_command
from clew.adapters.mcp.tools import SERVER_INSTRUCTIONS, TOOL_DEFINITIONS

TEMPLATE_DIR = Path(__file__).parent / "plugin"
PLUGIN_NAME = "clew"
PLUGIN_ID = "clew@clew"  # plugin@marketplace, as the client names it
HOOKS_FILE = f"{PLUGIN_NAME}/hooks/hooks.json"
TOOLS_PERMISSION = "mcp__plugin_clew_clew"  # the permission rule for all tools of the plugin's server


def marketplace_dir(paths: DaemonPaths) -> Path:
    """Return the folder of the rendered plugin marketplace; the plugin itself is the folder `clew` in it."""
    return paths.home / "plugin"


def installation_marker(paths: DaemonPaths) -> Path:
    """Return the file whose existence means that clew is installed; nothing starts the daemon without it."""
    return marketplace_dir(paths) / PLUGIN_NAME / ".claude-plugin" / "plugin.json"


def build_start_command(paths: DaemonPaths) -> list[str]:
    """Return the command line with which the plugin starts the daemon. Creates the address. Raises NotReadable where that fails."""
    return build_supervisor_command(paths, is_detached=True, required_file=installation_marker(paths))


def build_script_command(paths: DaemonPaths, module: str = "clew_hook") -> list[str]:
    """Return the command line that runs a script of the plugin: a bare interpreter that imports it, so that its byte-code is cached.

    Without the script it exits with 0: with Python's 2, a session that still has these hooks would have each of its prompts refused.
    Kept short, because the client shows it.
    """
    plugin = str(marketplace_dir(paths) / PLUGIN_NAME)
    code = f"import sys\nsys.path.insert(0, {plugin!r})\ntry: import {module}\nexcept ImportError: pass\nelse: {module}.run()"
    return [sys.executable, "-I", "-S", "-c", code]


def render_plugin(paths: DaemonPaths, *, has_mods: bool = False) -> dict[str, bytes]:
    """Return the files of the marketplace by their path in it. Creates the address. Raises NotReadable where that fails.

    has_mods  the client runs clew's mod, which replaces the hooks of prompts and tool outputs; those hooks, each of which starts a
              process, are left
              out. Where that is unknown they are included, and stay silent beside a mod.
    """
    ensure_address(paths)
    start = build_start_command(paths)
    words = {"@VERSION@": clew.__version__, "@PYTHON@": sys.executable}
    words |= {f"@RUN_{name.upper()}@": build_script_command(paths, f"clew_{name}")[4] for name in ("hook", "mcp")}
    files: dict[str, bytes] = {}
    for path in sorted(TEMPLATE_DIR.rglob("*")):
        if not path.is_file() or "__pycache__" in path.parts:
            continue
        name, data = path.relative_to(TEMPLATE_DIR).as_posix(), path.read_bytes()
        if name == HOOKS_FILE:
            data = _json(_substitute(_select_hooks(json.loads(data), has_mods=has_mods), words))
        elif name.endswith(".json"):
            data = _json(_substitute(json.loads(data), words))
        elif name.endswith(".js"):
            data = data.replace(b'"@RELAY@"', json.dumps(build_script_command(paths, "clew_relay")).encode())
        files[name] = data
    about = "Place: where the daemon of this data folder listens, and what starts it. Written by `clew init`."
    files[f"{PLUGIN_NAME}/clew_place.py"] = f'"""{about}"""\n\nSOCKET = {str(paths.socket)!r}\nSTART = {start!r}\n'.encode()
    files[f"{PLUGIN_NAME}/tools.json"] = _json(
        {"server": {"name": PLUGIN_NAME, "version": clew.__version__}, "instructions": SERVER_INSTRUCTIONS, "tools": TOOL_DEFINITIONS}
    )
    return files


def write_full_hooks(paths: DaemonPaths, trees: Iterable[Path]) -> bool:
    """Rewrite the hooks files for a client without mods where they are those for one with mods. Returns whether any changed.

    trees  the client's folders of this plugin, one subfolder a release. Raises FilesNotWritable.
    """
    data = render_plugin(paths)[HOOKS_FILE]
    files = [marketplace_dir(paths) / HOOKS_FILE, *(tree / clew.__version__ / "hooks" / "hooks.json" for tree in trees)]
    changed = [FileReplacement(file, data, 0o600) for file in files if file.is_file() and file.read_bytes() != data]
    apply_changes(changed)
    return bool(changed)


def _select_hooks(told: dict[str, Any], *, has_mods: bool) -> dict[str, Any]:
    """Return the hooks file for a client with or without mods."""
    if not has_mods:
        return told
    hooks = {event: entries for event, entries in told["hooks"].items() if event != "UserPromptSubmit"}
    [entry] = hooks["PostToolUse"]
    written = {**entry, "matcher": "Edit|Write|MultiEdit|NotebookEdit", "hooks": [{**each, "async": True} for each in entry["hooks"]]}
    return {**told, "hooks": {**hooks, "PostToolUse": [written]}}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def plan_tree_changes(root: Path, files: dict[str, bytes]) -> list[FileReplacement]:
    """Return the changes after which `root` holds exactly these files, readable by their owner alone."""
    old = [path for path in sorted(root.rglob("*")) if path.is_file() or path.is_symlink()] if root.is_dir() else []
    gone = [FileReplacement(path, None) for path in old if path.relative_to(root).as_posix() not in files]
    return [*gone, *(FileReplacement(root / name, data, 0o600) for name, data in files.items())]


def select_plugin_files(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return those of `files` (contents by path in the marketplace) that are the plugin's own, by their path in the plugin's folder."""
    return {name.removeprefix(f"{PLUGIN_NAME}/"): data for name, data in files.items() if name.startswith(f"{PLUGIN_NAME}/")}


def _substitute(value: Any, words: dict[str, str]) -> Any:
    """Return the value with each placeholder string in `words` replaced, at any depth."""
    if isinstance(value, str):
        return words.get(value, value)
    if isinstance(value, dict):
        return {key: _substitute(each, words) for key, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_substitute(each, words) for each in cast("list[Any]", value)]
    return value
