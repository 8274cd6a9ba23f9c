"""What a folder holds, in real git repositories and without git."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clew.codebase.scan import ScanResult, compute_stamp, scan_files
from clew.errors import NotReadable

Git = Callable[..., str]


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"content of {path}\n", "utf-8")


def paths(found: ScanResult) -> list[str]:
    return [file.path for file in found.files]


@pytest.fixture
def repository(tmp_path: Path, git: Git) -> Path:
    """A repository with two committed files."""
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q")
    write(root, "a.py", "src/b.py")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


@pytest.fixture(params=["git", "walk"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, git: Git) -> Path:
    """A folder that git knows, and one that it does not."""
    root = tmp_path / "folder"
    root.mkdir()
    if request.param == "git":
        git(root, "init", "-q")
    return root


def test_ignored_files_are_left_out(folder: Path) -> None:
    """Rules of each folder hold below it, the deepest decides, and untracked files are listed."""
    write(folder, "a.py", "build/x.py", "src/b.log", "src/keep.log", "src/deep/c.tmp", "src/deep/d.py", "docs/build/y.md", "only/top.txt")
    (folder / ".gitignore").write_text("*.log\nbuild/\n/top.txt\n", "utf-8")
    (folder / "src/.gitignore").write_text("!keep.log\n*.tmp\n", "utf-8")

    found = scan_files(folder)

    assert paths(found) == ["a.py", "only/top.txt", "src/deep/d.py", "src/keep.log"]
    assert found.is_git == (folder / ".git").exists()
    assert found.problems == ()


def test_the_size_and_the_stamp_are_those_of_the_file(folder: Path) -> None:
    """They are what a later run compares."""
    write(folder, "a.py")

    (file,) = scan_files(folder).files

    assert (file.size, file.stamp) == ((folder / "a.py").stat().st_size, compute_stamp((folder / "a.py").stat()))
    assert 0 < file.stamp < 1 << 63


def test_the_stamp_tells_files_of_one_time_apart(folder: Path) -> None:
    """Of two files that are as old and as long, one may be renamed over the other."""
    for name in ("a.py", "b.py"):
        write(folder, name)
        os.utime(folder / name, ns=(5, 1_234_567_891))
    before = {file.path: file.stamp for file in scan_files(folder).files}

    (folder / "b.py").replace(folder / "a.py")
    (after,) = scan_files(folder).files

    assert before["a.py"] != before["b.py"]
    assert after.stamp != before["a.py"]


def test_links_are_never_followed(folder: Path, tmp_path: Path) -> None:
    """Loops, links to files, links out of the folder, and broken ones are counted."""
    write(folder, "src/a.py")
    write(tmp_path, "outside/secret.py")
    (folder / "loop").symlink_to(folder)
    (folder / "src/up").symlink_to("..")
    (folder / "outside").symlink_to(tmp_path / "outside")
    (folder / "same.py").symlink_to("src/a.py")
    (folder / "broken").symlink_to("nowhere")

    found = scan_files(folder)

    assert paths(found) == ["src/a.py"]
    assert found.skipped == {"symlink": 5}


def test_a_folder_that_became_a_link_is_not_entered(repository: Path, tmp_path: Path) -> None:
    """Git still lists what once was below it."""
    shutil.move(repository / "src", tmp_path / "elsewhere")
    (repository / "src").symlink_to(tmp_path / "elsewhere")

    found = scan_files(repository)

    assert paths(found) == ["a.py"]
    assert found.skipped["symlink"] >= 1


def test_names_that_are_not_utf8_can_be_opened(folder: Path) -> None:
    """Their bytes come back through the file system's encoding."""
    name = b"caf\xe9 \xff.py"
    (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).write_text("x = 1\n", "utf-8")
    write(folder, "new\nline.py", "tab\t.py", "quote\"'.py", "中.py")

    found = scan_files(folder)

    assert sorted(os.fsencode(path) for path in paths(found)) == sorted(
        [name, b"new\nline.py", b"tab\t.py", b"quote\"'.py", "中.py".encode()],
    )
    assert all((folder / path).read_text("utf-8") for path in paths(found))


def test_deleted_files_are_counted_as_missing(repository: Path) -> None:
    """A file in git's index that is not on the disk is no file."""
    (repository / "a.py").unlink()

    found = scan_files(repository)

    assert paths(found) == ["src/b.py"]
    assert found.skipped == {"missing": 1}


def test_special_files_are_not_read(folder: Path) -> None:
    """A pipe would wait for ever."""
    write(folder, "a.py")
    os.mkfifo(folder / "pipe")

    found = scan_files(folder)

    assert paths(found) == ["a.py"]
    assert found.skipped in ({"special": 1}, {})  # git does not list pipes at all


def test_submodules_and_inner_repositories_are_named(repository: Path, tmp_path: Path, git: Git) -> None:
    """Each is a repository of its own; the report says so."""
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    write(other, "x.py")
    git(other, "add", ".")
    git(other, "commit", "-q", "-m", "x")
    git(repository, "submodule", "add", "-q", str(other), "libs/other")
    shutil.copytree(other, repository / "loose")

    found = scan_files(repository)

    assert paths(found) == [".gitmodules", "a.py", "src/b.py"]
    assert found.skipped == {"repository": 1, "submodule": 1}
    assert found.problems == ("libs/other: a submodule, left out", "loose: a repository of its own, left out")


def test_a_walk_leaves_inner_repositories_out_too(tmp_path: Path, git: Git) -> None:
    """As git does."""
    write(tmp_path, "a.py", "inner/x.py")
    git(tmp_path / "inner", "init", "-q")

    found = scan_files(tmp_path)

    assert "inner/x.py" not in paths(found)
    assert found.skipped == {"repository": 1}


def test_a_work_tree_is_listed_like_its_repository(repository: Path, tmp_path: Path, git: Git) -> None:
    """There `.git` is a file."""
    git(repository, "worktree", "add", "-q", str(tmp_path / "tree"))
    write(tmp_path / "tree", "new.py")

    found = scan_files(tmp_path / "tree")

    assert found.is_git
    assert paths(found) == ["a.py", "new.py", "src/b.py"]


def test_a_folder_inside_a_repository_is_relative_to_itself(repository: Path) -> None:
    """Only what lies below it."""
    assert paths(scan_files(repository / "src")) == ["b.py"]


def test_a_folder_that_an_outer_repository_ignores_is_walked(repository: Path) -> None:
    """A project below a home folder that is kept in git, with everything ignored, still has files."""
    (repository / ".gitignore").write_text("project/\n", "utf-8")
    write(repository, "project/x.py")

    found = scan_files(repository / "project")

    assert (paths(found), found.is_git) == (["x.py"], False)


def test_an_empty_folder_has_no_files(folder: Path) -> None:
    assert scan_files(folder).files == ()


@pytest.mark.parametrize("name", ["a.py", "nothing"])
def test_what_is_no_folder_is_refused(folder: Path, name: str) -> None:
    """With a sentence that says what was found."""
    write(folder, "a.py")

    with pytest.raises(NotReadable, match=name):
        scan_files(folder / name)


def test_a_folder_that_cannot_be_entered_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One closed folder does not end the scan. Root may enter any, so the refusal is made here."""
    write(folder, "a.py", "closed/b.py")
    refused = {os.fsencode(folder / "closed")}
    real_scandir, real_lstat = os.scandir, os.lstat

    def scandir(path: bytes) -> object:
        if path in refused:
            raise PermissionError(13, "Permission denied")
        return real_scandir(path)

    def lstat(path: bytes) -> os.stat_result:
        if os.path.dirname(path) in refused:  # noqa: PTH120 - bytes
            raise PermissionError(13, "Permission denied")
        return real_lstat(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(os, "lstat", lstat)

    found = scan_files(folder)

    assert paths(found) == ["a.py"]
    assert found.skipped == {"unreadable": 1}
    assert found.problems[0].startswith("closed")


def test_without_git_the_ignore_files_still_hold(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the report says what is missing."""
    write(repository, "x.log")
    (repository / ".gitignore").write_text("*.log\n", "utf-8")
    monkeypatch.setenv("PATH", "")

    found = scan_files(repository)

    assert paths(found) == ["a.py", "src/b.py"]
    assert "git is not installed" in found.problems[0]


def test_a_git_that_hangs_is_given_up(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time limit the folder is walked."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text("#!/bin/sh\nexec sleep 30\n", "utf-8")
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr("clew.codebase.unlisted.GIT_TIMEOUT_S", 0.2)

    found = scan_files(repository)

    assert paths(found) == ["a.py", "src/b.py"]
    assert "git did not answer" in found.problems[0]


def test_a_broken_repository_is_walked(repository: Path) -> None:
    """What git says about it is in the report."""
    (repository / ".git/index").write_bytes(b"not an index")

    found = scan_files(repository)

    assert paths(found) == ["a.py", "src/b.py"]
    assert "git refused" in found.problems[0]


def test_no_program_of_the_repository_is_started(repository: Path, tmp_path: Path, git: Git) -> None:
    """A repository may configure a file system monitor; scanning a stranger's clone must not run it."""
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n", "utf-8")
    trap.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(trap))
    git(repository, "config", "core.hooksPath", str(tmp_path))
    shutil.copy(trap, tmp_path / "post-index-change")

    scan_files(repository)
    assert not (tmp_path / "sprung").exists()

    subprocess.run(["git", "-C", str(repository), "status"], check=True, capture_output=True)
    assert (tmp_path / "sprung").exists()  # the trap would have worked


def test_the_callers_git_variables_do_not_lead_elsewhere(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, git: Git
) -> None:
    """Inside a git hook `GIT_DIR` points at another repository."""
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))

    assert paths(scan_files(repository)) == ["a.py", "src/b.py"]
