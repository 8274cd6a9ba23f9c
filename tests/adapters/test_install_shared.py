"""What is not ours stays as it is: settings that others edit between `init` and `uninstall`, and files that cannot be written."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clew.adapters.claude_code.file_changes import FileReplacement, FilesNotWritable, apply_changes
from clew.adapters.claude_code.install import SCOPES, Installer, InstallOptions, InstallResult, InstallTarget
from clew.adapters.claude_code.manifest import ClientFileInvalid
from clew.adapters.claude_code.plugin_files import TOOLS_PERMISSION
from clew.adapters.daemon_files import DaemonPaths
from tests.adapters.daemon import repository
from tests.adapters.test_install import tree
from tests.faults import fault

MINE = {"permissions": {"allow": ["Bash(ls)", "Bash(cat)"], "deny": ["Read(.env)"]}, "theme": "dark"}
NOBODY = 65534  # a uid without rights, on Linux and macOS alike


class Client:
    """The client's files of one user, and clew on them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.paths = folder, DaemonPaths(folder / "clew")
        self.root = repository(folder / "repo")
        self.target = InstallTarget(folder / "home" / ".claude", self.root, "user", folder / "managed")
        self.settings = self.target.settings
        self.settings.parent.mkdir(parents=True)

    def write(self, value: object) -> None:
        self.settings.write_text(json.dumps(value, indent=4))

    def read(self) -> Any:
        return json.loads(self.settings.read_text())

    def edit(self, change: Callable[[Any], object]) -> None:
        value = self.read()
        change(value)
        self.settings.write_text(json.dumps(value, indent=4))

    def init(self, scope: str = "user", *, with_gateway: bool = False) -> InstallResult:
        target = InstallTarget(self.target.client_dir, self.root, scope, self.target.managed_dir)
        return Installer(self.paths).install(target, InstallOptions(with_statusline=True, with_gateway=with_gateway))

    def uninstall(self) -> InstallResult:
        return Installer(self.paths).uninstall()

    def is_clean(self) -> bool:
        """Whether nothing of the client's names clew any more, and nothing lies beside its files."""
        files = [path for path in (self.folder / "home").rglob("*") if path.is_file()]
        return [path.name for path in files] == ["settings.json"] and "clew" not in self.settings.read_text()


@pytest.fixture
def client(tmp_path: Path) -> Client:
    made = Client(tmp_path)
    made.write(MINE)
    return made


# -- entries ----------------------------------------------------------------------------------------------------------------------


@fault("a permission of ours was taken out by hand before `uninstall`", "it is not granted again, and that is said")
def test_a_permission_that_the_user_took_away_is_not_granted_again(client: Client) -> None:
    client.init()
    client.edit(lambda told: told["permissions"]["allow"].remove("Bash(cat)"))
    done = client.uninstall()

    assert client.read() == {**MINE, "permissions": {"allow": ["Bash(ls)"], "deny": ["Read(.env)"]}}
    assert client.is_clean()
    assert not any("restored" in step and "settings.json" in step for step in done.actions)


def test_a_rule_that_the_user_added_beside_ours_stays(client: Client) -> None:
    client.init()
    client.edit(lambda told: told["permissions"]["allow"].insert(0, "Bash(git diff)"))
    client.edit(lambda told: told["permissions"]["allow"].append("WebSearch"))
    client.uninstall()

    assert client.read()["permissions"]["allow"] == ["Bash(git diff)", "Bash(ls)", "Bash(cat)", "WebSearch"]
    assert client.is_clean()


def test_lists_and_objects_that_only_we_made_go_unless_others_use_them(client: Client) -> None:
    client.write({"theme": "dark"})
    client.init()
    client.edit(lambda told: told["enabledPlugins"].update({"other@market": True}))
    client.uninstall()

    assert client.read() == {"theme": "dark", "enabledPlugins": {"other@market": True}}


@pytest.mark.parametrize(
    ("change", "left", "says"),
    [
        (lambda told: told["statusLine"].update(padding=2), "statusLine", "take statusLine out by hand"),
        (lambda told: told["enabledPlugins"].update({"clew@clew": False}), "enabledPlugins", "enabledPlugins.clew@clew was changed since"),
        (
            lambda told: told["extraKnownMarketplaces"]["clew"].update(autoUpdate=True),
            "extraKnownMarketplaces",
            "extraKnownMarketplaces.clew was changed",
        ),
        (lambda told: told.update(statusLine={"type": "command", "command": "mine"}), "statusLine", "statusLine was changed since"),
    ],
)
def test_an_entry_of_ours_that_the_user_changed_is_left_and_said(
    client: Client, change: Callable[[Any], object], left: str, says: str
) -> None:
    client.init()
    client.edit(change)
    wanted = client.read()[left]
    done = client.uninstall()

    assert client.read() == {**MINE, left: wanted}
    assert any(says in note and "settings.json" in note for note in done.notes), done.notes


def test_an_address_that_the_user_changed_or_removed_is_not_put_back(client: Client) -> None:
    client.write({"env": {"ANTHROPIC_BASE_URL": "https://first.example.invalid", "A": "1"}})
    client.init(with_gateway=True)
    client.edit(lambda told: told["env"].pop("ANTHROPIC_BASE_URL"))
    client.uninstall()
    assert client.read() == {"env": {"A": "1"}}

    client.write({"env": {"ANTHROPIC_BASE_URL": "https://first.example.invalid"}})
    client.init(with_gateway=True)
    client.edit(lambda told: told["env"].update(ANTHROPIC_BASE_URL="https://second.example.invalid"))
    done = client.uninstall()
    assert client.read() == {"env": {"ANTHROPIC_BASE_URL": "https://second.example.invalid"}}
    assert any('set env.ANTHROPIC_BASE_URL back to "https://first.example.invalid" by hand' in note for note in done.notes)


def test_an_address_that_we_replaced_comes_back_though_the_file_was_changed(client: Client) -> None:
    client.write({"env": {"ANTHROPIC_BASE_URL": "https://first.example.invalid"}})
    client.init(with_gateway=True)
    client.edit(lambda told: told.update(model="opus"))
    client.uninstall()

    assert client.read() == {"env": {"ANTHROPIC_BASE_URL": "https://first.example.invalid"}, "model": "opus"}


def test_what_the_user_did_between_two_calls_of_init_outlives_uninstall(client: Client) -> None:
    client.init()

    def changes(told: Any) -> None:
        told["permissions"]["allow"].remove("Bash(cat)")
        told["permissions"]["allow"].append("WebSearch")
        told["model"] = "opus"
        del told["theme"]

    client.edit(changes)
    client.init()
    assert TOOLS_PERMISSION in client.read()["permissions"]["allow"]
    client.uninstall()

    assert client.read() == {"permissions": {"allow": ["Bash(ls)", "WebSearch"], "deny": ["Read(.env)"]}, "model": "opus"}
    assert client.is_clean()


def test_our_own_permission_that_the_user_took_away_is_not_granted_by_a_second_init(client: Client) -> None:
    client.init()
    client.edit(lambda told: told["permissions"]["allow"].remove(TOOLS_PERMISSION))
    done = client.init()

    assert TOOLS_PERMISSION not in client.read()["permissions"]["allow"]
    assert any("was not granted again" in note for note in done.notes)
    client.uninstall()
    assert client.read() == MINE


@pytest.mark.parametrize("name", ["deny", "ask"])
def test_tools_that_the_user_denies_are_not_allowed(client: Client, name: str) -> None:
    client.write({"permissions": {name: [TOOLS_PERMISSION]}})
    done = client.init()

    assert "allow" not in client.read()["permissions"]
    assert any(f"permissions.{name} names clew's tools" in note for note in done.notes)


def test_a_permission_that_the_user_had_given_before_stays(client: Client) -> None:
    client.write({"permissions": {"allow": [TOOLS_PERMISSION]}})
    client.init()
    client.edit(lambda told: told.update(model="opus"))
    client.uninstall()

    assert client.read() == {"permissions": {"allow": [TOOLS_PERMISSION]}, "model": "opus"}


@pytest.mark.parametrize("second", SCOPES)
@pytest.mark.parametrize("first", SCOPES)
def test_two_scopes_one_after_the_other_leave_nothing(client: Client, first: str, second: str) -> None:
    was = tree(client.folder / "home", client.root)
    client.init(first)
    client.init(second)
    client.init(first)
    assert len(json.loads((client.target.client_dir / "plugins" / "installed_plugins.json").read_text())["plugins"]["clew@clew"]) == len(
        {first, second}
    )
    client.uninstall()

    assert tree(client.folder / "home", client.root) == was


def test_two_scopes_with_edits_between_leave_the_edits_alone(client: Client) -> None:
    client.init("user")
    client.edit(lambda told: told.update(model="opus"))
    client.init("local")
    client.edit(lambda told: told["permissions"]["allow"].append("WebSearch"))
    client.uninstall()

    assert client.read() == {
        **MINE,
        "model": "opus",
        "permissions": {"allow": ["Bash(ls)", "Bash(cat)", "WebSearch"], "deny": ["Read(.env)"]},
    }
    assert client.is_clean()
    assert not (client.root / ".claude").exists()


def test_other_plugins_keep_the_clients_lists(client: Client) -> None:
    """The client's list is of a form of its own: what makes it readable stays while another plugin stands in it."""
    client.init()
    listed = client.target.client_dir / "plugins" / "installed_plugins.json"
    told = json.loads(listed.read_text())
    told["plugins"]["other@market"] = [{"scope": "user"}]
    listed.write_text(json.dumps(told))
    client.uninstall()

    assert json.loads(listed.read_text()) == {"version": 2, "plugins": {"other@market": [{"scope": "user"}]}}


def test_an_object_in_the_place_of_a_list_is_refused_before_anything_is_written(client: Client) -> None:
    client.write({"permissions": {"allow": {"Bash(ls)": True}}})
    was = tree(client.folder)
    with pytest.raises(ClientFileInvalid, match=r"permissions\.allow is no list"):
        client.init()

    assert tree(client.folder) == was


def test_half_a_surrogate_pair_is_no_hindrance(client: Client) -> None:
    client.settings.write_bytes(b'{"note": "\\ud83d"}')
    client.init()
    client.uninstall()

    assert client.settings.read_bytes() == b'{"note": "\\ud83d"}'


# -- files that cannot be written -------------------------------------------------------------------------------------------------


def refused(client: Client, says: str, scope: str = "user") -> None:
    """`init` is refused, and nothing at all has changed, the data folder included."""
    was = tree(client.folder)
    with pytest.raises(FilesNotWritable, match="nothing was changed") as caught:
        client.init(scope)
    assert says in str(caught.value)
    assert tree(client.folder) == was


@fault("a settings file cannot be written", "`init` writes nothing at all, leaves nothing beside it, and says which file")
def test_a_read_only_file_is_refused(client: Client) -> None:
    client.settings.chmod(0o444)
    refused(client, "settings.json is read-only")


def test_a_link_into_a_read_only_file_is_refused(client: Client) -> None:
    dotfile = client.folder / "dotfiles" / "claude.json"
    dotfile.parent.mkdir()
    client.settings.rename(dotfile)
    dotfile.chmod(0o400)
    client.settings.symlink_to(dotfile)
    refused(client, f"{dotfile}, to which {client.settings} leads, is read-only")


def test_links_in_a_circle_are_refused(client: Client) -> None:
    client.settings.unlink()
    client.settings.symlink_to("settings.json")
    was = tree(client.folder)
    with pytest.raises((FilesNotWritable, ClientFileInvalid)):
        client.init()
    assert tree(client.folder) == was


def test_a_folder_in_the_place_of_a_file_is_refused(client: Client) -> None:
    (client.target.client_dir / "plugins" / "known_marketplaces.json").mkdir(parents=True)
    was = tree(client.folder)
    with pytest.raises((FilesNotWritable, ClientFileInvalid), match="nothing was changed"):
        client.init()
    assert tree(client.folder) == was


def test_a_file_in_the_place_of_a_folder_is_refused(client: Client) -> None:
    (client.root / ".claude").write_text("not a folder")
    was = tree(client.folder)
    with pytest.raises((FilesNotWritable, ClientFileInvalid), match="nothing was changed"):
        client.init("local")
    assert tree(client.folder) == was


@pytest.fixture
def immutable(client: Client) -> Iterator[Callable[[Path], None]]:
    """A way to make a file immutable, as an administrator does; skipped, with its reason, where that cannot be had."""
    done: list[Path] = []

    def make(path: Path) -> None:
        made = subprocess.run(["chattr", "+i", str(path)], capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"no file can be made immutable here: {made.stderr.strip()}")
        done.append(path)

    if sys.platform != "linux":
        pytest.skip("chattr, which makes a file immutable, is Linux's")
    yield make
    for path in done:
        subprocess.run(["chattr", "-i", str(path)], check=True)


@pytest.mark.parametrize("which", ["settings.json", "plugins", "."])
def test_an_immutable_file_or_folder_is_refused(client: Client, immutable: Callable[[Path], None], which: str) -> None:
    (client.target.client_dir / "plugins").mkdir()
    path = client.target.client_dir / which
    immutable(path)
    refused(client, "settings.json" if which != "plugins" else "plugins")


def test_a_second_init_on_an_immutable_plugin_changes_nothing(client: Client, immutable: Callable[[Path], None]) -> None:
    client.init()
    immutable(client.paths.home / "plugin" / "clew" / "hooks" / "hooks.json")
    refused(client, "hooks.json")


def test_what_became_immutable_is_said_with_what_to_do_and_taken_back_later(client: Client, immutable: Callable[[Path], None]) -> None:
    client.init()
    immutable(client.settings)
    done = client.uninstall()

    assert any(
        str(client.settings) in note and f'take the element "{TOOLS_PERMISSION}" of permissions.allow out' in note for note in done.notes
    )
    assert not (client.target.client_dir / "plugins").exists()
    subprocess.run(["chattr", "-i", str(client.settings)], check=True)
    client.uninstall()
    assert client.read() == MINE
    assert not (client.paths.home / "installed.json").exists()


def as_nobody(folder: Path, action: Callable[[], object]) -> str:
    """Do something as a user without rights in a process of its own. Returns "done", or the error in words."""
    if os.geteuid() != 0:
        return _told(action)
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    above = folder.parent
    while above != Path("/") and above.stat().st_uid == 0 and not above.stat().st_mode & 0o001:
        above.chmod(above.stat().st_mode | 0o001)
        above = above.parent
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(into, _told(action).encode())
        finally:
            os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as stream:
        said = stream.read().decode()
    os.waitpid(child, 0)
    return said


def _told(action: Callable[[], object]) -> str:
    try:
        action()
    except FilesNotWritable as error:
        return f"refused: {error}"
    except Exception:  # noqa: BLE001 - the test that waits prints it
        return traceback.format_exc()
    return "done"


@pytest.mark.parametrize("which", ["home/.claude", "home/.claude/plugins", "clew"])
def test_a_folder_that_the_user_may_not_write_is_refused(client: Client, which: str) -> None:
    folder = client.folder / which
    folder.mkdir(exist_ok=True)
    folder.chmod(0o555)
    was = tree(client.folder)
    said = as_nobody(client.folder, client.init)

    assert said.startswith("refused:"), said
    assert "read-only for you" in said
    assert tree(client.folder) == was


def test_a_link_into_a_folder_that_the_user_may_not_write_is_refused(client: Client) -> None:
    dotfile = client.folder / "dotfiles" / "claude.json"
    dotfile.parent.mkdir()
    client.settings.rename(dotfile)
    client.settings.symlink_to(dotfile)
    dotfile.parent.chmod(0o555)
    was = tree(client.folder)
    said = as_nobody(client.folder, client.init)

    assert said.startswith("refused:"), said
    assert tree(client.folder) == was


def test_a_link_into_a_repository_of_dotfiles_is_written_through_and_stays(client: Client) -> None:
    dotfile = client.folder / "dotfiles" / "claude.json"
    dotfile.parent.mkdir()
    client.settings.rename(dotfile)
    client.settings.symlink_to(Path("..") / ".." / "dotfiles" / "claude.json")
    was = tree(client.folder / "home", dotfile.parent)
    assert as_nobody(client.folder, client.init) == "done"
    assert client.settings.is_symlink()
    assert TOOLS_PERMISSION in dotfile.read_text()
    assert [path.name for path in dotfile.parent.iterdir()] == ["claude.json"]
    assert as_nobody(client.folder, client.uninstall) == "done"

    assert tree(client.folder / "home", dotfile.parent) == was


def test_a_file_with_a_second_name_keeps_both(client: Client) -> None:
    second = client.folder / "second.json"
    os.link(client.settings, second)
    client.init()
    assert second.samefile(client.settings)
    client.uninstall()

    assert second.samefile(client.settings)
    assert json.loads(second.read_text()) == MINE


def with_files_of_at_most(size: int, action: Callable[[], object]) -> str:
    """Do something in a process of its own that can write no file beyond `size` bytes, as on a disk that is full."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        os.write(write, _told(action).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        said = stream.read().decode()
    os.waitpid(child, 0)
    return said


def test_on_a_disk_that_is_full_nothing_is_left(client: Client) -> None:
    was = tree(client.folder)
    said = with_files_of_at_most(1000, client.init)

    assert said.startswith("refused:"), said
    assert "File too large" in said
    assert tree(client.folder) == was


@fault("a write fails in the middle of `init`", "what was written before it is taken back")
def test_a_write_that_fails_takes_those_before_it_back(client: Client) -> None:
    gone = client.folder / "gone"
    gone.write_text("goes, and comes back")
    gone.chmod(0o640)
    was = tree(client.folder)
    changes = [
        FileReplacement(client.settings, b"{}"),
        FileReplacement(client.folder / "new" / "folder" / "file", b"new"),
        FileReplacement(gone, None),
        FileReplacement(client.folder / "large", b"x" * 2000),
        FileReplacement(client.folder / "never", b"never"),
    ]

    assert with_files_of_at_most(1000, lambda: apply_changes(changes)).startswith(f"refused: {client.folder / 'large'}")
    assert tree(client.folder) == was


# -- managed settings -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"disableAllHooks": True}, "disableAllHooks: no hook of clew will run"),
        ({"allowManagedHooksOnly": True}, "allowManagedHooksOnly: no hook of clew will run"),
        ({"strictKnownMarketplaces": []}, "strictKnownMarketplaces without"),
        ({"strictKnownMarketplaces": [{"source": "github", "repo": "a/b"}]}, "no hook of clew will run"),
        ({"enabledPlugins": {"clew@clew": False}}, "disables clew@clew"),
        ({"allowManagedPermissionRulesOnly": True}, "clew's tools will be asked for"),
    ],
)
@pytest.mark.parametrize("name", ["managed-settings.json", "managed-settings.d/50-company.json"])
def test_managed_settings_that_keep_clew_out_are_said_and_left(client: Client, told: dict[str, Any], says: str, name: str) -> None:
    file = client.target.managed_dir / name
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(told))
    was = tree(client.target.managed_dir)
    done = client.init()

    assert any(says in note and str(file) in note for note in done.notes), done.notes
    assert tree(client.target.managed_dir) == was


@pytest.mark.parametrize("told", [{}, {"disableAllHooks": False}, {"allowManagedHooksOnly": True, "enabledPlugins": {"clew@clew": True}}])
def test_managed_settings_that_let_clew_in_are_not_mentioned(client: Client, told: dict[str, Any]) -> None:
    client.target.managed_dir.mkdir()
    market = {"source": "directory", "path": str(client.paths.home / "plugin")}
    (client.target.managed_dir / "managed-settings.json").write_text(json.dumps({**told, "strictKnownMarketplaces": [market]}))

    assert client.init().notes == []


def test_hooks_that_the_user_has_turned_off_are_said(client: Client) -> None:
    client.edit(lambda told: told.update(disableAllHooks=True))

    assert any("disableAllHooks: no hook of clew will run" in note for note in client.init().notes)
