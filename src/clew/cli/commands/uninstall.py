"""`clew uninstall`: take back what `clew init` did."""

from __future__ import annotations

import click

from clew.cli import output
from clew.cli.options import example, json_option
from clew.settings import load


@click.command(short_help="Take back what `clew init` did.", epilog=example("clew uninstall"))
@click.option("--dry-run", "is_dry", is_flag=True, help="Say what would be done, and do nothing.")
@json_option
def command(*, is_dry: bool, is_json: bool) -> None:
    """Stop the daemon and restore every file that `clew init` touched, in all scopes, byte for byte.

    A file that somebody else has changed meanwhile keeps their changes, and loses ours. What clew remembers stays where it is.
    """
    from clew.adapters.claude_code.install import Installer
    from clew.adapters.http import start
    from clew.adapters.places import Places

    settings = load()
    places = Places(settings.home)
    was_running = False if is_dry else start.stop(places)
    done = Installer(places, is_dry=is_dry).uninstall()
    steps = [*(["stopped the daemon"] if was_running else []), *done.did]
    kept = f"what was remembered is kept in {settings.home}; delete that folder to forget it all"
    if is_json:
        output.write_json({"is_dry": is_dry, "did": steps, "notes": [*done.notes, kept]})
        return
    lead = "would have " if is_dry else ""
    output.write_text("".join(f"{lead}{step}\n" for step in steps) + "".join(f"note: {note}\n" for note in done.notes) + f"note: {kept}\n")
