"""`clew map`: print an overview of a repository within a token budget."""

from __future__ import annotations

from pathlib import Path

import click

from clew.cli.open import index_if_new, open_engine
from clew.cli.options import FOLDER_TYPE, DisplayOptions, budget_option, display_options, format_examples, tokenizer_option
from clew.cli.packets import show_packet
from clew.settings import find_workspace

_EXAMPLE = """
clew map --budget 2000
clew map src/store --table
"""


@click.command(short_help="An overview of the repository within a token budget.", epilog=format_examples(_EXAMPLE))
@click.argument("path", type=FOLDER_TYPE, default=".", metavar="[PATH]")
@budget_option
@tokenizer_option
@display_options
def command(path: Path, *, budget_tokens: int | None, tokenizer: str | None, display: DisplayOptions) -> None:
    """Print the most important files of the repository and their interfaces, within the token budget.

    PATH is a repository, or a folder or file in one; by default the current folder. The numbers of files and lines of each
    folder come first. A repository that was never indexed is indexed first. Standard output is the map and nothing else.
    """
    key, root = find_workspace(path)
    with open_engine() as engine:
        if path.exists():
            index_if_new(engine, root, is_quiet=display.is_quiet)
        packet = engine.build_map(
            path,
            budget_tokens=engine.settings.budget_tokens if budget_tokens is None else budget_tokens,
            tokenizer=tokenizer or engine.settings.tokenizer,
        )
    show_packet(packet, workspace=key, root=root, home=engine.settings.data_dir, display=display, title=f"map of {path.resolve()}")
