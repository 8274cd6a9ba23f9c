"""Where memory lives: work trees of a repository share it, and a folder that was moved or removed loses none of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import clew
from clew.engine import Engine
from clew.settings import Settings
from clew.usecases.write import NewNote

LIMITER = "The rate limiter of the gateway is configured in gateway/limits.toml with 40 requests a second."
QUESTION = "Where is the rate limiter of the gateway configured?"


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with clew.open(settings=Settings(tmp_path / "home", jobs=1)) as engine:
        yield engine


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "shop")


def make_repository(root: Path) -> Path:
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    (root / "cart.py").write_text("total = 0\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    return root


def write_session(folder: Path, cwd: Path, name: str, branch: str = "main") -> Path:
    """Write the transcript of a session that asked QUESTION, was answered with LIMITER and edited the file."""
    session = f"{name:0>8}-0000-4000-8000-000000000001"
    edit = {"type": "tool_use", "id": "t1", "name": "Edit"}
    edit["input"] = {"file_path": f"{cwd}/gateway/limits.toml", "old_string": "a", "new_string": "b"}  # type: ignore[assignment]
    rows = [
        ("user", QUESTION, {}),
        ("assistant", [{"type": "text", "text": LIMITER}], {}),
        ("assistant", [edit], {}),
        ("user", [{"type": "tool_result", "tool_use_id": "t1", "content": "updated"}], {"toolUseResult": {"filePath": "x"}}),
    ]
    folder.mkdir(exist_ok=True)
    file = folder / f"{session}.jsonl"
    with file.open("w") as out:
        for at, (role, content, more) in enumerate(rows):
            record = {
                "type": role, "uuid": f"{name}-{at}", "sessionId": session, "cwd": str(cwd), "gitBranch": branch, "version": "2.1.200",
                "timestamp": f"2026-08-2{at}T10:00:00.000Z", "message": {"role": role, "content": content},
            }  # fmt: skip
            out.write(json.dumps(record | more) + "\n")
    return file


def recalled(engine: Engine, path: Path) -> list[str]:
    """Sessions that answer the question at `path`."""
    return sorted(name[:8].lstrip("0") for name, _ in engine.recall(path, QUESTION, confidence_min=0).sessions)


def test_what_was_said_in_a_work_tree_is_known_in_the_others_with_its_branch(engine: Engine, shop: Path, tmp_path: Path) -> None:
    git(shop, "worktree", "add", "-q", "-b", "feat", str(tmp_path / "shop-feat"))
    git(shop, "worktree", "add", "-q", "-b", "fix", ".claude/worktrees/fix")
    engine.ingest([write_session(tmp_path / "t", tmp_path / "shop-feat", "a", "feat")])

    for place in (shop, tmp_path / "shop-feat", shop / ".claude/worktrees/fix"):
        [turn] = [turn for turn in engine.recall(place, QUESTION).turns if turn.record.kind == "message"]
        assert dict(turn.record.lineage)["branch"] == "feat"


def test_paths_of_a_session_are_those_of_its_work_tree_alive_or_gone(engine: Engine, shop: Path, tmp_path: Path) -> None:
    git(shop, "worktree", "add", "-q", "-b", "feat", ".claude/worktrees/feat")
    sessions = [
        write_session(tmp_path / "t", shop / ".claude/worktrees" / name, session) for name, session in (("feat", "a"), ("gone", "b"))
    ]
    engine.ingest(sessions)

    paths = {turn.record.path for turn in engine.recall(shop, "edit of gateway/limits.toml", confidence_min=0).turns if turn.record.path}
    assert paths == {"gateway/limits.toml"}


def test_a_work_tree_that_is_removed_loses_nothing(engine: Engine, shop: Path, tmp_path: Path) -> None:
    away = tmp_path / "shop-away"
    git(shop, "worktree", "add", "-q", str(away))
    inside, outside = write_session(tmp_path / "t", shop / ".claude/worktrees/gone", "a"), write_session(tmp_path / "t", away, "b")
    engine.ingest([inside, outside])
    git(shop, "worktree", "remove", str(away))

    assert recalled(engine, shop) == ["a", "b"]
    with outside.open("a") as more:
        more.write(outside.read_text().splitlines()[0].replace("b-0", "b-9") + "\n")
    assert next(iter(engine.ingest([outside]).workspaces.values()))[0] == str(shop)


def test_a_repository_that_is_moved_keeps_its_memory(engine: Engine, shop: Path, tmp_path: Path) -> None:
    transcript = write_session(tmp_path / "t", shop, "a")
    engine.ingest([transcript])
    engine.write(shop, [NewNote("the rate limiter of the gateway is shared")])
    engine.index(shop)
    moved = tmp_path / "elsewhere" / "store"
    moved.parent.mkdir()
    shop.rename(moved)

    assert recalled(engine, moved) == ["a", "remember"]
    engine.index(moved)
    assert recalled(engine, moved) == ["a", "remember"]
    engine.ingest([transcript])  # of the folder that is gone
    assert recalled(engine, moved) == ["a", "remember"]

    other = make_repository(shop)  # another one, where it was
    engine.ingest([write_session(tmp_path / "t", other, "c")])
    assert recalled(engine, other) == ["c"]
    assert recalled(engine, moved) == ["a", "remember"]


def test_a_copy_is_a_repository_of_its_own(engine: Engine, shop: Path, tmp_path: Path) -> None:
    engine.ingest([write_session(tmp_path / "t", shop, "a")])
    shutil.copytree(shop, tmp_path / "copy")
    git(tmp_path, "clone", "-q", str(shop), "clone")

    assert recalled(engine, tmp_path / "copy") == recalled(engine, tmp_path / "clone") == []


def test_the_code_of_each_work_tree_is_its_own_and_handles_of_both_are_known(engine: Engine, shop: Path, tmp_path: Path) -> None:
    feat = tmp_path / "shop-feat"
    git(shop, "worktree", "add", "-q", str(feat))
    (feat / "ring.py").write_text("def turn_the_ring():\n    return 1\n")
    engine.index(shop)
    engine.index(feat)
    engine.ingest([write_session(tmp_path / "t", shop, "a")])

    assert [file.path for file in engine.rank_files(feat, "turn_the_ring", limit=1).files] == ["ring.py"]
    assert engine.rank_files(shop, "turn_the_ring", limit=1).files == ()
    [turn] = [turn for turn in engine.recall(feat, QUESTION).turns if turn.record.kind == "message"]
    assert engine.unfold(feat, turn.record.id).data.decode() == LIMITER
    assert engine.unfold(feat, engine.retrieve(feat, "turn_the_ring", budget_tokens=500, tokenizer="chars4").entries[0].handle)
