"""Tables: render tables for a terminal into a string."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from clew.cli import output

_WIDTH = 120  # characters, if the output is no terminal


@dataclass(frozen=True, slots=True)
class Column:
    """A table column: its heading and format. Numbers are right-aligned; with a `ratio`, cells wrap at that share of the width."""

    heading: str
    ratio: int = 0
    is_number: bool = False
    style: str = ""


def format_table(heading_lines: Sequence[str], columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """Return `heading_lines` (the first in bold) and below them a table; without rows only the lines."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = output.is_terminal(sys.stdout)
    console = Console(force_terminal=is_terminal, width=None if is_terminal else _WIDTH, markup=False, highlight=False)
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        if column.ratio:
            grid.add_column(column.heading, overflow="fold", ratio=column.ratio, style=column.style)
        else:
            grid.add_column(column.heading, no_wrap=True, justify="right" if column.is_number else "left", style=column.style)
    for row in rows:
        grid.add_row(*(Text(output.escape_control(cell)) for cell in row))
    with console.capture() as captured:
        for at, line in enumerate(heading_lines):
            console.print(Text(output.escape_control(line), style="" if at else "bold"), soft_wrap=True)
        if rows:
            console.print(grid)
    return captured.get()
