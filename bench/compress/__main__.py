"""Command: `python -m bench.compress --data SESSIONS --model FILE`. Judges what a model keeps of runs of chunks, by each state and cut.

Answers are kept in the work folder: a run that was stopped goes on, and a cut without all its arms is left out. Beside the arms stand the
nets that have not seen the session, the newest lines, chance, an oracle, and the client's own summary whole. An arm's lines are filled up
by chance; "then nets" by the nets; "weighed" is how the product uses a model's choice. The measures are those of
`train.distil.evaluate`: edited lines that stand verbatim, and rare names that stand with a line of theirs.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Container, Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bench.compress.arms import STATES, Answers, Arm, ArmCounts, Key, OutOfTime, compress_chunks, find_means
from bench.compress.check import CheckCounts, try_check
from bench.compress.cuts import CHUNK_TOKENS, RUN_CHUNKS, STATE_TOKENS, Run, find_runs
from bench.machine import REPOSITORY, provenance, write_result
from clew.compaction.compressed import KEPT_FACTOR
from clew.enrich.models.gguf import GgufModel
from clew.enrich.models.known import KnownModels
from clew.evaluation.intervals import difference, estimate
from clew.evaluation.needs import NeededEdit, NeededTerm, Needs
from clew.evaluation.scores import SearchableWindow, score_needs
from clew.text.tokens import make_counter
from train.distil.evaluate import LINE_MARK_TOKENS, MEASURES, SHARES, Judgement, as_table, score_cut, summarise
from train.distil.parts import JudgedCut

RESULTS = Path(__file__).parent / "results"
WORK = REPOSITORY / "build" / "bench" / "compress"
PACKAGES = ("msgspec", "numpy", "xllamacpp")
TIMEOUT_S = 900.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 for input that cannot be used."""
    given = _parser().parse_args(arguments)
    if given.data is None or not given.data.is_dir():
        print("error: --data is needed, a folder of transcripts; or CLEW_BENCH_SESSIONS", file=sys.stderr)
        return 2
    given.work.mkdir(parents=True, exist_ok=True)
    known = KnownModels(given.work)
    ends = time.monotonic() + given.seconds
    counts, checked = dict[str, ArmCounts](), CheckCounts()
    runs: list[tuple[Run, list[Arm]]] = []
    with closing(GgufModel(given.model, sha256="", known=known, timeout_s=TIMEOUT_S, threads=given.threads)) as model:
        answers = Answers(given.work / f"{given.model.stem}.jsonl", model, lambda: time.monotonic() >= ends, time.monotonic)
        for run in islice(find_runs(given.data), given.cuts):
            before = {name: ArmCounts(**asdict(each)) for name, each in counts.items()}
            try:
                runs.append((run, compress_chunks(run.chunks, answers, counts, given.states, given.shifted)))
            except OutOfTime:
                counts = before  # a cut counts whole or not at all
                break
            try_check(run.chunks, random.Random(run.judged.id), checked)
            print(f"\r{len(runs)} cuts", end="", file=sys.stderr, flush=True)
        source = provenance(("python", "-m", "bench.compress", "--model", given.model.name, "--cuts", str(given.cuts)), PACKAGES)
        name, sha256 = model.name, model.sha256
    print(file=sys.stderr)
    done = _judge(runs)
    names = [name for name in (*given.states, *(f"{state}, shifted" for state in given.shifted)) if runs]
    plain = [name for each in names for name in (each, f"{each}, calibrated")]
    pairs = [(f"{name}, then nets", "nets") for name in plain] + [(name, "random") for name in plain]
    pairs += [(f"{name}, weighed", "nets") for name in names]
    pairs += [(name, "none") for name in names[1:]] + [(f"{name}, calibrated", "none, calibrated") for name in names[1:]]
    pairs += [pair for each in given.shifted if runs for pair in _shifted_pairs(each)]
    summary = summarise(done, pairs)
    result: dict[str, Any] = {
        "name": f"{source.name}-{given.model.stem}",
        **source.as_json(),
        "model": {"name": name, "sha256": sha256},
        "chunks": {"tokens": CHUNK_TOKENS, "of_a_run": RUN_CHUNKS, "state_tokens": STATE_TOKENS},
        "asked": {arm: asdict(each) for arm, each in counts.items()},
        "check": asdict(checked),
        "summary_tokens": sorted(make_counter("claude").count(run.summary) for run, _ in runs if run.summary),
        "pairs_in_order": _order(runs),
        "figures": summary,
    }
    print(as_table(summary) if done.sessions else "no cut has all its arms")
    for arm, value in result["pairs_in_order"].items():
        print(f"pairs in the right order, {arm}: {value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}], {value['n']}")
    if not given.dry and done.sessions:
        write_result(given.results / f"{result['name']}.json", result)
    return 0


def _shifted_pairs(state: str) -> list[tuple[str, str]]:
    return [(f"{state}, shifted", state), (f"{state}, shifted, calibrated", f"{state}, calibrated")]


def _judge(runs: Sequence[tuple[Run, Sequence[Arm]]]) -> Judgement:
    """Score all arms of these runs; the client's summary counts whole, whatever it costs."""
    done = Judgement()
    means = _means(runs)
    for run, arms in runs:
        calibrated = {arm.name: arm.chosen(means[arm.name]) for arm in arms}
        named = {arm.name: arm.chosen() for arm in arms} | {f"{name}, calibrated": keys for name, keys in calibrated.items()}
        named |= {f"{name}, weighed": _weigh(run.judged, keys) for name, keys in calibrated.items()}
        score_cut(run.judged, named, done)
        cut = run.judged
        edits = (NeededEdit("", cut.edited),) if cut.edited else ()
        wanted = Needs(edits=edits, terms=tuple(NeededTerm(text, evidence) for text, evidence in cut.terms))
        scores = score_needs(SearchableWindow(run.summary), wanted) if run.summary else {}
        for share in SHARES:
            for measure, of in MEASURES.items():
                done.values.setdefault(("client's summary, whole", share, measure), []).append(scores.get(of))
    return done


def _order(runs: Sequence[tuple[Run, Sequence[Arm]]]) -> dict[str, dict[str, Any]]:
    """Return how often a needed line stands before another one of its chunk, by each arm, with the differences from the nets.

    The mean of a cut's chunks that hold both; .5 is chance. It tells more of few cuts than what fits a budget does.
    """
    values: dict[str, list[float | None]] = {}
    means = _means(runs)
    for run, arms in runs:
        parts = [[((at, number), line) for number, line in enumerate(part.lines, 1)] for at, part in enumerate(run.judged.parts)]
        needed = {(at, number) for at, part in enumerate(run.judged.parts) for number in part.needed}
        nets = [[(key, line.utility / (line.tokens + LINE_MARK_TOKENS)) for key, line in part] for part in parts]
        ranked = {"nets": nets, "newest": [[(key, float(key[1])) for key, _ in part] for part in parts]}
        ranked |= {arm.name: arm.ranked for arm in arms}
        ranked |= {
            f"{arm.name}, calibrated": [
                [(key, value - means[arm.name].get(number, 0.0)) for number, (key, value) in enumerate(lines)] for lines in arm.ranked
            ]
            for arm in arms
        }
        for name, chunks in ranked.items():
            shares = [share for chunk in chunks if (share := _pairs_in_order(chunk, needed)) is not None]
            values.setdefault(name, []).append(sum(shares) / len(shares) if shares else None)
    sessions = [run.judged.session for run, _ in runs]
    found = {name: asdict(estimate(column, sessions)) for name, column in values.items()}
    return found | {
        f"{name} − nets": asdict(difference(column, values["nets"], sessions)) for name, column in values.items() if name != "nets"
    }


def _pairs_in_order(chunk: Sequence[tuple[Key, float]], needed: Container[Key]) -> float | None:
    first = np.array([value for key, value in chunk if key in needed])
    second = np.array([value for key, value in chunk if key not in needed])
    if not len(first) or not len(second):
        return None
    return float(((first[:, None] > second) + 0.5 * (first[:, None] == second)).mean())


def _means(runs: Sequence[tuple[Run, Sequence[Arm]]]) -> dict[str, dict[int, float]]:
    every = [arm for _, arms in runs for arm in arms]
    return {name: find_means([arm for arm in every if arm.name == name]) for name in dict.fromkeys(arm.name for arm in every)}


def _weigh(cut: JudgedCut, chosen: Sequence[Key]) -> list[Key]:
    """All lines as the product orders them: by the nets, those that the model chose KEPT_FACTOR times as much."""
    held = set(chosen)
    lines = {(at, number): line for at, part in enumerate(cut.parts) for number, line in enumerate(part.lines, 1)}
    rate = {key: line.utility * (KEPT_FACTOR if key in held else 1.0) / (line.tokens + LINE_MARK_TOKENS) for key, line in lines.items()}
    return sorted(lines, key=lambda key: (-rate[key], key))


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _parser() -> argparse.ArgumentParser:
    known = os.environ.get("CLEW_BENCH_SESSIONS")
    parser = argparse.ArgumentParser(prog="python -m bench.compress", description="Does a model choose better lines than nets and chance?")
    parser.add_argument("--data", type=Path, default=Path(known) if known else None, help="folder of transcripts, at any depth")
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file")
    parser.add_argument("--cuts", type=int, default=40, help="number of cuts, one a session [40]")
    parser.add_argument("--states", type=_names, default=list(STATES), help=f"states of the chunks [{','.join(STATES)}]")
    parser.add_argument("--shifted", type=_names, default=["structured"], help="states with chunks cut elsewhere as well [structured]")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no request after so many [no limit]")
    parser.add_argument("--threads", type=int, default=1, help="of the model [1]")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of answers that are kept")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    parser.add_argument("--dry", action="store_true", help="write no result")
    return parser


if __name__ == "__main__":
    sys.exit(main())
