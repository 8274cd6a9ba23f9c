"""`clew recall`: print turns of earlier sessions that answer a question."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew import usecases
from clew.cli import output
from clew.cli.open import check_folder, open_engine
from clew.cli.options import as_of_option, format_examples, json_option, repo_option
from clew.cli.packets import render_for_stdout
from clew.records import make_handle
from clew.records.wording import as_of_to_json, describe_reason
from clew.settings import find_workspace

if TYPE_CHECKING:
    from clew.recall.recall import Recalled

_TURNS_SHOWN, _TURNS_MAX = 10, 100


@click.command(
    short_help="What earlier sessions said about a question.",
    epilog=format_examples('clew recall "why is the queue in the database?" --as-of 2026-11-02'),
)
@click.argument("question")
@click.option("--limit", type=click.IntRange(1, _TURNS_MAX), default=_TURNS_SHOWN, show_default=True, metavar="N", help="Turns at most.")
@as_of_option
@repo_option
@json_option
def command(question: str, *, limit: int, as_of: str | None, repo: Path, is_json: bool) -> None:
    """Print turns of ingested sessions, and notes, that answer QUESTION, best first; none where none is good enough."""
    check_folder(repo)
    words = output.escape_surrogates(question)
    key, root = find_workspace(repo)
    with open_engine() as engine:
        when = engine.find_as_of(repo, as_of) if as_of is not None else None
        found = engine.recall(repo, words, turns_max=limit, as_of=when)
        spans, home = usecases.recall.render_turns(engine.store, repo, found), engine.settings.data_dir
    if is_json:
        output.write_json(_to_json(found, workspace=key, root=root))
    else:
        output.write_text(output.escape_control(render_for_stdout(spans, home=home, workspace=key)))


def _to_json(found: Recalled, *, workspace: str, root: Path) -> dict[str, Any]:
    turns = [
        {
            "id": turn.record.id, "handle": make_handle(turn.record.id), "session": turn.session, "uuid": turn.record.uuid,
            "kind": turn.record.kind, "name": turn.record.name, "at_ns": turn.record.at_ns, "score": turn.score,
            "is_live": turn.status.is_live, "replaced_by": turn.replaced_by, "why": [describe_reason(reason) for reason in turn.why],
        }
        for turn in found.turns
    ]  # fmt: skip
    return {
        "question": found.question, "workspace": workspace, "root": str(root), "as_of": as_of_to_json(found.as_of),
        "confidence": found.confidence, "sessions": [{"session": name, "score": score} for name, score in found.sessions], "turns": turns,
    }  # fmt: skip
