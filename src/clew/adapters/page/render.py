"""Render templates to HTML: every value is escaped, and control characters are shown instead of obeyed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from clew.records.wording import format_size

HERE = Path(__file__).parent
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def show(value: object) -> str | Markup:
    r"""Return a value's text with what a reader cannot see (control and direction characters, halves of a pair) written as `\u202e`."""
    if isinstance(value, Markup):
        return value
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", "" if value is None else str(value))


def clip(text: str, chars: int = 300) -> str:
    """Return a text in one line of at most so many characters, cut with an ellipsis."""
    flat = " ".join(text.split())
    return flat if len(flat) <= chars else f"{flat[: chars - 1]}…"


def _when(at_s: float) -> Markup:
    """Return a time as `<time>`, exact to the minute."""
    if not at_s:
        return Markup("<span class=missing>time unknown</span>")
    when = datetime.fromtimestamp(at_s, UTC)
    return Markup('<time datetime="{}">{}</time>').format(when.isoformat(timespec="seconds"), when.strftime("%Y-%m-%d %H:%M"))


def _tokens(count: float) -> str:
    return f"{count / 1000:,.1f}k" if count >= 1000 else f"{count:.0f}"


def _paths(text: str) -> Markup:
    """Return a path with places where a line may break, so that a long one neither overflows nor copies wrong."""
    return Markup(str(escape(show(text))).replace("/", "/<wbr>"))


def link(path: str, **query: object) -> str:
    """Return an address of the page with a query of what is not empty."""
    given = {name: value for name, value in query.items() if value not in (None, "", 0)}
    return f"{path}?{urlencode(given)}" if given else path


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=show,
    )  # fmt: skip
    made.filters |= {"clip": clip, "when": _when, "tokens": _tokens, "size": format_size, "path": _paths}
    cast("dict[str, object]", made.globals)["link"] = link
    return made


ENVIRONMENT = _environment()


def render(template: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    """Return a template filled with values as an answer."""
    return HTMLResponse(ENVIRONMENT.get_template(template).render(**values), status)
