"""Command: `python -m bench.edges TREE…`. Counts clew's calls by language, compares them with a resolver, judges samples that were read.

Precision and recall against jedi (Python) and the TypeScript compiler; for other languages only what a reader judged:
`--sample` prints edges with both ends, `verdicts.jsonl` holds the hash of each that was read and whether it is true.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from bench.edges.compare import Share, precision, recall
from bench.edges.graph import Call, Graph, draw
from bench.edges.resolver import draw_sites, python_sites, resolve_python, resolve_typescript

VERDICTS = Path(__file__).parent / "verdicts.jsonl"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0."""
    given = _parser().parse_args(arguments)
    verdicts = (
        {row["key"]: row["is_true"] for row in map(json.loads, VERDICTS.read_text("utf-8").splitlines())} if VERDICTS.is_file() else {}
    )
    by_language: dict[str, list[tuple[Graph, Call]]] = defaultdict(list)
    for root in given.trees:
        graph = Graph(root)
        counts = Counter(graph.languages[call.tail[0]] for call in graph.calls)
        print(f"{root.name}: {len(graph.calls):,} calls; " + ", ".join(f"{name} {count:,}" for name, count in counts.most_common()))
        for call in graph.calls:
            by_language[graph.languages[call.tail[0]]].append((graph, call))
        if given.jedi:
            resolved = resolve_python(graph, draw_sites(python_sites(graph), given.sites))
            print(f"  jedi: precision {precision(graph, resolved)}, recall {recall(graph, resolved)}")
        if given.typescript is not None:
            resolved = resolve_typescript(root, given.typescript)
            print(f"  typescript: precision {precision(graph, resolved)}, recall {recall(graph, resolved)}")
    for language, rows in sorted(by_language.items()):
        graphs = {call: graph for graph, call in rows}
        drawn = draw([call for _, call in rows], given.sample or 40)
        read = [verdicts[call.key] for _, call in rows if call.key in verdicts]
        print(f"{language}: {len(rows):,} calls; of those that were read, true {Share(sum(read), len(read))}")
        for call in drawn if given.sample else ():
            print(_shown(graphs[call], call))
    return 0


def _shown(graph: Graph, call: Call) -> str:
    """Return an edge as it is read: its key, both places, the lines in the caller, the head of what is called."""
    lines = [f"{call.key}  {call.tail[0]}:{call.tail[1]} -> {call.head[0]}:{call.head[1]} {call.name}"]
    lines += [f"    < {graph.lines(call.tail[0])[line - 1].strip()[:140]}" for line in graph.sites(call)[:3]]
    head = graph.lines(call.head[0])[call.head[1] - 1 : call.head[1] + 1]
    return "\n".join([*lines, "    > " + " | ".join(line.strip() for line in head)[:140]])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.edges", description=__doc__)
    parser.add_argument("trees", nargs="+", type=Path, metavar="TREE", help="folders of source files")
    parser.add_argument("--jedi", action="store_true", help="compare Python with jedi, which must be installed")
    parser.add_argument("--sites", type=int, default=800, metavar="N", help="calls that jedi is asked about in each tree (800)")
    parser.add_argument("--typescript", type=Path, default=None, metavar="FILE", help="compare with this compiler: its lib/typescript.js")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="print N calls of each language for reading")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
