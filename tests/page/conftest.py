"""The page over a data folder, a client's folder and a repository of a test's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from clew.adapters.page.access import PageAccess
from clew.adapters.page.app import PageApp
from clew.samples import TIES
from clew.sessions.context import DaemonContext
from clew.sessions.live import LiveSessions
from clew.settings import Settings
from tests.adapters.daemon import repository

PORT = 4711
ORIGIN = f"http://clew.localhost:{PORT}"
SESSION = "c1e3a57e-0d5f-4b6a-9a2e-7f4d2b8c6e10"


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Page:
    """The page, a browser that is let in, and what lies behind it."""

    context: DaemonContext
    live: LiveSessions
    access: PageAccess
    app: PageApp
    client: TestClient
    clock: Clock
    projects: Path
    repo: Path
    problems: list[str] = field(default_factory=list[str])

    def stranger(self) -> TestClient:
        """A browser without a cookie."""
        return TestClient(self.app, base_url=ORIGIN)

    def get(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def post(self, path: str, **fields: str) -> str:
        answer = self.client.post(path, data=fields, headers={"origin": ORIGIN})
        assert answer.status_code == 200, answer.text
        return answer.text

    def add_transcript(self, name: str, text: str, folder: str = "-home-dev-other") -> Path:
        there = self.projects / folder
        there.mkdir(parents=True, exist_ok=True)
        file = there / f"{name}.jsonl"
        file.write_text(text, "utf-8")
        return file


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    projects = tmp_path / "client" / "projects"
    (projects / "-home-dev-clew").mkdir(parents=True)
    shutil.copy(TIES, projects / "-home-dev-clew" / f"{SESSION}.jsonl")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "client"))
    repo = repository(
        tmp_path / "repo",
        {"calc.py": "def add_one(x):\n    return x + 1\n", "use.py": "from calc import add_one\n\n\ndef two():\n    return add_one(1)\n"},
    )
    problems: list[str] = []
    context = DaemonContext(Settings(tmp_path / "home", jobs=1), lambda where, what, _: problems.append(f"{where}: {what}"))
    live, clock = LiveSessions(tmp_path / "home" / "run" / "sessions"), Clock()
    access = PageAccess(PORT, clock)
    app = PageApp(context, live, access)
    client = TestClient(app, base_url=ORIGIN)
    made = Page(context, live, access, app, client, clock, projects, repo, problems)
    client.post("/enter", data={"code": access.issue_code()}, headers={"origin": ORIGIN})
    yield made
    app.actions.close()
    context.close()
