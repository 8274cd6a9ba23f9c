"""`clew purge`: erase records, sessions or files from the store for good."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli import output
from clew.cli.open import check_folder, open_engine
from clew.cli.options import format_examples, json_option, repo_option
from clew.records.wording import describe_time, format_count

if TYPE_CHECKING:
    from clew.usecases.copies import HeldCopy

_EXAMPLE = """
clew purge 3k7q2m9x --reason "held a password"
clew purge --path config/secrets.toml --reason "should not have been read" --yes
clew purge --copies
"""


@click.command(short_help="Erase for good: the one thing that cannot be undone.", epilog=format_examples(_EXAMPLE))
@click.argument("handles", nargs=-1, metavar="[HANDLE]...")
@click.option("--session", metavar="ID", help="Erase a whole session, with all that was ever stored of it.")
@click.option("--path", "file", metavar="FILE", help="Erase a file, as the index names it, with all its stored versions.")
@click.option("--copies", "with_copies", is_flag=True, help="Also erase it, and what was purged before, from backups and exports.")
@click.option("--reason", default="", metavar="TEXT", help="Why: it stays behind as a tombstone. Needed for what is erased.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@repo_option
@json_option
def command(
    handles: tuple[str, ...], *, session: str | None, file: str | None, with_copies: bool, reason: str, is_sure: bool, repo: Path,
    is_json: bool,
) -> None:  # fmt: skip
    """Erase the record of each HANDLE with its original, or a whole session or file, from the database itself.

    For secrets and privacy. It cannot be undone; a tombstone with the reason stays. A file that still exists
    is read again by the next index: take the secret out of it, or ignore it, first. Backups and exports that clew wrote and that still
    hold it are named; --copies erases it there as well, also by itself for what was purged before.
    """
    check_folder(repo)
    named = sum(map(bool, (handles, session, file)))
    if named > 1 or not (named or with_copies):
        raise click.UsageError("name what to erase: HANDLE..., or --session ID, or --path FILE, and only one of the three")
    if named and not reason.strip():
        raise click.UsageError("say why with --reason TEXT: it stays behind as a tombstone")
    source = f"session:{session}" if session else f"file:{file}" if file else ""
    what = source or " ".join(handles)
    if not is_sure:
        _ask(what or "from the backups and exports that clew wrote what was purged")
    with open_engine() as engine:
        purged = engine.purge(repo, handles=handles, source=source, reason=reason) if named else None
        copies = engine.purge_copies() if with_copies else engine.find_copies_holding()
    told = "".join(output.escape_control(_tell(each)) + "\n" for each in copies)
    shown = {"copies": list(map(_to_json, copies))}
    if purged is None:
        output.write_answer(shown, told or "no backup or export that clew wrote holds what was purged\n", is_json=is_json)
        return
    erased = f"erased {format_count(purged.records, 'record')} and {format_count(purged.blobs, 'original')} of {purged.size:,} bytes\n"
    if purged.rows:
        erased += f"and {format_count(purged.rows, 'row')} of training sets: models that were fitted to them before hold what was in them\n"
    counts = {"records": purged.records, "originals": purged.blobs, "bytes": purged.size, "training_rows": purged.rows}
    output.write_answer({**counts, **shown}, erased + told, is_json=is_json)


def _tell(each: HeldCopy) -> str:
    """Return in a line what a copy still holds, or what was erased from it."""
    what = f"{each.copy.file} ({each.copy.kind} of {describe_time(each.copy.made_ns)})"
    if each.why:
        return f"{what} {each.why}"
    if each.held:
        return f"{what} still holds {format_count(each.held, 'record')} that were purged; `clew purge --copies` erases them there"
    return f"{what}: erased {format_count(each.purged, 'record')}"


def _to_json(each: HeldCopy) -> dict[str, Any]:
    about = {"file": str(each.copy.file), "kind": each.copy.kind, "made_ns": each.copy.made_ns}
    return {**about, "held": each.held, "erased": each.purged, "why": each.why}


def _ask(what: str) -> None:
    if not output.is_terminal(sys.stdin):
        raise click.UsageError("this cannot be undone, and there is no terminal to ask on; --yes says that you are sure")
    click.confirm(f"Erase {output.escape_control(what)} for good?", abort=True, err=True)
