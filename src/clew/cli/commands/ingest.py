"""`clew ingest`: read transcripts of coding agents' sessions into the store."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli import output
from clew.cli.open import check_folder, find_client_transcripts, open_engine
from clew.cli.options import FOLDER_TYPE, format_examples, json_option, quiet_option
from clew.cli.progress import show_progress
from clew.records.wording import format_count, format_size

if TYPE_CHECKING:
    from clew.usecases.ingest import IngestResult


_EXAMPLE = """
clew ingest ~/.claude/projects/-home-me-src-app
clew ingest session.jsonl --repo ~/src/app
"""


@click.command(short_help="Remember what happened in sessions.", epilog=format_examples(_EXAMPLE))
@click.argument("sessions", type=click.Path(path_type=Path), nargs=-1, metavar="[SESSION]...")
@click.option(
    "--repo", type=FOLDER_TYPE, metavar="PATH", help="Repository that the sessions belong to. Default: the one that each was held in."
)
@json_option
@quiet_option
def command(sessions: tuple[Path, ...], *, repo: Path | None, is_json: bool, is_quiet: bool) -> None:
    """Ingest transcripts: files, or folders of them (Claude Code, Codex; plain, .xz or .gz).

    Without SESSION: Claude Code's own transcripts of this repository and its work trees, also removed ones. What was ingested before
    is resumed where it ended; a line that cannot be read is counted and reported.
    """
    if repo is not None:
        check_folder(repo)
    if not sessions:
        sessions = find_client_transcripts(check_folder(repo or Path()))
        repo = repo or Path()
    with open_engine() as engine, show_progress(is_quiet=is_quiet or is_json) as show:
        ingested = engine.ingest(sessions, repo=repo, progress=show)
    output.write_answer(_to_json(ingested), _to_text(ingested), is_json=is_json)
    if not is_json and not is_quiet:
        output.write_problems(ingested.problems)
    if ingested.problems and not ingested.sessions and not ingested.unchanged:
        raise click.exceptions.Exit(1)


def _to_json(ingested: IngestResult) -> dict[str, Any]:
    """Return what an ingest run did as JSON."""
    workspaces = [{"workspace": key, "root": root, "sessions": names} for key, (root, names) in sorted(ingested.workspaces.items())]
    unknown = dict(sorted(ingested.unknown.items()))
    return {**asdict(ingested), "unknown": unknown, "workspaces": workspaces, "seconds": round(ingested.seconds, 3)}


def _to_text(ingested: IngestResult) -> str:
    """Return what an ingest run did in a few lines."""
    lines = [
        f"{format_count(ingested.sessions, 'session')} read in {ingested.seconds:.2f} s, {ingested.unchanged:,} unchanged",
        f"{format_count(ingested.records, 'record')} from {format_size(ingested.raw_bytes)}",
    ]
    lines.extend(f"{root}: {format_count(len(names), 'session')}" for _, (root, names) in sorted(ingested.workspaces.items()) if names)
    if ingested.broken_lines:
        lines.append(f"lines that could not be read: {ingested.broken_lines:,}")
    if ingested.unknown:
        lines.append("record types that clew does not know: " + ", ".join(f"{name} {n:,}" for name, n in sorted(ingested.unknown.items())))
    return "".join(output.escape_control(line) + "\n" for line in lines)
