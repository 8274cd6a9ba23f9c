"""clew: a context database for coding agents. Programs use it through `clew.open()`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clew.engine import open_engine as open  # noqa: A004  read as `clew.open`

__version__ = "0.2.0"
__all__ = ["__version__", "open"]


def __getattr__(name: str) -> Any:
    """Return `clew.open`. Resolved at its first use, because it imports the engine and `clew --version` must not."""
    if name == "open":
        from clew.engine import open_engine  # lazy: see this docstring

        return open_engine
    raise AttributeError(name)
