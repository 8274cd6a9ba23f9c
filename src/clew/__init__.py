"""clew: a context database for coding agents."""

__version__ = "0.1.0"
