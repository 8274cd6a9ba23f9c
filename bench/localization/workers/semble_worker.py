"""semble, as its library: an index of the tree's code at its own defaults, and its best snippets; the harness packs them.

usage: semble_worker.py MODEL      a Model2Vec directory, in place of the one that it would fetch
"""

import sys

from semble import SembleIndex
from speak import serve

TOP_K, MORE_K = 10, 50  # its default; and what fills 8,192 tokens, behind the default's answer, which depends on top_k

_MODEL = sys.argv[1]
_INDEX = None


def index(tree):
    """Make the index."""
    global _INDEX  # noqa: PLW0603  a worker is its state
    _INDEX = SembleIndex.from_path(tree, model_path=_MODEL)


def query(text, budget_tokens):
    """Return the snippets, best first, for the harness to show."""
    del budget_tokens
    found = [*_INDEX.search(text, top_k=TOP_K), *_INDEX.search(text, top_k=MORE_K)]
    return [[result.chunk.file_path, result.chunk.start_line, result.chunk.end_line, True] for result in found], None


if __name__ == "__main__":
    serve(index, query)
