"""`clew retrieve`: the packet for a question."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from clew.cli import output
from clew.cli.files import show_files
from clew.cli.open import folder, index_first, opened
from clew.cli.options import Display, Milliseconds, budget_option, display_options, example, repo_option, tokenizer_option
from clew.cli.packets import show
from clew.errors import UsageError
from clew.settings import find_workspace

QUESTION_BYTES_MAX = 1 << 20  # guess: the longest issue text of the benchmarks has 60 kB; more is a file, not a question
FILES_SHOWN = 20
FILES_MAX = 1000


EXAMPLE = """
clew retrieve "where is a growing transcript resumed?" --budget 4000
pytest 2>&1 | clew retrieve - --repo ~/src/app --json
clew retrieve "who resumes a transcript?" --files --limit 5
"""


@click.command(short_help="One packet of code and memory for a question.", epilog=example(EXAMPLE))
@click.argument("question")
@repo_option
@budget_option(is_required=False)
@click.option("--deadline-ms", type=Milliseconds(), metavar="N", help="Leave out stages that would take longer, and name them.")
@tokenizer_option
@click.option("--files", "is_files", is_flag=True, help="Answer with the ranked list of files alone, without their text.")
@click.option("--limit", type=click.IntRange(1, FILES_MAX), metavar="N", help=f"Files that --files lists. Default: {FILES_SHOWN}.")
@display_options
def command(
    question: str,
    *,
    repo: Path,
    budget_tokens: int | None,
    deadline_ms: float | None,
    tokenizer: str | None,
    is_files: bool,
    limit: int | None,
    display: Display,
) -> None:
    """Answer QUESTION with one packet of code and memory that fits the token budget.

    `-` reads the question from standard input: an issue, a stack trace, a failing test. A repository that was
    never indexed is indexed first. Standard output is the packet's text and nothing else; with --files, one path a line.
    """
    if limit is not None and not is_files:
        raise UsageError("--limit is for --files\nhint: a packet is limited by --budget")
    words = asked(question)
    folder(repo)
    key, root = find_workspace(repo)
    with opened() as engine:
        index_first(engine, repo, is_quiet=display.is_quiet)
        if is_files:
            found = engine.files(repo, words, limit=limit or FILES_SHOWN, deadline_ms=deadline_ms)
            show_files(found, workspace=key, root=root, display=display)
            return
        packet = engine.retrieve(
            repo,
            words,
            budget_tokens=engine.settings.budget_tokens if budget_tokens is None else budget_tokens,
            tokenizer=tokenizer or engine.settings.tokenizer,
            deadline_ms=deadline_ms,
        )
    show(packet, workspace=key, root=root, home=engine.settings.data_dir, display=display)


def asked(question: str) -> str:
    """Return the words of the question; `-` stands for standard input. Raises UsageError for an empty and for an endless one."""
    if question == "-":
        data = sys.stdin.buffer.read(QUESTION_BYTES_MAX + 1) if sys.stdin else b""
        if len(data) > QUESTION_BYTES_MAX:
            raise UsageError(f"the question is longer than {QUESTION_BYTES_MAX >> 20} MB\nhint: quote the part that matters")
        # Anything may be piped in; what is no text is replaced, so that the words around it still count.
        words = data.decode("utf-8", "replace").replace("\0", " ")
    else:
        words = output.printable(question)
    if not words.strip():
        raise UsageError("the question is empty\nhint: say in words, names or an error text what you look for")
    return words
