"""The kinds of output that clew can shorten: each module of this package that defines an `OutputKind` is one."""

from __future__ import annotations

import importlib
import pkgutil

from clew.transcript.reduce.output_kind import OutputKind

KINDS: dict[str, OutputKind] = {}  # by name, in order of rank
PROGRAMS: dict[str, OutputKind] = {}  # by program, or by program and the word after it


def load_kinds() -> None:
    """Fill `KINDS` and `PROGRAMS` from the modules of this package."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    found = {each.name: each for module in modules for each in vars(module).values() if isinstance(each, OutputKind)}
    KINDS.clear()
    PROGRAMS.clear()
    KINDS.update(sorted(found.items(), key=lambda item: item[1].rank))
    PROGRAMS.update({word: kind for kind in KINDS.values() for word in kind.programs.split()})
