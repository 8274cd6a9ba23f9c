"""Whatever a user does to his settings between `init` and `uninstall` is there afterwards, and nothing of ours is."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clew.adapters.claude_code.install import SCOPES, Installer, InstallOptions, InstallTarget
from clew.adapters.daemon_files import DaemonPaths

RULES = st.sampled_from(["Bash(ls)", "Bash(cat)", "WebSearch", "Read(src/**)"])
LISTS = st.sampled_from([("permissions", "allow"), ("permissions", "deny"), ("permissions", "ask")])
KEYS = st.sampled_from([("theme",), ("model",), ("env", "EDITOR"), ("enabledPlugins", "other@market"), ("extraKnownMarketplaces", "other")])
VALUES = st.sampled_from(["dark", "opus", True, 1, None, {"source": {"source": "github", "repo": "a/b"}}])
EDITS = st.one_of(
    st.tuples(st.just("add"), LISTS, RULES),
    st.tuples(st.just("remove"), LISTS, RULES),
    st.tuples(st.just("set"), KEYS, VALUES),
    st.tuples(st.just("delete"), KEYS, st.none()),
    st.tuples(st.just("init"), st.sampled_from(SCOPES), st.none()),
)
Edit = tuple[str, Any, Any]


def apply(value: dict[str, Any], edit: Edit) -> None:
    """Do to settings what a user does. He takes only out what is his."""
    what, place, word = edit
    at: Any = value
    for name in place[:-1]:
        at = at.setdefault(name, {})
    if what == "set":
        at[place[-1]] = copy.deepcopy(word)
    elif what == "delete":
        at.pop(place[-1], None)
    else:
        words = at.setdefault(place[-1], [])
        if what == "add" and word not in words:
            words.append(word)
        elif what == "remove" and word in words:
            words.remove(word)


def bare(value: Any) -> Any:
    """Without objects and lists that are empty: of those nobody can say whose they are."""
    if not isinstance(value, dict):
        return value
    kept = {name: bare(each) for name, each in value.items()}
    return {name: each for name, each in kept.items() if each not in ({}, [])}


@settings(max_examples=60, deadline=None)
@given(before=st.lists(EDITS, max_size=4), edits=st.lists(EDITS, max_size=8))
def test_uninstall_leaves_what_the_user_made_of_his_settings(before: list[Edit], edits: list[Edit]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        client, root = home / ".claude", home / "repo"
        client.mkdir()
        root.mkdir()
        paths, file = DaemonPaths(home / "clew"), client / "settings.json"
        mine: dict[str, Any] = {"mine": "stays"}
        for edit in before:
            if edit[0] != "init":
                apply(mine, edit)
        file.write_text(json.dumps(mine, indent=2))
        for edit in [("init", "user", None), *edits]:
            if edit[0] == "init":
                Installer(paths).install(
                    InstallTarget(client, root, edit[1], home / "managed"), InstallOptions(with_statusline=True, with_gateway=False)
                )
            else:
                apply(mine, edit)
                now = json.loads(file.read_text())
                apply(now, edit)
                file.write_text(json.dumps(now, indent=2))
        done = Installer(paths).uninstall()

        assert bare(json.loads(file.read_text())) == bare(mine)
        assert sorted(path.name for path in home.rglob("*") if path.is_file() and "clew" not in path.parts) == ["settings.json"]
        assert done.notes == []
