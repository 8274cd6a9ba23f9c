"""`clew unfold`: print the exact original that a handle stands for."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import click

from clew.cli import output
from clew.cli.open import check_folder, open_engine
from clew.cli.options import format_examples, json_option, repo_option
from clew.cli.record_status import record_to_json, status_to_json


@click.command(
    short_help="The exact bytes behind a handle.",
    epilog=format_examples("clew unfold 3k7q2m9x\nclew unfold 3k7q2m9x --repo ~/src/app > original"),
)
@click.argument("handle")
@repo_option
@json_option
def command(handle: str, *, repo: Path, is_json: bool) -> None:
    """Print the whole original that HANDLE stands for, byte for byte.

    With --json, bytes that are UTF-8 are in `text`, others in `base64`.
    """
    check_folder(repo)
    with open_engine() as engine:
        unfolded = engine.unfold(repo, handle)
    if not is_json:
        output.write_bytes(unfolded.data)
        return
    value: dict[str, Any] = {**record_to_json(unfolded.record), **status_to_json(unfolded.status), "bytes": len(unfolded.data)}
    try:
        value["text"] = unfolded.data.decode()
    except UnicodeDecodeError:
        value["base64"] = base64.b64encode(unfolded.data).decode()
    output.write_json(value)
