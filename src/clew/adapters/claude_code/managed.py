"""Managed settings: what the administrator of the machine has laid down for Claude Code, as far as it keeps clew out.

Read, never written. The client reads `managed-settings.json` and then the files of `managed-settings.d` by name (its documentation,
2026); settings that come from a server or a device's management are not seen here.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from clew.adapters.claude_code import plugin_files


def folder() -> Path:
    """Return the folder in which the client looks for managed settings on this system."""
    return Path("/Library/Application Support/ClaudeCode" if sys.platform == "darwin" else "/etc/claude-code")


def obstacles(where: Path, market: Path) -> list[str]:
    """Return what managed settings forbid of that which clew needs, a sentence each; none where there are none.

    where   the folder of the managed settings.
    market  the folder from which the client is to take the plugin.
    A file that cannot be read, or is no JSON, is such a sentence as well.
    """
    said: list[str] = []
    told: dict[str, tuple[Path, Any]] = {}
    for file in _files(where):
        try:
            value = json.loads(file.read_text("utf-8-sig"))
        except (OSError, ValueError) as error:
            said.append(f"{file} cannot be read ({error}), so what it forbids is not known")
            continue
        if isinstance(value, dict):
            told.update({name: (file, each) for name, each in cast("dict[str, Any]", value).items()})
    forced = _of(told, "enabledPlugins").get(plugin_files.ID)
    if _is_on(told, "disableAllHooks"):
        said.append(f"{told['disableAllHooks'][0]} sets disableAllHooks: no hook of clew will run, and no status line")
    if _is_on(told, "allowManagedHooksOnly") and forced is not True:
        said.append(f"{told['allowManagedHooksOnly'][0]} sets allowManagedHooksOnly: no hook of clew will run")
    if forced is False:
        said.append(f"{told['enabledPlugins'][0]} disables {plugin_files.ID}: the plugin will not be loaded")
    allowed = told.get("strictKnownMarketplaces")
    if allowed is not None and isinstance(allowed[1], list) and not _matches(cast("list[Any]", allowed[1]), market):
        said.append(
            f"{allowed[0]} sets strictKnownMarketplaces without {market}: the plugin will not be loaded, and no hook of clew will run"
        )
    blocked = told.get("blockedMarketplaces")
    if blocked is not None and isinstance(blocked[1], list) and _matches(cast("list[Any]", blocked[1]), market):
        said.append(f"{blocked[0]} sets blockedMarketplaces with {market}: the plugin will not be loaded, and no hook of clew will run")
    if _is_on(told, "allowManagedPermissionRulesOnly"):
        said.append(
            f"{told['allowManagedPermissionRulesOnly'][0]} sets allowManagedPermissionRulesOnly: clew's tools will be asked for each time"
        )
    return said


def _files(where: Path) -> list[Path]:
    main = where / "managed-settings.json"
    return [*([main] if main.is_file() else []), *sorted((where / "managed-settings.d").glob("*.json"))]


def _is_on(told: Mapping[str, tuple[Path, Any]], name: str) -> bool:
    return name in told and told[name][1] is True


def _of(told: Mapping[str, tuple[Path, Any]], name: str) -> Mapping[str, Any]:
    value = told[name][1] if name in told else None
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _matches(sources: list[Any], market: Path) -> bool:
    """Whether one of the sources is the folder: by its path, or by a pattern of paths."""
    for source in sources:
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
