"""Command: `python -m bench.partial --data DIR --mirrors DIR`. Indexes each row's tree at falling shares and judges the packets.

The full treatment is the grammar: symbols, names, references and imports. What does not get it is cut by lines and found
by words alone. A file is stable when many other files use it and few recent commits touched it; of the code's bytes the
most stable share is read in full. All shares of a row are made in one process each after the other, by the same loop, so
that their processor times can be compared.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from bench.doors import SHOWN, opened, retrieve
from bench.localization.metrics import judge
from bench.localization.packing import measure
from bench.localization.rows import Row, git_dir_of, load_rows
from bench.localization.source import Tree
from bench.localization.systems import Answer, Span
from bench.machine import provenance, write_result
from bench.trees import write_tree
from clew.codebase.file_changes import build_delta_of_path
from clew.codebase.path_index import PathIndex
from clew.codebase.scan import scan_files
from clew.engine import Engine
from clew.lifecycle.apply import apply_deltas
from clew.ranking.centrality import compute_centrality
from clew.records import Delta
from clew.settings import find_workspace
from clew.store.ports import LOCAL

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("apsw", "msgspec", "numpy", "tree-sitter")
SHARES = (100, 75, 50, 25)
COMMITS = 1000  # of recent history in which a file's changes are counted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.partial", description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("CLEW_BENCH_DATA"))
    parser.add_argument("--mirrors", type=Path, default=os.environ.get("CLEW_BENCH_MIRRORS"))
    parser.add_argument("--rows", default="swebench_lite")
    parser.add_argument("--repos", default="", metavar="OWNER/NAME,…")
    parser.add_argument("--ids", default="", metavar="ID,…")
    parser.add_argument("--budget", type=int, default=8192)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    rows = load_rows(Path(given.data), given.rows.split(","), _words(given.repos), _words(given.ids))
    lines: list[dict[str, Any]] = []
    for row in rows:
        with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
            lines += measured(row, Path(given.mirrors), Path(folder), given.budget)
        print(*(f"{line['id']} {line['share']}: {line}" for line in lines[-len(SHARES) :]), sep="\n", file=sys.stderr, flush=True)
    words = ("--rows", given.rows, "--repos", given.repos, "--ids", given.ids, "--budget", str(given.budget))
    source = provenance(("python", "-m", "bench.partial", *words), PACKAGES)
    result: dict[str, object] = {"name": source.name, **source.as_json(), "summary": summary(lines), "rows": lines}
    write_result(given.results / f"{source.name}.json", result)
    print(table(summary(lines)))
    return 0


def measured(row: Row, mirrors: Path, folder: Path, budget_tokens: int) -> Iterator[dict[str, Any]]:
    """Yield what each share costs and finds on one row's tree."""
    tree = folder / "tree"
    write_tree(git_dir_of(mirrors, row), row.base_commit, tree)
    judged = Tree(tree)
    order: list[tuple[str, int]] = []
    for share in SHARES:
        home = folder / f"home-{share}"
        with opened(home) as engine:
            plain = volatile(order, share)
            started = process_time()
            key = _index(engine, tree, plain)
            index_s = process_time() - started
            if share == SHARES[0]:
                order = _by_stability(engine, key, tree)
            started = process_time()
            packet = retrieve(engine, tree, row.query, budget_tokens)
            query_s = process_time() - started
            with engine.store.snapshot(LOCAL, key) as snapshot:
                records = snapshot.documents.count
        spans = tuple(
            Span(entry.path, entry.start, entry.end, entry.tokens, entry.resolution.label in SHOWN)
            for entry in packet.entries
            if entry.path and entry.start and not entry.session
        )
        answer = Answer(spans, packet.text)
        score = judge(row, answer, measure(answer, judged, budget_tokens), judged)
        yield {
            "id": row.id,
            "repo": row.repo,
            "share": share,
            "file": score.file,
            "function": score.function,
            "whole": score.whole,
            "line": score.line,
            "gold_is_full": not any(path in plain for path in row.files),
            "index_cpu_s": round(index_s, 3),
            "query_cpu_s": round(query_s, 4),
            "database_mb": round(sum(file.stat().st_size for file in home.iterdir() if file.is_file()) / 1e6, 2),
            "records": records,
        }


def summary(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each share: shares found in percent, and sums of what it cost."""
    out: list[dict[str, Any]] = []
    for share in SHARES:
        held = [line for line in lines if line["share"] == share]
        row: dict[str, Any] = {"share": share, "rows": len(held)}
        for name in ("file", "function", "whole", "line", "gold_is_full"):
            known = [line[name] for line in held if line[name] is not None]
            row[name] = round(100 * sum(known) / max(len(known), 1), 1)
        for name in ("index_cpu_s", "database_mb", "records"):
            row[name] = round(sum(line[name] for line in held) / max(len(held), 1), 2)
        out.append(row)
    return out


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the summary as a Markdown table."""
    names = list(rows[0])
    head = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    return "\n".join(head + ["| " + " | ".join(str(row[name]) for name in names) + " |" for row in rows])


def _index(engine: Engine, tree: Path, plain: Collection[str]) -> str:
    key, root = find_workspace(tree)
    engine.store.open_workspace(key, str(root))
    apply_deltas(engine.store, key, _deltas(root, plain))
    engine.store.refresh(key)
    return key


def _deltas(root: Path, plain: Collection[str]) -> Iterator[Delta]:
    names = [file.path for file in scan_files(root).files]
    paths = PathIndex(names, {})
    for name in names:
        delta = build_delta_of_path(root, name, paths, is_plain=name in plain)
        if delta is not None:
            yield delta


def _by_stability(engine: Engine, key: str, tree: Path) -> list[tuple[str, int]]:
    """(path, bytes) of the code files, the most stable first: users + 1 over changes + 1; ties by path."""
    with engine.store.snapshot(LOCAL, key) as snapshot:
        index, known = snapshot.documents, compute_centrality(snapshot)
    log = subprocess.run(
        ["git", "log", f"--max-count={COMMITS}", "--name-only", "--format=", "HEAD"], cwd=tree, capture_output=True, text=True, check=True
    )
    changes = Counter(log.stdout.split("\n"))
    files = np.flatnonzero(index.alive & (index.parent < 0) & ~index.is_prose)
    scored: list[tuple[float, str]] = []
    for doc in files.tolist():
        code = int(index.path_codes[doc])
        path = index.paths[code]
        scored.append(((1 + int(known.users[code])) / (1 + changes[path]), path))
    return [(path, (tree / path).stat().st_size) for _, path in sorted(scored, key=lambda pair: (-pair[0], pair[1]))]


def volatile(order: Sequence[tuple[str, int]], share: int) -> frozenset[str]:
    """The files beyond the share of the bytes."""
    room = sum(size for _, size in order) * share / 100
    plain: set[str] = set()
    for path, size in order:
        room -= size
        if room < 0:
            plain.add(path)
    return frozenset(plain)


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


if __name__ == "__main__":
    sys.exit(main())
