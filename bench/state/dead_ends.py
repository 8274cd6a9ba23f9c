"""Command: `python -m bench.state.dead_ends --data SESSIONS`. Precision and recall of dead ends, by project.

Precision: the dead ends that clew lists at the end of each session, against a reader's labels of them (`dead_ends.jsonl`: hashes of
what is listed, no words of the sessions). What has no label is counted apart. Recall: the dead ends that another reading marked
(`bench.hindsight.marks`), of which clew's list at the cut quotes both the attempt and the reason.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from bench.hindsight import marks
from bench.state.marks import HERE
from clew.pool import map_in_processes
from clew.records import DeadEnd
from clew.task.tracker import state_at
from clew.transcript.parse import TranscriptReader, open_transcript
from clew.transcript.session_files import build_origin, find_session_files

LABELS = HERE / "dead_ends.jsonl"


def hash_dead_end(end: DeadEnd) -> str:
    """Return 16 hexadecimal digits that stand for a dead end in `dead_ends.jsonl`."""
    return hashlib.blake2b(f"{end.text}\0{end.reason}".encode("utf-8", "replace"), digest_size=8).hexdigest()


def judge(path: Path) -> tuple[str, str, list[tuple[str, str]], list[bool]]:
    """Return project, file, (hash, sign) of each dead end at the end, and which of the session's marks the list at the cut holds."""
    with open_transcript(path) as stream:
        lines = stream.readlines()
    seen = list(TranscriptReader(lines, origin=build_origin(find_session_files(path))).read_observations())
    listed = [(hash_dead_end(end), end.sign) for end in state_at(seen).dead_ends]
    session = f"{path.parent.name}/{path.name.removesuffix('.jsonl.xz')}"
    pointers = [pointer for pointer in marks.load() if pointer.session == session and pointer.kind == "dead_end"]
    held: list[bool] = []
    if pointers:
        found = marks.find(pointers, session, [line.decode("utf-8", "replace") for line in lines])
        ends = state_at(each for each in seen if each.record_index < pointers[0].cut).dead_ends
        shown = "\n".join(f"{end.text}\n{end.reason}" for end in ends)
        held = [marks.is_kept(mark, shown) for mark in found]
    return path.parent.name, path.name, listed, held


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 for input that cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the recorded sessions")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args(arguments)
    if not given.data.is_dir():
        print("error: --data is no folder", file=sys.stderr)
        return 2
    rows = [json.loads(line) for line in LABELS.read_text("utf-8").splitlines()]
    labels = {(row["project"], row["file"], row["hash"]): row["is_true"] for row in rows}
    right: dict[tuple[str, str], Counter[bool | None]] = defaultdict(Counter)
    recall: dict[str, Counter[bool]] = defaultdict(Counter)
    for project, file, listed, held in map_in_processes(judge, sorted(given.data.glob("*/*.jsonl.xz")), given.jobs):
        for digest, sign in listed:
            for key in ((project, sign), (project, "all")):
                right[key][labels.get((project, file, digest))] += 1
        recall[project].update(held)
    for (project, sign), counts in sorted(right.items()):
        print(f"{project:26} {sign:10} {counts[True]:3} of {counts[True] + counts[False]:3} true, {counts[None]} without a label")
    for project, kept in sorted(recall.items()):
        print(f"{project:26} marked     {kept[True]:3} of {kept.total():3} found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
