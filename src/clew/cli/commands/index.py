"""`clew index`: update the index of a repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli import output
from clew.cli.open import open_engine
from clew.cli.options import FOLDER_TYPE, format_examples, json_option, quiet_option
from clew.cli.progress import show_progress
from clew.records.wording import format_count, format_size

if TYPE_CHECKING:
    from clew.usecases.index import IndexResult


@click.command(short_help="Read what changed in a repository.", epilog=format_examples("clew index ~/src/app"))
@click.argument("path", type=FOLDER_TYPE, default=".")
@json_option
@quiet_option
def command(path: Path, *, is_json: bool, is_quiet: bool) -> None:
    """Index the repository that holds PATH (default: the current folder).

    Only files that changed since the last run are read, on all cores. What git ignores is left out; binary,
    generated, minified, vendored and huge files are named but not read. The newest commits are read too, where the folder
    is a git work tree: files that changed together, or that are called after one another, are coupled.
    """
    with open_engine() as engine, show_progress(is_quiet=is_quiet or is_json) as show:
        indexed = engine.index(path, progress=show)
    output.write_answer(_to_json(indexed), _to_text(indexed), is_json=is_json)
    if not is_json and not is_quiet:
        output.write_problems(indexed.report.problems)


def _to_json(indexed: IndexResult) -> dict[str, Any]:
    """Return what an index run did as JSON. `named` lists each file that was not read, with the reason."""
    report, totals = indexed.report, indexed.totals
    return {
        "workspace": indexed.workspace,
        "root": str(indexed.root),
        "files": report.seen,
        "read": report.read,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "read_bytes": report.read_bytes,
        "records": report.records,
        "added": totals.added,
        "kept": totals.kept,
        "superseded": totals.superseded,
        "retired": totals.retired,
        "generation": totals.generation,
        "broken": report.broken,
        "languages": dict(sorted(report.languages.items())),
        "skipped": dict(sorted(report.skipped.items())),
        "commits": indexed.commits,
        "coupled": {
            "files": indexed.coupled.files,
            **indexed.coupled.edges,
        },
        "core": {"functions": indexed.core.functions, "core": indexed.core.core, "pairs": indexed.core.pairs},
        "named": [{"path": path, "reason": reason} for path, reason in sorted(report.named)],
        "problems": list(report.problems),
        "seconds": round(indexed.seconds, 3),
    }


def _to_text(indexed: IndexResult) -> str:
    """Return what an index run did in a few lines."""
    report = indexed.report
    lines = [
        f"{indexed.root}: {format_count(report.seen, 'file')} in {indexed.seconds:.2f} s",
        f"{report.read:,} read ({format_size(report.read_bytes)}), {report.unchanged:,} unchanged, {report.removed:,} gone",
    ]
    if report.languages:
        lines.append("read as: " + ", ".join(f"{name} {count:,}" for name, count in report.languages.most_common()))
    if report.skipped:
        lines.append("not read in full: " + ", ".join(f"{count:,} {reason}" for reason, count in sorted(report.skipped.items())))
    if report.broken:
        lines.append(f"did not parse whole, but can be searched: {format_count(report.broken, 'file')}")
    coupled = indexed.coupled
    if coupled.files:
        commits = format_count(indexed.commits, "commit")
        by_kind = [f"{count:,} {coupled.words[label].format(commits=commits)}" for label, count in coupled.edges.items() if count]
        lines.append(f"coupled: {format_count(coupled.files, 'file')}, {', '.join(by_kind)}")
    if core := indexed.core.core:
        pairs = format_count(indexed.core.pairs, "pair")
        lines.append(f"core: {core:,} of {format_count(indexed.core.functions, 'function')} paired by words, {pairs}")
    return "".join(output.escape_control(line) + "\n" for line in lines)
