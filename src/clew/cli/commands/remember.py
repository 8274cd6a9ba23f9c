"""`clew remember`: store a note for later sessions."""

from __future__ import annotations

from pathlib import Path

import click

from clew import usecases
from clew.cli import output
from clew.cli.open import check_folder, open_engine
from clew.cli.options import format_examples, json_option, repo_option

_KINDS = ("fact", "decision", "constraint", "dead end", "state")


@click.command(
    short_help="Keep one thing for later sessions.",
    epilog=format_examples('clew remember "retries are the caller\'s" --about src/client.py'),
)
@click.argument("text")
@click.option("--kind", type=click.Choice(_KINDS), default="fact", show_default=True, help="What it is.")
@click.option("--about", multiple=True, metavar="PATH", help="A file that it cites; when that changes, it is suspect. May be repeated.")
@click.option("--subject", default="", metavar="NAME", help="A later note of the same subject replaces this one.")
@repo_option
@json_option
def command(text: str, *, kind: str, about: tuple[str, ...], subject: str, repo: Path, is_json: bool) -> None:
    """Store TEXT as a note for later sessions of this repository. It is marked as suspect when a file that it cites changes."""
    check_folder(repo)
    with open_engine() as engine:
        [handle] = engine.write(
            repo, [usecases.write.NewNote(output.escape_surrogates(text), kind, about, output.escape_surrogates(subject))]
        ).handles
    output.write_answer({"handle": handle}, f"remembered as [{handle}]\n", is_json=is_json)
