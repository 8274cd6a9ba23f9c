"""Command: `python -m bench.importance --parts code,sessions,forgetting`. Compares importance switched off with several gains.

code         issues' texts and questions about code: gold functions, gold files and NDCG@10 in the ranking alone, by project
sessions     LoCoMo's questions in turn: what an answer showed counts as used by the questions after it; gold turns among the first ten
forgetting   the same: after half of the questions the less important half of the turns is put away; gold turns of the others that stay
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import clew.ranking.rank
from bench.doors import index, opened
from bench.impact.changes import git_dir_of
from bench.localization.rows import load_rows
from bench.machine import provenance, write_result
from bench.recall.source import LOCOMO, haystacks
from bench.recall.store import remember
from bench.trees import TreeError, switch_tree, write_tree
from clew.lifecycle.forget import DAY_NS, record_use
from clew.ranking.deadline import Deadline
from clew.ranking.files import rank_files
from clew.ranking.importance import NEUTRAL, compute_importance
from clew.ranking.question import Question
from clew.ranking.rank import rank
from clew.records import Record
from clew.settings import find_workspace
from clew.store.ports import LOCAL, Snapshot

RESULTS = Path(__file__).parent / "results"
ROWS = ("swebench_lite", "swebench_verified", "swebench_multilingual", "locbench")
GAINS = {"code": (0.0, 1.0, 2.0, 3.0), "sessions": (0.0, 1.0, 2.0, 3.0), "forgetting": (0.0, 1.0)}
SYMBOLS = frozenset({"function", "method"})
FIRST, CANDIDATES = 10, 160
Figures = dict[str, float | None]
Row = tuple[str, float, Figures]  # project or conversation, gain, figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.importance", description=__doc__)
    parser.add_argument("--parts", default="code,sessions,forgetting")
    parser.add_argument("--data", type=Path, default=os.environ.get("CLEW_BENCH_DATA"), help="folder with the data sets")
    parser.add_argument("--mirrors", type=Path, default=os.environ.get("CLEW_BENCH_MIRRORS"), help="folder of git directories")
    parser.add_argument("--limit", type=int, default=24, help="rows of a repository at most")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    source = provenance(("python", "-m", "bench.importance", "--parts", given.parts, "--limit", str(given.limit)), ("numpy",))
    found: dict[str, Any] = {}
    for part in given.parts.split(","):
        rows = list(PARTS[part](given))
        found[part] = {"rows": len(rows), "gains": _by_gain(rows), "held out": _held_out(rows)}
        print(json.dumps({part: found[part]}, indent=1))
    write_result(given.results / f"{source.name}-{given.parts.replace(',', '-')}.json", source.as_json() | {"parts": found})
    return 0


@contextmanager
def gain_of(module: Any, gain: float) -> Generator[None]:
    """Read importance with another gain in `module` for a while."""
    before = module.IMPORTANCE_GAIN
    module.IMPORTANCE_GAIN = gain
    try:
        yield
    finally:
        module.IMPORTANCE_GAIN = before


def _code(given: argparse.Namespace) -> Iterator[Row]:
    for repo, revisions in _repositories(given):
        with tempfile.TemporaryDirectory() as folder, opened(Path(folder, "home"), jobs=2) as engine:
            tree, git_dir = Path(folder, "tree"), git_dir_of(given.mirrors, repo)
            key = ""
            for commit, asked in revisions.items():
                try:
                    (switch_tree if key else write_tree)(git_dir, commit, tree)
                except TreeError as problem:
                    print(problem, file=sys.stderr)
                    continue
                index(engine, tree)
                key, _ = find_workspace(tree)
                with engine.store.snapshot(LOCAL, key) as snapshot:
                    for text, gold in asked:
                        for gain in GAINS["code"]:
                            with gain_of(clew.ranking.rank, gain):
                                yield repo, gain, _figures_of_code(snapshot, Question.of(text), gold)
        print(repo, file=sys.stderr)


def _repositories(given: argparse.Namespace) -> Iterator[tuple[str, Mapping[str, list[tuple[str, dict[str, Any]]]]]]:
    """Repositories that are here, and by commit the questions asked of them with what answers each."""
    found: dict[str, dict[str, list[tuple[str, dict[str, Any]]]]] = defaultdict(lambda: defaultdict(list))
    seen: set[str] = set()
    for row in load_rows(given.data / "localization", ROWS):
        if row.mirror and row.query not in seen and sum(map(len, found[row.mirror].values())) < given.limit:
            seen.add(row.query)
            gold = {"files": row.files, "functions": [(each.path, each.start, each.end) for each in row.functions]}
            found[row.mirror][row.base_commit].append((row.query, gold))
    for line in (given.data / "questions" / "repositories.jsonl").read_text("utf-8").splitlines():
        about = json.loads(line)
        asked = json.loads((given.data / "questions" / f"{about['name']}.json").read_text("utf-8"))
        for each in asked:
            targets = [one if isinstance(one, str) else one["path"] for one in (*each["relevant"], *each.get("secondary", ()))]
            found[about["repository"]][about["revision"]].append((each["query"], {"targets": targets}))
    for repo, revisions in found.items():
        try:
            git_dir_of(given.mirrors, repo)
        except FileNotFoundError:
            continue
        yield repo, revisions


def _figures_of_code(snapshot: Snapshot, question: Question, gold: Mapping[str, Any]) -> Figures:
    files = [file.path for file in rank_files(snapshot, question, limit=FIRST).files]
    if "targets" in gold:
        return {"NDCG@10": _ndcg(files, gold["targets"])}
    ranked = rank(snapshot, question, candidates_max=CANDIDATES, deadline=Deadline())
    symbols = [record for record in snapshot.records(snapshot.documents.ids_of(ranked.docs)) if record.kind in SYMBOLS]
    functions = gold["functions"]
    return {
        "gold files@5": len(set(gold["files"]).intersection(files[:5])) / len(gold["files"]) if gold["files"] else None,
        "gold functions@10": sum(_is_among(each, symbols[:FIRST]) for each in functions) / len(functions) if functions else None,
    }


def _is_among(gold: tuple[str, int, int], records: Sequence[Record]) -> bool:
    path, start, end = gold
    return any(each.path == path and each.full_text.start_line <= end and start <= each.full_text.end_line for each in records)


def _ndcg(files: Sequence[str], targets: Sequence[str]) -> float:
    left = list(targets)
    gain = 0.0
    for place, file in enumerate(files[:FIRST]):
        hit = next((each for each in left if file.endswith(each) or each.endswith(file)), None)
        if hit is not None:
            left.remove(hit)
            gain += 1 / math.log2(place + 2)
    return gain / sum(1 / math.log2(place + 2) for place in range(min(len(targets), FIRST)))


def _sessions(given: argparse.Namespace) -> Iterator[Row]:
    for haystack in haystacks(given.data / "memory", LOCOMO):
        for gain in GAINS["sessions"]:
            with clew.open(is_in_memory=True) as engine, tempfile.TemporaryDirectory() as folder:
                place = Path(folder)
                remember(engine, place, haystack)
                key, _ = find_workspace(place)
                for number, question in enumerate(haystack.questions):
                    with engine.store.snapshot(LOCAL, key) as snapshot:
                        ranked = rank(snapshot, Question.of(question.text), candidates_max=CANDIDATES, deadline=Deadline())
                        found = snapshot.records(snapshot.documents.ids_of(ranked.docs))
                        known = compute_importance(snapshot, found)
                        scores = [math.log(weight) + gain * each.value for weight, each in zip(ranked.weights, known, strict=True)]
                        turns = [found[at] for at in sorted(range(len(found)), key=lambda at: -scores[at])[:FIRST]]
                    shown = {record.uuid for record in turns}
                    yield haystack.id, gain, {"gold turns@10": len(question.gold_turns & shown) / len(question.gold_turns)}
                    record_use(engine.store, key, [record.id for record in turns], now_ns=question.asked_ns + number)


def _forgetting(given: argparse.Namespace) -> Iterator[Row]:
    for haystack in haystacks(given.data / "memory", LOCOMO):
        with clew.open(is_in_memory=True) as engine, tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            remember(engine, place, haystack)
            key, _ = find_workspace(place)
            for number, question in enumerate(haystack.questions[::2]):
                with engine.store.snapshot(LOCAL, key) as snapshot:
                    ranked = rank(snapshot, Question.of(question.text), candidates_max=CANDIDATES, deadline=Deadline())
                    ids = snapshot.documents.ids_of(ranked.docs[:FIRST])
                record_use(engine.store, key, ids, now_ns=question.asked_ns + number * DAY_NS)
            now_ns = haystack.questions[0].asked_ns + len(haystack.questions) // 2 * DAY_NS
            with engine.store.snapshot(LOCAL, key) as snapshot:
                records = snapshot.records_of_sources(*[state.source for state in snapshot.source_states("session:")])
                statuses = snapshot.statuses([record.id for record in records])
                known = compute_importance(snapshot, records, statuses)
        idle = np.array([now_ns - max(status.used_at_ns, record.at_ns) for record, status in zip(records, statuses, strict=True)], float)
        for gain in GAINS["forgetting"]:
            order = np.argsort(idle * (NEUTRAL / np.array([each.value for each in known])) ** gain, kind="stable")
            for share in (0.25, 0.5):
                stay = {records[at].uuid for at in order[: int(share * len(order))]}
                for question in haystack.questions[1::2]:
                    yield haystack.id, gain, {f"gold turns in {share:.0%}": len(question.gold_turns & stay) / len(question.gold_turns)}


def _by_gain(rows: Sequence[Row]) -> dict[str, Any]:
    """By gain and figure: the mean over all rows, the mean over projects, and each project's."""
    values = _grouped(rows)
    out: dict[str, Any] = {}
    for (gain, name), projects in values.items():
        means = {project: sum(numbers) / len(numbers) for project, numbers in projects.items()}
        all_of_them = [number for numbers in projects.values() for number in numbers]
        out.setdefault(f"gain {gain}", {})[name] = {
            "rows": round(sum(all_of_them) / len(all_of_them), 4),
            "projects": round(sum(means.values()) / len(means), 4),
            "each": {project: round(mean, 3) for project, mean in means.items()},
        }
    return out


def _held_out(rows: Sequence[Row]) -> dict[str, Any]:
    """By figure: what the gain that is best for all other projects gives on each, less what no importance gives: the mean over projects."""
    values = _grouped(rows)
    out: dict[str, Any] = {}
    for name in dict.fromkeys(name for _, name in values):
        gains = sorted(gain for gain, other in values if other == name)
        means = {gain: {project: float(np.mean(numbers)) for project, numbers in values[gain, name].items()} for gain in gains}
        chosen: dict[str, float] = {}
        for project in means[0.0]:
            chosen[project] = max(gains, key=lambda gain, left=project: sum(mean for other, mean in means[gain].items() if other != left))
        change = {project: round(means[gain][project] - means[0.0][project], 4) for project, gain in chosen.items()}
        out[name] = {"change": round(float(np.mean(list(change.values()))), 4), "gains": sorted(set(chosen.values())), "each": change}
    return out


def _grouped(rows: Sequence[Row]) -> dict[tuple[float, str], dict[str, list[float]]]:
    values: dict[tuple[float, str], dict[str, list[float]]] = {}
    for project, gain, figures in rows:
        for name, number in figures.items():
            if number is not None:
                values.setdefault((gain, name), {}).setdefault(project, []).append(number)
    return values


PARTS = {"code": _code, "sessions": _sessions, "forgetting": _forgetting}

if __name__ == "__main__":
    raise SystemExit(main())
