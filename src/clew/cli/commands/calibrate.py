"""`clew calibrate`: a repository grades its own retriever."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli import output
from clew.cli.calibration import calibration_json, calibration_table
from clew.cli.open import folder, opened
from clew.cli.options import FOLDER, example, json_option, quiet_option
from clew.cli.progress import progress

if TYPE_CHECKING:
    from clew.enrich.calibrate import Calibrated

COMMITS = 120  # guess: more takes longer, and tells of code that is gone

EXAMPLE = """
clew calibrate
clew calibrate ~/src/app --commits 200 --dry-run
clew calibrate --reset
"""


@click.command(short_help="Fit the retriever to this repository's history, where that helps.", epilog=example(EXAMPLE))
@click.argument("path", type=FOLDER, default=".")
@click.option(
    "--commits", type=click.IntRange(1, 3000), default=COMMITS, show_default=True, metavar="N", help="Newest commits that are asked."
)
@click.option("--dry-run", is_flag=True, help="Print the figures, and change nothing.")
@click.option("--reset", is_flag=True, help="Return to the default weights.")
@json_option
@quiet_option
def command(path: Path, *, commits: int, dry_run: bool, reset: bool, is_json: bool, is_quiet: bool) -> None:
    """Ask the newest commits of the repository that holds PATH (default: the current folder), and fit the retriever to them.

    Each commit's message is a question to the tree before it, and the code that it changed is what should be found.
    The weights of the channels are fitted to the older commits and judged on the newest, which they have not seen. They are
    kept only if they are better there by every measure that is printed; otherwise the default stays.
    Nothing is checked out. With fewer than 40 commits that can be asked, the figures of the default are printed.
    """
    folder(path)
    if reset:
        with opened() as engine:
            had = engine.reset_calibration(path)
        if is_json:
            output.write_json({"reset": had})
        else:
            output.write_text("the default weights hold again\n" if had else "the default weights hold already\n")
        return
    with opened() as engine, progress(is_quiet=is_quiet or is_json) as show:
        found = engine.calibrate(path, commits=commits, dry_run=dry_run, progress=show)
    if is_json:
        output.write_json(as_json(found, is_kept=found.weights is not None and not dry_run))
        return
    output.write_text(as_text(found, is_dry=dry_run))


def as_json(found: Calibrated, *, is_kept: bool) -> dict[str, Any]:
    """What a calibration found, for machines. `kept` says whether the fitted weights hold from now on."""
    return {
        "kept": is_kept,
        "is_better": found.weights is not None,
        "reason": found.reason,
        "looked_through": found.looked_through,
        "calibration": calibration_json(found.note) if found.note else None,
    }


def as_text(found: Calibrated, *, is_dry: bool) -> str:
    """What a calibration found, in a few lines."""
    lines: list[str] = []
    note = found.note
    if note is not None:
        asked = f"{output.counted(note.commits, 'commit')} of the newest {found.looked_through:,} asked"
        lines.append(f"{asked}: {note.fitted_to} fitted to, {note.held_out} held out" if note.fitted_to else asked)
        lines += calibration_table(note, is_fitted=bool(note.fitted_to))
    if found.weights is None:
        lines.append(f"the default weights stay: {found.reason}")
    else:
        lines.append("the fitted weights are better; nothing was changed" if is_dry else "the fitted weights hold from now on")
    return "".join(output.visible(line) + "\n" for line in lines)
