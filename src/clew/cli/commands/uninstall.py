"""`clew uninstall`: undo what `clew init` did."""

from __future__ import annotations

from pathlib import Path

import click

from clew.cli import output
from clew.cli.options import format_examples, json_option
from clew.records.wording import format_size
from clew.settings import data_dir


@click.command(short_help="Undo what `clew init` did.", epilog=format_examples("clew uninstall\nclew uninstall --all --dry-run"))
@click.option("--all", "is_all", is_flag=True, help="Also erase what clew has stored: the database, its backups and the settings.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Say what would be done, and do nothing.")
@json_option
def command(*, is_all: bool, is_dry: bool, is_json: bool) -> None:
    """Stop the daemon and undo what `clew init` did, in all scopes.

    A file that was not changed since gets its old bytes back. From one that was changed, only entries that are still as clew wrote them
    are removed. What clew has stored is kept, unless `--all` is given.
    """
    from clew.adapters import data_folder
    from clew.adapters.claude_code.install import Installer
    from clew.adapters.daemon_files import DaemonPaths
    from clew.adapters.http import start

    paths = DaemonPaths(data_dir())
    installer = Installer(paths, is_dry=is_dry)
    steps: list[str] = []
    notes: list[str] = []
    is_stopped = True
    installer.disable_autostart()
    if not is_dry:
        try:
            if start.stop_daemon(paths):
                steps.append("stopped the daemon")
        except start.DaemonUnavailable as error:
            is_stopped = False
            notes.append(str(error).partition("\n")[0])
    done = installer.uninstall()
    steps.extend(done.actions)
    notes.extend(done.notes)
    if is_stopped and not is_dry:
        data_folder.delete_run_files(paths)
    found = data_folder.list_entries(paths.home)
    ours, others = [each for each in found if each.is_ours], [each for each in found if not each.is_ours]
    if is_dry:  # these go in any case
        ours = [each for each in ours if each.path.name not in {"run", "plugin", "installed.json"}]
    if is_all and is_stopped and not done.is_incomplete:
        left: set[Path] = {each.path for each in data_folder.delete_clew_files(paths.home)} if not is_dry else set()
        steps.extend(f"erased {each.path} ({format_size(each.size_bytes)})" for each in ours if each.path not in left)
        notes.extend(f"{path} could not be erased" for path in sorted(left))
    elif ours:
        names = ", ".join(f"{each.path.name} ({format_size(each.size_bytes)})" for each in ours)
        total = format_size(sum(each.size_bytes for each in ours))
        again = " once the above is done" if is_all else ""
        notes.append(f"{total} are kept in {paths.home}: {names}; `clew uninstall --all` erases them{again}")
    notes.extend(f"{each.path} is not clew's, and was left" for each in others)
    if is_json:
        kept = [{"path": str(each.path), "bytes": each.size_bytes} for each in data_folder.list_entries(paths.home)]
        output.write_json({"is_dry": is_dry, "did": steps, "notes": notes, "kept": kept})
        return
    lead = "would have " if is_dry else ""
    output.write_text("".join(f"{lead}{step}\n" for step in steps) + "".join(f"note: {note}\n" for note in notes))
