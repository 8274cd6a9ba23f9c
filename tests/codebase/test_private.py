"""What is private stays so: home folders, secret files, hidden files that nobody tracks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clew.codebase.file_changes import find_named_file_changes
from clew.codebase.private_paths import find_refusal_reason, is_credential_path
from clew.codebase.scan import scan_files
from tests.adapters.daemon import repository
from tests.cli.calling import SOURCE
from tests.faults import fault


@pytest.mark.parametrize(
    "path",
    [
        ".env", "app/.env.production", ".netrc", "home/.pgpass", "keys/id_rsa", "certs/server.pem", "deploy.key", ".ssh/config",
        "backup/.aws/credentials", ".npmrc", ".git-credentials", "config/master.key", "terraform.tfstate", ".docker/config.json",
        "vault.kdbx",        "x/.ENV", "_netrc", ".config/gh/hosts.yml", ".kube/config", "store.p12", ".pypirc", ".htpasswd", ".my.cnf",
    ],
)  # fmt: skip
def test_a_file_that_holds_credentials_is_known_by_its_name(path: str) -> None:
    assert is_credential_path(path)


@pytest.mark.parametrize(
    "path",
    [
        ".env.example", "app/.env.sample", "id_rsa.pub", "src/environment.py", "env.py", "src/key.py", "keys/readme.md", "netrc.go",
        "config/credentials.rb", "aws/credentials.py", "ssh/config.ts", "docker/config.json", ".github/workflows/ci.yml", ".eslintrc.json",
        "npmrc.md", "lib/pem.rs", ".gitignore", "src/monkey.key.ts",
    ],
)  # fmt: skip
def test_other_files_are_read(path: str) -> None:
    assert not is_credential_path(path)


def test_tracked_secrets_and_hidden_files_that_nobody_tracks_are_not_listed(tmp_path: Path) -> None:
    root = repository(tmp_path / "repo", {"a.py": "x = 1\n", ".env": "PASSWORD=one\n", ".tracked.yml": "a: 1\n"})
    (root / ".untracked.yml").write_text("b: 2\n")
    (root / "new.py").write_text("y = 2\n")
    (root / "server.pem").write_text("key\n")
    found = scan_files(root)

    assert [file.path for file in found.files] == [".tracked.yml", "a.py", "new.py"]
    assert found.skipped == {"hidden": 1, "secret": 2}


def test_without_git_no_hidden_file_is_listed(tmp_path: Path) -> None:
    for name in ("a.py", ".hidden.py", ".cache/b.py", "id_ed25519"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")

    assert [file.path for file in scan_files(tmp_path).files] == ["a.py"]


def test_an_edited_secret_is_not_read(tmp_path: Path) -> None:
    root = repository(tmp_path / "repo")
    (root / ".env").write_text("PASSWORD=one\n")
    (root / ".hidden").write_text("x\n")

    assert [delta.source for delta in find_named_file_changes(root, [".env", ".hidden", "calc.py"], ["calc.py"], None)] == ["file:calc.py"]


@pytest.mark.parametrize("folder", ["/", "/etc", "/etc/nginx", "/usr", "/home", "/proc/self", "/tmp", "/var/lib", "/dev/shm"])
def test_folders_of_the_system_are_refused(folder: str) -> None:
    assert find_refusal_reason(Path(folder)).endswith("it is not indexed")


def test_homes_and_what_programs_keep_in_them_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home" / "ann"
    monkeypatch.setenv("HOME", str(home))
    for name in (".ssh", ".config/app", "src/app/.git", ".config/nvim/.git"):
        (home / name).mkdir(parents=True)

    assert [bool(find_refusal_reason(home / name)) for name in (".", "..", ".ssh", ".config/app", "src/app", "src", ".config/nvim")] == [
        True, True, True, True, False, False, False,
    ]  # fmt: skip


@fault("a session is started in the home folder", "it is not indexed, and asked for by name it is refused with a sentence")
def test_a_home_folder_is_refused_also_where_it_is_a_work_tree(tmp_path: Path) -> None:
    """As people keep their settings in git: asked for by name, and by a session that was started there."""
    home = repository(tmp_path / "home", {".netrc": "machine a password hunter2hunter2\n", "notes.py": "x = 1\n"})
    env = {**os.environ, "HOME": str(home), "PYTHONPATH": str(SOURCE), "CLEW_HOME": str(tmp_path / "clew")}
    done = subprocess.run(
        [sys.executable, "-m", "clew", "index", str(home)], env=env, capture_output=True, text=True, check=False
    )  # fmt: skip

    assert done.returncode == 1
    assert "is a home folder, whose files are private" in done.stderr
    assert "hint: name the folder of a repository" in done.stderr
