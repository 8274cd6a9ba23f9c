"""`clew explain`: print a record's status, versions and links, or what was added to the last prompt."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli import output
from clew.cli.open import check_folder, find_transcript, open_engine
from clew.cli.options import format_examples, json_option, repo_option
from clew.cli.packets import render_for_stdout
from clew.cli.record_status import format_importance, format_status, importance_to_json, record_to_json, status_to_json
from clew.errors import StoreError, UsageError
from clew.records import make_handle, outside_span
from clew.records.wording import describe_reason, describe_time
from clew.settings import find_workspace

if TYPE_CHECKING:
    from clew.usecases.explain import RecordExplanation
    from clew.usecases.packets import PacketExplanation

_LINKS_SHOWN = 20
_ASKED_CHARS = 200  # of a prompt; --json has it whole


_EXAMPLE = """
clew explain 3k7q2m9x
clew explain --last
"""


@click.command(short_help="What a handle stands for, or what was added to the last prompt.", epilog=format_examples(_EXAMPLE))
@click.argument("handle", required=False)
@click.option("--last", "is_last", is_flag=True, help="Explain what was added to the last prompt instead.")
@click.option("--session", metavar="ID", help="With --last: the session that is meant. Default: that of the last prompt.")
@repo_option
@json_option
def command(handle: str | None, *, is_last: bool, session: str | None, repo: Path, is_json: bool) -> None:
    """Print the record that HANDLE, or a path, stands for: whether it is still true, its versions, and its links to other records.

    With --last, print what clew added to the last prompt, why, with what probability, and whether the session touched it since. What
    the transcript has gained is ingested first.
    """
    if is_last == (handle is not None) or (session is not None and not is_last):
        raise UsageError("name a handle or a path, or give --last\nhint: --session goes with --last")
    check_folder(repo)
    if is_last:
        _explain_last(repo, session, is_json=is_json)
        return
    with open_engine() as engine:
        explained, home = engine.explain(repo, handle or ""), engine.settings.data_dir
    if is_json:
        output.write_json(_to_json(explained))
    else:
        output.write_text(render_for_stdout((outside_span(_to_text(explained)),), home=home, workspace=find_workspace(repo)[0]))


def _explain_last(repo: Path, session: str | None, *, is_json: bool) -> None:
    with open_engine() as engine:
        wanted = session or engine.find_last_session(repo)
        if (transcript := find_transcript(repo, wanted)) is not None:
            try:
                engine.ingest([transcript], repo=repo)
            except StoreError as error:  # what was stored before is explained all the same
                output.write_message(f"clew: what the session did since is not read: {str(error).partition(chr(10))[0]}")
        found, home = engine.explain_last_packet(repo, wanted), engine.settings.data_dir
    if is_json:
        output.write_json(_packet_to_json(found))
    else:
        output.write_text(render_for_stdout((outside_span(_packet_to_text(found)),), home=home, workspace=find_workspace(repo)[0]))


def _packet_to_json(found: PacketExplanation) -> dict[str, Any]:
    """Return a logged packet as JSON: the fields of `clew augment` where they are the same."""
    packet = found.packet
    return {
        "session": found.record.session,
        "handle": make_handle(found.record.id),
        "at_ns": found.record.at_ns,
        "prompt": {"uuid": found.prompt.uuid, "handle": make_handle(found.prompt.id), "text": found.asked} if found.prompt else None,
        "is_shown": packet.is_shown,
        "entries": [
            {
                "path": entry.path,
                "start": entry.start,
                "end": entry.end,
                "handle": entry.handle,
                "kind": entry.kind,
                "name": entry.name,
                "probability": entry.probability,
                "tokens": entry.tokens,
                "why": list(map(describe_reason, entry.reasons)),
                "became": became,
                "noise": noise,
            }
            for entry, became, noise in zip(packet.entries, found.became, found.noise, strict=True)
        ],
        "withheld": [
            {"path": each.path, "handle": each.handle, "mark": each.mark, "at_ns": each.at_ns, "became": became}
            for each, became in zip(packet.withheld, found.withheld_became, strict=True)
        ],
        "tokens": packet.tokens,
        "budget": packet.budget_tokens,
        "tokenizer": packet.tokenizer,
        "took_ms": packet.took_ms,
        "skipped": packet.skipped,
    }


def _packet_to_text(found: PacketExplanation) -> str:
    """Return a logged packet as lines: what was asked, what it cost, and each entry with its reasons and what became of it."""
    packet = found.packet
    when = describe_time(found.record.at_ns)
    asked = " ".join(found.asked.split())[:_ASKED_CHARS] if found.prompt else "(not in the transcript yet)"
    told = f"{len(packet.entries)} added, {packet.tokens} tokens" if packet.entries else "nothing was added: nothing was likely enough"
    late = "" if packet.is_shown else "; too late: the agent did not read it"
    lines = [f"{when}, session {found.record.session}", f"prompt: {asked}", f"{told}, {packet.took_ms:.0f} ms{late}"]
    if packet.skipped:
        lines.append(f"left out for want of time: {', '.join(packet.skipped)}")
    for entry, became, noise in zip(packet.entries, found.became, found.noise, strict=True):
        place = f"{entry.path}:{entry.start}-{entry.end} {entry.name}" if entry.start else entry.path or "an earlier turn"
        handle = f"[{entry.handle}] " if entry.handle else ""
        likely = "" if entry.probability is None else f"  {entry.probability:.2f}"
        since = "" if not entry.path else f"  {became or 'not touched'} since"
        why = "; ".join(map(describe_reason, entry.reasons))
        said = "  noise, as you said" if noise else ""
        lines.append(f"{handle}{place}{likely}{since}{said}{f'  ({why})' if why else ''}")
    for each, became in zip(packet.withheld, found.withheld_became, strict=True):
        said_at = datetime.fromtimestamp(each.at_ns / 1e9, UTC).strftime("%Y-%m-%d")
        what = each.path or f"[{each.handle}]"
        since = f"; {became} since" if became else ""
        lines.append(f"left out: {what}, which you called noise in a prompt like this on {said_at} (mark [{each.mark}]){since}")
    return "".join(f"{output.escape_control(line)}\n" for line in lines)


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
