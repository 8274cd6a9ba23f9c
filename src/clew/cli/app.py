"""Application: the command group `clew`, which imports a command when it is called."""

from __future__ import annotations

import importlib

import click

from clew import __version__

COMMANDS = (
    "init", "index", "ingest", "retrieve", "recall", "map", "impact", "state", "augment", "compact", "compress", "models", "eval", "trial",
    "unfold", "explain", "remember", "pin", "page", "status", "forget", "purge", "export", "import", "backup", "restore",
    "serve", "doctor", "verify", "repair", "uninstall",
)  # fmt: skip
"""Names of the commands in the order of the help. Each is a module of `clew.cli.commands` with a function `command`."""
_MODULES = {"import": "import_file"}  # a module cannot have a keyword's name


class _LazyGroup(click.Group):
    """A group that imports a command's module when the command is called, or when help lists it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names, in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the command, None if there is none of this name."""
        return importlib.import_module(f"clew.cli.commands.{_MODULES.get(cmd_name, cmd_name)}").command if cmd_name in COMMANDS else None


_EPILOG = """\b
Examples:
  clew index
  clew ingest
  clew retrieve "where is a growing transcript resumed?" --budget 4000
  clew unfold 3k7q2m9x

\b
Exit codes: 0 done, 1 something cannot be read or written, 2 wrong usage or
setting, 3 the store refused, 4 unknown or purged handle, 5 a model could not be
asked, 70 a defect of clew, 130 interrupted, 141 the reader of the answer went away.
"""


@click.group(cls=_LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(prog)s %(version)s")
def app() -> None:
    """Keep everything that a coding agent saw, and put what matters now into one packet within a token budget."""
