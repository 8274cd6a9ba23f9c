"""What every view is given: the engine and the sessions, the query, the form, and how a page is made of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from starlette.responses import Response

from clew.adapters.page.actions import LongActions
from clew.adapters.page.render import render
from clew.adapters.page.sessions import RunningSessions, SessionCatalogue
from clew.engine import Engine
from clew.errors import UsageError
from clew.sessions.context import DaemonContext

NAVIGATION = (
    ("Sessions", "/"),
    ("Now", "/now"),
    ("Memory", "/memory"),
    ("Code", "/code"),
    ("Bill", "/bill"),
    ("Eval", "/eval"),
    ("Trial", "/trial"),
    ("Health", "/health"),
)
"""Title and address of what stands in the head of every page."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form that was sent; no field where none was."""

    fields: Mapping[str, str] = field(default_factory=dict[str, str])

    def get(self, name: str, default: str = "") -> str:
        """Return a field's text without blanks at its ends."""
        return self.fields.get(name, default).strip()


@dataclass(frozen=True, slots=True)
class Query:
    """The query and the path of a request."""

    values: Mapping[str, str]
    path: Mapping[str, str] = field(default_factory=dict[str, str])

    def get(self, name: str, default: str = "") -> str:
        """Return a value's text without blanks at its ends."""
        return self.values.get(name, default).strip()

    def number(self, name: str, default: int, *, low: int, high: int) -> int:
        """Return a value as a number between two others. Raises UsageError for what is none."""
        given = self.get(name)
        if not given:
            return default
        if not given.isdecimal() or not low <= int(given[:12]) <= high:
            raise UsageError(f"{name} is {given[:40]!r}\nhint: a whole number from {low:,} to {high:,}")
        return int(given)


@dataclass(frozen=True, slots=True)
class Viewer:
    """What views ask.

    latencies  returns (seconds of each answer, budget in seconds) by handler of the daemon.
    actions    what runs in processes of its own, such as an evaluation.
    """

    engine: Engine
    context: DaemonContext
    live: RunningSessions
    catalogue: SessionCatalogue
    latencies: Callable[[], Mapping[str, tuple[list[float], float]]]
    actions: LongActions


View: TypeAlias = Callable[[Viewer, Query, Form], "Response | str"]


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """One page of many rows. number  of the page, from 1."""

    rows: Sequence[T]
    total: int
    number: int
    pages: int
    first: int


def turn_to(rows: Sequence[T], query: Query, size: int) -> Rows[T]:
    """Return the page of `rows` that the query asks for; the last one where it asks for one behind that."""
    return load_page(lambda first, count: (rows[first : first + count], len(rows)), query, size)


def load_page(load: Callable[[int, int], tuple[Sequence[T], int]], query: Query, size: int) -> Rows[T]:
    """Return the page that the query asks for of what `load` returns for (first, count): those rows, and how many there are in all."""
    number = query.number("page", 1, low=1, high=10**9)
    rows, total = load((number - 1) * size, size)
    pages = max(1, -(-total // size))
    if number > pages:
        number = pages
        rows, total = load((number - 1) * size, size)
    return Rows(rows, total, number, pages, (number - 1) * size)


def page(template: str, here: str, title: str, /, **values: Any) -> Response:
    """Return a view's page. `here` is the address of its entry in the navigation."""
    return render(template, navigation=NAVIGATION, here=here, title=title, **values)
