"""`clew import`: add what an export holds to the store."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from clew.cli import output
from clew.cli.open import check_folder, open_engine
from clew.cli.options import format_examples, json_option
from clew.records.wording import format_count


@click.command(
    short_help="Add what an export holds.",
    epilog=format_examples("clew import harbour.clew\nclew import harbour.clew --repo ~/src/harbour"),
)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--repo", type=click.Path(path_type=Path), help="The folder that the export's repository has here. Default: the one it had.")
@json_option
def command(file: Path, *, repo: Path | None, is_json: bool) -> None:
    """Add what the store lacks of FILE, which `clew export` wrote: all of it or nothing.

    A file or session that the store has stays as it is, so importing twice changes nothing. What was purged here stays purged. Its
    records count as your own afterwards: import only files of people whom you trust.
    """
    if repo is not None:
        check_folder(repo)
    with open_engine() as engine:
        done = engine.import_file(file, repo)
    records = f"{format_count(done.records, 'record')} of {format_count(done.sources, 'source')}"
    lines = [
        f"added {records}, {format_count(done.originals, 'original')} of {done.size:,} bytes, {format_count(done.tombstones, 'tombstone')}"
    ]
    if done.kept:
        lines.append(f"already stored, and left as they are: {format_count(done.kept, 'source')}, of which {done.differing:,} differ")
    if done.purged:
        lines.append(f"left out, because they were purged here: {done.purged:,}")
    if done.still_held:
        lines.append(f"purged where the export was made, and still stored here: {done.still_held:,}; `clew purge` erases")
    output.write_answer(asdict(done), "".join(f"{line}\n" for line in lines), is_json=is_json)
