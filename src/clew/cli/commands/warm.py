"""`clew warm`: make what is dear to make before anybody asks."""

from __future__ import annotations

from pathlib import Path

import click

from clew.cli import output
from clew.cli.open import opened
from clew.cli.options import FOLDER, Seconds, example, json_option


@click.command(short_help="Make vectors for `reorder` in idle time.", epilog=example("clew warm ~/src/app --seconds 60"))
@click.argument("path", type=FOLDER, default=".")
@click.option("--seconds", type=Seconds(), metavar="N", help="End after so many seconds. Default: when all are made.")
@json_option
def command(path: Path, *, seconds: float | None, is_json: bool) -> None:
    """Make the vectors with which the setting `reorder` looks again at the top, for the repository that holds PATH.

    The likeliest records come first, and what is made is kept, so it may be interrupted and called again.
    """
    with opened() as engine:
        warmed = engine.warm(path, seconds=seconds)
    if is_json:
        output.write_json({"made": warmed.made, "left": warmed.left, "records": warmed.records, "seconds": round(warmed.seconds, 3)})
        return
    rate = f", {warmed.seconds / warmed.made * 1000:.0f} ms each" if warmed.made else ""
    output.write_text(
        f"{output.counted(warmed.made, 'vector')} made in {warmed.seconds:.1f} s{rate}\n"
        f"{warmed.records - warmed.left:,} of {output.counted(warmed.records, 'record')} have one\n"
    )
