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
from clew.adapters.claude_code.file_changes import FileChange, apply_changes
from clew.adapters.daemon_files import DaemonPaths, ensure_address
from clew.adapters.http.start import build_supervisor_command
from clew.adapters.mcp.tools import SERVER_INSTRUCTIONS, TOOL_DEFINITIONS

TEMPLATE_DIR = Path(__file__).parent / "plugin"
PLUGIN_NAME = "clew"
PLUGIN_ID = "clew@clew"  # plugin@marketplace, as the client names it
HOOKS_FILE = f"{PLUGIN_NAME}/hooks/hooks.json"
TOOLS_PERMISSION = "mcp__plugin_clew_clew"  # the permission rule for all tools of the plugin's server


def marketplace_dir(paths: DaemonPaths) -> Path:
    """The marketplace that is rendered; the plugin is the folder `clew` in it."""
    return paths.home / "plugin"


def installation_marker(paths: DaemonPaths) -> Path:
    """The file that says that clew is installed: whoever would start the daemon looks for it first."""
    return marketplace_dir(paths) / PLUGIN_NAME / ".claude-plugin" / "plugin.json"


def build_start_command(paths: DaemonPaths) -> list[str]:
    """The command by which the plugin starts the daemon. Makes the address. Raises NotReadable."""
    return build_supervisor_command(paths, is_detached=True, required_file=installation_marker(paths))


def build_script_command(paths: DaemonPaths, module: str = "clew_hook") -> list[str]:
    """Return the command line of a script of the plugin: a bare interpreter that imports it, so that its byte-code is kept.

    Where it is gone, nothing is done and the exit code is 0: with Python's own, 2, a session that still has these hooks would have each of
    its prompts refused. Short, because the client shows it.
    """
    plugin = str(marketplace_dir(paths) / PLUGIN_NAME)
    code = f"import sys\nsys.path.insert(0, {plugin!r})\ntry: import {module}\nexcept ImportError: pass\nelse: {module}.run()"
    return [sys.executable, "-I", "-S", "-c", code]


def render_plugin(paths: DaemonPaths, *, has_mods: bool = False) -> dict[str, bytes]:
    """Return the files of the marketplace by their path in it. Makes the address. Raises NotReadable.

    has_mods  the client that will load it runs the mod, which then does what the hooks of prompts and of tools' outputs would do: they are
              left out, since each costs the start of a process. Where that is not known they are there, and say nothing beside a mod.
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
    """Write the hooks of a client without mods, where those of one with mods stand. Returns whether they did. Raises FilesNotWritable.

    trees  the client's folders of this plugin, which hold a folder for each release.
    """
    data = render_plugin(paths)[HOOKS_FILE]
    files = [marketplace_dir(paths) / HOOKS_FILE, *(tree / clew.__version__ / "hooks" / "hooks.json" for tree in trees)]
    changed = [FileChange(file, data, 0o600) for file in files if file.is_file() and file.read_bytes() != data]
    apply_changes(changed)
    return bool(changed)


def _select_hooks(told: dict[str, Any], *, has_mods: bool) -> dict[str, Any]:
    """The hooks file of one form of the plugin."""
    if not has_mods:
        return told
    hooks = {event: entries for event, entries in told["hooks"].items() if event != "UserPromptSubmit"}
    [entry] = hooks["PostToolUse"]
    written = {**entry, "matcher": "Edit|Write|MultiEdit|NotebookEdit", "hooks": [{**each, "async": True} for each in entry["hooks"]]}
    return {**told, "hooks": {**hooks, "PostToolUse": [written]}}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def plan_tree_changes(root: Path, files: dict[str, bytes]) -> list[FileChange]:
    """Return the changes that make `root` hold exactly these files, readable by their owner alone."""
    old = [path for path in sorted(root.rglob("*")) if path.is_file() or path.is_symlink()] if root.is_dir() else []
    gone = [FileChange(path, None) for path in old if path.relative_to(root).as_posix() not in files]
    return [*gone, *(FileChange(root / name, data, 0o600) for name, data in files.items())]


def select_plugin_files(files: dict[str, bytes]) -> dict[str, bytes]:
    """Those of the files that are the plugin's own, by their path in it."""
    return {name.removeprefix(f"{PLUGIN_NAME}/"): data for name, data in files.items() if name.startswith(f"{PLUGIN_NAME}/")}


def _substitute(value: Any, words: dict[str, str]) -> Any:
    """The value with each string that is one of the words replaced."""
    if isinstance(value, str):
        return words.get(value, value)
    if isinstance(value, dict):
        return {key: _substitute(each, words) for key, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_substitute(each, words) for each in cast("list[Any]", value)]
    return value
