"""`clew retrieve`: print the packet for a question."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from clew.cli import output
from clew.cli.files import show_files
from clew.cli.open import check_folder, index_if_new, open_engine
from clew.cli.options import (
    DisplayOptions,
    Milliseconds,
    as_of_option,
    budget_option,
    display_options,
    format_examples,
    repo_option,
    session_option,
    tokenizer_option,
)
from clew.cli.packets import show_packet
from clew.errors import UsageError
from clew.settings import find_workspace

_QUESTION_BYTES_MAX = 1 << 20  # guess: the longest issue text of the benchmarks has 60 kB; more is a file, not a question
_FILES_SHOWN = 20
_FILES_MAX = 1000


_EXAMPLE = """
clew retrieve "where is a growing transcript resumed?" --budget 4000
pytest 2>&1 | clew retrieve - --repo ~/src/app --json
clew retrieve "who resumes a transcript?" --files --limit 5
clew retrieve "and where is that called from?" --session 5f0c1d2e
clew retrieve "where is a growing transcript resumed?" --as-of v0.1.0
"""


@click.command(short_help="One packet of code and memory for a question.", epilog=format_examples(_EXAMPLE))
@click.argument("question")
@repo_option
@budget_option
@click.option("--deadline-ms", type=Milliseconds(), metavar="N", help="Leave out stages that would take longer, and name them.")
@tokenizer_option
@click.option("--files", "is_files", is_flag=True, help="Answer with the ranked list of files alone, without their text.")
@click.option("--limit", type=click.IntRange(1, _FILES_MAX), metavar="N", help=f"Files that --files lists. Default: {_FILES_SHOWN}.")
@session_option
@as_of_option
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
    session: str | None,
    as_of: str | None,
    display: DisplayOptions,
) -> None:
    """Answer QUESTION with one packet of code and memory that fits the token budget.

    `-` reads the question from standard input: an issue, a stack trace, a failing test. A repository that was
    never indexed is indexed first. Standard output is the packet's text and nothing else; with --files, one path a line.
    """
    if limit is not None and not is_files:
        raise UsageError("--limit is for --files\nhint: a packet is limited by --budget")
    words = _read_question(question)
    check_folder(repo)
    key, root = find_workspace(repo)
    with open_engine() as engine:
        index_if_new(engine, repo, is_quiet=display.is_quiet)
        when = engine.find_as_of(repo, as_of) if as_of is not None else None
        task = engine.read_task(repo, session, as_of=when) if session else None
        if is_files:
            found = engine.rank_files(repo, words, limit=limit or _FILES_SHOWN, deadline_ms=deadline_ms, task=task, as_of=when)
            show_files(found, workspace=key, root=root, display=display)
            return
        packet = engine.retrieve(
            repo,
            words,
            budget_tokens=engine.settings.budget_tokens if budget_tokens is None else budget_tokens,
            tokenizer=tokenizer or engine.settings.tokenizer,
            deadline_ms=deadline_ms,
            task=task,
            as_of=when,
        )
    show_packet(packet, workspace=key, root=root, home=engine.settings.data_dir, display=display)


def _read_question(question: str) -> str:
    """Return the question, read from standard input if it is `-`. Raises UsageError if it is empty or longer than 1 MB."""
    if question == "-":
        data = sys.stdin.buffer.read(_QUESTION_BYTES_MAX + 1) if sys.stdin else b""
        if len(data) > _QUESTION_BYTES_MAX:
            raise UsageError(f"the question is longer than {_QUESTION_BYTES_MAX >> 20} MB\nhint: quote the part that matters")
        # Anything may be piped in; bytes that are no text are replaced, so that the words around them still count.
        words = data.decode("utf-8", "replace").replace("\0", " ")
    else:
        words = output.escape_surrogates(question)
    if not words.strip():
        raise UsageError("the question is empty\nhint: say in words, names or an error text what you look for")
    return words
