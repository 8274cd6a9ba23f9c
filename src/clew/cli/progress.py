"""Progress: show a progress bar for long work, on standard error and on terminals only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clew.cli.output import is_terminal

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

Show = Callable[[str, int, int], None]
_BAR_AFTER_S = 0.4  # shorter work ends before a bar is read; importing rich alone takes a quarter of it


@contextmanager
def show_progress(*, is_quiet: bool) -> Generator[Callable[[str, int, int], None] | None]:
    """Open a progress bar and return a callback that updates it; None if `is_quiet` or standard error is no terminal."""
    if is_quiet or not is_terminal(sys.stderr):
        yield None
        return
    display = _Display()
    try:
        yield display.show
    finally:
        display.close()


class _Display:
    """A progress bar that appears after _BAR_AFTER_S."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.bar: Bar | None = None
        self.tasks: dict[str, TaskID] = {}

    def show(self, what: str, done: int, total: int) -> None:
        """Set the bar named `what` to `done` of `total`."""
        if self.bar is None:
            if time.monotonic() - self.started < _BAR_AFTER_S:
                return
            self.bar = _bar()
            self.bar.start()
        if what not in self.tasks:
            self.tasks[what] = self.bar.add_task(what, total=total)
        self.bar.update(self.tasks[what], completed=done, total=total)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns: list[Any] = [TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    return Progress(*columns, console=Console(stderr=True), transient=True)
