"""Every command and option is documented, and each command's help shows an example."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from clew.cli.app import COMMANDS, app

DOCUMENT = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
SECTIONS: dict[str, str] = dict(re.findall(r"^## clew (\S+)\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))


def command_of(name: str) -> click.Command:
    command = app.get_command(click.Context(app), name)
    assert command is not None
    return command


def test_the_document_has_a_section_for_each_command_and_no_other() -> None:
    assert list(SECTIONS) == list(COMMANDS)


def parameters_of(name: str) -> list[click.Parameter]:
    """The parameters of a command and of all that it groups."""
    found: list[click.Parameter] = []
    left = [command_of(name)]
    while left:
        command = left.pop(0)
        found += command.params
        left += command.commands.values() if isinstance(command, click.Group) else ()
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_stands_in_the_usage_line(name: str) -> None:
    usage = SECTIONS[name].strip().partition("\n\n")[0]  # a line for the command, and one for each that it groups
    for parameter in parameters_of(name):
        if isinstance(parameter, click.Option):
            assert parameter.opts[0] in usage, parameter.opts
        else:
            assert (parameter.metavar or parameter.name or "").strip("[].").upper() in usage


@pytest.mark.parametrize("name", COMMANDS)
def test_no_documented_option_is_made_up(name: str) -> None:
    known = {word for parameter in parameters_of(name) for word in [*parameter.opts, *parameter.secondary_opts]}

    assert set(re.findall(r"--[a-z-]+", SECTIONS[name])) <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example_of_this_command(name: str) -> None:
    command = command_of(name)
    shown = command.get_help(click.Context(command, info_name=f"clew {name}"))

    assert re.search(rf"Examples?:\n.*clew {name} ?", shown)
    assert command.short_help


def test_the_exit_codes_are_the_documented_ones() -> None:
    from clew import errors
    from clew.cli import outcome, output

    raised = {value.exit_code for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.ClewError)}
    raised |= {0, outcome.EXIT_DEFECT, outcome.EXIT_INTERRUPTED, output.OutputPipeClosed.exit_code}
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", DOCUMENT, re.MULTILINE)}

    assert raised == documented
