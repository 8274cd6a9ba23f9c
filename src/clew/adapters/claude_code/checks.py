"""Checks of Claude Code for `clew doctor`: its release, its settings, and the installed plugin."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import clew
from clew.adapters.claude_code import managed, plugin_files
from clew.adapters.claude_code.install import build_gateway_url, locate_settings
from clew.adapters.claude_code.manifest import ClientFileInvalid, read_client_file, read_manifest
from clew.adapters.claude_code.owned_entries import as_mapping
from clew.adapters.clients.claude_code import MODS_MIN_VERSION, TESTED_VERSIONS, read_version
from clew.adapters.daemon_files import read_address
from clew.adapters.doctor import DoctorCheck, DoctorInput, Finding, build_finding, find_readable_by_others
from clew.adapters.http import start


def _client(environment: DoctorInput) -> Iterator[Finding]:
    if environment.program is None:
        yield build_finding("no_client")
        return
    try:
        version = read_version(environment.program)
    except (OSError, subprocess.TimeoutExpired) as error:
        yield build_finding("client_fails", program=environment.program, error=error)
        return
    if version is None:
        yield build_finding("client_unversioned")
        return
    name, newest = (".".join(map(str, each)) for each in (version, TESTED_VERSIONS[-1]))
    if version < TESTED_VERSIONS[0]:
        yield build_finding("client_old", version=name)
    elif version < MODS_MIN_VERSION:
        yield build_finding("client_without_mods", version=name)
    elif version > TESTED_VERSIONS[-1]:
        yield build_finding("client_new", version=name, newest=newest)


def _plugin(environment: DoctorInput) -> Iterator[Finding]:
    done = read_manifest(environment.paths)
    if not done.files:
        yield build_finding("not_installed")
        return
    if done.version != clew.__version__:
        yield build_finding("plugin_of_another_release", found=done.version, ours=clew.__version__)
    folder = plugin_files.marketplace_dir(environment.paths)
    plugin = folder / plugin_files.PLUGIN_NAME
    if not read_client_file(plugin / "hooks" / "hooks.json"):
        yield build_finding("plugin_gone", folder=folder)
        return
    python = read_client_file(plugin / ".mcp.json").get("mcpServers", {}).get("clew", {}).get("command", "")
    if not Path(str(python)).exists():
        yield build_finding("interpreter_gone", python=python)
    place = plugin / "clew_place.py"
    if not place.is_file() or repr(str(environment.paths.socket)) not in place.read_text("utf-8"):
        yield build_finding("plugin_asks_elsewhere")
    if not any(_enables(file) is True for file in locate_settings(environment.client_dir, environment.root).values()):
        yield build_finding("not_enabled")
    for path in _loaded(environment):
        if not (path / "hooks" / "hooks.json").is_file():
            yield build_finding("copy_gone", path=path)


def _enables(file: Path) -> object:
    return as_mapping(read_client_file(file).get("enabledPlugins")).get(plugin_files.PLUGIN_ID)


def _loaded(environment: DoctorInput) -> list[Path]:
    told = read_client_file(environment.client_dir / "plugins" / "installed_plugins.json")
    entries = as_mapping(told.get("plugins")).get(plugin_files.PLUGIN_ID)
    listed = cast("list[Any]", entries) if isinstance(entries, list) else []
    return [Path(str(as_mapping(entry).get("installPath"))) for entry in listed]


def _managed_settings(environment: DoctorInput) -> Iterator[Finding]:
    for said in managed.find_obstacles(environment.managed_dir, plugin_files.marketplace_dir(environment.paths)):
        yield build_finding("managed", what=said)


def _client_settings(environment: DoctorInput) -> Iterator[Finding]:
    for file in locate_settings(environment.client_dir, environment.root).values():
        try:
            told = read_client_file(file)
        except ClientFileInvalid as error:
            yield build_finding("unreadable", what=str(error).partition("\n")[0])
            continue
        if told.get("disableAllHooks") is True:
            yield build_finding("hooks_off", file=file)
        if _enables(file) is False:
            yield build_finding("disabled", file=file, plugin=plugin_files.PLUGIN_ID)


def _private(environment: DoctorInput) -> Iterator[Finding]:
    plugins = [plugin_files.marketplace_dir(environment.paths) / plugin_files.PLUGIN_NAME, *_loaded(environment)]
    yield from find_readable_by_others(*(plugin / "hooks" / "hooks.json" for plugin in plugins))


def _gateway(environment: DoctorInput) -> Iterator[Finding]:
    where = read_address(environment.paths)
    files = locate_settings(environment.client_dir, environment.root)
    urls = [str(as_mapping(read_client_file(files[scope]).get("env")).get("ANTHROPIC_BASE_URL") or "") for scope in ("user", "local")]
    ours = [url for url in (*urls, environment.base_url) if "/gateway/" in url]
    if not ours:
        return
    if where is None or ours[0] != build_gateway_url(where):
        yield build_finding("gateway_elsewhere")
    elif start.find_running_daemon(environment.paths) is None:
        yield build_finding("gateway_down")


def _statusline(environment: DoctorInput) -> Iterator[Finding]:
    files = locate_settings(environment.client_dir, environment.root)
    for file in (files["user"], files["local"]):
        command = str(as_mapping(read_client_file(file).get("statusLine")).get("command") or "")
        if (
            "clew_hook" in command
            and not (plugin_files.marketplace_dir(environment.paths) / plugin_files.PLUGIN_NAME / "clew_hook.py").is_file()
        ):
            yield build_finding("statusline_gone", file=file)


CLAUDE_CODE_CHECKS: tuple[DoctorCheck, ...] = (_client, _plugin, _managed_settings, _client_settings, _private, _gateway, _statusline)
