"""Command: `python -m bench.guard`. Tells what clew would have told at each end of a turn, and looks at what came later.

A file that is named is right if it was changed later in the session, or by the next commit that changes one of the edited files. Each
counts once in a session.
"""

from __future__ import annotations

import argparse
import json
import lzma
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.prompts.replay import read_turns
from clew.impact.cochange import find_missing_changes
from clew.records import TaskState
from clew.task.tracker import TaskTracker
from clew.transcript.parse import TranscriptReader
from clew.usecases.guard import list_open_changes

HELD_MAX, COMMITS_JUDGED = 3, 250  # of one commit, files held out in turn; of one repository, the newest commits
FILES_MAX = 20  # of a commit that is judged


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.guard", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with `sessions`")
    parser.add_argument("--mirrors", type=Path, required=True, help="folder of git directories, OWNER+NAME/repo")
    parser.add_argument("--limit", type=int, default=0, help="sessions at most")
    given = parser.parse_args()
    rows: list[tuple[str, str, bool]] = []
    index = [json.loads(line) for line in (given.data / "sessions" / "INDEX.jsonl").read_text("utf-8").splitlines()]
    sessions = [row for row in index if row["format"] == "claude-code"]
    for row in sessions[: given.limit or None]:
        history = read_history(given.mirrors / row["repo"].replace("/", "+") / "repo")
        rows += [(row["repo"], kind, is_right) for kind, is_right in judge_session(given.data / "sessions" / row["file"], history)]
    print_table("sessions", rows)
    print_table("commits", [each for git in sorted(given.mirrors.glob("*/repo")) for each in judge_commits(git)])


def print_table(title: str, rows: Sequence[tuple[str, str, bool]]) -> None:
    """Print the precision of each kind of line, by repository where they are few."""
    print(f"## {title}")
    by_kind: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for repository, kind, is_right in rows:
        by_kind[kind].append((repository, is_right))
    for kind, found in sorted(by_kind.items()):
        right, names = Counter(name for name, is_right in found if is_right), Counter(name for name, _ in found)
        shares = [right[name] / count for name, count in names.items() if count >= 5]
        print(f"{kind}: {right.total()} of {len(found)} right, {right.total() / len(found):.2f}", end="")
        print(f"; mean of {len(shares)} repositories {sum(shares) / max(len(shares), 1):.2f}", end="")
        print("; " + ", ".join(f"{name} {right[name]} of {count}" for name, count in sorted(names.items())) if len(names) < 6 else "")


def judge_session(file: Path, history: Sequence[tuple[float, list[str]]]) -> Iterator[tuple[str, bool]]:
    """Yield each line that would have been told in a session, as its kind and whether it was right."""
    with lzma.open(file, "rt", encoding="utf-8", errors="replace") as stream:
        lines = stream.read().split("\n")
    turns = read_turns(lines)
    cuts = [turn.line for turn in turns[1:]] + [len(lines) + 1]
    states: list[tuple[TaskState, float]] = []
    tracker = TaskTracker(root=_find_folder(lines))
    raw = [f"{line}\n".encode("utf-8", "surrogatepass") for line in lines]
    at_s = 0.0
    for observation in TranscriptReader(raw).read_observations():
        while len(states) < len(cuts) - 1 and observation.record_index >= cuts[len(states)]:
            states.append((tracker.state(), at_s))
        tracker.observe(observation)
        at_s = observation.at_ns / 1e9 or at_s
    states.append((tracker.state(), at_s))
    told: set[str] = set()
    for number, (state, now) in enumerate(states):
        later = [after for after, _ in states[number + 1 :]]
        changed = list_open_changes(state)
        past, coming = [files for at, files in history if at < now], [files for at, files in reversed(history) if at >= now]
        following = next((files for files in coming if set(files) & set(changed)), None)
        for one in find_missing_changes(past, changed):
            if one.path not in told and (later or following):
                told.add(one.path)
                is_edited = any(file.path == one.path for after in later for file in after.files)
                yield "missing", is_edited or (following is not None and one.path in following)


def judge_commits(git: Path) -> Iterator[tuple[str, str, bool]]:
    """Yield the first line told of commits with one file held out (right if it names that), and of whole ones (never right)."""
    history = [files for _, files in read_history(git)]
    for at, files in enumerate(history[:COMMITS_JUDGED]):
        if not 2 <= len(files) <= FILES_MAX or len(history) - at < 100:
            continue
        past = history[at + 1 :]
        for held in (*sorted(files)[:HELD_MAX], ""):
            for one in find_missing_changes(past, [file for file in files if file != held])[:1]:
                yield git.parent.name, "one file held out" if held else "whole", one.path == held


def read_history(git: Path) -> list[tuple[float, list[str]]]:
    """Return (time, files) of the newest commits, newest first."""
    asked = ["git", "--git-dir", str(git), "log", "--no-merges", "--diff-filter=d", "--name-only", "--format=%x01%ct", "-3000", "HEAD"]
    found = subprocess.run(asked, capture_output=True, check=False).stdout.decode("utf-8", "surrogateescape")
    blocks = [block.split("\n") for block in found.split("\x01")[1:]]
    return [(float(block[0]), [line for line in block[1:] if line]) for block in blocks]


def _find_folder(lines: Sequence[str]) -> str:
    for line in lines[:50]:
        try:
            row: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and row.get("cwd"):
            return str(row["cwd"])
    return ""


if __name__ == "__main__":
    main()
