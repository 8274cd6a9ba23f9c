"""Replay: the typed prompts of recorded sessions, each with the tree and the state as they were, and the files touched after it.

A session's tree is that of its base commit, without history, where that is known; else that of the last commit before the session
began. The session's edits up to a prompt are made in it and indexed. Sessions of other clients than Claude Code are left out.
"""

from __future__ import annotations

import json
import lzma
import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from clew.engine import Engine
from clew.records import TaskState
from clew.store.quoted_paths import find_file
from clew.task.tracker import TaskTracker
from clew.transcript.parse import TranscriptReader
from clew.transcript.session_files import build_origin
from clew.usecases import ingest

NO_SESSION = -1  # number of a prompt that is no part of a session
PROMPTS_MAX = 40  # of one session, the first ones: a few long sessions would outweigh all others
_PATH = re.compile(r"[\w./-]+\.\w{1,5}")
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_NOT_TYPED = ("<", "[Request interrupted", "Caveat:", "This session is being continued")
_EDITS = frozenset(("Edit", "Write", "MultiEdit", "NotebookEdit"))


@dataclass(slots=True)
class Turn:
    """A typed prompt, and what the agent did before the next: touches as (path, how), edits as (path, old text or None, new text)."""

    uuid: str
    prompt: str
    line: int
    touches: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    edits: list[tuple[str, str | None, str]] = field(default_factory=list[tuple[str, str | None, str]])


@dataclass(frozen=True, slots=True)
class Moment:
    """One prompt at its moment.

    at       number of the prompt in its session, from 0.
    needed   file of the tree → how it was touched before the next prompt: "edit", "read" or "command".
    before   files of the tree that were touched before the prompt.
    """

    session: str
    project: str
    at: int
    uuid: str
    prompt: str
    task: TaskState
    tree: Path
    needed: dict[str, str]
    before: frozenset[str]


def replay(data: Path, mirrors: Path, box: Path, engine: Engine, *, project: str = "", limit: int = 0) -> Iterator[Moment]:
    """Yield the prompts of the sessions under `data` in order of time, by project.

    mirrors  folder of git directories, OWNER+NAME/repo; sessions of other projects are left out.
    box      an empty folder for the trees; project  only this one; limit  so many sessions of each project, spread evenly.
    """
    bases = _base_commits(data)
    index = [json.loads(line) for line in (data / "sessions" / "INDEX.jsonl").read_text("utf-8").splitlines()]
    by_project: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in index:
        if row["format"] == "claude-code" and project in ("", row["repo"]):
            by_project[row["repo"]].append(row)
    for name, rows in sorted(by_project.items()):
        git = mirrors / name.replace("/", "+") / "repo"
        rows.sort(key=lambda row: str(row["first"]))
        for row in rows[:: max(1, len(rows) // limit) if limit else 1]:
            session = row["file"].rpartition("cc_")[2].partition(".")[0]
            commit = bases.get(session) or _commit_before(git, row["first"]) if git.exists() else ""
            if commit:
                tree = write_tree(git, commit, box / name.replace("/", "+"))
                yield from _replay_session(data / "sessions" / row["file"], session, name, tree, engine)


def read_turns(lines: list[str]) -> list[Turn]:
    """Return the typed prompts of a transcript of Claude Code with what followed each."""
    turns: list[Turn] = []
    for number, line in enumerate(lines):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if not isinstance(row, dict) or row.get("isSidechain") or row.get("isMeta") or row.get("isCompactSummary"):
            continue
        content = (row.get("message") or {}).get("content")
        blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
        if row.get("type") == "user" and not any(block.get("type") == "tool_result" for block in blocks):
            said = content if isinstance(content, str) else "\n".join(b.get("text", "") for b in blocks if b.get("type") == "text")
            said = _REMINDER.sub("", said).strip()
            if said and not said.startswith(_NOT_TYPED):
                turns.append(Turn(row.get("uuid", ""), said, number))
        elif row.get("type") == "assistant" and turns:
            for block in blocks:
                if block.get("type") == "tool_use":
                    _add_call(turns[-1], block.get("name", ""), block.get("input") or {})
    return turns


def _add_call(turn: Turn, tool: str, given: dict[str, Any]) -> None:
    for key in ("file_path", "path", "notebook_path"):
        if isinstance(given.get(key), str):
            turn.touches.append((given[key], "edit" if tool in _EDITS else "read"))
    if isinstance(given.get("command"), str):
        turn.touches.extend((path, "command") for path in _PATH.findall(given["command"]))
    file = given.get("file_path")
    if isinstance(file, str) and isinstance(given.get("old_string"), str):
        turn.edits.append((file, given["old_string"], given.get("new_string") or ""))
    elif isinstance(file, str) and tool == "Write" and isinstance(given.get("content"), str):
        turn.edits.append((file, None, given["content"]))


def _base_commits(data: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    with lzma.open(data / "sessions_tasks" / "prompt_to_files.jsonl.xz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            found.setdefault(row["session_id"], row["base_commit"])
    return found


def _commit_before(git: Path, time: str) -> str:
    for refs in ("HEAD", "--all"):
        asked = ["git", "--git-dir", str(git), "rev-list", "-1", f"--before={time}", refs]
        if found := subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip():
            return found
    return ""


def write_tree(git: Path, commit: str, tree: Path) -> Path:
    """Make `tree` hold the files of a commit and nothing else, in a repository of its own that has no commits."""
    tree.mkdir(exist_ok=True)
    env = {**os.environ, "GIT_INDEX_FILE": f"{tree}.index", "GIT_DIR": str(git), "GIT_WORK_TREE": str(tree)}
    subprocess.run(["git", "read-tree", commit], env=env, check=True)
    subprocess.run(["git", "checkout-index", "--all", "--force", "--quiet"], env=env, check=False)
    listed = subprocess.run(["git", "ls-files", "-z"], env=env, check=True, capture_output=True).stdout.decode("utf-8", "surrogateescape")
    wanted = set(listed.split("\0"))
    for path in tree.rglob("*"):
        name = path.relative_to(tree).as_posix()
        if path.is_file() and not name.startswith(".git/") and name not in wanted:
            path.unlink()
    if not (tree / ".git").exists():
        subprocess.run(["git", "init", "--quiet", str(tree)], check=True)
    return tree


def _replay_session(file: Path, session: str, project: str, tree: Path, engine: Engine) -> Iterator[Moment]:
    with lzma.open(file, "rt", encoding="utf-8", errors="replace") as stream:
        lines = stream.read().split("\n")
    turns = read_turns(lines)[:PROMPTS_MAX]
    if not turns:
        return
    engine.index(tree)
    by_name: dict[str, list[str]] = defaultdict(list)
    for path in tree.rglob("*"):
        name = path.relative_to(tree).as_posix()
        if path.is_file() and not name.startswith(".git/"):
            by_name[path.name].append(name)
    resolve = partial(find_file, by_name)
    raw = [f"{line}\n".encode("utf-8", "surrogatepass") for line in lines]
    copy = tree.parent / f"{session}.jsonl"
    copy.write_bytes(b"".join(raw))
    found = ingest.identify_session(copy)
    copy.unlink()
    tracker = TaskTracker(root=found.cwd or "")
    observations = iter(TranscriptReader(raw, origin=build_origin(found)).read_observations())
    following = next(observations, None)
    past: list[frozenset[str]] = []
    for at, turn in enumerate(turns):
        while following is not None and following.record_index < turn.line:
            tracker.observe(following)
            following = next(observations, None)
        needed: dict[str, str] = {}
        for path, how in turn.touches:
            for name in by_name.get(path.rpartition("/")[2], ()):
                is_meant = path == name or path.endswith(f"/{name}")
                if is_meant and (needed.get(name, "command") == "command" or how == "edit"):
                    needed[name] = how
        before = frozenset(name for touched in past for name in touched)
        yield Moment(session, project, at, turn.uuid, turn.prompt, tracker.state(), tree, needed, before)
        past.append(frozenset(needed))
        if changed := _make_edits(turn, tree, found.cwd or "", resolve):
            for name in changed:
                if name not in by_name[name.rpartition("/")[2]]:
                    by_name[name.rpartition("/")[2]].append(name)
            engine.update(tree, changed)


def _make_edits(turn: Turn, tree: Path, folder: str, resolve: Any) -> list[str]:
    """Make the turn's edits in the tree; return the names of the changed files."""
    changed: dict[str, None] = {}
    for path, old, new in turn.edits:
        name = resolve(path) or (path[len(folder) + 1 :] if old is None and folder and path.startswith(f"{folder}/") else "")
        if not name or ".." in name:
            continue
        file = tree / name
        try:
            if old is None:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(new, "utf-8", "surrogateescape")
            else:
                text = file.read_text("utf-8", "surrogateescape")
                if old not in text:
                    continue
                file.write_text(text.replace(old, new, 1), "utf-8", "surrogateescape")
        except (OSError, ValueError):
            continue
        changed[name] = None
    return list(changed)
