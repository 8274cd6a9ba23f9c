"""Figures: `docs/benchmarks.md` and the README's few lines, written from the result files of the benchmarks and from nothing else.

`python -m bench.figures` takes the newest result of each benchmark and writes the blocks between the marks; `--check` says whether
the blocks still are what their own result files give. A block names those files, so that a clone without history can check it too.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from bench.localization.kept import read_rows, rows_path
from bench.machine import REPOSITORY
from clew.evaluation.intervals import estimate

BENCH = REPOSITORY / "bench"
README = REPOSITORY / "README.md"
DOCUMENT = REPOSITORY / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures:begin -->\n", "<!-- figures:end -->"
NOTHING = "No results yet: `python -m bench.figures` fills this in from `bench/*/results`.\n"
# Kind → the folder of its results, and which of them.
KINDS: Mapping[str, tuple[str, str]] = {
    "localization": ("localization", "*"),
    "impact": ("impact", "*"),
    "hindsight": ("hindsight", "*"),
    "locomo": ("recall", "*-locomo"),
    "longmemeval": ("recall", "*-longmemeval_s"),
    "reduce": ("reduce", "*"),
    "cost": ("cost", "*"),
    "freshness": ("freshness", "*"),
    "secrets": ("secrets", "*"),
    "tokens": ("tokens", "*"),
    "speed": ("speed", "[0-9a-f]*[0-9a-f]"),
    "ingest": ("ingest", "*"),
}
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
SYSTEMS = {
    "clew-lib": "clew",
    "semble-local-model": "semble (local model)",
    "aider-map": "aider's map",
    "code-review-graph": "code-review-graph",
    "codegraph": "codegraph",
    "graphify": "graphify",
    "bm25-files": "BM25 over files",
    "bm25-symbols": "BM25 over symbols",
    "random": "random symbols",
    "oracle": "oracle (knows the gold)",
}
SLOW = frozenset({"aider-map", "code-review-graph", "codegraph", "graphify"})  # asked a few rows, as each is indexed anew

_DATASET = re.compile(r"swebench_\w+|locbench")
_NAMED = re.compile(r"`bench/(\w+)/results/([\w.-]+)\.json`")


def render(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the document's block from one result for each benchmark, by its name in KINDS; those missing are left out."""
    if not results:
        return NOTHING
    kinds = [kind for kind in KINDS if kind in results]
    return "\n".join(f"{_SECTIONS[kind](results[kind])}\n{_source(kind, results[kind])}\n" for kind in kinds)


def headlines(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the README's block: one line for each claim, with what stands beside it."""
    rows = [_HEADLINES[kind](results[kind]) for kind in _HEADLINES if kind in results]
    return _table(("what", "clew", "beside it"), rows) if rows else NOTHING


def newest(bench: Path = BENCH) -> dict[str, dict[str, Any]]:
    """Return the newest result of each benchmark that has any: by the commit it measured, then by name."""
    age = {commit: at for at, commit in enumerate(_commits())}
    found: dict[str, dict[str, Any]] = {}
    for kind, (folder, pattern) in KINDS.items():
        paths = [path for path in (bench / folder / "results").glob("*.json") if fnmatch(path.stem, pattern)]
        results = [_read(path) for path in sorted(paths) if not path.stem.endswith("-without-clew")]
        if results:
            found[kind] = min(results, key=lambda result: (age.get(result["commit"], len(age)), result["is_dirty"], result["name"]))
    return found


def named(block: str, bench: Path = BENCH) -> dict[str, dict[str, Any]]:
    """Return the results that a block names. Raises FileNotFoundError for one that is gone."""
    return {
        kind: _read(bench / folder / "results" / f"{name}.json")
        for folder, name in _NAMED.findall(block)
        for kind, (where, pattern) in KINDS.items()
        if where == folder and fnmatch(name, pattern)
    }


def block_of(document: str) -> str:
    """Return the text between the two marks. Raises ValueError when a mark is missing."""
    return document[document.index(BEGIN) + len(BEGIN) : document.index(END)]


def is_current(document: str, readme: str, bench: Path = BENCH) -> bool:
    """Whether both blocks are what the results that the document names give, and it names one of every benchmark that has any."""
    block = block_of(document)
    results = named(block, bench)
    return results.keys() == newest(bench).keys() and render(results) == block and headlines(results) == block_of(readme)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 1 when `--check` finds a block out of date."""
    parser = argparse.ArgumentParser(prog="python -m bench.figures", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 when a block is out of date")
    given = parser.parse_args(arguments)
    document, readme = DOCUMENT.read_text(encoding="utf-8"), README.read_text(encoding="utf-8")
    if given.check:
        if is_current(document, readme):
            return 0
        print("error: the figures are out of date\nhint: python -m bench.figures", file=sys.stderr)
        return 1
    results = newest()
    for path, text, block in ((DOCUMENT, document, render(results)), (README, readme, headlines(results))):
        path.write_text(text[: text.index(BEGIN) + len(BEGIN)] + block + text[text.index(END) :], encoding="utf-8")
    return 0


def _localization(result: Mapping[str, Any]) -> str:
    budget = result["summary"]["budgets"][-1]
    head = (
        "## Localization\n\n"
        f"The text of a real issue is the question; the share of issues for which a packet of {budget:,} tokens (of four characters) holds "
        "all that the fix touched: the *gold*. A gold function counts as shown when a line of it is, as *whole* when all of it is. clew's "
        "weights were fitted to issues of these repositories; on repositories that they were not fitted to, all gold files are among the "
        "first five about as often (`bench/LOG.md`).\n"
    )
    parts = [head]
    rows = result.get("lines", [])
    everybody = list(dict.fromkeys(row["system"] for row in rows))
    for title, systems in (
        ("The same {} issues for the systems that follow a repository from commit to commit:", [s for s in everybody if s not in SLOW]),
        ("The same {} issues for all systems, as each of the slow ones indexes every commit anew:", everybody),
    ):
        if len(systems) > 1:
            shown, count = _on_common_rows(rows, systems)
            parts.append(f"{title.format(count)}\n\n" + _table(("system", *(label for _, label in LEVELS)), shown))
    kept = {name: subset["systems"] for name, subset in result["summary"]["subsets"].items() if _DATASET.fullmatch(name)}
    reference = result["summary"].get("reference", "clew")
    shown = [
        (
            name,
            f"{systems[reference]['budgets'][str(budget)]['file']['n']}",
            *(_share(systems[reference]["budgets"][str(budget)][level]) for level, _ in LEVELS),
            _share(systems[reference]["file_acc"]["5"]),
        )
        for name, systems in kept.items()
        if reference in systems
    ]
    if shown:
        heads = ("data set", "issues", *(label for _, label in LEVELS), "all gold files among the first five")
        parts.append("clew alone, on all issues that it was asked:\n\n" + _table(heads, shown))
    return "\n".join(parts)


def _on_common_rows(rows: Sequence[Mapping[str, Any]], systems: Sequence[str]) -> tuple[list[tuple[str, ...]], int]:
    """The shares of these systems over the rows that all of them were asked, clew first; and how many rows those are."""
    held = {system: {(row["dataset"], row["id"]): row for row in rows if row["system"] == system} for system in systems}
    common = sorted(set.intersection(*(set(of) for of in held.values())))
    repositories = [name.rpartition("-")[0] for _, name in common]
    table: list[tuple[str, ...]] = []
    for system in sorted(systems, key=lambda system: [*SYSTEMS, system].index(system)):
        cells = [_share(_estimated([held[system][key][level][-1] for key in common], repositories)) for level, _ in LEVELS]
        table.append((SYSTEMS.get(system, system), *cells))
    return table, len(common)


def _estimated(signs: Sequence[str], repositories: Sequence[str]) -> dict[str, float | None]:
    found = estimate([None if sign == "-" else float(sign == "1") for sign in signs], repositories)
    return {"mean": found.mean, "low": found.low, "high": found.high}


def _impact(result: Mapping[str, Any]) -> str:
    commits = result["summary"]["commits"]
    head = (
        f"## Impact\n\nOne file of a change is known, which are the others? {commits['changes']} replayed changes of "
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
    head = (
        f"## Token counts\n\nEstimates for {figures['snippets']:,} texts of projects that nothing was fitted to, by reference counts:\n\n"
    )
    return head + _table(heads, rows)


def _hindsight(result: Mapping[str, Any]) -> str:
    summary = result["summary"]
    own = next(at for at in summary["budgets"] if at["budget"] == "summary")
    back = summary["recovery"]
    head = (
        "## After a compaction\n\nWhat of the history the next calls went back to, and how much of it stands in a window of one "
        f"size, in the mean of the cuts with its 95 % interval. {own['cuts']} compactions of {own['sessions']} real sessions, at the "
        f"size of the client's own summary (median {own['tokens']:,} tokens, {own['share']:.1%} of the history); no session is judged "
        "by weights that saw it. *summary* is the client's own, *recency* the newest text, *results* all talk and the newest tool "
        "results, *hoard* a bare list of names; the last three are other programs, asked for a window of the same size:\n\n"
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
        f"## Cost\n\n{figures['all']['sessions']} real sessions priced again with a model of the provider's cache, against doing nothing; "
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
    head = f"## Speed\n\nOn a tree of {tree['python_files']:,} Python files, {tree['python_mb']:.0f} MB, packets of 8,192 tokens:\n\n"
    return head + _table(("what", "at most", "measured"), rows)


def _ingest(result: Mapping[str, Any]) -> str:
    figures = result["figures"]
    rows = [
        ("raw transcripts per second", "at least 15 MB", f"{figures['mb_per_s']:.1f} MB"),
        ("sessions that failed", "0", f"{figures['failures']:,}"),
        ("peak memory of all processes", "", f"{figures['peak_rss_mb']:,.0f} MB"),
        ("again, nothing new", "", f"{figures['again_seconds']:.1f} s"),
    ]
    head = f"## Ingestion\n\n{figures['sessions']:,} real sessions, {figures['raw_mb']:,.0f} MB:\n\n"
    return head + _table(("what", "wanted", "measured"), rows)


def _recall(result: Mapping[str, Any]) -> str:
    [(name, summary)] = result["summary"].items()
    labels = {"turns": "turns that answer, among the first ten", "all_sessions": "all their sessions, among the first five"}
    rows = [
        (arm, *(f"{100 * mean:.1f} % [{100 * low:.0f}–{100 * high:.0f}]" for mean, low, high, _ in (found["all"][mark] for mark in labels)))
        for arm, found in summary["recall"].items()
    ]
    silence = summary["silence"]
    removed, never = silence["removed"], silence.get("unanswerable")
    told = f"Of {removed['questions']} questions asked without the sessions that hold the answer, clew says nothing to "
    told += f"{100 * removed['silent']:.0f} % (AUROC {_range_of(removed['auroc'])})"
    told += (
        f", of {never['questions']} that nothing answers to {100 * never['silent']:.0f} % ({_range_of(never['auroc'])})" if never else ""
    )
    return (
        f"## Recall over earlier sessions: {name}\n\n{summary['questions']:,} questions about long conversations; is found what answers "
        "them?\n\n" + _table(("system", *labels.values()), rows) + f"\n{told}; of those that are answered to "
        f"{100 * silence['false_silence']:.0f} %.\n"
    )


def _range_of(values: Sequence[float]) -> str:
    value, low, high = values
    return f"{value:.2f} [{low:.2f}–{high:.2f}]"


def _reduce(result: Mapping[str, Any]) -> str:
    found = result["kinds"]["all but reads and reports"]
    rows = [(arm, f"{100 * mean:.0f} % [{100 * low:.0f}–{100 * high:.0f}]") for arm, (mean, low, high) in found["recall"].items()]
    return (
        f"## Shortened outputs\n\n{found['outputs']:,} long outputs of tools in {found['sessions']} sessions, without reads: "
        f"{found['reduced']:,} arrive shorter, at {100 * found['shown of reduced']:.0f} % of their tokens. Of what the next ten calls "
        "use of them, this much is shown in as many tokens:\n\n" + _table(("system", "shown of what is used next"), rows)
    )


def _freshness(result: Mapping[str, Any]) -> str:
    arms: dict[str, list[int]] = {}
    for row in result["rows"]:
        counts = arms.setdefault(row["arm"], [0, 0, 0])
        for at, name in enumerate(("packets", "entries", "stale")):
            counts[at] += row[name]
    labels = {
        "no-refresh": "an index that nobody brings up to date",
        "question": "clew, asked after each commit",
        "hook": "clew, told of each changed file",
        "index": "clew, indexed after each commit",
    }
    rows = [(labels[arm], *(f"{count:,}" for count in counts)) for arm, counts in arms.items()]
    repositories = len({row["repo"] for row in result["rows"]})
    head = f"## Freshness\n\nCommits of {repositories} repositories replayed; entries shown that say what is no longer so:\n\n"
    return head + _table(("system", "packets", "entries", "stale entries"), rows)


def _secrets(result: Mapping[str, Any]) -> str:
    rows = [
        (arm, f"{found['credentials']['left_of_150']:.1f}", f"{found['harmless']['masked_of_100']:.1f}")
        for arm, found in result["figures"].items()
        if arm in ("clew", "detect-secrets") and "credentials" in found
    ]
    head = "## Masking\n\nForms of credentials made by seeds, in tools, protocols and files; harmless text that looks like them:\n\n"
    return head + _table(("system", "of 150 credentials, pass", "of 100 harmless texts, changed"), rows)


def _localized(result: Mapping[str, Any]) -> tuple[str, str, str]:
    systems = [name for name in dict.fromkeys(row["system"] for row in result["lines"]) if name not in SLOW]
    rows, count = _on_common_rows(result["lines"], systems)
    by_name = {row[0]: row for row in rows}
    others = [row for name, row in by_name.items() if name not in ("clew", SYSTEMS["oracle"], SYSTEMS["random"])]
    beside = "; ".join(f"{row[0]} {row[2].partition(' [')[0]}" for row in others)
    return f"issues whose packet of 8,192 tokens shows every function that the fix changed, {count} issues", by_name["clew"][2], beside


def _compacted(result: Mapping[str, Any]) -> tuple[str, str, str]:
    own = next(at for at in result["summary"]["budgets"] if at["budget"] == "summary")["arms"]
    what = "after a compaction: needed files named; edited lines shown, in as many tokens as the client's summary"
    cells = [f"{_share(own[arm]['files'])}; {_share(own[arm]['verbatim'])}" for arm in ("clew", "summary")]
    return what, cells[0], f"the client's summary: {cells[1]}"


def _recalled(result: Mapping[str, Any]) -> tuple[str, str, str]:
    [(name, summary)] = result["summary"].items()
    means = {arm: f"{100 * found['all']['turns'][0]:.1f} %" for arm, found in summary["recall"].items()}
    return (
        f"turns that answer a question among the first ten, {name}, {summary['questions']:,} questions",
        means["clew"],
        f"BM25 {means['bm25']}",
    )


def _priced(result: Mapping[str, Any]) -> tuple[str, str, str]:
    found = result["figures"]["all"]
    arm = found["arms"]["append+schedule"]
    what = f"what {found['sessions']} real sessions would have been billed, against doing nothing (cost model)"
    return what, f"{arm['pooled']:+.1%}", f"sessions that would have cost more: {arm['dearer']}"


def _quick(result: Mapping[str, Any]) -> tuple[str, str, str]:
    figures = result["figures"]
    what = f"index {figures['tree']['python_files']:,} Python files; a warm question (median)"
    return what, f"{figures['cold_index']['seconds']:.0f} s; {figures['warm_retrieve']['p50_ms']:.0f} ms", "2 cores"


_SECTIONS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "localization": _localization,
    "impact": _impact,
    "hindsight": _hindsight,
    "locomo": _recall,
    "longmemeval": _recall,
    "reduce": _reduce,
    "cost": _cost,
    "freshness": _freshness,
    "secrets": _secrets,
    "tokens": _tokens,
    "speed": _speed,
    "ingest": _ingest,
}
_HEADLINES: dict[str, Callable[[Mapping[str, Any]], tuple[str, str, str]]] = {
    "localization": _localized,
    "hindsight": _compacted,
    "locomo": _recalled,
    "cost": _priced,
    "speed": _quick,
}


def _source(kind: str, result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    dirty = ", with changes that were not committed" if result["is_dirty"] else ""
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['python']}; commit {result['commit'][:12]}{dirty}; "
        f"`bench/{KINDS[kind][0]}/results/{result['name']}.json`."
    )


def _share(value: Mapping[str, Any]) -> str:
    if value["mean"] is None:
        return "–"
    return f"{100 * value['mean']:.1f} % [{100 * value['low']:.0f}–{100 * value['high']:.0f}]"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _read(path: Path) -> dict[str, Any]:
    """A result, with the lines of its rows file where it has one."""
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) | {"name": path.stem}
    return result | ({"lines": read_rows(rows_path(path))} if rows_path(path).is_file() else {})


def _commits() -> list[str]:
    """Commits, newest first; none where there is no history to ask."""
    done = subprocess.run(["git", "-C", str(REPOSITORY), "rev-list", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.split()


if __name__ == "__main__":
    sys.exit(main())
