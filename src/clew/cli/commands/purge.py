"""`clew purge`: erase records, sessions or files from the store for good."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from clew.cli import output
from clew.cli.open import check_folder, open_engine
from clew.cli.options import format_examples, json_option, repo_option
from clew.records.wording import format_count

_EXAMPLE = """
clew purge 3k7q2m9x --reason "held a password"
clew purge --path config/secrets.toml --reason "should not have been read" --yes
"""


@click.command(short_help="Erase for good: the one thing that cannot be undone.", epilog=format_examples(_EXAMPLE))
@click.argument("handles", nargs=-1, metavar="[HANDLE]...")
@click.option("--session", metavar="ID", help="Erase a whole session, with all that was ever stored of it.")
@click.option("--path", "file", metavar="FILE", help="Erase a file, as the index names it, with all its stored versions.")
@click.option("--reason", required=True, metavar="TEXT", help="Why: it stays behind as a tombstone.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@repo_option
@json_option
def command(
    handles: tuple[str, ...], *, session: str | None, file: str | None, reason: str, is_sure: bool, repo: Path, is_json: bool
) -> None:
    """Erase the record of each HANDLE with its original, or a whole session or file, from the database itself.

    For secrets and privacy. It cannot be undone; a tombstone with the reason stays. A file that still exists
    is read again by the next index: take the secret out of it, or ignore it, first.
    """
    check_folder(repo)
    if sum(map(bool, (handles, session, file))) != 1:
        raise click.UsageError("name what to erase: HANDLE..., or --session ID, or --path FILE, and only one of the three")
    source = f"session:{session}" if session else f"file:{file}" if file else ""
    what = source or " ".join(handles)
    if not is_sure:
        _ask(what)
    with open_engine() as engine:
        purged = engine.purge(repo, handles=handles, source=source, reason=reason)
    erased = f"erased {format_count(purged.records, 'record')} and {format_count(purged.blobs, 'original')} of {purged.size:,} bytes\n"
    if purged.rows:
        erased += f"and {format_count(purged.rows, 'row')} of training sets: models that were fitted to them before hold what was in them\n"
    counts = {"records": purged.records, "originals": purged.blobs, "bytes": purged.size, "training_rows": purged.rows}
    output.write_answer(counts, erased, is_json=is_json)


def _ask(what: str) -> None:
    if not output.is_terminal(sys.stdin):
        raise click.UsageError("this cannot be undone, and there is no terminal to ask on; --yes says that you are sure")
    click.confirm(f"Erase {output.escape_control(what)} for good?", abort=True, err=True)
