"""`clew backup`: copy the database while it is in use."""

from __future__ import annotations

from pathlib import Path

import click

from clew.cli import output
from clew.cli.open import load_file_settings
from clew.cli.options import format_examples, json_option


@click.command(short_help="Copy the database while it is in use.", epilog=format_examples("clew backup ~/backups/monday.db"))
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--force", "is_forced", is_flag=True, help="Replace FILE if it exists.")
@json_option
def command(file: Path, *, is_forced: bool, is_json: bool) -> None:
    """Copy the whole database, at its newest transaction, to FILE, and check the copy. A daemon may run, and sessions go on.

    `clew restore` puts it back.
    """
    from clew.usecases.backup import back_up

    size = back_up(
        load_file_settings("`pg_dump --schema=clew` copies it, and `clew export --all FILE` writes all of it to one file").database_path,
        file,
        is_forced=is_forced,
    )
    value = {"file": str(file), "bytes": size}
    output.write_answer(value, output.escape_control(f"{file}: {size:,} bytes, checked\n"), is_json=is_json)
