"""`clew augment`: print what is added to a prompt of a session."""

from __future__ import annotations

from pathlib import Path

import click

from clew import usecases
from clew.cli import output
from clew.cli.open import check_folder, find_latest_transcript, open_engine
from clew.cli.options import format_examples, json_option, repo_option, tokenizer_option
from clew.cli.packets import render_for_stdout
from clew.settings import find_workspace


@click.command(
    short_help="What is added to a prompt, with its probability.", epilog=format_examples("clew augment 5f0c1d2e.jsonl --at 1204 --json")
)
@click.argument("session", required=False)
@click.option("--at", metavar="RECORD", help="The prompt's record: its uuid or its 0-based line. Default: the last prompt.")
@click.option("--budget", "budget_tokens", type=click.IntRange(min=0), help="At most so many tokens. Default: `prompt_budget_tokens`.")
@tokenizer_option
@repo_option
@json_option
def command(session: str | None, *, at: str | None, budget_tokens: int | None, tokenizer: str | None, repo: Path, is_json: bool) -> None:
    """Print what clew adds to a prompt of SESSION before the agent reads it: files that it will probably reach for, or nothing.

    SESSION is a transcript or the id of an ingested session; by default the latest transcript of this repository. The state of the
    session is that before the prompt; the files are those of the index as it is now.
    """
    check_folder(repo)
    with open_engine() as engine:
        settings = engine.settings
        addition = engine.augment_transcript(
            session or str(find_latest_transcript(repo)),
            at=at,
            path=repo,
            budget_tokens=settings.prompt_budget_tokens if budget_tokens is None else budget_tokens,
            tokenizer=tokenizer or settings.tokenizer,
        )
    if is_json:
        output.write_json(usecases.augment.describe_addition(addition))
        return
    if not addition.packet.entries:
        output.write_message("clew: nothing is likely enough to be needed: nothing is added")
    for entry in addition.packet.entries:
        likely = "earlier" if entry.session else f"{entry.weight:.2f}"
        output.write_message(f"clew: {likely} {entry.path or entry.handle}")
    output.write_text(render_for_stdout(addition.packet.spans, home=settings.data_dir, workspace=find_workspace(repo)[0]))
