"""Read the administrator's managed settings for Claude Code, as far as they prevent clew from working.

Never written. The client reads `managed-settings.json`, then the files of `managed-settings.d` by name (its documentation, 2026);
settings
from a server or a device management are not seen here.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, cast

from clew.adapters.claude_code import plugin_files


def managed_settings_dir() -> Path:
    """Return the folder in which the client looks for managed settings on this system."""
    return Path("/Library/Application Support/ClaudeCode" if sys.platform == "darwin" else "/etc/claude-code")


def find_obstacles(settings_dir: Path, marketplace: Path) -> list[str]:
    """Return one sentence for each managed setting that forbids what clew needs; [] for none.

    settings_dir  folder of the managed settings.
    marketplace   folder from which the client loads the plugin.
    A file that cannot be read or is no JSON is reported as such a sentence too.
    """
    problems: list[str] = []
    sources: dict[str, tuple[Path, Any]] = {}
    for file in _files(settings_dir):
        try:
            value = json.loads(file.read_text("utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            problems.append(f"{file} cannot be read ({error}), so what it forbids is not known")
            continue
        if isinstance(value, dict):
            sources.update({name: (file, each) for name, each in cast("dict[str, Any]", value).items()})
    values = {name: value for name, (_, value) in sources.items()}
    enabled, strict, blocked = (values.get(name) for name in ("enabledPlugins", "strictKnownMarketplaces", "blockedMarketplaces"))
    ours = cast("dict[str, Any]", enabled).get(plugin_files.PLUGIN_ID) if isinstance(enabled, dict) else None
    no_plugin = "the plugin will not be loaded, and no hook of clew will run"
    found = (
        ("disableAllHooks", values.get("disableAllHooks") is True, "sets disableAllHooks: no hook of clew will run, and no status line"),
        (
            "allowManagedHooksOnly", values.get("allowManagedHooksOnly") is True and ours is not True,
            "sets allowManagedHooksOnly: no hook of clew will run",
        ),
        ("enabledPlugins", ours is False, f"disables {plugin_files.PLUGIN_ID}: the plugin will not be loaded"),
        ("strictKnownMarketplaces", not _allows(strict, marketplace), f"sets strictKnownMarketplaces without {marketplace}: {no_plugin}"),
        ("blockedMarketplaces", _matches(blocked, marketplace), f"sets blockedMarketplaces with {marketplace}: {no_plugin}"),
        (
            "allowManagedPermissionRulesOnly", values.get("allowManagedPermissionRulesOnly") is True,
            "sets allowManagedPermissionRulesOnly: clew's tools will be asked for each time",
        ),
    )  # fmt: skip
    return [*problems, *(f"{sources[name][0]} {words}" for name, is_so, words in found if is_so)]


def _files(where: Path) -> list[Path]:
    main = where / "managed-settings.json"
    return [*([main] if main.is_file() else []), *sorted((where / "managed-settings.d").glob("*.json"))]


def _allows(sources: object, market: Path) -> bool:
    return not isinstance(sources, list) or _matches(cast("list[Any]", sources), market)


def _matches(sources: object, market: Path) -> bool:
    """Return whether one of the sources allows the folder, by its path or by a pattern of paths."""
    for source in cast("list[Any]", sources) if isinstance(sources, list) else ():
        if not isinstance(source, dict):
            continue
        known = cast("dict[str, Any]", source)
        if known.get("source") == "directory" and Path(str(known.get("path"))) == market:
            return True
        if known.get("source") == "pathPattern":
            try:
                if re.search(str(known.get("pathPattern")), str(market)):
                    return True
            except re.error:  # the client cannot read it either
                continue
    return False
