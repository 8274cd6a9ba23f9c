"""Figures: the README's table, written from the result files of the benchmarks and from nothing else.

`python -m bench.figures` takes the newest result of each benchmark and writes the block between the two marks;
`--check` says whether the block still is what its own result files give. The block names those files, so that a
clone without history can check it too.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.machine import REPOSITORY

BENCH = REPOSITORY / "bench"
README = REPOSITORY / "README.md"
BEGIN, END = "<!-- figures:begin -->\n", "<!-- figures:end -->"
NOTHING = "No results yet: `python -m bench.figures` fills this in from `bench/*/results`.\n"
KINDS = ("speed", "ingest", "localization", "impact", "hindsight", "cost", "tokens")
NEEDED = (
    ("files", "needed files named"),
    ("verbatim", "lines that later edits replace"),
    ("terms", "rare names, with a line of theirs"),
    ("named", "rare names, named"),
)
LEVELS = (
    ("file", "every gold file"),
    ("function", "every gold function"),
    ("whole", "every gold function whole"),
    ("line", "every gold line"),
)
SUBSETS = (("all", "all rows"), ("path_not_in_text", "rows whose text does not name the path"))

_DATASET = re.compile(r"swebench_\w+|locbench")
_NAMED = re.compile(r"`bench/(\w+)/results/([\w.-]+)\.json`")


def render(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the block's text from one result for each benchmark, by its name in KINDS; those missing are left out."""
    if not results:
        return NOTHING
    kinds = [kind for kind in KINDS if kind in results]
    return "\n".join(f"{_SECTIONS[kind](results[kind])}\n{_source(kind, results[kind])}\n" for kind in kinds)


def newest(bench: Path = BENCH) -> dict[str, dict[str, Any]]:
    """Return the newest result of each benchmark that has any: by the commit it measured, then by name."""
    age = {commit: at for at, commit in enumerate(_commits())}
    found: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        results = [_read(path) for path in sorted((bench / kind / "results").glob("*.json")) if not path.stem.endswith("-without-clew")]
        if results:
            found[kind] = min(results, key=lambda result: (age.get(result["commit"], len(age)), result["is_dirty"], result["name"]))
    return found


def named(block: str, bench: Path = BENCH) -> dict[str, dict[str, Any]]:
    """Return the results that a block names. Raises FileNotFoundError for one that is gone."""
    return {kind: _read(bench / kind / "results" / f"{name}.json") for kind, name in _NAMED.findall(block)}


def block_of(readme: str) -> str:
    """Return the text between the two marks. Raises ValueError when a mark is missing."""
    return readme[readme.index(BEGIN) + len(BEGIN) : readme.index(END)]


def is_current(readme: str, bench: Path = BENCH) -> bool:
    """Whether the block is what the results that it names give, and names one of every benchmark that has any."""
    block = block_of(readme)
    results = named(block, bench)
    return results.keys() == newest(bench).keys() and render(results) == block


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 1 when `--check` finds the block out of date."""
    parser = argparse.ArgumentParser(prog="python -m bench.figures", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 when the block is out of date")
    given = parser.parse_args(arguments)
    readme = README.read_text(encoding="utf-8")
    if given.check:
        if is_current(readme):
            return 0
        print("error: README's figures are out of date\nhint: python -m bench.figures", file=sys.stderr)
        return 1
    README.write_text(readme.replace(block_of(readme), render(newest())), encoding="utf-8")
    return 0


def _speed(result: Mapping[str, Any]) -> str:
    figures = result["figures"]
    tree = figures["tree"]
    rows = [
        ("cold index, as a command", "20 s", f"{figures['cold_index']['seconds']:.1f} s"),
        ("peak memory of all its processes", "600 MB", f"{figures['cold_index']['peak_rss_mb']:,.0f} MB"),
        ("index again, nothing changed, as a command", "1 s", f"{figures['nothing_changed']['command_s']:.2f} s"),
        ("index again, one changed file, in one process", "150 ms", f"{figures['one_changed_file']['in_process_ms']:.0f} ms"),
        ("retrieve, warm, p50", "25 ms", f"{figures['warm_retrieve']['p50_ms']:.1f} ms"),
        ("retrieve, warm, p99", "80 ms", f"{figures['warm_retrieve']['p99_ms']:.1f} ms"),
        ("`clew retrieve`, cold, as a command, median", "500 ms", f"{figures['cold_retrieve']['median_ms']:.0f} ms"),
    ]
    head = f"**Speed** on a tree of {tree['python_files']:,} Python files, {tree['python_mb']:.0f} MB, packets of 8,192 tokens:\n\n"
    return head + _table(("what", "at most", "measured"), rows)


def _ingest(result: Mapping[str, Any]) -> str:
    figures = result["figures"]
    rows = [
        ("raw transcripts per second", "at least 15 MB", f"{figures['mb_per_s']:.1f} MB"),
        ("sessions that failed", "0", f"{figures['failures']:,}"),
        ("peak memory of all processes", "", f"{figures['peak_rss_mb']:,.0f} MB"),
        ("again, nothing new", "", f"{figures['again_seconds']:.1f} s"),
    ]
    head = f"**Ingestion** of {figures['sessions']:,} real sessions, {figures['raw_mb']:,.0f} MB:\n\n"
    return head + _table(("what", "wanted", "measured"), rows)


def _localization(result: Mapping[str, Any]) -> str:
    summary = result["summary"]
    budget, reference = summary["budgets"][-1], summary.get("reference", "clew")
    head = (
        f"**Localization**: the text of a real issue is the question; the share of issues for which a packet of {budget:,} tokens "
        "(of four characters) holds all that the fix touched, with its 95 % interval. clew's weights were fitted to issues of these "
        "repositories; on repositories that they were not fitted to, all gold files are among the first five about as often "
        "(`bench/LOG.md`).\n"
    )
    parts = [head]
    for key, title in SUBSETS:
        subset = summary["subsets"][key]
        if not subset["rows"]:
            continue
        rows = [
            (name, f"{at['file']['n']}", *(_share(at[level]) for level, _ in LEVELS))
            for name, system in subset["systems"].items()
            for at in [system["budgets"][str(budget)]]
        ]
        parts.append(f"{title.capitalize()}, {subset['rows']}:\n\n" + _table(("system", "rows", *(label for _, label in LEVELS)), rows))
    kept = {name: subset["systems"] for name, subset in summary["subsets"].items() if _DATASET.fullmatch(name)}
    for system in (reference, "bm25-symbols"):
        rows = [
            (
                name,
                *(_share(systems[system]["budgets"][str(budget)][level]) for level, _ in LEVELS),
                _share(systems[system]["file_acc"]["5"]),
            )
            for name, systems in kept.items()
            if system in systems
        ]
        if rows:
            parts.append(f"{system} by data set:\n\n" + _table(("data set", *(label for _, label in LEVELS), "file@5"), rows))
    return "\n".join(parts)


def _impact(result: Mapping[str, Any]) -> str:
    commits = result["summary"]["commits"]
    head = (
        f"**Impact**: one file of a change is known, which are the others? {commits['changes']} replayed changes of "
        f"{len(commits['repositories'])} repositories; the share of the other files among the first ten, with its 95 % interval. "
        "Weights were chosen on half of the repositories.\n\n"
    )
    names = ("random", "imports", "co-change, raw counts", "clew", "oracle")
    arms = {name: arm for name, arm in commits["arms"].items() if name in names}
    held = result["summary"]["held out"]["arms"]
    rows = [(name, _share(arm["recall@10"]), _share(held[name]["recall@10"]), f"{arm['mrr']['mean']:.2f}") for name, arm in arms.items()]
    return head + _table(("system", "recall@10", "held out", "MRR"), rows)


def _tokens(result: Mapping[str, Any]) -> str:
    figures = result["figures"]
    outside = figures.get("outside", {})
    heads = ["family", "median error", "nine in ten within", "characters / 4, median"]
    rows = [
        [name, f"{family['all']['median']:.1%}", f"{family['all']['p90']:.1%}", f"{family['chars4']['median']:.1%}"]
        for name, family in figures.items()
        if isinstance(family, dict) and "all" in family
    ]
    if outside:
        heads.append("real sessions, median")
        for row in rows:
            row.append(f"{outside[row[0]]['all']['median']:.1%}")
    head = f"**Token counts** of {figures['snippets']:,} texts from projects that nothing was fitted to, against reference counts:\n\n"
    return head + _table(heads, rows)


def _hindsight(result: Mapping[str, Any]) -> str:
    summary = result["summary"]
    own = next(at for at in summary["budgets"] if at["budget"] == "summary")
    back = summary["recovery"]
    head = (
        "**After a compaction**: what of the history the next calls went back to, and how much of it stands in a window of one "
        f"size, in the mean of the cuts with its 95 % interval. {own['cuts']} compactions of {own['sessions']} real sessions, at the "
        f"size of the client's own summary (median {own['tokens']:,} tokens, {own['share']:.1%} of the history); no session is judged "
        "by weights that saw it:\n\n"
    )
    arms = [(arm, *(_share(at[name]) for name, _ in NEEDED)) for arm, at in own["arms"].items()]
    others = [
        (at["budget"], arm, *(_share(at["arms"][arm][name]) for name, _ in NEEDED))
        for at in summary["budgets"]
        if at["budget"] != "summary"
        for arm in ("clew", "recency")
    ]
    marks = result["marks"].get("summary", {}).get("clew", {})
    marked = "; ".join(f"{kept} of {of} {kind.removeprefix('marked_').replace('_', ' ')}" for kind, (kept, of) in marks.items())
    return (
        head
        + _table(("arm", *(label for _, label in NEEDED)), arms)
        + f"\nAt shares of the history, over {summary['cuts']} cuts:\n\n"
        + _table(("size", "arm", *(label for _, label in NEEDED)), others)
        + (f"\nOf what a reader marked at these compactions, clew's window holds {marked}. " if marked else "\n")
        + f"Recovered through handles: {back['size_back']:,} of {back['size']:,} bytes.\n"
    )


def _cost(result: Mapping[str, Any]) -> str:
    figures = result["figures"]
    head = (
        f"**Cost**: {figures['all']['sessions']} real sessions priced again with a model of the provider's cache, against doing nothing; "
        f"{figures['long']['sessions']} are long (more than 100 calls):\n\n"
    )
    rows = [
        (
            arm,
            f"{long['median']:+.1%} [{long['low']:+.1%}, {long['high']:+.1%}]",
            f"{long['pooled']:+.1%}",
            f"{at['dearer']}",
            f"{at['worst']:+.1%}",
        )
        for arm, long in figures["long"]["arms"].items()
        for at in [figures["all"]["arms"][arm]]
    ]
    return head + _table(("arm", "median of the long ones", "all they cost", "sessions dearer", "worst"), rows)


_SECTIONS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "speed": _speed,
    "ingest": _ingest,
    "localization": _localization,
    "impact": _impact,
    "hindsight": _hindsight,
    "cost": _cost,
    "tokens": _tokens,
}


def _source(kind: str, result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    dirty = ", with changes that were not committed" if result["is_dirty"] else ""
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['python']}; commit {result['commit'][:12]}{dirty}; "
        f"`bench/{kind}/results/{result['name']}.json`."
    )


def _share(value: Mapping[str, Any]) -> str:
    if value["mean"] is None:
        return "–"
    return f"{100 * value['mean']:.1f} % [{100 * value['low']:.0f}–{100 * value['high']:.0f}]"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _commits() -> list[str]:
    """Commits, newest first; none where there is no history to ask."""
    done = subprocess.run(["git", "-C", str(REPOSITORY), "rev-list", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.split()


if __name__ == "__main__":
    sys.exit(main())
