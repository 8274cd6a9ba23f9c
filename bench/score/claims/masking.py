"""Credentials that pass the mask, and harmless text that it changes, over forms made by seeds."""

from __future__ import annotations

from collections.abc import Mapping

from bench.score.figure import Context, Figure, Value
from bench.secrets.__main__ import changed, credentials, harmless, passed
from clew.text import secrets

SEEDS = range(20, 30)


def measure(context: Context) -> Mapping[str, Value]:
    """Mask the forms of some seeds."""
    seeds = list(SEEDS)[: 2 if context.is_quick else None]
    left = passed([form for seed in seeds for form in credentials(seed)], secrets.mask_bytes)
    touched = changed([form for seed in seeds for form in harmless(seed)], secrets.mask_bytes)
    return {
        "credentials that pass, of 150": Value(left["left_of_150"], "of 150", "lower"),
        "harmless texts changed, of 100": Value(touched["masked_of_100"], "of 100", "lower"),
    }


FIGURE = Figure("masking", "Credentials are masked before anything is stored.", measure)
