"""Command: `python -m bench.hindsight.marks --sessions DIR`. Checks that every mark still points where it did, and counts."""

from __future__ import annotations

import argparse
import lzma
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.hindsight.marks import MarkMoved, canonical, find, is_kept, load


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 when a session is missing or a mark has moved."""
    parser = argparse.ArgumentParser(prog="python -m bench.hindsight.marks", description=__doc__)
    parser.add_argument("--sessions", type=Path, required=True, metavar="DIR", help="folder that holds <owner>__<repo>/<session>.jsonl.xz")
    given = parser.parse_args(arguments)
    pointers = load()
    print(f"{'session':<60}{'cut':>6}{'dead ends':>11}{'constraints':>13}")
    for session, cut in dict.fromkeys((pointer.session, pointer.cut) for pointer in pointers):
        try:
            lines = read(given.sessions, session)
            marks = find(pointers, session, lines)
        except (OSError, MarkMoved) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        history = "\n".join(canonical(line) for line in lines[:cut])
        lost = [mark.note for mark in marks if not is_kept(mark, history)]
        if lost:
            print(f"error: {session}: not in its own history: {lost}", file=sys.stderr)
            return 2
        dead = sum(mark.kind == "dead_end" for mark in marks)
        print(f"{session:<60}{cut:>6}{dead:>11}{len(marks) - dead:>13}")
    return 0


def read(folder: Path, session: str) -> list[str]:
    """Return the lines of one session's transcript, without their line ends. Raises OSError when it is not there."""
    with lzma.open(folder / f"{session}.jsonl.xz", "rt", encoding="utf-8", newline="\n") as lines:
        return [line.rstrip("\n") for line in lines]


if __name__ == "__main__":
    sys.exit(main())
