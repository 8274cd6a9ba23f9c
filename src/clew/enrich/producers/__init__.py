"""Find the producers of edges between files: one module each in this folder; nothing else lists them."""

from __future__ import annotations

import importlib
import pkgutil

from clew.enrich.edge_producer import EdgeProducer


def find_producers() -> list[EdgeProducer]:
    """Return the EdgeProducers that the modules of this folder define, in order of the modules' names."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return list({each.kind: each for module in modules for each in vars(module).values() if isinstance(each, EdgeProducer)}.values())
