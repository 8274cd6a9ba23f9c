"""`clew export`: write what is stored to one file."""

from __future__ import annotations

from pathlib import Path

import click

from clew.cli import output
from clew.cli.open import check_folder, open_engine
from clew.cli.options import format_examples, json_option, repo_option
from clew.records.wording import format_count


@click.command(
    short_help="Write what is stored to one file.", epilog=format_examples("clew export harbour.clew\nclew export all.clew --all")
)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--all", "is_all", is_flag=True, help="Export all repositories, not only the one of --repo.")
@click.option("--force", "is_forced", is_flag=True, help="Replace FILE if it exists.")
@repo_option
@json_option
def command(file: Path, *, is_all: bool, is_forced: bool, repo: Path, is_json: bool) -> None:
    """Write all that is stored of a repository to FILE: records with their state and use, originals, sessions, tombstones.

    `clew import` reads it, on any machine. The format is open and documented: JSON lines, compressed with zstd. Credentials are
    masked in it as they are in the store; of what was purged it holds ids and reasons alone.
    """
    check_folder(repo)
    with open_engine() as engine:
        done = engine.export(None if is_all else repo, file, is_forced=is_forced)
    told = f"{file}: {format_count(done.rows, 'row')} of {format_count(len(done.workspaces), 'workspace')}, {done.size:,} bytes\n"
    places = [{"key": key, "root": root} for key, root in done.workspaces]
    value = {"file": str(file), "rows": done.rows, "bytes": done.size, "workspaces": places}
    output.write_answer(value, output.escape_control(told), is_json=is_json)
