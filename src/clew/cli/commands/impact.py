"""`clew impact`: list the files that will probably have to change with others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli import output
from clew.cli.open import check_folder, index_if_new, open_engine
from clew.cli.options import format_examples, json_option, quiet_option, repo_option, session_option
from clew.cli.packets import remark_to_json, render_for_stdout
from clew.errors import UsageError
from clew.records import outside_span
from clew.records.wording import describe_reason, describe_remark
from clew.settings import find_workspace

if TYPE_CHECKING:
    from clew.impact.impact import ImpactedFile

_LIMIT = 20

_EXAMPLE = """
clew impact src/clew/store/ports.py
clew impact src/clew/engine.py::Engine.index --limit 5 --json
clew impact --session 5f0c1d2e
"""


@click.command(short_help="What else will have to change with these files.", epilog=format_examples(_EXAMPLE))
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@session_option
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=_LIMIT, show_default=True, metavar="N", help="Files that are listed at most."
)
@repo_option
@json_option
@quiet_option
def command(paths: tuple[str, ...], *, session: str | None, limit: int, repo: Path, is_json: bool, is_quiet: bool) -> None:
    """List the files that will most probably have to change when PATH does, with the reasons.

    PATH is a file, `path::symbol`, or a handle; several count together. What is known comes from commits, imports, calls,
    shared names and literals, tests and sessions. Without PATH, what SESSION changed and did not commit is meant. A repository
    that was never indexed is indexed first.
    """
    if not paths and session is None:
        raise UsageError("no file is named\nhint: PATH, or --session for what a session has changed")
    check_folder(repo)
    key, root = find_workspace(repo)
    with open_engine() as engine:
        index_if_new(engine, repo, is_quiet=is_quiet)
        task = engine.read_task(repo, session) if session else None
        given, found = engine.find_impact(repo, paths, limit=limit, task=task)
        home, remarks = engine.settings.data_dir, engine.find_unread_targets(repo, given)
    if is_json:
        output.write_json({**_to_json(given, found, root=root), "remarks": [remark_to_json(remark) for remark in remarks]})
        return
    for remark in () if is_quiet else remarks:
        output.write_message(f"clew: {output.escape_control(describe_remark(remark))}")
    output.write_text(render_for_stdout((outside_span(_to_text(found)),), home=home, workspace=key))
    if not found and not is_quiet:
        output.write_message(f"clew: nothing is known to change with {', '.join(given)}")


def _to_json(given: Sequence[str], found: Sequence[ImpactedFile], *, root: Path) -> dict[str, Any]:
    """Return the files with their scores, shares by kind of coupling, and reasons as JSON."""
    return {
        "given": list(given),
        "root": str(root),
        "files": [
            {
                "path": one.path,
                "score": round(one.score, 4),
                "why": list(map(describe_reason, one.reasons)),
                "shares": {kind: round(share, 4) for kind, share in one.shares.items()},
            }
            for one in found
        ],
    }


def _to_text(found: Sequence[ImpactedFile]) -> str:
    """Return one line for each file: score, path, reasons."""
    width = max((len(output.escape_control(one.path)) for one in found), default=0)
    why = (output.escape_control("; ".join(map(describe_reason, one.reasons))) for one in found)
    rows = zip(found, why, strict=True)
    return "".join(f"{one.score:5.2f}  {output.escape_control(one.path):<{width}}  {reasons}\n" for one, reasons in rows)
