"""A client is one module: what follows is all that clew has to know of one, and no other file names it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clew.adapters import clients
from clew.adapters.clients.claude_code import FOLDER_NAME_CHARS_MAX, ClaudeCodeAdapter
from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.hooks import HookHandlers, create_daemon_context
from clew.cli.outcome import run
from clew.errors import UsageError
from clew.settings import load_settings
from tests.adapters.daemon import repository
from tests.adapters.test_hooks import LONG, told_of

PLUMB = """
import os
from pathlib import Path
from clew.records import Observation, ObservationKind

class Plumb:
    title = "Plumb"
    def config_dir(self): return Path(os.environ["PLUMB_HOME"])
    def list_transcript_dirs(self): return sorted(self.config_dir().iterdir())
    def find_transcript_dir(self, root): return self.config_dir() / root.name if (self.config_dir() / root.name).is_dir() else None
    def parse_session(self, payload): return {"name": payload["thread"], "cwd": payload["folder"], "transcript": payload.get("log", "")}
    def parse_window_usage(self, payload): return None
    def doctor_checks(self): return ()
    def record_undelivered(self, policy, event, answer, live): policy.record_undelivered_prompt(live)
    def build_handlers(self, policy):
        def asked(payload, live): return {"before": policy.build_prompt_context(live, payload["words"])}
        def ran(payload, live):
            result = Observation(live.id, 1, 1, "r", ObservationKind.RESULT, payload["out"], tool="shell", call_id=payload["id"])
            return {"out": policy.shorten_output(live, result)} if policy.may_shorten(live, payload["out"]) else {}
        return {"asked": asked, "ran": ran}

CLIENT = Plumb()
"""


@pytest.fixture
def plumb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A client that is nobody's, in a file of its own."""
    folder = tmp_path / "more clients"
    folder.mkdir()
    (folder / "plumb.py").write_text(PLUMB)
    monkeypatch.setattr(clients, "__path__", [*clients.__path__, str(folder)])
    monkeypatch.setenv("PLUMB_HOME", str(tmp_path / "plumb"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    monkeypatch.setenv("CLEW_HOME", str(tmp_path / "home"))
    (tmp_path / "plumb" / "repo").mkdir(parents=True)
    return tmp_path / "plumb" / "repo"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo", {"calc.py": "def add_one(x):\n    return x + 1\n", "notes.txt": "alpha\n"})


def test_a_new_client_is_one_file(plumb: Path, tmp_path: Path, repo: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Its hooks are answered in its own words, and its transcripts are found."""
    context = create_daemon_context(replace(load_settings({}), data_dir=tmp_path / "home"))
    DaemonPaths(tmp_path / "home").make_dirs()
    context.get_engine().index(repo)
    hooks = HookHandlers(context)
    here = {"thread": "t1", "folder": str(repo)}

    said = hooks.handle_event("asked", {**here, "words": "Why does `add_one` in calc.py add one?"}, client="plumb")
    shown = hooks.handle_event("ran", {**here, "id": "1", "out": LONG}, client="plumb")
    nothing = hooks.handle_event("unheard of", here, client="plumb")
    context.close()

    assert isinstance(said, dict)
    assert isinstance(shown, dict)
    assert "calc.py" in said["before"]
    assert 0 < len(shown["out"]) < len(LONG)
    assert nothing == {}
    assert hooks.describe_sessions(str(repo))["sessions"][0]["session"] == "t1"

    told = told_of(tmp_path, repo)
    (plumb / "s1.jsonl").write_bytes(told.path.read_bytes())
    assert run(["ingest", "--repo", str(repo), "--json"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["sessions"] == 1


def test_a_client_that_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="no client is called 'abacus'"):
        clients.load_client("abacus")


def test_a_folder_name_that_the_client_has_cut_is_found_by_what_is_left_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cuts at 200 characters and appends a hash of its own; of two that begin alike the one that holds the session is meant."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
    deep = Path("/" + "/".join(["a-long-name"] * 30))
    name = str(deep).replace("/", "-")[:FOLDER_NAME_CHARS_MAX]
    first, second = (tmp_path / "projects" / f"{name}-{digits}" for digits in ("1x2y", "3z4w"))
    first.mkdir(parents=True)

    assert ClaudeCodeAdapter().find_transcript_dir(deep) == first
    assert ClaudeCodeAdapter().find_transcript(str(deep), "s1") == str(first / "s1.jsonl")

    second.mkdir()
    (second / "s1.jsonl").touch()

    assert ClaudeCodeAdapter().find_transcript_dir(deep) is None
    assert ClaudeCodeAdapter().find_transcript(str(deep), "s1") == str(second / "s1.jsonl")
