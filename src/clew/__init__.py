"""clew: a context database for coding agents."""

__version__ = "0.2.0"
