"""AsOf: the time, and the commit or branch, as at which an answer was computed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AsOf:
    """What an answer was computed at.

    generation  number of committed writes of the workspace that was read.
    at_ns       the time, nanoseconds since 1970; 0 for now.
    commit      whose files were read, "" for none: then nothing counts that was stored after the time.
    branch      whose newest commit that is, and whose sessions were read; "" for none.
    missing     what was there then and could not be read, in sentences.
    """

    generation: int = 0
    at_ns: int = 0
    commit: str = ""
    branch: str = ""
    missing: tuple[str, ...] = ()

    @property
    def known_by_ns(self) -> int:
        """What was stored later does not count; 0 for all that is known."""
        return 0 if self.commit else self.at_ns
