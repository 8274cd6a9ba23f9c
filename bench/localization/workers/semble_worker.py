"""semble, as its library: an index of the tree's code at its own defaults, and its best snippets.

usage: semble_worker.py MODEL      a Model2Vec directory, in place of the one that it would fetch
"""

import sys

from semble import SembleIndex
from speak import serve

TOP_K = 50  # its default is 10, which leaves most of 8,192 tokens unused; the harness packs them in their order

_MODEL = sys.argv[1]
_INDEX = None


def index(tree):
    """Make the index."""
    global _INDEX  # noqa: PLW0603  a worker is its state
    _INDEX = SembleIndex.from_path(tree, model_path=_MODEL)


def query(text, budget_tokens):
    """Return the snippets, best first, for the harness to show."""
    del budget_tokens
    found = _INDEX.search(text, top_k=TOP_K)
    return [[result.chunk.file_path, result.chunk.start_line, result.chunk.end_line, True] for result in found], None


if __name__ == "__main__":
    serve(index, query)
