"""`clew restore`: put a backup in the place of the database."""

from __future__ import annotations

from pathlib import Path

import click

from clew.cli import output
from clew.cli.open import load_file_settings
from clew.cli.options import format_examples, json_option
from clew.records.wording import format_count


@click.command(short_help="Put a backup in the place of the database.", epilog=format_examples("clew restore ~/backups/monday.db"))
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@json_option
def command(file: Path, *, is_json: bool) -> None:
    """Put FILE, which `clew backup` wrote, in the place of the database. The present one is kept under another name, which is printed.

    FILE is checked first, and stays as it is. What was purged since the backup is purged from what is restored as well.
    """
    from clew.adapters.daemon_files import DaemonPaths
    from clew.adapters.http import start
    from clew.usecases.backup import restore

    settings = load_file_settings("`pg_restore` puts a dump back, and `clew import FILE` an export")
    paths = DaemonPaths(settings.data_dir)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    was_running = start.stop_daemon(paths)
    try:
        done = restore(settings.database_path, file)
    finally:
        if was_running:
            start.ensure_daemon(paths)
    lines = [f"restored {format_count(done.records, 'record')}"]
    if done.purged:
        lines.append(f"purged since the backup, and again now: {format_count(done.purged, 'record')}")
    lines.extend(f"the database of before is {path}" for path in done.set_aside)
    value = {"records": done.records, "purged": done.purged, "set_aside": [str(path) for path in done.set_aside]}
    output.write_answer(value, "".join(f"{output.escape_control(line)}\n" for line in lines), is_json=is_json)
