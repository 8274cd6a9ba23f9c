"""Options: command-line options and argument types that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

F = TypeVar("F", bound=Callable[..., Any])

_BUDGET_MAX = 1_000_000_000  # no window is larger; beyond it a number is a slip


class TokenCount(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  generic only since click 8.4
    """The type of an option that takes a whole number of tokens, 0 to 1,000,000,000."""

    name = "tokens"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number in `8192`, `8_192` or `8,192`; anything else is a usage error."""
        try:
            number = int(str(value).replace(",", ""))
        except ValueError:
            self.fail(f"{value!r} is not a whole number of tokens", param, ctx)
        if not 0 <= number <= _BUDGET_MAX:
            self.fail(f"{number} is not between 0 and {_BUDGET_MAX:,} tokens", param, ctx)
        return number


class Milliseconds(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]
    """The type of an option that takes a number of milliseconds, 0 or more."""

    name = "milliseconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number in `80` or `12.5`; anything else is a usage error."""
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number of milliseconds", param, ctx)
        if not 0 <= number < float("inf"):
            self.fail(f"{value} is not a time of 0 ms or more", param, ctx)
        return number


class KeepLevel(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]
    """The type of an option that takes a level, as a share from 50 % to below 100 %."""

    name = "level"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the share in `98%` or `0.98`; anything else is a usage error."""
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = 0.0
        if not 0.5 <= share < 1:
            self.fail(f"{value!r} is no share from 50 % to below 100 %, as 98% or 0.98", param, ctx)
        return share


FOLDER_TYPE = click.Path(path_type=Path)
"""The type of an argument that takes a folder; it is checked later, by `check_folder`."""


def repo_option(function: F) -> F:
    """Decorate a command function with the option `--repo PATH`, passed as `repo`."""
    return click.option(
        "--repo",
        type=FOLDER_TYPE,
        default=".",
        metavar="PATH",
        help="Repository that is meant: any folder in it. Default: the current one.",
    )(function)


def session_option(function: F) -> F:
    """Decorate a command function with the option `--session SESSION`, passed as `session`."""
    return click.option(
        "--session",
        metavar="SESSION",
        help="A transcript, or the id of an ingested session, whose state counts beside the question. Default: none.",
    )(function)


def as_of_option(function: F) -> F:
    """Decorate a command function with the option `--as-of WHEN`, passed as `as_of`."""
    shown = "Answer as at a date, a time, a commit or a branch (its newest commit): with nothing that came later. Default: now."
    return click.option("--as-of", "as_of", metavar="WHEN", help=shown)(function)


def json_option(function: F) -> F:
    """Decorate a command function with the flag `--json`, passed as `is_json`."""
    return click.option("--json", "is_json", is_flag=True, help="Answer in JSON.")(function)


def quiet_option(function: F) -> F:
    """Decorate a command function with the flag `--quiet`, passed as `is_quiet`."""
    return click.option("--quiet", "-q", "is_quiet", is_flag=True, help="Say nothing on standard error but errors.")(function)


def tokenizer_option(function: F) -> F:
    """Decorate a command function with the option `--tokenizer NAME`, passed as `tokenizer`."""
    return click.option(
        "--tokenizer",
        metavar="NAME",
        help="Whose tokens are counted: a Claude family or model, o200k, or chars4 (characters / 4). Default: the setting.",
    )(function)


def budget_option(function: F) -> F:
    """Decorate a command function with the option `--budget N`, passed as `budget_tokens`."""
    shown = "Tokens that the packet may have. Default: the setting, 8,192 as delivered."
    return click.option("--budget", "budget_tokens", type=TokenCount(), metavar="N", help=shown)(function)


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """How a command prints its answer: as JSON; without messages on standard error; with a table (None: only on a terminal)."""

    is_json: bool
    is_quiet: bool
    shows_table: bool | None


def display_options(function: F) -> F:
    """Decorate a command function with `--table/--no-table`, `--json` and `--quiet`, passed as one `display`."""

    @wraps(function)
    def with_display(*arguments: Any, is_json: bool, is_quiet: bool, shows_table: bool | None, **others: Any) -> Any:
        return function(*arguments, display=DisplayOptions(is_json, is_quiet, shows_table), **others)

    shown = "Show what was chosen and why above the text. Default: on a terminal."
    return click.option("--table/--no-table", "shows_table", default=None, help=shown)(json_option(quiet_option(cast("F", with_display))))


def format_examples(text: str) -> str:
    """Return lines of example calls as the epilog of a command's help, which click does not wrap."""
    lines = text.strip().splitlines()
    return "\b\n" + "\n".join(["Examples:" if len(lines) > 1 else "Example:", *(f"  {line}" for line in lines)]) + "\n"
