"""Compare: clew's calls against a resolver's, both ways."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import sqrt

from bench.edges.graph import Graph
from bench.edges.resolver import Resolved


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `of`, with Wilson's 95 % interval."""

    hits: int
    of: int

    def __str__(self) -> str:
        if not self.of:
            return "none"
        z, n, share = 1.96, self.of, self.hits / self.of
        middle, half = (
            (share + z * z / (2 * n)) / (1 + z * z / n),
            z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n),
        )
        return f"{share:.3f} ({middle - half:.3f} to {min(middle + half, 1.0):.3f}; {self.hits} of {self.of})"


def recall(graph: Graph, resolved: list[Resolved]) -> Share:
    """Return how many of the resolver's calls to symbols of the tree clew has as an edge from the symbol around the call.

    Calls of what stands in the calling symbol itself, as of a nested function or of itself, are left out.
    """
    have = {(call.tail, call.head[0], line) for call in graph.calls for line in range(call.head[1], call.head[1] + 12)}
    hits = of = 0
    for each in resolved:
        around = graph.around(each.site.path, each.site.line)
        heads = [(path, line) for path, line in each.heads if graph.around(path, line) is not None]
        if around is None or not heads or any(path == each.site.path and around[0] <= line <= around[1] for path, line in heads):
            continue
        of += 1
        tail = (each.site.path, *around)
        hits += any((tail, path, line) in have for path, line in heads)
    return Share(hits, of)


def precision(graph: Graph, resolved: list[Resolved]) -> Share:
    """Return how many of clew's calls the resolver agrees with, of those about which it knows every call of that name in the caller."""
    sites: dict[tuple[str, int, int], dict[str, list[Resolved]]] = defaultdict(lambda: defaultdict(list))
    for each in resolved:
        around = graph.around(each.site.path, each.site.line)
        if around is not None:
            sites[each.site.path, around[0], around[1]][each.site.name].append(each)
    hits = of = 0
    for call in graph.calls:
        there = sites[call.tail].get(call.name.rpartition(".")[2], ())
        if not there or not all(each.is_known for each in there):
            continue
        of += 1
        # An overload is declared once for each form: each of its declarations is called.
        forms = graph.forms(call)
        is_right = any(
            path == call.head[0] and any(start <= line <= start + 12 for start in forms) for each in there for path, line in each.heads
        )
        hits += is_right
    return Share(hits, of)
