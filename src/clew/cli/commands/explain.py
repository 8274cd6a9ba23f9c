"""`clew explain`: why a record is what it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli import output
from clew.cli.open import folder, opened
from clew.cli.options import example, json_option, repo_option
from clew.cli.packets import written
from clew.cli.record_status import importance_json, importance_text, record_json, status_json, status_text
from clew.records import make_handle, outside_span
from clew.settings import find_workspace

if TYPE_CHECKING:
    from clew.usecases.explain import Explained

LINKS_SHOWN = 20


@click.command(short_help="What a handle stands for, and what it hangs on.", epilog=example("clew explain 3k7q2m9x"))
@click.argument("handle")
@repo_option
@json_option
def command(handle: str, *, repo: Path, is_json: bool) -> None:
    """Say what HANDLE stands for: whether it is still true, its versions, what it hangs on and what hangs on it."""
    folder(repo)
    with opened() as engine:
        explained, home = engine.explain(repo, handle), engine.settings.data_dir
    if is_json:
        output.write_json(as_json(explained))
    else:
        output.write_text(written((outside_span(as_text(explained)),), home=home, workspace=find_workspace(repo)[0]))


def as_json(explained: Explained) -> dict[str, Any]:
    """All that the store knows of a record, for machines."""
    return {
        **record_json(explained.record),
        **status_json(explained.status),
        "importance": importance_json(explained.importance),
        "resolutions": [{"resolution": text.resolution.label, "chars": text.chars} for text in explained.record.texts],
        "versions": [
            {"id": version.id, "handle": make_handle(version.id), **status_json(standing)} for version, standing in explained.versions
        ],
        "links": [{"how": how, "name": name, "handle": handle, "weight": weight} for how, name, handle, weight in explained.links],
    }


def as_text(explained: Explained) -> str:
    """All that the store knows of a record, in lines of `what: value`."""
    record = explained.record
    whole = record.full_text
    rows = [(f"[{make_handle(record.id)}]", f"{record.kind} {record.name}"), ("layer", record.layer.value)]
    if record.path:
        rows.append(("where", f"{record.path}:{whole.start_line}-{whole.end_line}" if whole.start_line else record.path))
    if record.session:
        rows.append(("session", f"{record.session}, record {record.uuid}"))
    rows += record.lineage
    rows += [
        ("stands", status_text(explained.status)),
        ("trust", record.trust.name.lower()),
        ("importance", importance_text(explained.importance, explained.status)),
        ("derived from", f"{record.source}, content {record.digest[:12] or 'unknown'}"),
        ("can be shown", ", ".join(f"{text.resolution.label} ({text.chars:,})" for text in record.texts)),
    ]
    if len(explained.versions) > 1:
        rows += [("version", f"[{make_handle(version.id)}] {status_text(standing)}") for version, standing in explained.versions]
    rows += [(how, f"{name} [{handle}]" if handle else name) for how, name, handle, _ in explained.links[:LINKS_SHOWN]]
    if len(explained.links) > LINKS_SHOWN:
        rows.append(("…", f"{len(explained.links) - LINKS_SHOWN:,} more links; --json lists them all"))
    width = max(len(label) for label, _ in rows)
    return "".join(f"{label:<{width}}  {output.visible(' '.join(value.split()))}\n" for label, value in rows)
