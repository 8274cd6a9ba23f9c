"""Outputs that the client has cut before a hook or the mod sees them: the notice stays, the file behind them is the original."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.hooks import HookHandlers, create_daemon_context
from clew.records import join_text
from clew.settings import load_settings
from tests.adapters.daemon import repository
from tests.adapters.test_hooks import SECRET, Told, payload
from tests.looking import look

WHOLE = "\n".join(f"line {number} of a long answer" for number in range(9_000)) + f"\nthe key is {SECRET}\n"


class Place:
    """The hooks of a daemon, a session, and the client's folder of results for it."""

    def __init__(self, hooks: HookHandlers, folder: Path, repo: Path) -> None:
        self.hooks, self.repo = hooks, repo
        self.project = folder / "claude" / "projects" / "-repo"
        self.results = self.project / "s1" / "tool-results"
        self.results.mkdir(parents=True)
        self.told = Told(self.project / "s1.jsonl", repo, "s1")
        self.told.user("Run the long thing.")
        self.hooks.handle_event("Stop", payload("Stop", self.told))  # the transcript's place is known

    def preview(self, file: Path) -> str:
        size = "350.1KB"
        return f"<persisted-output>\nOutput too large ({size}). Full output saved to: {file}\n\nPreview (first 2KB):\n{WHOLE[:2000]}\n...\n</persisted-output>"

    def appended(self, text: str, **more: Any) -> str | None:
        asked = {"session_id": "s1", "cwd": str(self.repo), "tool_name": "Bash", "tool_use_id": "toolu_1", "text": text, **more}
        return self.hooks.handle_event("mod/append", asked)["text"]

    def unfolded(self, shown: str) -> str:
        handle = shown.rpartition("clew unfold ")[2][:8]
        return self.hooks.context.get_engine().unfold(self.repo, handle).data.decode()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    monkeypatch.delenv("CLAUDE_CODE_TMPDIR", raising=False)
    repo = repository(tmp_path / "repo")
    (tmp_path / "home").mkdir()
    context = create_daemon_context(replace(load_settings({}), data_dir=tmp_path / "home"))
    DaemonPaths(context.settings.data_dir).make_dirs()
    yield Place(HookHandlers(context), tmp_path, repo)
    context.close()


def test_a_preview_keeps_its_notice_and_the_whole_is_a_handle_away(place: Place) -> None:
    file = place.results / "b1.txt"
    file.write_text(WHOLE)
    shown = place.appended(place.preview(file))

    assert shown is not None
    assert shown.startswith(place.preview(file))
    assert shown.endswith("all 9,002 lines: clew unfold " + shown[-10:-2] + "]\n")
    whole = place.unfolded(shown)
    assert "line 8999 of a long answer" in whole
    assert SECRET not in whole
    assert whole.count("\n") == WHOLE.count("\n")


def test_the_hook_reads_the_file_that_the_client_names_beside_what_it_shows(place: Place) -> None:
    file = place.results / "b2.txt"
    file.write_text(WHOLE)
    response = {"stdout": WHOLE[:30_000], "stderr": "", "interrupted": False, "isImage": False, "persistedOutputPath": str(file)}
    said = place.hooks.handle_event(
        "PostToolUse",
        payload("PostToolUse", place.told, tool_name="Bash", tool_input={"command": "x"}, tool_response=response, tool_use_id="t"),
    )
    shown = json.loads(json.dumps(said))["hookSpecificOutput"]["updatedToolOutput"]["stdout"]

    assert "line 8999 of a long answer" in place.unfolded(shown)
    assert "cut by the client" in shown


def test_a_temporary_folder_of_the_client_is_its_own_too(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "clienttmp" / "claude-1000" / "tool-results" / "b1.txt"
    file.parent.mkdir(parents=True)
    file.write_text(WHOLE)

    assert place.appended(place.preview(file)) is None
    monkeypatch.setenv("CLAUDE_CODE_TMPDIR", str(tmp_path / "clienttmp"))
    shown = place.appended(place.preview(file))
    assert shown is not None
    assert "line 8999" in place.unfolded(shown)


def gone(place: Place, tmp_path: Path) -> Path:
    return place.results / "gone.txt"


def elsewhere(place: Place, tmp_path: Path) -> Path:
    return _written(tmp_path / "elsewhere" / "tool-results" / "b1.txt")


def beside_the_results(place: Place, tmp_path: Path) -> Path:
    return _written(place.project / "s1" / "notes.txt")


def above(place: Place, tmp_path: Path) -> Path:
    _written(tmp_path / "tool-results" / "b1.txt")
    return place.results / ".." / ".." / ".." / ".." / ".." / "tool-results" / "b1.txt"


def symlink(place: Place, tmp_path: Path) -> Path:
    (place.results / "link.txt").symlink_to(_written(tmp_path / "secret.txt"))
    return place.results / "link.txt"


def symlinked_folder(place: Place, tmp_path: Path) -> Path:
    (place.project / "s2").mkdir()
    (place.project / "s2" / "tool-results").symlink_to(_written(tmp_path / "elsewhere" / "b1.txt").parent)
    return place.project / "s2" / "tool-results" / "b1.txt"


def hard_link(place: Place, tmp_path: Path) -> Path:
    os.link(_written(tmp_path / "secret.txt"), place.results / "hard.txt")
    return place.results / "hard.txt"


def fifo(place: Place, tmp_path: Path) -> Path:
    os.mkfifo(place.results / "pipe.txt")
    return place.results / "pipe.txt"


def folder(place: Place, tmp_path: Path) -> Path:
    (place.results / "folder").mkdir()
    return place.results / "folder"


def too_large(place: Place, tmp_path: Path) -> Path:
    file = _written(place.results / "large.txt")
    os.truncate(file, 5 << 20)
    return file


def of_another_user(place: Place, tmp_path: Path) -> Path:
    file = _written(place.results / "theirs.txt")
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(file, 65_534, 65_534)
    return file


def _written(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(WHOLE)
    return file


@pytest.mark.parametrize(
    "made",
    [gone, elsewhere, beside_the_results, above, symlink, symlinked_folder, hard_link, fifo, folder, too_large, of_another_user],
    ids=lambda made: made.__name__,
)
def test_only_the_users_own_plain_file_in_the_clients_own_folder_is_read(place: Place, tmp_path: Path, made: Any) -> None:
    """Else the preview stays as the client gave it, its notice with it, and nothing is invented."""
    assert place.appended(place.preview(made(place, tmp_path))) is None
    key = place.hooks.context.get_engine().store
    assert not [state for workspace in key.workspaces() for state in look(key, workspace.key).source_states("session:s1/originals")]


RUN = "\n".join(f"tests/test_a.py::test_{number} PASSED" for number in range(150))
FOUND = "\n".join(f"src/module_{number}.py:{number}: def thing_{number * 31 % 97}():" for number in range(200))


@pytest.mark.parametrize(("command", "half"), [("pytest", RUN), ("grep -rn thing", FOUND)])
def test_the_notice_in_the_middle_of_a_failed_command_stays_where_the_output_is_shortened(place: Place, command: str, half: str) -> None:
    notice = "... [39012 characters truncated] ..."
    text = f"Exit code 1\n{half}\n\n{notice}\n\n{half}\nFAILED tests/test_a.py::test_9 - assert 1 == 2\n1 failed, 900 passed in 9.1s"
    shown = place.appended(text, is_error=True, tool_input={"command": command})

    assert shown is not None
    assert len(shown) < len(text) * 0.7
    assert notice in shown.split("\n")
    assert place.unfolded(shown[: shown.index("]", shown.index("clew unfold"))]) == text


def test_a_cut_output_whose_file_is_gone_is_not_shown_as_whole(place: Place) -> None:
    text = "\n".join(f"tests/test_a.py::test_{number} PASSED" for number in range(900))[:30_000]
    response = {"stdout": text, "stderr": "", "interrupted": False, "isImage": False, "persistedOutputPath": str(place.results / "gone")}
    said = place.hooks.handle_event(
        "PostToolUse",
        payload("PostToolUse", place.told, tool_name="Bash", tool_input={"command": "pytest"}, tool_response=response, tool_use_id="t"),
    )
    shown = json.loads(json.dumps(said))["hookSpecificOutput"]["updatedToolOutput"]["stdout"]

    assert shown.endswith("[… cut by the client; the rest was not seen]\n")


def test_a_hand_off_says_not_seen_of_a_check_that_the_client_has_cut(place: Place) -> None:
    place.told.calls("Bash", place.preview(place.results / "gone.txt").replace("line 9 ", "400 passed in 3.21s\n"), command="pytest tests")
    engine = place.hooks.context.get_engine()
    state = join_text(engine.hand_off(str(place.told.path), budget_tokens=1_500, tokenizer="claude", path=place.repo))

    assert "- no verdict seen: `pytest tests`" in state
    assert "passed" not in state


def test_a_transcript_gives_the_whole_while_the_file_is_there_and_the_preview_later(place: Place) -> None:
    file = _written(place.results / "b3.txt")
    place.told.calls("Bash", place.preview(file), command="./long thing")
    outside = _written(place.project.parent.parent / "other" / "tool-results" / "b4.txt")
    place.told.calls("Bash", place.preview(outside), command="./other thing")
    engine = place.hooks.context.get_engine()
    engine.ingest([place.told.path], repo=place.repo)
    [key] = [workspace.key for workspace in engine.store.workspaces()]
    found = {
        record.name.partition("→")[0].strip(): record
        for record in look(engine.store, key).records_of_sources("session:s1")
        if record.name.startswith("$ ./")
    }
    long, other = (engine.unfold(place.repo, found[f"$ ./{name} thing"].id[:8]).data.decode() for name in ("long", "other"))

    assert "line 8999 of a long answer" in long
    assert SECRET not in long
    assert "line 8999" not in other
    assert "Output too large" in other
