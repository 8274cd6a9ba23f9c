"""Doors: every way in which something from outside reaches clew, read from the code, so that none is forgotten."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import click

import clew
from clew.adapters import clients
from clew.adapters.claude_code.plugin_files import TEMPLATE_DIR
from clew.adapters.mcp.tools import TOOL_DEFINITIONS
from clew.adapters.page.views import POSTS, VIEWS
from clew.cli.app import COMMANDS, app

SOURCE = Path(clew.__file__).parent
READING = frozenset({"read_bytes", "read_text", "open", "fdopen"})


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield the words and the command of each command and subcommand."""
    context = click.Context(app)

    def walk(words: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
        yield words, command
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                yield from walk((*words, name), found)

    for name in COMMANDS:
        command = app.get_command(context, name)
        assert command is not None
        yield from walk((name,), command)


def parameters(command: click.Command) -> list[click.Parameter]:
    """Return what a command is given besides flags and words of a list."""
    return [each for each in command.params if not getattr(each, "is_flag", False) and not isinstance(each.type, click.Choice)]


def events() -> Iterator[tuple[str, str]]:
    """Yield (client, event) of each hook and of each request of a mod."""
    policy = object()  # it is asked for nothing here
    for name in clients.list_client_names():
        for event in clients.load_client(name).build_handlers(policy):  # type: ignore[arg-type]
            yield name, event


def registered_events() -> set[str]:
    """Return the events that the plugin has its client send."""
    return set(json.loads((TEMPLATE_DIR / "clew" / "hooks" / "hooks.json").read_text("utf-8"))["hooks"])


def tools() -> Iterator[tuple[str, str]]:
    """Yield (tool, argument) of each MCP tool."""
    for tool in TOOL_DEFINITIONS:
        for argument in (*tool["inputSchema"]["properties"], "repo"):
            yield tool["name"], argument


def page_paths() -> tuple[list[str], list[str]]:
    """Return the paths that the page answers by GET and by POST."""
    return [path for path, _ in VIEWS], [path for path, _ in POSTS]


def reading_modules() -> set[str]:
    """Return the modules of the wheel in which a file is opened that is not one of the module's own beside it."""
    found: set[str] = set()
    for file in SOURCE.rglob("*.py"):
        text = file.read_text("utf-8")
        for node in ast.walk(ast.parse(text)) if any(f"{name}(" in text for name in READING) else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                if name in READING and not _is_own(node):
                    found.add(file.relative_to(SOURCE).with_suffix("").as_posix())
    return found


def _is_own(call: ast.Call) -> bool:
    """Return whether what is read lies beside the module, by `__file__` or as a resource of the package, or is no file."""
    text = ast.unparse(call)
    return "__file__" in text or "resources." in text or text.startswith(("clew.open(", "webbrowser.", "page.open", "self.open"))
