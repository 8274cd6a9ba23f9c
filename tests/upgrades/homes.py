"""Homes: the HOME of a user of an earlier commit, packed once and unpacked by the tests of upgrades.

    python -m tests.upgrades.homes COMMIT

makes `tests/fixtures/homes/<commit>.tar.xz`: it checks the commit out beside this clone (`git worktree`), has its clew set up a HOME,
index a repository, take over a session, note, purge and serve, and packs what is on the disk then. Each release adds its own. What a
machine has of its own (folders, interpreter, port, token) is replaced by a word on packing, and filled in on unpacking.

In the archive: `home/` (HOME with Claude Code's files), `data/clew` (the data folder), `repo/` (the repository), `before/` (the user's
files as they were before `init`), `code/` (that commit's clew, for a daemon that still runs), and `about.json`.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from clew.settings import find_workspace

ARCHIVES = Path(__file__).parent.parent / "fixtures" / "homes"
CLONE = Path(__file__).parents[2]
SESSION = "c1e3a57e-0d5f-4b6a-9a2e-7f4d2b8c6e10"  # of the sample that ships
LIVE = "5e550000-0000-4000-8000-000000000001"
NOTE = "The retry budget is the caller's, see OPS-7731"
SECRET = "what the vault says is 4711"
TEXTS = (".json", ".jsonl", ".js", ".md", ".toml", ".py", ".log", "upstream")
TOO_LARGE = {"static.bin", "related.bin"}  # of earlier releases: 8 MB of vectors, which a daemon that only answers does not need

SETTINGS = """{
\t"theme": "dark",
\t"env": {"ANTHROPIC_BASE_URL": "https://proxy.example.invalid", "EDITOR": "vi"},
\t"permissions": {"allow": ["Bash(ls)", "Bash(git status)"], "deny": ["Read(.env)"]},
\t"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "true"}]}]}
}

"""
LOCAL_SETTINGS = '{"permissions":{"allow":["WebSearch"]}}'
# Every key that a config.toml of commit 1e42638 could hold, with a value that differs from the default where that is harmless.
CONFIG = """tokenizer = "claude-4.6"
embedder = "builtin"
reorder = "off"
budget_tokens = 4096
jobs = 1
folded_after_days = 31
archived_after_days = 181
compress_endpoint = "off"
compress_model = "small"
compress_chunk_tokens = 5000
compress_timeout_s = 60
compress_price = "1/5"
serve_idle_s = 900
gateway_upstream = "https://api.anthropic.com"
prompt_budget_tokens = 1200
compact_budget_tokens = 12000
"""
CODE = {
    "knots.py": '"""Knots that hold."""\n\n\ndef tie_bowline(metres: float) -> str:\n    """Tie a bowline: a loop that does not slip."""\n'
    '    return f"a loop in {metres} m"\n',
    "sails.py": '"""Sails."""\n\nfrom knots import tie_bowline\n\n\ndef hoist() -> str:\n    """Hoist the sail on a bowline."""\n'
    "    return tie_bowline(3)\n",
    "README.md": "# Rigging\n\nHow ropes, knots and sails hang together.\n",
}


@dataclass(frozen=True, slots=True)
class Home:
    """An unpacked HOME. `about` is what the archive says of itself."""

    folder: Path
    about: dict[str, Any]

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def data(self) -> Path:
        return self.folder / "data" / "clew"

    @property
    def repo(self) -> Path:
        return self.folder / "repo"

    @property
    def client(self) -> Path:
        return self.home / ".claude"

    @property
    def code(self) -> Path:
        return self.folder / "code"

    def env(self, source: Path) -> dict[str, str]:
        """An environment in which the clew of `source` runs for this HOME."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLEW_", "CLAUDE_", "ANTHROPIC_", "GIT_"))}
        ours = {"HOME": str(self.home), "CLEW_HOME": str(self.data), "PYTHONPATH": str(source), "GIT_CONFIG_GLOBAL": os.devnull}
        return {**kept, **ours}

    def clew(self, source: Path, *words: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Call the clew of `source`, as its user would."""
        line = [sys.executable, "-m", "clew", *words]
        done = subprocess.run(
            line, cwd=self.repo, env=self.env(source), input=stdin, capture_output=True, text=True, timeout=120, check=False
        )
        assert not check or done.returncode == 0, f"clew {' '.join(words)}: {done.stdout}{done.stderr}"
        return done


def archives() -> list[Path]:
    """The homes there are, by commit."""
    return sorted(ARCHIVES.glob("*.tar.xz"))


def unpack(archive: Path, folder: Path) -> Home:
    """Unpack a HOME into an empty folder, whose path must be short: the daemon's socket lies in it."""
    folder = folder.resolve()
    with tarfile.open(archive) as packed:
        how: Any = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}  # Python 3.11.3 and older have none, and ask for none
        packed.extractall(folder, **how)
    about = json.loads((folder / "about.json").read_text())
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = {
        "@ROOT@": str(folder),
        "@PYTHON@": sys.executable,
        "@CODE@": str(folder / "code"),
        "@PORT@": str(port),
        "@TOKEN@": secrets.token_hex(32),
    }
    _replace_in(folder, words)
    made = Home(folder, about)
    with closing(apsw.Connection(str(made.data / "clew.db"))) as database:
        key, root = find_workspace(made.repo)
        database.execute("UPDATE workspaces SET key = ?, root = ? WHERE root = '@ROOT@/repo'", (key, str(root)))
        assert database.changes() == 1
    return made


def make(commit: str) -> Path:
    """Make the archive of a commit. Returns its path."""
    short = subprocess.run(["git", "rev-parse", "--short=7", commit], cwd=CLONE, capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="clew-home-", dir="/tmp") as temporary:
        tree = Path(temporary).resolve() / "tree"
        subprocess.run(["git", "worktree", "add", "-q", "--detach", str(tree), commit], cwd=CLONE, check=True)
        try:
            home = _set_up(Path(temporary).resolve() / "root", tree / "src", short)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=CLONE, check=True)
        target = ARCHIVES / f"{short}.tar.xz"
        target.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(target, "w:xz", preset=9) as packed:
            packed.add(home.folder, ".", filter=_anonymous)
    return target


def _set_up(folder: Path, source: Path, commit: str) -> Home:
    home = Home(folder, {})
    for each in (home.client, home.data, home.repo / ".claude"):
        each.mkdir(parents=True)
    for name, text in CODE.items():
        (home.repo / name).write_text(text)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "Tie a bowline that holds"]):
        subprocess.run([*git, *words], cwd=home.repo, env=home.env(source), check=True, capture_output=True)
    shutil.rmtree(home.repo / ".git" / "hooks")
    (home.client / "settings.json").write_text(SETTINGS)
    (home.repo / ".claude" / "settings.local.json").write_text(LOCAL_SETTINGS)
    transcripts = home.client / "projects" / "of-the-user"
    transcripts.mkdir(parents=True)
    shutil.copy2(source / "clew" / "samples" / "ties.jsonl", transcripts / f"{SESSION}.jsonl")
    (home.data / "config.toml").write_text(CONFIG)
    for kept in ("home", "repo"):
        shutil.copytree(folder / kept, folder / "before" / kept, ignore=shutil.ignore_patterns(".git", "projects"))

    home.clew(source, "init", "--gateway")
    home.clew(source, "init", "--scope", "local")
    home.clew(source, "ingest", str(transcripts), "--repo", ".")
    note = json.loads(home.clew(source, "remember", NOTE, "--kind", "decision", "--about", "knots.py", "--json").stdout)["handle"]
    purged = json.loads(home.clew(source, "remember", SECRET, "--subject", "the vault", "--json").stdout)["handle"]
    home.clew(source, "purge", purged, "--reason", "held a password", "--yes")
    hello = {"session_id": LIVE, "cwd": str(home.repo), "hook_event_name": "SessionStart", "source": "startup"}
    hook = json.loads((home.data / "plugin" / "clew" / "hooks" / "hooks.json").read_text())["hooks"]["SessionStart"][0]["hooks"][0]
    subprocess.run([hook["command"], *hook["args"]], input=json.dumps(hello), text=True, check=True, capture_output=True, timeout=30)
    home.clew(source, "serve", "--stop")

    address = json.loads((home.data / "run" / "address.json").read_text())
    about = {
        "commit": commit, "version": home.clew(source, "--version").stdout.split()[-1], "session": SESSION, "live_session": LIVE,
        "note": note, "note_text": NOTE, "purged": purged,
    }  # fmt: skip
    (folder / "about.json").write_text(json.dumps(about, indent=1) + "\n")
    shutil.copytree(source / "clew", folder / "code" / "clew", ignore=shutil.ignore_patterns("__pycache__", "samples", *TOO_LARGE))
    shutil.rmtree(home.data / "clew.db.snapshots", ignore_errors=True)
    with closing(apsw.Connection(str(home.data / "clew.db"))) as database:
        database.execute("UPDATE workspaces SET root = '@ROOT@/repo' WHERE root = ?", (str(home.repo),))
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("VACUUM")
    for beside in home.data.glob("clew.db-*"):
        beside.unlink()
    words = {str(folder): "@ROOT@", sys.executable: "@PYTHON@", str(source): "@CODE@"}
    _replace_in(folder, {**words, str(address["port"]): "@PORT@", address["token"]: "@TOKEN@"})
    for path in folder.rglob("*"):
        assert not path.is_file() or str(folder.parent).encode() not in path.read_bytes(), f"{path} names {folder.parent}"
    return home


def _replace_in(folder: Path, words: dict[str, str]) -> None:
    """Replace words in all texts of an unpacked archive, also in what `installed.json` keeps in base64."""
    for path in [folder / "about.json", *(each for name in ("home", "data", "repo/.claude") for each in (folder / name).rglob("*"))]:
        if path.is_symlink() or not path.is_file() or not path.name.endswith(TEXTS) or "projects" in path.parts:
            continue
        about = path.stat()
        text = _replaced(path.read_text("utf-8"), words)
        if path.name == "installed.json":
            told = json.loads(text)
            for touched in told["touched"]:
                for name in ("before", "after"):
                    if touched[name] is not None:
                        touched[name] = base64.b64encode(_replaced(base64.b64decode(touched[name]).decode(), words).encode()).decode()
            text = json.dumps(told, indent=1)
        path.write_text(text, "utf-8")
        os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def _replaced(text: str, words: dict[str, str]) -> str:
    for word, by in words.items():
        text = text.replace(word, by)
    return text


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    sys.stdout.write(f"{make(sys.argv[1])}\n")
