"""`clew map`: the repository at a budget, when no question is asked."""

from __future__ import annotations

from pathlib import Path

import click

from clew.cli.open import index_first, opened
from clew.cli.options import FOLDER, Display, budget_option, display_options, example, tokenizer_option
from clew.cli.packets import show
from clew.settings import find_workspace

EXAMPLE = """
clew map --budget 2000
clew map src/store --table
"""


@click.command(short_help="The repository at a budget, when no question is asked.", epilog=example(EXAMPLE))
@click.argument("path", type=FOLDER, default=".", metavar="[PATH]")
@budget_option(is_required=False)
@tokenizer_option
@display_options
def command(path: Path, *, budget_tokens: int | None, tokenizer: str | None, display: Display) -> None:
    """Show the most important files of the repository and their interfaces, within the token budget.

    PATH is a repository, or a folder or file in one; by default the folder that you are in. How many files and lines each
    folder holds stands first. A repository that was never indexed is indexed first. Standard output is the map and nothing else.
    """
    key, root = find_workspace(path)
    with opened() as engine:
        if path.exists():
            index_first(engine, root, is_quiet=display.is_quiet)
        packet = engine.map(
            path,
            budget_tokens=engine.settings.budget_tokens if budget_tokens is None else budget_tokens,
            tokenizer=tokenizer or engine.settings.tokenizer,
        )
    show(packet, workspace=key, root=root, home=engine.settings.data_dir, display=display, title=f"map of {path.resolve()}")
