"""`clew doctor`: check the installation, and print what is wrong and how to mend it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from clew.cli import output
from clew.cli.open import check_folder
from clew.cli.options import FOLDER_TYPE, format_examples, json_option
from clew.records.wording import format_count
from clew.settings import find_workspace, load_settings_leniently


@click.command(short_help="Find what is wrong, and say how to mend it.", epilog=format_examples("clew doctor"))
@click.argument("path", type=FOLDER_TYPE, default=".")
@json_option
def command(path: Path, *, is_json: bool) -> int:
    """Check the client, the plugin, the daemon, the journal and the store, and change nothing.

    The exit code is 1 if something is wrong.
    """
    from clew.adapters.doctor import build_input, run_checks

    check_folder(path)
    found = run_checks(build_input(load_settings_leniently(), find_workspace(path)[1]))
    wrong = [each for each in found if each.is_wrong]
    if is_json:
        output.write_json({"is_well": not wrong, "findings": [asdict(each) for each in found]})
        return 1 if wrong else 0
    lines: list[str] = []
    lines.extend(
        f"{'✗' if each.is_wrong else '·'} {each.check}: {each.what}\n  why it matters: {each.why}\n  to mend it:     {each.mend}\n"
        for each in found
    )
    lines.append("all is well\n" if not found else f"{format_count(len(wrong), 'thing')} to mend\n" if wrong else "nothing to mend\n")
    output.write_text("".join(output.escape_control(line) if "\x1b" in line else line for line in lines))
    return 1 if wrong else 0
