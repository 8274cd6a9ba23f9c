"""`clew page`: open the local page in a browser."""

from __future__ import annotations

import os
import sys

import click

from clew.cli import output
from clew.cli.options import format_examples, json_option
from clew.files import replace_file
from clew.settings import data_dir

_OPENER = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Opening clew</title></head>
<body><form method="post" action="{url}enter"><input type="hidden" name="code" value="{code}"><button>Open clew's page</button></form>
<script>document.forms[0].submit()</script></body></html>
"""


@click.command(short_help="Look at sessions, compactions and memory in a browser.", epilog=format_examples("clew page"))
@click.option("--no-open", "is_printed", is_flag=True, help="Open no browser: print the address, and the code to type there.")
@json_option
def command(*, is_printed: bool, is_json: bool) -> None:
    """Open the page that the local daemon serves to you alone: where each session stands, what a compaction keeps, what is remembered.

    It starts the daemon if none runs. The browser is let in by a code that holds for two minutes and for one browser.
    """
    from clew.adapters.daemon_files import DaemonPaths
    from clew.adapters.http import start

    paths = DaemonPaths(data_dir())
    start.ensure_daemon(paths)
    opened = start.request(paths, "POST", "/page", timeout_s=30.0)
    url = opened["plain_url"] if sys.platform == "darwin" else opened["url"]  # Safari does not know names under localhost
    if not is_printed and not is_json and _has_screen():
        import webbrowser

        replace_file(paths.page_opener, _OPENER.format(url=url, code=opened["code"]).encode())
        if webbrowser.open(paths.page_opener.as_uri()):
            output.write_text(f"opened {url} in your browser; if nothing came up, go there and type {opened['code']}\n")
            return
    value = {"url": url, "plain_url": opened["plain_url"], "code": opened["code"], "expires_s": opened["expires_s"]}
    output.write_answer(value, f"{url}\ncode {opened['code']}, for one browser, within two minutes\n", is_json=is_json)


def _has_screen() -> bool:
    """Return whether a browser with a window can be opened; one in the terminal would take it over."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
