"""code-review-graph: its graph of the tree, and its tool for finding nodes, without embeddings (it ships none)."""

import subprocess
import sys
from pathlib import Path

from code_review_graph.tools.query import semantic_search_nodes
from speak import serve

LIMIT = 100  # its default is 20; the harness shows the nodes' lines in their order, as an agent would read them next

_STATE = {}


def index(tree):
    """Build the graph, with its command."""
    _STATE["tree"] = tree
    subprocess.run([sys.executable, "-m", "code_review_graph", "build", "--repo", tree], check=True, stdout=2)


def query(text, budget_tokens):
    """Return the nodes, best first."""
    del budget_tokens
    found = semantic_search_nodes(text, limit=LIMIT, repo_root=_STATE["tree"])
    return [[_relative(node["file_path"]), node["line_start"], node["line_end"], True] for node in found["results"]], None


def _relative(path):
    tree = Path(_STATE["tree"]).resolve()
    return Path(path).resolve().relative_to(tree).as_posix() if Path(path).is_absolute() else Path(path).as_posix()


if __name__ == "__main__":
    serve(index, query)
