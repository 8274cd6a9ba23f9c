"""Command: `python -m bench.nextaction --data SESSIONS --model FILE`. Asks how likely the agent's real next calls are, given each window.

Each answer is a line of a file in the work folder, keyed by model, window and calls: a run that was stopped goes on, and nothing is
evaluated twice. Nats per token are a mean over the tokens of a cut, and then over cuts; smaller is better.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.hindsight.arms import ARMS
from bench.hindsight.folds import fold_of, nets_without
from bench.hindsight.trial import JudgedTrial
from bench.machine import REPOSITORY, provenance, write_result
from bench.nextaction.cuts import CALLS, EXAMPLES, LARGEST, SessionCut, find_cuts
from bench.nextaction.likelihood import LikelihoodModel
from clew.evaluation.intervals import difference, estimate
from clew.text.tokens import make_counter

RESULTS = Path(__file__).parent / "results"
WORK = REPOSITORY / "build" / "bench" / "nextaction"
PACKAGES = ("numpy", "xllamacpp")
ARMS_ASKED = ("nothing", "summary", "random", "recency", "clew")
OTHER_TOKENS = 2900  # budget where the client wrote no summary: the median of those it wrote
CONTEXT = 12_288
TABLE_HEAD = "| arm | cuts | nats per token [95 %] | of arguments' values | less recency, paired [95 %] |\n|---|---|---|---|---|"


class Answer(msgspec.Struct):
    """What one window gave for one cut: nats and tokens, of all and of the arguments' values. `key` names model, window and calls."""

    key: str
    cut: str
    project: str
    arm: str
    nats: float
    tokens: int
    value_nats: float
    value_tokens: int
    window_tokens: int
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 for input that cannot be used."""
    given = _parser().parse_args(arguments)
    if given.data is None or not given.data.is_dir():
        print("error: --data is needed, a folder of transcripts; or CLEW_BENCH_SESSIONS", file=sys.stderr)
        return 2
    if unknown := [name for name in given.arms if name not in ARMS and name != "nothing"]:
        print(f"error: no arm {unknown[0]!r}\nhint: there are nothing, {', '.join(ARMS)}", file=sys.stderr)
        return 2
    source = provenance(("python", "-m", "bench.nextaction", "--model", given.model.name, "--cuts", str(given.cuts)), PACKAGES)
    answers = list(measure(given))
    result: dict[str, object] = {"name": source.name, **source.as_json(), "model": given.model.name, "calls": CALLS, **summarise(answers)}
    print(table(result))
    if not given.dry:
        RESULTS.mkdir(exist_ok=True)
        write_result(RESULTS / f"{source.name}.json", result)
    return 0


def measure(given: argparse.Namespace) -> Iterator[Answer]:
    """Yield the answers for each cut and arm, evaluated or known, until the time is spent; a cut without all its arms is left out."""
    ends = time.monotonic() + given.seconds
    work = given.work / f"{given.model.stem}.jsonl"
    known = {answer.key: answer for answer in read_answers(work)}
    work.parent.mkdir(parents=True, exist_ok=True)
    with LikelihoodModel(given.model, context=CONTEXT, threads=given.threads) as model, work.open("ab") as stream:
        for cut in islice(find_cuts(given.data), given.cuts):
            row: list[Answer] = []
            for arm, text in windows(cut, given.arms):
                key = _key(given.model.name, cut, text)
                if key not in known:
                    if time.monotonic() >= ends:
                        return
                    known[key] = ask(model, cut, arm, text, key)
                    stream.write(msgspec.json.encode(known[key]) + b"\n")
                    stream.flush()
                row.append(msgspec.structs.replace(known[key], arm=arm))
            yield from row


def _key(model: str, cut: SessionCut, text: str) -> str:
    named = hashlib.sha256(model.encode()).hexdigest()[:8]
    told = "\0".join((named, cut.header, text, cut.asked, *(part.text for part in cut.parts)))
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()


def windows(cut: SessionCut, arms: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each arm that has a window for a cut, with its text."""
    trial = JudgedTrial(cut.case, make_counter("claude"), using=nets_without(fold_of(cut.case.session)))
    for arm in arms:
        window = ARMS[arm](trial, trial.summary_tokens or OTHER_TOKENS) if arm != "nothing" else None
        if arm == "nothing" or window is not None:
            yield arm, window.text if window is not None else ""


def ask(model: LikelihoodModel, cut: SessionCut, arm: str, text: str, key: str) -> Answer:
    """Evaluate the next calls behind one window."""
    started = time.monotonic()
    window = model.tokens(f"{cut.header}{text}", at_start=True)
    behind = model.tokens(f"\n\n{cut.asked}The form of calls:\n{EXAMPLES}\nThe next {CALLS} calls:\n")
    parts = [(model.tokens(part.text), part.is_value) for part in cut.parts]
    then = [token for tokens, _ in parts for token in tokens]
    is_value = np.array([value for tokens, value in parts for _ in tokens])
    room = model.context - len(behind) - len(then)
    nats = -model.log_probabilities([*window[:1], *window[max(1, len(window) - room + 1) :], *behind], then)
    return Answer(
        key, cut.case.id, cut.project, arm, round(float(nats.sum()), 4), len(then), round(float(nats[is_value].sum()), 4),
        int(is_value.sum()), len(window), round(time.monotonic() - started, 1),
    )  # fmt: skip


def read_answers(work: Path) -> Iterator[Answer]:
    """Yield the answers that a file holds; a line that a killed run left unfinished is passed over."""
    for line in work.read_bytes().splitlines() if work.is_file() else ():
        try:
            yield msgspec.json.decode(line, type=Answer)
        except msgspec.DecodeError:
            continue


def summarise(answers: Sequence[Answer]) -> dict[str, object]:
    """Return each arm's means with intervals, over all projects, without the largest, and of it alone."""
    chosen: Mapping[str, Callable[[Answer], bool]] = {
        "others": lambda each: each.project != LARGEST,
        LARGEST: lambda each: each.project == LARGEST,
        "all": lambda _: True,
    }
    return {"groups": {name: _of([each for each in answers if is_in(each)]) for name, is_in in chosen.items()}}


def _of(answers: Sequence[Answer]) -> dict[str, object]:
    cuts = list(dict.fromkeys(each.cut for each in answers))
    found = {(each.cut, each.arm): each for each in answers}
    arms = list(dict.fromkeys(each.arm for each in answers))

    def column(arm: str, *, values: bool = False) -> list[float | None]:
        rows = [found.get((cut, arm)) for cut in cuts]
        return [_mean(row.value_nats, row.value_tokens) if row and values else _mean(row.nats, row.tokens) if row else None for row in rows]

    return {
        arm: {
            "nats": msgspec.to_builtins(estimate(column(arm), cuts)),
            "values": msgspec.to_builtins(estimate(column(arm, values=True), cuts)),
            "less": {
                other: msgspec.to_builtins(difference(column(arm), column(other), cuts)) for other in arms if other != arm
            },
            "less_values": {
                other: msgspec.to_builtins(difference(column(arm, values=True), column(other, values=True), cuts))
                for other in arms if other != arm
            },
        }
        for arm in arms
    }  # fmt: skip


def _mean(nats: float, tokens: int) -> float | None:
    return nats / tokens if tokens else None


def table(result: Mapping[str, object]) -> str:
    """Return a result as Markdown."""
    parts: list[str] = []
    groups: Mapping[str, Mapping[str, Mapping[str, Any]]] = json.loads(json.dumps(result["groups"]))
    for name, arms in groups.items():
        parts += [f"\n## {name}\n", TABLE_HEAD]
        for arm, found in arms.items():
            less = found["less"].get("recency")
            parts.append(f"| {arm} | {found['nats']['n']} | {_told(found['nats'])} | {_told(found['values'])} | {_told(less)} |")
    return "\n".join(parts)


def _told(value: Mapping[str, float | None] | None) -> str:
    if value is None or value["mean"] is None:
        return "–"
    return f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


def _parser() -> argparse.ArgumentParser:
    known = os.environ.get("CLEW_BENCH_SESSIONS")
    parser = argparse.ArgumentParser(prog="python -m bench.nextaction", description="How likely are the real next calls?")
    parser.add_argument("--data", type=Path, default=Path(known) if known else None, help="folder of transcripts, at any depth")
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file")
    parser.add_argument("--cuts", type=int, default=40, help="number of cuts, one a session [40]")
    parser.add_argument("--arms", type=lambda words: words.split(","), default=list(ARMS_ASKED), help=f"[{','.join(ARMS_ASKED)}]")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no evaluation after so many [no limit]")
    parser.add_argument("--threads", type=int, default=1, help="of the model [1]")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of answers that are kept")
    parser.add_argument("--dry", action="store_true", help="write no result")
    return parser


if __name__ == "__main__":
    sys.exit(main())
