"""Use cases: the operations that `clew.engine.Engine` offers, one module each, as functions over (store, settings).

Each module is imported when it is first named (`usecases.compact`), so that a question does not load the parsers of files and
transcripts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from clew.usecases import as_of as as_of
    from clew.usecases import augment as augment
    from clew.usecases import backup as backup
    from clew.usecases import compact as compact
    from clew.usecases import compress as compress
    from clew.usecases import copies as copies
    from clew.usecases import exchange as exchange
    from clew.usecases import explain as explain
    from clew.usecases import forget as forget
    from clew.usecases import guard as guard
    from clew.usecases import impact as impact
    from clew.usecases import index as index
    from clew.usecases import ingest as ingest
    from clew.usecases import marks as marks
    from clew.usecases import packets as packets
    from clew.usecases import preview as preview
    from clew.usecases import progress as progress
    from clew.usecases import recall as recall
    from clew.usecases import repair as repair
    from clew.usecases import retrieve as retrieve
    from clew.usecases import state as state
    from clew.usecases import status as status
    from clew.usecases import work as work
    from clew.usecases import write as write


def __getattr__(name: str) -> ModuleType:
    """Import and return the module of a use case. Raises AttributeError if there is none of this name."""
    try:
        return import_module(f"clew.usecases.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"clew.usecases.{name}":
            raise
        raise AttributeError(name) from None
