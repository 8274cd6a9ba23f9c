"""`clew serve`: run, start, stop or query the local daemon, which hooks, the mod, MCP and the gateway use."""

from __future__ import annotations

import subprocess

import click

from clew.cli import output
from clew.cli.options import format_examples, json_option
from clew.errors import UsageError
from clew.settings import data_dir


@click.command(short_help="Run the local daemon.", epilog=format_examples("clew serve --detach"))
@click.option("--detach", "is_detached", is_flag=True, help="Run it in the background, and return when it answers.")
@click.option("--stop", "is_stop", is_flag=True, help="Stop the one that runs, after the answers under way.")
@click.option("--status", "is_status", is_flag=True, help="Say which one runs. Exit code 1 where none does.")
@json_option
def command(*, is_detached: bool, is_stop: bool, is_status: bool, is_json: bool) -> int:
    """Own the store and its warm indexes, and answer Claude Code over a private socket and over loopback with a token.

    There is one for each data folder. Hooks start it when they need it, and it ends after a while without requests
    (`serve_idle_s`), so there is usually no need to call this.
    """
    from clew.adapters.daemon_files import DaemonPaths, ensure_address
    from clew.adapters.http import start
    from clew.adapters.http.supervise import EXIT_ALREADY_RUNNING

    if is_detached + is_stop + is_status > 1:
        raise UsageError("--detach, --stop and --status exclude each other\nhint: choose one")
    paths = DaemonPaths(data_dir())
    if is_stop:
        was_running = start.stop_daemon(paths)
        output.write_answer({"stopped": was_running}, "stopped\n" if was_running else "none was running\n", is_json=is_json)
        return 0
    if is_detached:
        start.ensure_daemon(paths)
    if is_detached or is_status:
        found = start.find_running_daemon(paths)
        if found is None:
            output.write_answer({"running": False}, "no daemon runs\n", is_json=is_json)
            return 1
        where = ensure_address(paths)
        answers = found.health is not None
        value = {"pid": found.pid, "worker": found.worker_pid, "answers": answers, "port": where.port, "socket": str(paths.socket)}
        does = "" if answers else " (does not answer)"
        line = f"daemon {found.pid}, worker {found.worker_pid}{does}: {paths.socket}, 127.0.0.1:{where.port}\n"
        output.write_answer({"running": True, **value}, line, is_json=is_json)
        return 0 if answers else 1
    ended = subprocess.run(start.build_supervisor_command(paths, is_detached=False), check=False)
    if ended.returncode == EXIT_ALREADY_RUNNING:
        found = start.find_running_daemon(paths)
        raise start.DaemonUnavailable(paths, f"runs already (pid {found.pid})" if found else "runs already")
    return ended.returncode
