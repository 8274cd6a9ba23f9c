"""`clew state`: print what the agent of a session is working on, each claim with the record that it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import click

from clew.cli import output
from clew.cli.open import check_folder, find_latest_transcript, open_engine
from clew.cli.options import as_of_option, format_examples, json_option, repo_option
from clew.cli.packets import render_for_stdout
from clew.records import outside_span
from clew.settings import find_workspace

_TEXT_CHARS_MAX = 300  # of one claim in the printed text; --json has the whole. Guess


@click.command(
    short_help="What a session is working on, each claim with its evidence.", epilog=format_examples("clew state 5f0c1d2e --at 1204 --json")
)
@click.argument("session", required=False)
@click.option("--at", metavar="RECORD", help="Before this record: its uuid or its 0-based line. Default: at the end.")
@as_of_option
@repo_option
@json_option
def command(session: str | None, *, at: str | None, as_of: str | None, repo: Path, is_json: bool) -> None:
    """Print where SESSION stands: the request, what is done, the rules in force, checks, files, errors, plan and dead ends.

    SESSION is a transcript or the id of an ingested session; by default the latest transcript of this repository. Every claim
    names the record and the line that it rests on; what is not known is not said.
    """
    check_folder(repo)
    with open_engine() as engine:
        when = engine.find_as_of(repo, as_of) if as_of is not None else None
        meant = session or str(find_latest_transcript(repo, begun_by_ns=when.at_ns if when else 0))
        found, home = engine.describe_state(repo, meant, at=at, as_of=when), engine.settings.data_dir
    if is_json:
        output.write_json(found)
    else:
        text = output.escape_control("".join(f"{line}\n" for line in _lines(found)))
        output.write_text(render_for_stdout((outside_span(text),), home=home, workspace=find_workspace(repo)[0]))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"session {found['session']}, before line {found['line']}, {_describe_as_of(found['as_of'])}"
    for name, value in found.items():
        claims = cast("list[Any]", [value] if isinstance(value, dict) and name != "as_of" else value if isinstance(value, list) else [])
        if claims:
            yield f"{name.replace('_', ' ')}:"
        for claim in claims:
            if isinstance(claim, str):
                yield f"  {_clip(claim)}"
            else:
                yield f"  {_clip(_words(name, claim))}{_place(claim)}"


def _describe_as_of(value: dict[str, Any]) -> str:
    named = f"commit {value['commit'][:12]}, " if value["commit"] else ""
    missing = "".join(f"; missing: {sentence}" for sentence in value["missing"])
    return f"as of {named}{value['instant'] or 'now'} (generation {value['generation']}){missing}"


def _place(claim: dict[str, Any]) -> str:
    return f"  (line {claim['line']})" if claim.get("line") is not None else ""


def _words(name: str, claim: dict[str, Any]) -> str:
    """Return one claim in words."""
    if name == "checks":
        return f"{claim['command']}: {claim['verdict']}{' before later changes' if claim['is_stale'] else ''}{_because(claim['evidence'])}"
    if name == "files":
        checks = (
            ", ".join(f"{check['kind']} {check['verdict']} ({check['command']})" for check in claim["checked_by"]) or "not checked since"
        )
        commit = {True: "committed", False: "not committed", None: ""}[claim["is_committed"]]
        return "; ".join(part for part in (f"{claim['path']}: {claim['state']}", checks, commit) if part)
    if name == "plan":
        return f"[{claim['status']}] {claim['text']}"
    if name in ("done", "cancelled"):
        return f"{claim['text']}{_because(claim['evidence'])}"
    if name == "dead_ends":
        return f"{claim['text']}{_because(claim['reason'])}"
    if name == "errors":
        return f"{claim['subject']}: {claim['text']}"
    if name == "decisions":
        return f"{claim['question']} -> {claim['text']}{_because(claim['chosen'])}"
    return str(claim["text"])


def _because(text: str) -> str:
    return f" — {text}" if text else ""


def _clip(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _TEXT_CHARS_MAX else f"{flat[: _TEXT_CHARS_MAX - 1]}…"
