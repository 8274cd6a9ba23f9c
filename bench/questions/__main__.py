"""Command: `python -m bench.questions`. NDCG@10 of clew beside semble, a random arm and an oracle, by repository.

root           the folder that the rival indexes, as plain files
whole          the repository's whole tree, as plain files
whole-history  the same as a work tree whose commits can be read
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.doors import index, list_files, opened, retrieve
from bench.localization import systems
from bench.machine import provenance, write_result
from bench.questions.asked import FIRST, Asked, Place, Project, load, ndcg
from bench.trees import TreeError, commit_times, write_tree
from clew.evaluation.intervals import estimate

RESULTS = Path(__file__).parent / "results"
TREES = ("root", "whole", "whole-history")
BUDGET_TOKENS = 8192
Answers = dict[str, list[Place]]  # by what is ranked: files, or spans of their lines
Ask = Callable[[Asked], Answers]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.questions", description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("CLEW_BENCH_DATA"), help="folder that holds questions/")
    parser.add_argument("--mirrors", type=Path, default=os.environ.get("CLEW_BENCH_MIRRORS"), help="folder of git directories")
    parser.add_argument("--trees", type=_words, default=[*TREES], metavar="NAME,…")
    parser.add_argument("--systems", type=_words, default=["random", "oracle", "clew", "semble-local-model"], metavar="NAME,…")
    parser.add_argument("--projects", type=_words, default=[], metavar="NAME,…", help="only these")
    parser.add_argument("--kept", type=Path, default=None, help="folder in which trees and indexes stay for the next run")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    words = ["--trees", ",".join(given.trees), "--systems", ",".join(given.systems)]
    words += ["--projects", ",".join(given.projects)] if given.projects else []
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="clew-questions-") as scratch:
        folder = given.kept or Path(scratch)
        for project in load(given.data / "questions", given.projects):
            for kind in given.trees:
                try:
                    tree = _tree(given.mirrors, project, kind, folder / "trees")
                except TreeError as problem:
                    print(f"SKIPPED {project.name}: {problem}", file=sys.stderr)
                    break
                for system in given.systems:
                    rows += _measure(system, project, kind, tree, folder / "homes" / kind / project.name)
            print(project.name, file=sys.stderr, flush=True)
    source = provenance(("python", "-m", "bench.questions", *words), ("numpy", "tree-sitter"))
    summary = summarise(rows)
    write_result(given.results / f"{source.name}.json", source.as_json() | {"summary": summary, "rows": rows})
    text = table(summary)
    (given.results / f"{source.name}.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def summarise(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each system, tree and kind of ranking the mean over repositories with its interval, each repository's, each category's."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["tree"], row["system"], row["ranked"]), []).append(row)
    out: list[dict[str, Any]] = []
    for (tree, system, ranked), own in groups.items():
        projects = _means(own, "project")
        interval = estimate(list(projects.values()), list(projects))
        out.append(
            {
                "tree": tree,
                "system": system,
                "ranked": ranked,
                "mean": round(sum(projects.values()) / len(projects), 4),
                "interval": [interval.low, interval.high],
                "projects": projects,
                "categories": _means(own, "category"),
            }
        )
    return out


def table(summary: Sequence[dict[str, Any]]) -> str:
    """Return the summary as tables in Markdown: means first, then each repository's."""
    lines = ["| tree | system | ranked | NDCG@10 | interval |", "|---|---|---|---|---|"]
    lines += ["| {tree} | {system} | {ranked} | {mean:.3f} | {interval[0]:.3f}–{interval[1]:.3f} |".format(**each) for each in summary]
    heads = [f"{each['tree']} {each['system']} {each['ranked']}" for each in summary]
    lines += ["", "| repository | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for project in dict.fromkeys(name for each in summary for name in each["projects"]):
        lines.append(f"| {project} | " + " | ".join(f"{each['projects'].get(project, 0):.3f}" for each in summary) + " |")
    return "\n".join(lines) + "\n"


def _means(rows: Sequence[dict[str, Any]], key: str) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(row["ndcg"])
    return {name: round(sum(values) / len(values), 4) for name, values in found.items()}


def _measure(system: str, project: Project, kind: str, tree: Path, home: Path) -> Iterator[dict[str, Any]]:
    with ExitStack() as stack:
        ask = ARMS.get(system, _rival(system))(stack, project, tree, home)
        for asked in project.questions:
            for ranked, places in ask(asked).items():
                yield {
                    "tree": kind,
                    "system": system,
                    "ranked": ranked,
                    "project": project.name,
                    "query": asked.text,
                    "category": asked.category,
                    "ndcg": round(ndcg(places, asked.targets), 4),
                }


def _clew(stack: ExitStack, project: Project, tree: Path, home: Path) -> Ask:
    del project
    engine = stack.enter_context(opened(home, jobs=2))
    index(engine, tree)

    def ask(asked: Asked) -> Answers:
        packet = retrieve(engine, tree, asked.text, BUDGET_TOKENS)
        spans = [Place(entry.path, entry.start, entry.end) for entry in packet.entries if entry.start]
        return {"files": [Place(path) for path in list_files(engine, tree, asked.text, FIRST)], "spans": spans}

    return ask


def _random(stack: ExitStack, project: Project, tree: Path, home: Path) -> Ask:
    del stack, home
    names = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file() and ".git" not in path.parts)

    def ask(asked: Asked) -> Answers:
        seed = hashlib.sha256(f"{project.name} {asked.text}".encode()).digest()
        return {"files": [Place(name) for name in random.Random(seed).sample(names, min(FIRST, len(names)))]}

    return ask


def _oracle(stack: ExitStack, project: Project, tree: Path, home: Path) -> Ask:
    """Name the targets that are there."""
    del stack, project, home
    names = [path.relative_to(tree).as_posix() for path in sorted(tree.rglob("*")) if path.is_file()]
    return lambda asked: {"files": [place for place in asked.targets if any(place.is_hit_by(Place(name, place.start)) for name in names)]}


def _rival(system: str) -> Callable[[ExitStack, Project, Path, Path], Ask]:
    """Return an arm of `bench.localization` that answers with spans, the distinct files of which are ranked as well."""

    def arm(stack: ExitStack, project: Project, tree: Path, home: Path) -> Ask:
        del project, home
        rival = systems.create(system, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        rival.index(tree)
        if isinstance(rival, systems.Closes):
            stack.callback(rival.close)

        def ask(asked: Asked) -> Answers:
            spans = [Place(span.path, span.start, span.end) for span in rival.query(asked.text, BUDGET_TOKENS).spans[:FIRST]]
            return {"files": [Place(path) for path in dict.fromkeys(place.path for place in spans)], "spans": spans}

        return ask

    return arm


ARMS = {"clew": _clew, "random": _random, "oracle": _oracle}


def _tree(mirrors: Path, project: Project, kind: str, folder: Path) -> Path:
    """Write the project's tree of this kind, unless it is kept from a run before, and return it."""
    tree = folder / kind / project.name
    if tree.is_dir():
        return tree
    tree.parent.mkdir(parents=True, exist_ok=True)
    git_dir = mirrors / project.repository.replace("/", "+") / "repo"
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        whole = Path(scratch) / "tree"
        write_tree(git_dir, _commit(git_dir, project.revision), whole)
        if kind != "whole-history":
            shutil.rmtree(whole / ".git")
        shutil.move(whole / project.root if kind == "root" else whole, tree)
    return tree


def _commit(git_dir: Path, revision: str) -> str:
    """Return the revision, or where the copy lacks it the newest commit: in the two such projects it holds all the files asked for."""
    if commit_times(git_dir, [revision]):
        return revision
    done = subprocess.run(["git", "--git-dir", str(git_dir), "rev-parse", "HEAD"], capture_output=True, encoding="utf-8", check=False)
    return done.stdout.strip() or revision


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


if __name__ == "__main__":
    sys.exit(main())
