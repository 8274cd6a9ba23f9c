"""Command: `python -m bench.speed`. Measures clew on a copy of one tree and writes the figures with their machine."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.machine import provenance, write_result
from bench.speed import measures
from bench.speed.questions import QUESTIONS_MAX, from_docstrings, from_file
from bench.trees import write_tree

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("apsw", "msgspec", "numpy", "tree-sitter", "zstandard")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0."""
    given = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
        tree, home = Path(folder, "tree"), Path(folder, "home")
        if given.tree is not None:
            shutil.copytree(given.tree, tree, symlinks=True)
        else:
            write_tree(given.git_dir, given.commit, tree)
        asked = from_file(given.queries, given.query_repo) if given.queries is not None else from_docstrings(tree)
        questions = asked[:QUESTIONS_MAX]
        figures: dict[str, object] = {"tree": _described(tree, given.commit)}
        steps = {
            "cold_index": lambda: measures.cold_index(tree, home),
            "nothing_changed": lambda: measures.nothing_changed(tree, home),
            "one_changed_file": lambda: measures.one_changed_file(tree, home),
            "warm_retrieve": lambda: measures.warm_retrieve(tree, home, questions),
            "cold_retrieve": lambda: measures.cold_retrieve(tree, home, questions),
        }
        for name, measure in steps.items():
            print(f"{name} …", file=sys.stderr, flush=True)
            figures[name] = measure()
    source = provenance(("python", "-m", "bench.speed", *_repeatable(given)), PACKAGES)
    result: dict[str, object] = {"name": source.name, **source.as_json(), "figures": figures}
    write_result(given.results / f"{source.name}.json", result)
    print(table(result))
    return 0


def table(result: Mapping[str, Any]) -> str:
    """Return the figures, one per line."""
    machine = result["machine"]
    lines = [f"{result['name']}: {machine['cpu']}, {machine['cores']} cores, {machine['python']}"]
    lines += [f"{group}.{name:<22} {value}" for group, figures in result["figures"].items() for name, value in figures.items()]
    return "\n".join(lines)


def _described(tree: Path, commit: str | None) -> dict[str, object]:
    sizes = [path.stat().st_size for path in tree.rglob("*.py") if path.is_file() and not path.is_symlink()]
    return {"name": commit or "", "python_files": len(sizes), "python_mb": round(sum(sizes) / 1e6, 2)}


def _repeatable(given: argparse.Namespace) -> list[str]:
    words = ["--git-dir", given.git_dir.parent.name, "--commit", given.commit] if given.tree is None else ["--tree", given.tree.name]
    if given.queries is not None:
        words += ["--queries", given.queries.name, "--query-repo", given.query_repo]
    return words


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--tree", type=Path, help="a folder; it is copied, never changed")
    source.add_argument("--git-dir", type=Path, help="a git directory to write the tree from, with --commit")
    parser.add_argument("--commit", default=None, help="the commit of --git-dir")
    parser.add_argument("--queries", type=Path, default=None, help="a .jsonl[.xz] file of objects with `query`; else the tree's docstrings")
    parser.add_argument("--query-repo", default="", metavar="OWNER/NAME", help="only the queries of this repository")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser


if __name__ == "__main__":
    sys.exit(main())
