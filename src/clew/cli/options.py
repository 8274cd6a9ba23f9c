"""Options that several commands share, so that the same word means the same thing everywhere."""

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
    """A whole number of tokens, 0 to BUDGET_MAX."""

    name = "tokens"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read `8192`, `8_192` or `8,192`."""
        try:
            number = int(str(value).replace(",", ""))
        except ValueError:
            self.fail(f"{value!r} is not a whole number of tokens", param, ctx)
        if not 0 <= number <= _BUDGET_MAX:
            self.fail(f"{number} is not between 0 and {_BUDGET_MAX:,} tokens", param, ctx)
        return number


class Milliseconds(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]
    """A time of 0 ms or more."""

    name = "milliseconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read `80` or `12.5`."""
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number of milliseconds", param, ctx)
        if not 0 <= number < float("inf"):
            self.fail(f"{value} is not a time of 0 ms or more", param, ctx)
        return number


FOLDER_TYPE = click.Path(path_type=Path)


def repo_option(function: F) -> F:
    """Add `--repo PATH`."""
    return click.option(
        "--repo",
        type=FOLDER_TYPE,
        default=".",
        metavar="PATH",
        help="Repository that is meant: any folder in it. Default: the current one.",
    )(function)


def json_option(function: F) -> F:
    """Add `--json`."""
    return click.option("--json", "is_json", is_flag=True, help="Answer in JSON.")(function)


def quiet_option(function: F) -> F:
    """Add `--quiet`."""
    return click.option("--quiet", "-q", "is_quiet", is_flag=True, help="Say nothing on standard error but errors.")(function)


def tokenizer_option(function: F) -> F:
    """Add `--tokenizer NAME`."""
    return click.option(
        "--tokenizer",
        metavar="NAME",
        help="Whose tokens are counted: a Claude family or model, o200k, or chars4 (characters / 4). Default: the setting.",
    )(function)


def budget_option(*, is_required: bool) -> Callable[[F], F]:
    """Add `--budget N`."""
    shown = "Tokens that the packet may have." + ("" if is_required else " Default: the setting, 8,192 as delivered.")
    return click.option("--budget", "budget_tokens", type=TokenCount(), metavar="N", required=is_required, help=shown)


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """How an answer is written: as JSON; with a table above the text, None for on a terminal alone; with nothing said beside it."""

    is_json: bool
    is_quiet: bool
    shows_table: bool | None


def display_options(function: F) -> F:
    """Add `--table/--no-table`, `--json` and `--quiet`, which the command gets as one `display`."""

    @wraps(function)
    def with_display(*arguments: Any, is_json: bool, is_quiet: bool, shows_table: bool | None, **others: Any) -> Any:
        return function(*arguments, display=DisplayOptions(is_json, is_quiet, shows_table), **others)

    shown = "Show what was chosen and why above the text. Default: on a terminal."
    return click.option("--table/--no-table", "shows_table", default=None, help=shown)(json_option(quiet_option(cast("F", with_display))))


def format_examples(text: str) -> str:
    """An epilog that click does not wrap."""
    lines = text.strip().splitlines()
    return "\b\n" + "\n".join(["Examples:" if len(lines) > 1 else "Example:", *(f"  {line}" for line in lines)]) + "\n"
