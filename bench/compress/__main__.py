"""Command: `python -m bench.compress --data SESSIONS --model FILE`. Judges what a model keeps of runs of chunks, by each state and cut.

Answers are kept in the work folder: a run that was stopped goes on, and a cut without all its arms is left out. Beside the arms stand the
nets that have not seen the session, the newest lines, chance, an oracle, and the client's own summary whole. The measures are those of
`train.distil.evaluate`: edited lines that stand verbatim, and rare names that stand with a line of theirs.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import msgspec

from bench.compress.arms import SHIFTED, STATES, Answers, Arm, ArmCounts, OutOfTime, compress_chunks
from bench.compress.check import CheckCounts, try_check
from bench.compress.cuts import CHUNK_TOKENS, RUN_CHUNKS, STATE_TOKENS, Run, find_runs
from bench.machine import REPOSITORY, provenance, write_result
from clew.enrich.models.gguf import GgufModel
from clew.enrich.models.known import KnownModels
from clew.evaluation.needs import NeededEdit, NeededTerm, Needs
from clew.evaluation.scores import SearchableWindow, score_needs
from clew.text.tokens import make_counter
from train.distil.evaluate import MEASURES, SHARES, Judgement, as_table, score_cut, summarise

RESULTS = Path(__file__).parent / "results"
WORK = REPOSITORY / "build" / "bench" / "compress"
PACKAGES = ("msgspec", "numpy", "xllamacpp")
TIMEOUT_S = 900.0
NETS = "nets"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 for input that cannot be used."""
    given = _parser().parse_args(arguments)
    if given.data is None or not given.data.is_dir():
        print("error: --data is needed, a folder of transcripts; or CLEW_BENCH_SESSIONS", file=sys.stderr)
        return 2
    given.work.mkdir(parents=True, exist_ok=True)
    known = KnownModels(given.work)
    ends = time.monotonic() + given.seconds
    done, counts, checked = Judgement(), dict[str, ArmCounts](), CheckCounts()
    said: list[dict[str, str]] = []
    summaries: list[int] = []
    with closing(GgufModel(given.model, sha256="", known=known, timeout_s=TIMEOUT_S, threads=given.threads)) as model:
        answers = Answers(given.work / f"{given.model.stem}.jsonl", model, lambda: time.monotonic() >= ends, time.monotonic)
        for number, run in enumerate(find_runs(given.data)):
            if number >= given.cuts:
                break
            before = {name: ArmCounts(**asdict(each)) for name, each in counts.items()}
            try:
                arms = compress_chunks(run.chunks, answers, counts)
            except OutOfTime:
                counts = before  # a cut counts whole or not at all
                break
            _score(run, arms, done, summaries)
            said += [{"arm": arm.name, "said": text, "lines": lines} for arm in arms for text, lines in arm.said]
            try_check(run.chunks, random.Random(run.judged.id), checked)
            print(f"\r{len(done.sessions)} cuts, {run.judged.id[:8]}", end="", file=sys.stderr, flush=True)
        source = provenance(("python", "-m", "bench.compress", "--model", given.model.name, "--cuts", str(given.cuts)), PACKAGES)
        name, sha256 = model.name, model.sha256
    print(file=sys.stderr)
    (given.work / f"{given.model.stem}.said.json").write_bytes(msgspec.json.encode(said))  # to be read by a person, and not committed
    base = f"{STATES[0]}, then nets"
    pairs = [(f"{arm}, then nets", NETS) for arm in counts] + [(f"{arm}, then nets", base) for arm in STATES[1:]]
    pairs += [(f"{arm}, shifted, then nets", f"{arm}, then nets") for arm in SHIFTED]
    pairs += [(arm, "random") for arm in counts]
    pairs = [pair for pair in pairs if done.sessions]
    summary = summarise(done, pairs)
    result = {
        "name": f"{source.name}-{given.model.stem}",
        **source.as_json(),
        "model": {"name": name, "sha256": sha256},
        "chunks": {"tokens": CHUNK_TOKENS, "of_a_run": RUN_CHUNKS, "state_tokens": STATE_TOKENS},
        "answers_by_arm": {arm: asdict(each) for arm, each in counts.items()},
        "check": asdict(checked),
        "summary_tokens": sorted(summaries),
        "figures": summary,
    }
    print(as_table(summary) if done.sessions else "no cut has all its arms")
    if not given.dry and done.sessions:
        write_result(given.results / f"{result['name']}.json", result)
    return 0


def _score(run: Run, arms: Sequence[Arm], done: Judgement, summaries: list[int]) -> None:
    """Add the scores of all arms of one run; the client's summary counts whole, whatever it costs."""
    score_cut(run.judged, {arm.name: arm.kept for arm in arms}, done)
    cut = run.judged
    wanted = Needs(
        edits=(NeededEdit("", cut.edited),) if cut.edited else (), terms=tuple(NeededTerm(text, evidence) for text, evidence in cut.terms)
    )
    scores = score_needs(SearchableWindow(run.summary), wanted) if run.summary else {}
    for share in SHARES:
        for measure, of in MEASURES.items():
            done.values.setdefault(("client's summary, whole", share, measure), []).append(scores.get(of))
    if run.summary:
        summaries.append(make_counter("claude").count(run.summary))


def _parser() -> argparse.ArgumentParser:
    known = os.environ.get("CLEW_BENCH_SESSIONS")
    parser = argparse.ArgumentParser(prog="python -m bench.compress", description="Does a model choose better lines than nets and chance?")
    parser.add_argument("--data", type=Path, default=Path(known) if known else None, help="folder of transcripts, at any depth")
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file")
    parser.add_argument("--cuts", type=int, default=40, help="number of cuts, one a session [40]")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no request after so many [no limit]")
    parser.add_argument("--threads", type=int, default=1, help="of the model [1]")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of answers that are kept")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    parser.add_argument("--dry", action="store_true", help="write no result")
    return parser


if __name__ == "__main__":
    sys.exit(main())
