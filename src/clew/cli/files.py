"""Files: print a ranked list of files as JSON, as a table, or as plain paths."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clew.cli import output
from clew.cli.options import DisplayOptions
from clew.cli.packets import QUESTION_CHARS_SHOWN, REASONS_SHOWN, format_as_of, remark_to_json
from clew.cli.tables import Column, format_table
from clew.records.wording import as_of_to_json, describe_reason, describe_remark, format_count

if TYPE_CHECKING:
    from clew.ranking.files import FileList, RankedFile


def show_files(found: FileList, *, workspace: str, root: Path, display: DisplayOptions) -> None:
    """Print a ranked list of files: JSON, a table with reasons, or one path a line, as `display` says.

    workspace  key of the repository; root  its folder.
    """
    if display.is_json:
        output.write_json(_to_json(found, workspace=workspace, root=root))
    elif display.shows_table or (display.shows_table is None and output.is_terminal(sys.stdout)):
        output.write_text(_table(found))
    else:
        output.write_text("".join(output.escape_control(file.path) + "\n" for file in found.files))
        if not display.is_quiet:
            for remark in found.remarks:
                output.write_message(f"clew: {output.escape_control(describe_remark(remark))}")
            output.write_message(f"clew: {_told(found)}")


def _to_json(found: FileList, *, workspace: str, root: Path) -> dict[str, Any]:
    """Return the list as JSON with fixed keys and no times: the same contents give the same bytes."""
    return {
        "question": found.question,
        "workspace": workspace,
        "root": str(root),
        "skipped": list(found.skipped),
        "remarks": [remark_to_json(remark) for remark in found.remarks],
        "as_of": as_of_to_json(found.as_of),
        "files": [{**asdict(file), "why": [describe_reason(reason) for reason in file.why]} for file in found.files],
    }


def _told(found: FileList) -> str:
    parts = [format_count(len(found.files), "file")]
    if found.skipped:
        parts.append("left out: " + ", ".join(found.skipped))
    return " · ".join(parts + format_as_of(found.as_of))


def _table(found: FileList) -> str:
    columns = (
        Column("", is_number=True, style="dim"),
        Column("file", ratio=5),
        Column("score", is_number=True),
        Column("best symbol", ratio=3),
        Column("handle", style="cyan"),
        Column("why", ratio=5),
    )
    rows = [
        (str(rank), _where(file), f"{file.score:.2f}", file.name, file.handle, "; ".join(map(describe_reason, file.why[:REASONS_SHOWN])))
        for rank, file in enumerate(found.files, 1)
    ]
    return format_table([found.question.strip()[:QUESTION_CHARS_SHOWN], _told(found), *map(describe_remark, found.remarks)], columns, rows)


def _where(file: RankedFile) -> str:
    return f"{file.path}:{file.line}" if file.line > 1 else file.path
