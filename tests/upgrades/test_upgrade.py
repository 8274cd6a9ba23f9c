"""A HOME that an earlier commit made is upgraded: nothing is lost, and what is not ours stays as it was."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

import clew
from clew.adapters.daemon_files import DaemonPaths, read_state
from clew.adapters.http import start
from clew.settings import find_workspace
from clew.store.originals import digest_of
from clew.store.sqlite import MIGRATIONS, SqliteStore
from clew.store.tables.codec import decode_text, unpack_texts
from tests.adapters.daemon import until
from tests.looking import look
from tests.upgrades.homes import SECRET, Home, archives, unpack

NEW = Path(clew.__file__).parent.parent
# `init` writes the settings of a repository, and the index reads them: those records are new afterwards.
CONTENT = (
    "SELECT id, superseded_by, reason, texts, kind, name, subject, session FROM records WHERE path NOT LIKE '.claude/%' ORDER BY id, source"
)


@contextmanager
def unpacked(archive: Path) -> Iterator[Home]:
    """A HOME in a folder whose path is short, for the daemon's socket; its daemon is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="clew-up-", dir="/tmp") as folder:
        made = unpack(archive, Path(folder))
        yield made
        with suppress(start.DaemonUnavailable):
            start.stop_daemon(DaemonPaths(made.data))


def named(path: Path) -> str:
    return path.name.partition(".")[0]


@pytest.fixture(params=archives(), ids=named)
def home(request: pytest.FixtureRequest) -> Iterator[Home]:
    """A HOME of its own for one test."""
    with unpacked(request.param) as made:
        yield made


@dataclass(frozen=True, slots=True)
class Upgraded:
    """A HOME after `init` of the present code, and what was in it before."""

    home: Home
    records: list[tuple[Any, ...]]
    originals: list[str]
    tombstones: list[tuple[Any, ...]]
    versions: list[str]


@pytest.fixture(scope="module", params=archives(), ids=named)
def upgraded(request: pytest.FixtureRequest) -> Iterator[Upgraded]:
    """One that several tests look at, and none changes."""
    with unpacked(request.param) as home:
        originals = [digest for (digest,) in rows(home, "SELECT digest FROM originals")]
        versions = [path.name for path in (home.client / "plugins" / "cache" / "clew" / "clew").iterdir()]
        before = Upgraded(home, contents(home), originals, rows(home, "SELECT * FROM tombstones"), versions)
        home.clew(NEW, "init", "--gateway")
        yield before


def rows(home: Home, sql: str) -> list[tuple[Any, ...]]:
    with closing(apsw.Connection(str(home.data / "clew.db"), flags=apsw.SQLITE_OPEN_READONLY)) as database:
        return list(database.execute(sql))


def contents(home: Home) -> list[tuple[Any, ...]]:
    """What the records say, however a release packs their texts."""
    return [(*row[:3], unpack_texts(row[3], decode_text(row[5])), *row[4:]) for row in rows(home, CONTENT)]


def mcp_of(home: Home) -> list[str]:
    """The command line of the MCP server, as the client reads it."""
    told = json.loads((home.data / "plugin" / "clew" / ".mcp.json").read_text())["mcpServers"]["clew"]
    return [told["command"], *told["args"]]


@contextmanager
def started(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon as a session's MCP server starts it; it is asked for at the end, by when it has to have ended or is ended."""
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)


@contextmanager
def old_daemon(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon of the earlier commit, started by the command in its plugin."""
    command = starter_of(home)
    assert str(home.code) in command[3]
    with started(command) as process:
        assert until(lambda: version_of(home) == home.about["version"], 20)
        yield process


def starter_of(home: Home) -> list[str]:
    """The command by which the plugin that stands there starts the daemon."""
    known = json.loads((home.data / "installed.json").read_text()).get("starter")
    line = mcp_of(home)
    return known or line[line.index(sys.executable, 1) :]


def version_of(home: Home) -> str | None:
    """The version of the daemon that answers on this HOME's socket, None where none does."""
    found = start.find_running_daemon(DaemonPaths(home.data))
    return None if found is None or found.health is None else str(found.health["version"])


def same_as_before(home: Home) -> None:
    """The user's files are byte for byte what they were before the old `init`, and nothing is beside them."""
    for name in ("home/.claude", "repo/.claude"):
        before = {str(path.relative_to(home.folder / "before")): path.read_bytes() for path in (home.folder / "before" / name).iterdir()}
        now = {
            str(path.relative_to(home.folder)): path.read_bytes()
            for path in (home.folder / name).rglob("*")
            if path.is_file() and "projects" not in path.parts
        }
        assert now == before


def test_a_home_is_there_for_the_commit_before_this_one() -> None:
    assert archives()


def test_the_database_is_upgraded_with_nothing_lost(upgraded: Upgraded) -> None:
    home = upgraded.home
    assert len(upgraded.records) > 40
    assert upgraded.tombstones
    assert set(contents(home)) >= set(upgraded.records)
    assert rows(home, "SELECT * FROM tombstones") == upgraded.tombstones
    with closing(SqliteStore(home.data / "clew.db", is_read_only=True)) as store:
        key, _ = find_workspace(home.repo)
        assert all(digest_of(look(store, key).original(digest)) == digest for digest in upgraded.originals)


def test_what_was_known_can_be_asked_for_after_the_upgrade(upgraded: Upgraded) -> None:
    home = upgraded.home
    about = home.about

    assert "tie_bowline" in home.clew(NEW, "retrieve", "how is a bowline tied?").stdout
    assert home.clew(NEW, "unfold", about["note"]).stdout == about["note_text"]
    assert about["note_text"] in home.clew(NEW, "retrieve", "whose is the retry budget of OPS-7731?").stdout
    packet = home.clew(NEW, "compact", about["session"], "--budget", "2000").stdout
    assert "tests/retrieval/test_ties.py" in packet
    assert home.clew(NEW, "unfold", about["purged"], check=False).returncode == 4
    assert SECRET not in home.clew(NEW, "retrieve", SECRET).stdout
    assert SECRET.encode() not in (home.data / "clew.db").read_bytes()
    session = json.loads((home.data / "run" / "sessions" / f"{about['live_session']}.json").read_text())
    assert session["cwd"] == str(home.repo)


def test_the_old_daemon_is_replaced_by_init(home: Home) -> None:
    with old_daemon(home) as old:
        home.clew(NEW, "init")

        assert version_of(home) == clew.__version__
        assert old.wait(20) == 0


def test_the_old_daemon_is_replaced_by_serve(home: Home) -> None:
    with old_daemon(home) as old:
        home.clew(NEW, "serve", "--detach")

        assert version_of(home) == clew.__version__
        assert old.wait(20) == 0


def test_an_old_daemon_that_comes_back_is_replaced_by_the_command_of_the_next_session(home: Home) -> None:
    """A session that began before the upgrade starts the daemon of the old plugin; the new plugin's command takes its place."""
    of_the_old = starter_of(home)
    home.clew(NEW, "init")
    start.stop_daemon(DaemonPaths(home.data))
    with started(of_the_old) as old:
        assert until(lambda: version_of(home) == home.about["version"], 20)
        with started(starter_of(home)) as new:
            assert until(lambda: version_of(home) == clew.__version__, 20)
            assert old.wait(20) == 0
            assert new.poll() is None


def test_a_daemon_of_a_release_that_is_not_installed_any_more_hands_over_as_it_starts(home: Home) -> None:
    """A session that began before an upgrade brings its own release's daemon up: that one knows which release is installed now."""
    home.clew(NEW, "init")
    start.stop_daemon(DaemonPaths(home.data))
    other = home.folder / "other"
    shutil.copytree(NEW / "clew", other / "clew", ignore=shutil.ignore_patterns("__pycache__", "samples"))
    (other / "clew" / "__init__.py").write_text('"""An earlier release."""\n\n__version__ = "0.1.9"\n')
    command = starter_of(home)
    spec = {**json.loads(command[-1]), "path": str(other), "version": "0.1.9"}
    with started([*command[:-2], str(other / "clew" / "adapters" / "http" / "supervise.py"), json.dumps(spec)]) as old:
        assert old.wait(30) == 0
    assert until(lambda: version_of(home) == clew.__version__, 20)


def test_a_daemon_of_the_same_release_is_left_alone_by_that_command(home: Home) -> None:
    home.clew(NEW, "init")
    before = read_state(DaemonPaths(home.data))

    assert subprocess.run(starter_of(home), timeout=30, check=False).returncode == 4
    assert read_state(DaemonPaths(home.data)) == before


def test_the_new_plugin_stands_in_both_places_and_the_old_one_in_none(upgraded: Upgraded) -> None:
    home = upgraded.home
    assert upgraded.versions == [home.about["version"]]
    cache = home.client / "plugins" / "cache" / "clew" / "clew"

    assert [path.name for path in cache.iterdir()] == [clew.__version__]
    market = home.data / "plugin" / "clew"
    for name in ("hooks/hooks.json", "hooks/register.js", ".mcp.json", "clew_hook.py", "clew_mcp.py", ".claude-plugin/plugin.json"):
        assert (market / name).read_bytes() == (cache / clew.__version__ / name).read_bytes()
    assert json.loads((market / ".claude-plugin" / "plugin.json").read_text())["version"] == clew.__version__
    text = (market / "hooks" / "hooks.json").read_text() + (market / ".mcp.json").read_text() + (market / "clew_place.py").read_text()
    assert str(home.code) not in text
    assert str(NEW) in text
    entries = json.loads((home.client / "plugins" / "installed_plugins.json").read_text())["plugins"]["clew@clew"]
    user = next(each for each in entries if each["scope"] == "user")
    assert (user["version"], Path(user["installPath"])) == (clew.__version__, cache / clew.__version__)
    assert {each["scope"] for each in entries} == {"user", "local"}


def test_the_users_settings_stay_the_users(upgraded: Upgraded) -> None:
    home = upgraded.home
    settings = home.client / "settings.json"
    mine = json.loads((home.folder / "before" / "home" / ".claude" / "settings.json").read_text())
    told = json.loads(settings.read_text())

    assert told["theme"] == mine["theme"]
    assert told["hooks"] == mine["hooks"]
    assert told["permissions"]["deny"] == mine["permissions"]["deny"]
    assert [each for each in told["permissions"]["allow"] if "clew" not in each] == mine["permissions"]["allow"]
    assert told["env"]["EDITOR"] == "vi"
    assert (home.data / "run" / "upstream").read_text().strip() == mine["env"]["ANTHROPIC_BASE_URL"]


@pytest.mark.parametrize("with_init", [True, False], ids=["after a new init", "at once"])
def test_uninstall_gives_back_every_byte_from_before_the_old_init(home: Home, *, with_init: bool) -> None:
    if with_init:
        home.clew(NEW, "init", "--gateway")
        home.clew(NEW, "init", "--scope", "local")
    told = json.loads(home.clew(NEW, "uninstall", "--json").stdout)

    same_as_before(home)
    assert not [note for note in told["notes"] if "by hand" in note]
    assert version_of(home) is None


def test_what_the_user_changed_since_the_old_init_outlives_uninstall(home: Home) -> None:
    settings = home.client / "settings.json"
    told = json.loads(settings.read_text())
    told["permissions"]["allow"].remove("Bash(git status)")
    told["permissions"]["allow"].append("WebSearch")
    settings.write_text(json.dumps(told))
    home.clew(NEW, "init")
    home.clew(NEW, "uninstall")
    mine = json.loads((home.folder / "before" / "home" / ".claude" / "settings.json").read_text())

    assert json.loads(settings.read_text()) == {**mine, "permissions": {"allow": ["Bash(ls)", "WebSearch"], "deny": ["Read(.env)"]}}


def test_every_key_of_the_old_configuration_is_known_or_passed_over(home: Home) -> None:
    done = home.clew(NEW, "status")
    keys = [line.partition(" ")[0] for line in (home.data / "config.toml").read_text().splitlines()]

    assert len(keys) >= 16
    assert all("was passed over" in line or "is called" in line for line in done.stderr.splitlines() if "config.toml" in line)


def test_the_daemon_goes_on_with_a_configuration_that_makes_no_sense(home: Home) -> None:
    broken = 'serve_idle_s = "long"\nan_old_name = 3\nprompt_budget_tokens = 900\ntokenizer = "of-nobody"\nembedder = "/no/such/folder"\n'
    (home.data / "config.toml").write_text(broken)
    with_command = home.clew(NEW, "status", check=False)
    assert with_command.returncode == 2
    assert "config.toml: serve_idle_s = 'long' is not a whole number" in with_command.stderr
    home.clew(NEW, "serve", "--detach")

    assert version_of(home) == clew.__version__
    journal = (home.data / "run" / "problems.jsonl").read_text()
    assert "serve_idle_s = 'long' is not a whole number" in journal
    assert "an_old_name is not a setting" in journal
    assert "tokenizer = 'of-nobody' is not one of" in journal
    assert "embedder = '/no/such/folder' is not the folder of a model" in journal
    found = [each["what"] for each in json.loads(home.clew(NEW, "doctor", "--json", check=False).stdout)["findings"]]
    assert any("an_old_name is not a setting" in what for what in found)
    assert any("serve_idle_s = 'long'" in what for what in found)


def test_a_database_of_a_newer_release_is_refused_with_what_to_do_and_nothing_is_changed(home: Home) -> None:
    """`init` writes nothing either: the plugin that stands there is the newer release's."""
    with closing(apsw.Connection(str(home.data / "clew.db"))) as database:
        database.pragma("user_version", 99)
    plugin = (home.data / "plugin" / "clew" / ".mcp.json").read_bytes()
    settings = (home.client / "settings.json").read_bytes()
    for words in (("init",), ("init", "--no-index"), ("retrieve", "a bowline"), ("index",)):
        done = home.clew(NEW, *words, check=False)
        assert done.returncode == 3
        assert f"schema 99 is newer than {len(MIGRATIONS)}, the newest that clew {clew.__version__} knows" in done.stderr
        assert "pip install --upgrade clew" in done.stderr

    assert rows(home, "PRAGMA user_version") == [(99,)]
    assert (home.data / "plugin" / "clew" / ".mcp.json").read_bytes() == plugin
    assert (home.client / "settings.json").read_bytes() == settings


def test_an_old_sessions_tools_start_nothing_once_clew_is_removed(home: Home) -> None:
    """The plugin of the earlier commit names no file that must be there; the present code looks for one all the same."""
    command = [word.replace(str(home.code), str(NEW)) for word in starter_of(home)]
    home.clew(NEW, "init")
    home.clew(NEW, "uninstall")
    done = subprocess.run(command, timeout=30, check=False)

    assert done.returncode == 6
    assert not (home.data / "run").exists()
