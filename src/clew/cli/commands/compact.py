"""`clew compact`: print the packet that replaces a session's conversation at a compaction."""

from __future__ import annotations

from pathlib import Path

import click

from clew.cli.open import check_folder, open_engine
from clew.cli.options import DisplayOptions, budget_option, display_options, format_examples, repo_option, tokenizer_option
from clew.cli.packets import show_packet
from clew.settings import find_workspace


@click.command(
    short_help="What of a session should stay in the window.",
    epilog=format_examples("clew compact ~/.claude/projects/-home-me-src-app/5f0c….jsonl --budget 8000"),
)
@click.argument("session")
@click.option("--at", metavar="RECORD", help="Cut before this record: its uuid or its 0-based line. Default: at the end.")
@click.option("--earlier", "has_earlier", is_flag=True, help="Add turns of other sessions that are relevant for the last request.")
@budget_option(is_required=True)
@tokenizer_option
@repo_option
@display_options
def command(
    session: str,
    *,
    at: str | None,
    has_earlier: bool,
    budget_tokens: int,
    tokenizer: str | None,
    repo: Path,
    display: DisplayOptions,
) -> None:
    """Compact SESSION (a transcript, or the id of an ingested session) into one packet that fits the token budget.

    The request, what is still true and what was just done come first; folded text carries a handle.
    """
    check_folder(repo)
    key, root = find_workspace(repo)
    with open_engine() as engine:
        packet = engine.compact(
            session,
            at=at,
            budget_tokens=budget_tokens,
            tokenizer=tokenizer or engine.settings.tokenizer,
            path=repo,
            with_earlier=has_earlier,
        )
    show_packet(packet, workspace=key, root=root, home=engine.settings.data_dir, display=display)
