"""`clew explain`: print a record's status, versions and links."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli import output
from clew.cli.open import check_folder, open_engine
from clew.cli.options import format_examples, json_option, repo_option
from clew.cli.packets import render_for_stdout
from clew.cli.record_status import format_importance, format_status, importance_to_json, record_to_json, status_to_json
from clew.records import make_handle, outside_span
from clew.settings import find_workspace

if TYPE_CHECKING:
    from clew.usecases.explain import RecordExplanation

_LINKS_SHOWN = 20


@click.command(short_help="What a handle stands for, and what it is linked to.", epilog=format_examples("clew explain 3k7q2m9x"))
@click.argument("handle")
@repo_option
@json_option
def command(handle: str, *, repo: Path, is_json: bool) -> None:
    """Print the record that HANDLE, or a path, stands for: whether it is still true, its versions, and its links to other records."""
    check_folder(repo)
    with open_engine() as engine:
        explained, home = engine.explain(repo, handle), engine.settings.data_dir
    if is_json:
        output.write_json(_to_json(explained))
    else:
        output.write_text(render_for_stdout((outside_span(_to_text(explained)),), home=home, workspace=find_workspace(repo)[0]))


def _to_json(explained: RecordExplanation) -> dict[str, Any]:
    """Return a record with its status, versions and links as JSON."""
    return {
        **record_to_json(explained.record),
        **status_to_json(explained.status),
        "importance": importance_to_json(explained.importance),
        "resolutions": [{"resolution": text.resolution.label, "chars": text.chars} for text in explained.record.texts],
        "versions": [
            {"id": version.id, "handle": make_handle(version.id), **status_to_json(standing)} for version, standing in explained.versions
        ],
        "changes": asdict(explained.changes) if explained.changes is not None else None,
        "links": [{"how": how, "name": name, "handle": handle, "weight": weight} for how, name, handle, weight in explained.links],
    }


def _to_text(explained: RecordExplanation) -> str:
    """Return a record with its status, versions and links as aligned lines of label and value."""
    record = explained.record
    whole = record.full_text
    rows = [(f"[{make_handle(record.id)}]", f"{record.kind} {record.name}"), ("layer", record.layer.value)]
    if record.path:
        rows.append(("where", f"{record.path}:{whole.start_line}-{whole.end_line}" if whole.start_line else record.path))
    if record.session:
        rows.append(("session", f"{record.session}, record {record.uuid}"))
    rows += record.lineage
    rows += [
        ("stands", format_status(explained.status)),
        ("trust", record.trust.name.lower()),
        ("importance", format_importance(explained.importance, explained.status)),
        ("derived from", f"{record.source}, content {record.digest[:12] or 'unknown'}"),
        ("can be shown", ", ".join(f"{text.resolution.label} ({text.chars:,})" for text in record.texts)),
    ]
    if len(explained.versions) > 1:
        rows += [("version", f"[{make_handle(version.id)}] {format_status(standing)}") for version, standing in explained.versions]
    if (changes := explained.changes) is not None:
        moved = tuple(f"{old} to {new}" for old, new in changes.moved)
        told = {
            "added": changes.added,
            "removed": changes.removed,
            "moved": moved,
            "new signature": changes.signature,
            "new body": changes.body,
        }
        rows += [(f"file: {what}", ", ".join(names)) for what, names in told.items() if names]
    rows += [(how, f"{name} [{handle}]" if handle else name) for how, name, handle, _ in explained.links[:_LINKS_SHOWN]]
    if len(explained.links) > _LINKS_SHOWN:
        rows.append(("…", f"{len(explained.links) - _LINKS_SHOWN:,} more links; --json lists them all"))
    width = max(len(label) for label, _ in rows)
    return "".join(f"{label:<{width}}  {output.escape_control(' '.join(value.split()))}\n" for label, value in rows)
