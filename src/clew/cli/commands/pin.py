"""`clew pin`: have the next compactions of a session keep what a handle stands for, or leave it out."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew import usecases
from clew.cli import output
from clew.cli.open import check_folder, open_engine
from clew.cli.options import format_examples, json_option, repo_option
from clew.records import Pin
from clew.records.wording import describe_time

if TYPE_CHECKING:
    from clew.lifecycle.marks import StoredMark

_EXAMPLE = """
clew pin 3k7q2m9x --lines 3-10
clew pin 3k7q2m9x --undo
"""


@click.command(short_help="Have the next compaction keep this, or leave it out.", epilog=format_examples(_EXAMPLE))
@click.argument("handle", required=False)
@click.option("--lines", metavar="A-B", help="Only these lines of its text, from 1. Default: all.")
@click.option("--drop", "is_dropped", is_flag=True, help="Leave it out instead.")
@click.option("--undo", "is_undone", is_flag=True, help="Take back what was pinned or dropped of it.")
@repo_option
@json_option
def command(handle: str | None, *, lines: str | None, is_dropped: bool, is_undone: bool, repo: Path, is_json: bool) -> None:
    """Have the next compactions of a session keep what HANDLE stands for, before anything else; without HANDLE list what is pinned.

    Pins take at most half of a compaction's budget; what does not fit is named with its handle, and the window says so.
    """
    check_folder(repo)
    span = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", lines or "")
    if (lines and not span) or (is_undone and (lines or is_dropped)) or (handle is None and (lines or is_dropped or is_undone)):
        raise click.UsageError("name a HANDLE, and with --lines two numbers such as 3-10; --undo stands alone")
    with open_engine() as engine:
        if handle and is_undone:
            engine.take_back(repo, [handle], by=usecases.marks.BY_COMMAND)
        elif handle:
            first, last = (int(span[1]), int(span[2] or span[1])) if span else (0, 0)
            engine.pin(repo, handle, first=first, last=last, is_dropped=is_dropped, by=usecases.marks.BY_COMMAND)
        pins = engine.list_pins(repo)
    output.write_answer({"pins": [_to_json(each) for each in pins]}, "".join(map(_to_line, pins)) or "nothing is pinned\n", is_json=is_json)


def _to_json(each: StoredMark[Pin]) -> dict[str, Any]:
    """Return a pin as JSON."""
    record = each.record
    return {
        **asdict(each.mark), "handle": each.mark.record_id[: len(each.handle)], "mark": each.handle, "session": record.session,
        "at_ns": record.at_ns, "by": dict(record.lineage).get("by", ""), "name": record.name,
    }  # fmt: skip


def _to_line(each: StoredMark[Pin]) -> str:
    """Return a pin as a line."""
    when = describe_time(each.record.at_ns)
    handle = each.mark.record_id[: len(each.handle)]
    return f"{output.escape_control(f'[{handle}] {each.record.name}')} ({when}, session {each.record.session})\n"
