"""`clew forget`: move unused records to cheaper tiers. Deletes nothing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli import output
from clew.cli.open import check_folder, open_engine
from clew.cli.options import format_examples, json_option, repo_option
from clew.records import Tier, make_handle
from clew.records.wording import format_count, format_size

if TYPE_CHECKING:
    from clew.lifecycle.forget import ForgetReport

_TIERS = {"hot": Tier.HOT, "folded": Tier.FOLDED, "archived": Tier.ARCHIVED}


@click.command(
    short_help="Move what is old to cheaper tiers; delete nothing.",
    epilog=format_examples("clew forget --dry-run\nclew forget 3k7q2m9x --tier hot"),
)
@click.argument("handles", nargs=-1, metavar="[HANDLE]...")
@click.option("--tier", type=click.Choice(list(_TIERS)), help="Where the named records go; hot brings them back. Default: archived.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Say what would move, and move nothing.")
@repo_option
@json_option
def command(handles: tuple[str, ...], *, tier: str | None, is_dry_run: bool, repo: Path, is_json: bool) -> None:
    """Move records to a cheaper tier: each HANDLE, or, with none, all that were not retrieved for long.

    A folded record is no longer shown in full, an archived one is found only when nothing else is. Both keep
    their original and their handle, and this command reads every one back to prove it. Only purge erases.
    """
    check_folder(repo)
    if tier and not handles:
        raise click.UsageError("--tier says where the named records go; name a HANDLE, or leave it out to go by age")
    with open_engine() as engine:
        forgotten = engine.forget(repo, handles=handles, tier=_TIERS[tier] if tier else None, dry_run=is_dry_run)
    output.write_answer(_to_json(forgotten, is_dry_run=is_dry_run), _to_text(forgotten, is_dry_run=is_dry_run), is_json=is_json)
    if forgotten.lost:
        raise click.exceptions.Exit(3)


def _to_json(forgotten: ForgetReport, *, is_dry_run: bool) -> dict[str, Any]:
    """Return what moved as JSON."""
    return {"dry_run": is_dry_run, **asdict(forgotten)}


def _to_text(forgotten: ForgetReport, *, is_dry_run: bool) -> str:
    """Return what moved in a line or two."""
    verb = "would be " if is_dry_run else ""
    lines = [f"{verb}folded {len(forgotten.folded):,}, {verb}archived {len(forgotten.archived):,}, left where they are {forgotten.kept:,}"]
    if not is_dry_run:
        lines.append(f"read back byte for byte: {format_count(forgotten.recalled, 'record')}")
    if forgotten.saved:
        lines.append(f"stored in {format_size(forgotten.saved)} less: {forgotten.shortened:,} texts, {forgotten.packed:,} originals")
    if forgotten.expired:
        sessions = ", ".join(forgotten.expired)
        lines.append(f"{verb}purged, by keep_days or keep_megabytes: {format_count(len(forgotten.expired), 'session')} ({sessions})")
    if forgotten.lost:
        lines.append("could NOT be read back: " + ", ".join(f"[{make_handle(lost)}]" for lost in forgotten.lost))
    return "".join(line + "\n" for line in lines)
