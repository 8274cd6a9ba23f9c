"""Command: `python -m bench.couplings`. Replays repositories, fits on some, measures on others, and prints the table."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.couplings.judge import PROMPTS, ask, find_questions, judge
from bench.couplings.measure import CHANGED_MAX, Found, Repository, arms, candidates_of, fit, interval, measure, read_repository
from bench.couplings.replay import Replayed, replay
from bench.couplings.scan import scan
from bench.impact.changes import git_dir_of
from bench.machine import REPOSITORY, SOURCE, digest_of_tree, provenance, write_result
from clew.enrich import function_pairs
from clew.enrich.function_pairs import FEATURES, Candidates, PairWeights
from clew.enrich.models import open_model

RESULTS = Path(__file__).parent / "results"
WORK = REPOSITORY / "build" / "bench" / "couplings"
PACKAGES = ("apsw", "numpy", "tree-sitter")
FITTED = (
    "tokio-rs/axum,google/gson,square/moshi,trpc/trpc,rack/rack,immutable-js/immutable-js,pallets/flask,pylint-dev/pylint,"
    "phoenixframework/phoenix,jqlang/jq,go-chi/chi,Alamofire/Alamofire"
)
JUDGED = "entireio/cli,guzzle/guzzle,libuv/libuv,colinhacks/zod,fluent/fluentd,pytest-dev/pytest,gin-gonic/gin,sharkdp/bat"
LATER, EARLIER = 600, 600  # commits after the standpoint, and before it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 for input that cannot be used."""
    given = _parser().parse_args(arguments)
    if given.table is not None:
        print(table(json.loads(given.table.read_text(encoding="utf-8"))))
        return 0
    if given.mirrors is None:
        print("error: --mirrors is needed, or CLEW_BENCH_MIRRORS", file=sys.stderr)
        return 2
    try:
        replayed = {name: _replayed(given, name) for name in [*given.fitted, *given.judged]}
    except FileNotFoundError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    if given.only_replay:
        return 0
    words = ["--fitted", ",".join(given.fitted), "--judged", ",".join(given.judged), *(["--any-version"] if given.any_version else [])]
    source = provenance(("python", "-m", "bench.couplings", *words), PACKAGES)
    read = {name: read_repository(each, _candidates(given.work, each), changed_max=given.changed_max) for name, each in replayed.items()}
    weights = fit([read[name] for name in given.fitted])
    if given.scan:
        print(json.dumps(scan([(replayed[name], read[name]) for name in given.judged], weights), indent=1))
        return 0
    if given.model:
        return _ask(given, [(replayed[name], read[name]) for name in given.judged], weights)
    result: dict[str, Any] = {
        "name": source.name, **source.as_json(), "changed_max": given.changed_max,
        "weights": {"bias": round(weights.bias, 4)} | dict(zip(FEATURES, np.round(weights.weights, 4).tolist(), strict=True)),
        "commits": {name: each.commit for name, each in replayed.items()},
        "judged": summarise([read[name] for name in given.judged], arms(weights)),
        "fitted": summarise([read[name] for name in given.fitted], arms(weights)),
    }  # fmt: skip
    name = source.name if given.changed_max == CHANGED_MAX else f"{source.name}-{given.changed_max}"
    write_result(given.results / f"{name}.json", result)
    print(table(result))
    return 0


def _ask(given: argparse.Namespace, repositories: Sequence[tuple[Replayed, Repository]], weights: PairWeights) -> int:
    """Have a model judge candidates for a while, and print what all its answers so far come to."""
    questions = find_questions(repositories, weights, given.prompt)
    with closing(open_model(given.model, folder=given.work, timeout_s=600)) as model:
        answers = ask(model, questions, given.work / "answers.jsonl", given.seconds)
        print(json.dumps({"model": model.name, "prompt": given.prompt, "of": len(questions), **judge(questions, answers)}))
    return 0


def summarise(repositories: Sequence[Repository], scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return what each arm found in these repositories."""
    found = {name: [measure(each, score, name) for each in repositories] for name, score in _all(scores)}
    return {
        "repositories": {each.name: {"functions": each.functions, "later_pairs": len(each.later)} for each in repositories},
        "later_pairs": sum(len(each.later) for each in repositories),
        "arms": {name: _arm(repositories, rows, found["words"]) for name, rows in found.items()},
    }


def _all(scores: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [("random candidates", None), *scores.items(), ("oracle", None)]


def _arm(repositories: Sequence[Repository], rows: Sequence[Found], words: Sequence[Found]) -> dict[str, Any]:
    later = sum(len(each.later) for each in repositories)
    code = [
        (pair in row.found)
        for each, row in zip(repositories, rows, strict=True)
        for pair in each.later
        if not each.tests & set(pair)
    ]  # fmt: skip
    chosen = sum(row.chosen for row in rows)
    hits = sum(row.hits for row in rows)
    return {
        "recall": round(sum(len(row.found) for row in rows) / later, 4),
        "interval": [round(value, 4) for value in interval(repositories, rows)],
        "more_than_words": [round(value, 4) for value in interval(repositories, rows, words)],
        "recall_of_code": round(sum(code) / max(len(code), 1), 4),
        "precision": round(hits / chosen, 5),
        "times_base_rate": round(hits / sum(row.expected for row in rows), 1),
        "times_as_near": round(hits / sum(row.alike * row.chosen for row in rows), 2),
        "by_repository": {
            each.name: round(len(row.found) / max(len(each.later), 1), 3) for each, row in zip(repositories, rows, strict=True)
        },
    }


def table(result: Mapping[str, Any]) -> str:
    """Return a result as a table: first the repositories that the fit did not see."""
    lines: list[str] = []
    for group in ("judged", "fitted"):
        part = result[group]
        lines += [
            f"{group}: {part['later_pairs']} later pairs, {len(part['repositories'])} repositories, 3 candidates a function", "",
            "| arm | recall | 95 % | more than words | of code alone | precision | × base rate | × as near |",
            "|---|---|---|---|---|---|---|---|",
        ]  # fmt: skip
        for name, arm in part["arms"].items():
            low, high = arm["interval"]
            less, more = arm["more_than_words"]
            lines.append(
                f"| {name} | {arm['recall']:.3f} | {low:.3f} to {high:.3f} | {less:+.3f} to {more:+.3f} | {arm['recall_of_code']:.3f} "
                f"| {arm['precision']:.4f} | {arm['times_base_rate']:.0f} | {arm['times_as_near']:.2f} |"
            )
        lines.append("")
    return "\n".join(lines)


def _replayed(given: argparse.Namespace, repo: str) -> Replayed:
    """Return a replayed repository from the work folder, or replay it."""
    rooms = "".join(digest_of_tree(SOURCE / room) for room in ("codebase", "enrich", "records", "store", "text"))
    version = hashlib.sha256(f"{rooms}{Path(__file__).with_name('replay.py').read_text(encoding='utf-8')}".encode()).hexdigest()[:12]
    path = given.work / f"{repo.replace('/', '+')}-{'any' if given.any_version else version}.json"
    found = (
        path
        if path.is_file()
        else next(iter(sorted(given.work.glob(f"{repo.replace('/', '+')}-*.json"))), None)
        if given.any_version
        else None
    )
    if found is not None:
        return msgspec.json.decode(found.read_bytes(), type=Replayed)
    done = replay(git_dir_of(given.mirrors, repo), repo, later=LATER, earlier=EARLIER)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(done))
    print(f"{repo}: {len(done.functions)} functions, {len(done.later)} later commits", file=sys.stderr, flush=True)
    return done


def _candidates(work: Path, replayed: Replayed) -> Candidates:
    """Return a repository's candidates from the work folder, or find them."""
    known = hashlib.sha256(msgspec.json.encode(replayed) + Path(function_pairs.__file__).read_bytes()).hexdigest()[:16]
    path = work / f"{replayed.repo.replace('/', '+')}-{known}.npz"
    if path.is_file():
        with np.load(path) as held:
            return Candidates(held["pairs"], held["rows"])
    found = candidates_of(replayed)
    np.savez_compressed(path, pairs=found.pairs, rows=found.rows)
    return found


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _parser() -> argparse.ArgumentParser:
    mirrors = os.environ.get("CLEW_BENCH_MIRRORS")
    parser = argparse.ArgumentParser(prog="python -m bench.couplings", description=__doc__)
    parser.add_argument(
        "--mirrors", type=Path, default=Path(mirrors) if mirrors else None, help="folder of OWNER+NAME/repo git directories"
    )
    parser.add_argument("--fitted", type=_names, default=_names(FITTED), metavar="OWNER/NAME,…", help="repositories to fit on")
    parser.add_argument("--judged", type=_names, default=_names(JUDGED), metavar="OWNER/NAME,…", help="repositories to measure on")
    parser.add_argument("--changed-max", type=int, default=CHANGED_MAX, help=f"functions of a commit that makes later pairs; {CHANGED_MAX}")
    parser.add_argument(
        "--model", default="", help="judge candidates with this model, named as clew's setting `model` is, in place of the table"
    )
    parser.add_argument("--prompt", choices=list(PROMPTS), default="review", help="what the model is asked")
    parser.add_argument("--seconds", type=float, default=150.0, help="how long it is asked; the next call goes on")
    parser.add_argument("--scan", action="store_true", help="say what a part of the scan brings, and stop")
    parser.add_argument("--only-replay", action="store_true", help="replay what is not in the work folder, and stop")
    parser.add_argument("--any-version", action="store_true", help="take what any version of clew replayed")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of replayed repositories")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    parser.add_argument("--table", type=Path, default=None, help="print the table of this result, and measure nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
