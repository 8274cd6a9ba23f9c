"""Tables for a person: rendered into a string, so that they reach standard output through the same door as everything else."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from clew.cli import output

_WIDTH = 120  # where no terminal says how wide it is


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and how its cells stand: numbers at the right and whole; with a `ratio`, folded into that share of the width."""

    heading: str
    ratio: int = 0
    is_number: bool = False
    style: str = ""


def format_table(heading_lines: Sequence[str], columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """Return lines above (the first in bold) and a table; without rows the lines alone."""
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
