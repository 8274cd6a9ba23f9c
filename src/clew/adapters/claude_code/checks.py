"""Checks: what `clew doctor` looks at of Claude Code: its release, its settings, and the plugin that was set up."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import clew
from clew.adapters.claude_code import managed, plugin_files
from clew.adapters.claude_code.install import NotOurs, gateway_url, manifest, read_object, settings_files
from clew.adapters.claude_code.owned import mapping
from clew.adapters.clients.claude_code import MODS_SINCE, TRIED, version_of
from clew.adapters.doctor import Check, Environment, Finding, finding, readable_by_others
from clew.adapters.http import start
from clew.adapters.places import known_address


def _client(environment: Environment) -> Iterator[Finding]:
    if environment.program is None:
        yield finding("no_client")
        return
    try:
        version = version_of(environment.program)
    except (OSError, subprocess.TimeoutExpired) as error:
        yield finding("client_fails", program=environment.program, error=error)
        return
    if version is None:
        yield finding("client_unversioned")
        return
    name, newest = (".".join(map(str, each)) for each in (version, TRIED[-1]))
    if version < TRIED[0]:
        yield finding("client_old", version=name)
    elif version < MODS_SINCE:
        yield finding("client_without_mods", version=name)
    elif version > TRIED[-1]:
        yield finding("client_new", version=name, newest=newest)


def _plugin(environment: Environment) -> Iterator[Finding]:
    done = manifest(environment.places)
    if not done.touched:
        yield finding("not_installed")
        return
    if done.version != clew.__version__:
        yield finding("plugin_of_another_release", found=done.version, ours=clew.__version__)
    folder = plugin_files.folder(environment.places)
    plugin = folder / plugin_files.NAME
    if not read_object(plugin / "hooks" / "hooks.json"):
        yield finding("plugin_gone", folder=folder)
        return
    python = read_object(plugin / ".mcp.json").get("mcpServers", {}).get("clew", {}).get("command", "")
    if not Path(str(python)).exists():
        yield finding("interpreter_gone", python=python)
    place = plugin / "clew_place.py"
    if not place.is_file() or repr(str(environment.places.socket)) not in place.read_text("utf-8"):
        yield finding("plugin_asks_elsewhere")
    if not any(_enables(file) is True for file in settings_files(environment.client, environment.root).values()):
        yield finding("not_enabled")
    for path in _loaded(environment):
        if not (path / "hooks" / "hooks.json").is_file():
            yield finding("copy_gone", path=path)


def _enables(file: Path) -> object:
    return mapping(read_object(file).get("enabledPlugins")).get(plugin_files.ID)


def _loaded(environment: Environment) -> list[Path]:
    told = read_object(environment.client / "plugins" / "installed_plugins.json")
    entries = mapping(told.get("plugins")).get(plugin_files.ID)
    listed = cast("list[Any]", entries) if isinstance(entries, list) else []
    return [Path(str(mapping(entry).get("installPath"))) for entry in listed]


def _managed_settings(environment: Environment) -> Iterator[Finding]:
    for said in managed.obstacles(environment.managed, plugin_files.folder(environment.places)):
        yield finding("managed", what=said)


def _client_settings(environment: Environment) -> Iterator[Finding]:
    for file in settings_files(environment.client, environment.root).values():
        try:
            told = read_object(file)
        except NotOurs as error:
            yield finding("unreadable", what=str(error).partition("\n")[0])
            continue
        if told.get("disableAllHooks") is True:
            yield finding("hooks_off", file=file)
        if _enables(file) is False:
            yield finding("disabled", file=file, plugin=plugin_files.ID)


def _private(environment: Environment) -> Iterator[Finding]:
    plugins = [plugin_files.folder(environment.places) / plugin_files.NAME, *_loaded(environment)]
    yield from readable_by_others(*(plugin / "hooks" / "hooks.json" for plugin in plugins))


def _gateway(environment: Environment) -> Iterator[Finding]:
    where = known_address(environment.places)
    files = settings_files(environment.client, environment.root)
    urls = [str(mapping(read_object(files[scope]).get("env")).get("ANTHROPIC_BASE_URL") or "") for scope in ("user", "local")]
    ours = [url for url in (*urls, environment.base_url) if "/gateway/" in url]
    if not ours:
        return
    if where is None or ours[0] != gateway_url(where):
        yield finding("gateway_elsewhere")
    elif start.running(environment.places) is None:
        yield finding("gateway_down")


def _statusline(environment: Environment) -> Iterator[Finding]:
    files = settings_files(environment.client, environment.root)
    for file in (files["user"], files["local"]):
        command = str(mapping(read_object(file).get("statusLine")).get("command") or "")
        if "clew_hook" in command and not (plugin_files.folder(environment.places) / plugin_files.NAME / "clew_hook.py").is_file():
            yield finding("statusline_gone", file=file)


CHECKS: tuple[Check, ...] = (_client, _plugin, _managed_settings, _client_settings, _private, _gateway, _statusline)
