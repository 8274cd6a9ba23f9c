"""The transcript formats that clew reads: each module of this package that defines `DIALECT` is one."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Mapping
from importlib import import_module

from clew.transcript.dialects.dialect import Dialect, LineParser, TranscriptOrigin


def discover_dialects(folders: Iterable[str]) -> tuple[Dialect, ...]:
    """Return the `DIALECT` of each module in these folders of this package, in the order of the modules' names."""
    names = sorted(module.name for module in pkgutil.iter_modules(list(folders)))
    found = (getattr(import_module(f"{__name__}.{name}"), "DIALECT", None) for name in names)
    return tuple(dialect for dialect in found if isinstance(dialect, Dialect))


DIALECTS = discover_dialects(__path__)


def find_dialect(record: Mapping[str, object]) -> Dialect | None:
    """Return the dialect of the client that wrote this transcript record; None when no known client did."""
    return next((dialect for dialect in DIALECTS if dialect.recognises(record)), None)


__all__ = ["DIALECTS", "Dialect", "LineParser", "TranscriptOrigin", "discover_dialects", "find_dialect"]
