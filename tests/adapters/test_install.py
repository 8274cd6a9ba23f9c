"""`clew init` and `clew uninstall`: what is touched, and that all of it is given back byte for byte."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from clew.adapters.claude_code import plugin_files
from clew.adapters.claude_code.install import SCOPES, Installer, InstallOptions, InstallTarget, build_gateway_url
from clew.adapters.claude_code.manifest import ClientFileInvalid
from clew.adapters.daemon_files import DaemonPaths, ensure_address
from clew.errors import UsageError
from tests.adapters.daemon import repository

ODD = {
    "none": None,
    "empty": b"",
    "compact": b'{"theme":"dark","env":{"A":"1"}}',
    "tabs": b'{\n\t"theme": "dark",\n\t"permissions": {"allow": ["Bash(ls)"]}\n}\n\n',
    "windows": b'{\r\n    "theme": "dark"\r\n}',
    "ours among others": b'{"enabledPlugins": {"other@market": true}, "statusLine": {"type": "command", "command": "mine"}}',
}


@pytest.fixture
def target(tmp_path: Path) -> InstallTarget:
    return InstallTarget(tmp_path / "home" / ".claude", repository(tmp_path / "repo"), "user")


def tree(*folders: Path) -> dict[str, tuple[int, bytes | str]]:
    """Every file and folder with its mode and its bytes."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for folder in folders:
        for path in [folder, *sorted(folder.rglob("*"))]:
            if ".git" not in path.parts and (path.exists() or path.is_symlink()):
                about = path.lstat()
                content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
                found[str(path)] = (stat.S_IMODE(about.st_mode), content)
    return found


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("before", ODD.values(), ids=ODD)
def test_uninstall_gives_every_byte_back(tmp_path: Path, target: InstallTarget, scope: str, before: bytes | None) -> None:
    target = InstallTarget(target.client_dir, target.root, scope)
    target.client_dir.parent.mkdir()
    if before is not None:
        for file in (target.settings, target.client_dir / "settings.json"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(before)
            file.chmod(0o640)
    paths = DaemonPaths(tmp_path / "clew")
    paths.make_dirs()
    was = tree(target.client_dir.parent, target.root)
    Installer(paths).install(target, InstallOptions(with_statusline=True, with_gateway=scope != "project"))
    Installer(paths).install(target, InstallOptions(with_statusline=True, with_gateway=scope != "project"))

    assert json.loads(target.settings.read_bytes())["enabledPlugins"]["clew@clew"] is True
    Installer(paths).uninstall()
    assert tree(target.client_dir.parent, target.root) == was


def test_what_others_wrote_meanwhile_stays_and_what_is_ours_goes(tmp_path: Path, target: InstallTarget) -> None:
    target.settings.parent.mkdir(parents=True)
    target.settings.write_text('{"theme": "dark"}')
    paths = DaemonPaths(tmp_path / "clew")
    Installer(paths).install(target, InstallOptions(with_statusline=True, with_gateway=False))
    now = json.loads(target.settings.read_text())
    target.settings.write_text(json.dumps({**now, "model": "opus"}))
    Installer(paths).uninstall()

    assert json.loads(target.settings.read_text()) == {"theme": "dark", "model": "opus"}


def test_a_client_that_wrote_its_lists_anew_loses_what_is_ours(tmp_path: Path, target: InstallTarget) -> None:
    paths = DaemonPaths(tmp_path / "clew")
    Installer(paths).install(target, InstallOptions(with_statusline=False, with_gateway=False))
    file = target.client_dir / "plugins" / "known_marketplaces.json"
    told = json.loads(file.read_text())
    told["clew"]["lastUpdated"] = "later"
    file.write_text(json.dumps(told))
    Installer(paths).uninstall()

    assert not target.client_dir.exists()


@pytest.mark.parametrize("broken", [b"{not json", b"[1]", b'"text"'])
def test_a_file_that_is_not_understood_is_refused_before_anything_is_written(tmp_path: Path, target: InstallTarget, broken: bytes) -> None:
    target.settings.parent.mkdir(parents=True)
    target.settings.write_bytes(broken)
    paths = DaemonPaths(tmp_path / "clew")
    was = tree(target.client_dir.parent, target.root)
    with pytest.raises(ClientFileInvalid, match="nothing was changed"):
        Installer(paths).install(target, InstallOptions(with_statusline=True, with_gateway=False))

    assert tree(target.client_dir.parent, target.root) == was


def test_a_list_of_another_version_is_refused(tmp_path: Path, target: InstallTarget) -> None:
    file = target.client_dir / "plugins" / "installed_plugins.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"version": 3, "plugins": {}}')
    with pytest.raises(ClientFileInvalid, match="version 3"):
        Installer(DaemonPaths(tmp_path / "clew")).install(target, InstallOptions(with_statusline=True, with_gateway=False))


def test_settings_behind_a_link_stay_behind_it(tmp_path: Path, target: InstallTarget) -> None:
    real = tmp_path / "dotfiles.json"
    real.write_text('{"theme": "dark"}')
    target.settings.parent.mkdir(parents=True)
    target.settings.symlink_to(real)
    paths = DaemonPaths(tmp_path / "clew")
    Installer(paths).install(target, InstallOptions(with_statusline=True, with_gateway=False))

    assert target.settings.is_symlink()
    assert "clew@clew" in real.read_text()
    Installer(paths).uninstall()
    assert real.read_text() == '{"theme": "dark"}'


def test_a_dry_run_writes_nothing(tmp_path: Path, target: InstallTarget) -> None:
    paths = DaemonPaths(tmp_path / "clew")
    paths.make_dirs()
    ensure_address(paths)
    was = tree(tmp_path)
    done = Installer(paths, is_dry=True).install(target, InstallOptions(with_statusline=True, with_gateway=True))

    assert tree(tmp_path) == was
    assert len(done.actions) >= 3


def test_what_a_team_shares_names_no_machine(tmp_path: Path, target: InstallTarget) -> None:
    target = InstallTarget(target.client_dir, target.root, "project")
    Installer(DaemonPaths(tmp_path / "clew")).install(target, InstallOptions(with_statusline=True, with_gateway=False))

    assert str(tmp_path) not in target.settings.read_text()
    assert "statusLine" in target.private_settings.read_text()


def test_the_gateway_is_not_for_settings_that_are_shared(tmp_path: Path, target: InstallTarget) -> None:
    with pytest.raises(UsageError, match="shared"):
        Installer(DaemonPaths(tmp_path / "clew")).install(
            InstallTarget(target.client_dir, target.root, "project"), InstallOptions(with_statusline=False, with_gateway=True)
        )


def test_whom_the_client_asked_before_is_whom_the_gateway_asks(tmp_path: Path, target: InstallTarget) -> None:
    paths = DaemonPaths(tmp_path / "clew")
    paths.make_dirs()
    Installer(paths).install(target, InstallOptions(with_statusline=False, with_gateway=True, base_url="https://proxy.example.invalid"))

    assert (paths.run_dir / "upstream").read_text().strip() == "https://proxy.example.invalid"
    assert json.loads(target.settings.read_text())["env"]["ANTHROPIC_BASE_URL"] == build_gateway_url(ensure_address(paths))


def test_what_is_rendered_is_private_and_whole(tmp_path: Path, target: InstallTarget) -> None:
    paths = DaemonPaths(tmp_path / "clew")
    Installer(paths).install(target, InstallOptions(with_statusline=False, with_gateway=False))
    files = [path for path in plugin_files.marketplace_dir(paths).rglob("*") if path.is_file()]

    assert {path.name for path in files} >= {
        "plugin.json",
        "hooks.json",
        "register.js",
        ".mcp.json",
        "clew_hook.py",
        "clew_mcp.py",
        "marketplace.json",
    }
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    told = [path.read_text() for path in files if path.suffix in (".json", ".js")]
    assert not any(word in text for text in told for word in ("@RELAY@", "@RUN_", "@PYTHON@", "@VERSION@", ensure_address(paths).gateway))
    hooks = json.loads((plugin_files.marketplace_dir(paths) / "clew" / "hooks" / "hooks.json").read_text())["hooks"]
    start = hooks["SessionStart"][0]["hooks"][0]
    assert Path(start["command"]).exists()
    assert str(plugin_files.marketplace_dir(paths) / "clew") in start["args"][3]
    assert (plugin_files.marketplace_dir(paths) / "clew" / "clew_ask.py").is_file()
