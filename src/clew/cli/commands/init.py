"""`clew init`: index a repository, and install clew's plugin for Claude Code."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import click

from clew.cli import output
from clew.cli.open import check_folder, load_settings, open_engine
from clew.cli.options import FOLDER_TYPE, format_examples, json_option
from clew.records.wording import format_count
from clew.settings import claude_code_base_url, claude_code_dir, extra_ca_file, find_workspace

_SCOPES = ("user", "project", "local")


@click.command(name="init", short_help="Connect Claude Code to clew.", epilog=format_examples("clew init ~/src/app --scope local"))
@click.argument("path", type=FOLDER_TYPE, default=".")
@click.option(
    "--scope",
    type=click.Choice(_SCOPES),
    default="user",
    show_default=True,
    help="Which of Claude Code's settings enable it: yours everywhere, this repository's for everybody, or this repository's for you.",
)
@click.option(
    "--gateway",
    "with_gateway",
    is_flag=True,
    help="Also send the client's requests through clew, which folds old tool results. Not with --scope project.",
)
@click.option("--no-statusline", "without_statusline", is_flag=True, help="Leave the client's status line alone.")
@click.option("--no-index", "without_index", is_flag=True, help="Do not index the repository now; the first session does.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Say what would be done, and do nothing.")
@json_option
def command(
    path: Path, *, scope: str, with_gateway: bool, without_statusline: bool, without_index: bool, is_dry: bool, is_json: bool
) -> None:
    """Index the repository that holds PATH, install clew's plugin for Claude Code, and start the daemon.

    Every file of the client that is touched is kept as it was, and `clew uninstall` puts it back. If one of them cannot be
    written, none is. Calling it again refreshes what it did.
    """
    from clew.adapters.claude_code import plugin_files
    from clew.adapters.claude_code.install import Installer, InstallOptions, InstallTarget
    from clew.adapters.clients.claude_code import supports_mods
    from clew.adapters.daemon_files import DaemonPaths
    from clew.adapters.http import start

    check_folder(path)
    settings = load_settings()
    paths = DaemonPaths(settings.data_dir)
    _, root = find_workspace(path)
    target = InstallTarget(claude_code_dir().absolute(), root, scope)
    installer = Installer(paths, is_dry=is_dry)
    wanted = InstallOptions(
        with_statusline=not without_statusline, with_gateway=with_gateway, base_url=claude_code_base_url(),
        extra_certificates=extra_ca_file(), has_mods=supports_mods(shutil.which("claude")),
    )  # fmt: skip
    installer.check(target, wanted)
    indexed = ""
    if without_index and not settings.store and settings.database_path.is_file():
        _refuse_newer(settings.database_path)
    if not (is_dry or without_index):
        with open_engine() as engine:
            done = engine.index(root)
        indexed = f"indexed {root}: {format_count(done.report.read + done.report.unchanged, 'file')} in {done.seconds:.1f} s"
    if not is_dry:
        paths.make_dirs()
    did = installer.install(target, wanted)
    steps = [*([indexed] if indexed else []), *did.actions]
    if not is_dry:
        start.stop_daemon(paths)  # one that runs may be of another release
        start.ensure_daemon(paths, required_file=plugin_files.installation_marker(paths))
        steps.append(f"started the daemon: {paths.socket}")
    if is_json:
        output.write_json({"scope": scope, "root": str(root), "is_dry": is_dry, "did": steps, "notes": did.notes})
        return
    lead = "would have " if is_dry else ""
    output.write_text("".join(f"{lead}{step}\n" for step in steps) + "".join(f"note: {note}\n" for note in did.notes))
    if not is_dry:
        output.write_message("clew: done. Sessions that start now have it; `clew doctor` checks it, `clew uninstall` takes it back")


def _refuse_newer(database: Path) -> None:
    """Raise SchemaTooNew if a newer clew wrote the database: its plugin must not be replaced by an older one."""
    from clew.errors import StoreUnwritable
    from clew.store.sqlite import SqliteStore

    with suppress(StoreUnwritable):  # an older one is brought up to date when the daemon opens it
        SqliteStore(database, is_read_only=True).close()
