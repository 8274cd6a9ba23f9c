"""Command: `python -m train.distil data|fit|merge|evaluate|loss …`. Tunes a small model on one's own sessions: README.md says how."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from bench.machine import provenance, write_result
from clew.enrich.models import Model, open_model
from clew.errors import ClewError
from clew.evaluation.intervals import difference, estimate
from clew.settings import load_settings, model_api_key
from train.distil import evaluate
from train.distil.dataset import ANSWERS, FIT, HELD, Row, make_row, read_cuts, write_set
from train.distil.fit import FitOptions, fit, merge
from train.distil.loss import held_out_loss, next_call_loss, open_next_call
from train.distil.parts import JudgedCut, cuts_of, draw, hindsight_ranges, projects_of
from train.distil.teacher import NextCallLoss, TeacherCounts, teach

FIT_PARTS, FIT_NEEDED = 6, 0.67  # of a cut in the fit, and which share of them holds needed lines; guesses
RESULTS = Path(__file__).parent / "results"
PACKAGES = ("msgspec", "numpy", "torch", "transformers", "peft", "gguf", "xllamacpp")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 for input that cannot be used."""
    given = _parser().parse_args(arguments)
    try:
        return given.run(given)
    except ClewError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def make_data(given: argparse.Namespace) -> int:
    """Write the data set."""
    started = time.monotonic()
    projects = projects_of(given.sessions)
    if unknown := set(given.hold).difference(folder.name for folder in projects):
        print(f"error: no project {min(unknown)!r}\nhint: there are {', '.join(folder.name for folder in projects)}", file=sys.stderr)
        return 2
    fit_rows: list[Row] = []
    held_rows: list[Row] = []
    held: list[JudgedCut] = []
    counts = TeacherCounts()
    with ExitStack() as opened:
        teacher = opened.enter_context(closing(_open(given.teacher))) if given.teacher else None
        loss: NextCallLoss | None = None
        if given.next_call:
            loss = partial(next_call_loss, opened.enter_context(open_next_call(given.next_call, threads=given.threads)))
        for folder in projects:
            is_held = folder.name in given.hold
            for cut in cuts_of(folder, folder.name, every=1 if is_held else given.every):
                parts = draw(cut, FIT_PARTS, needed_share=FIT_NEEDED)
                if is_held:  # judged by hindsight alone, whoever taught
                    held_rows += [make_row(cut, part, hindsight_ranges(part)) for part in parts]
                    held.append(cut)
                elif teacher is None:
                    fit_rows += [make_row(cut, part, hindsight_ranges(part)) for part in parts]
                else:
                    fit_rows += [make_row(cut, part, teach(cut, part, teacher, loss, counts), "hindsight+teacher") for part in parts]
                if given.limit and len(fit_rows) >= given.limit:
                    break
            count = len(fit_rows) + len(held_rows)
            print(f"{folder.name}: {count:,} rows, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    write_set(given.out, fit_rows, held_rows, held, given.style, load_settings().data_dir)
    print(f"{len(fit_rows):,} rows to fit to, {len(held_rows):,} and {len(held)} cuts held out: {given.out}")
    if counts.asked:
        print(
            f"teacher: {counts.asked} parts, {counts.named} ranges; kept {counts.agreed} that hindsight agrees with "
            f"and {counts.lowered} that lower the next call's loss, dropped {counts.dropped}"
        )
    return 0


def _open(name: str) -> Model:
    settings = load_settings()
    return open_model(name, folder=settings.data_dir, key=model_api_key(name), timeout_s=settings.model_timeout_s)


def _evaluate(given: argparse.Namespace) -> int:
    """Judge models on the held-out cuts."""
    named = dict(each.partition("=")[::2] for each in given.model)
    cuts = read_cuts(given.data)
    cuts = cuts[:: max(1, len(cuts) // given.cuts)][: given.cuts] if given.cuts else cuts
    started = time.monotonic()
    with ExitStack() as opened:
        models = {name: opened.enter_context(closing(_open(path))) for name, path in named.items()}
        done = evaluate.judge(
            cuts,
            models,
            evaluate.Answers(given.data / ANSWERS),
            parts=given.parts,
            progress=lambda text: print(f"{text}, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True),
        )
        names = {name: model.name for name, model in models.items()}
    arms = list(named)
    pairs = [(f"{arm}, then nets", "nets") for arm in arms] + [(arm, "random") for arm in arms]
    pairs += [(arm, arms[0]) for arm in arms[1:]] + [(f"{arm}, then nets", f"{arms[0]}, then nets") for arm in arms[1:]]
    summary = evaluate.summarise(done, pairs)
    about = {"models": names, "parts": given.parts, "seconds": round(time.monotonic() - started)}
    _report(given, about | summary, evaluate.as_table(summary))
    return 0


def _loss(given: argparse.Namespace) -> int:
    """Compare two models' losses on held-out answers."""
    found = {name: held_out_loss(path, given.data / HELD, count=given.rows, threads=given.threads) for name, path in given.model}
    sessions = [session for session, _ in next(iter(found.values()))]
    values = {name: [loss for _, loss in rows] for name, rows in found.items()}
    first = next(iter(values))
    means = {name: asdict(estimate(losses, sessions)) for name, losses in values.items()}
    ahead = {name: asdict(difference(losses, values[first], sessions)) for name, losses in values.items() if name != first}
    rows = means | {f"{name} − {first}": of for name, of in ahead.items()}
    text = f"nats a token, {len(sessions)} answers\n"
    text += "".join(f"{name}: {of['mean']:.3f} [{of['low']:.3f}, {of['high']:.3f}]\n" for name, of in rows.items())
    _report(given, {"losses": means, "differences": ahead}, text)
    return 0


def _report(given: argparse.Namespace, figures: dict[str, object], text: str) -> None:
    print(text)
    if given.result:
        source = provenance(("python", "-m", "train.distil", given.command), PACKAGES)
        RESULTS.mkdir(exist_ok=True)
        write_result(RESULTS / f"{given.result}.json", {"name": source.name, **source.as_json()} | figures)
        (RESULTS / f"{given.result}.md").write_text(text, encoding="utf-8")


def _named_path(text: str) -> tuple[str, Path]:
    name, is_named, path = text.partition("=")
    if not is_named:
        raise argparse.ArgumentTypeError("is no NAME=PATH")
    return name, Path(path)


def _fit(given: argparse.Namespace) -> int:
    fit(
        given.base,
        given.data / FIT,
        given.out,
        FitOptions(given.steps, 1, given.rate, layers=given.layers, tokens_max=given.tokens, threads=given.threads),
    )
    return 0


def _merge(given: argparse.Namespace) -> int:
    merge(given.base, given.out)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train.distil", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    data = commands.add_parser("data", help="write the data set")
    data.add_argument("--sessions", type=Path, required=True, help="folder of transcripts; a project is a folder in it")
    data.add_argument("--out", type=Path, required=True, help="folder of the data set")
    data.add_argument("--hold", action="append", default=[], metavar="PROJECT", help="hold a project out, to judge with; may be repeated")
    data.add_argument("--every", type=int, default=1, metavar="N", help="fit to every N-th session only")
    data.add_argument("--style", choices=("sharegpt", "alpaca"), default="sharegpt", help="of the rows")
    data.add_argument("--limit", type=int, default=0, metavar="ROWS", help="end with the first cut that reaches so many rows to fit to")
    data.add_argument("--teacher", metavar="MODEL", help="ask this model too: an endpoint's URL#NAME, or what else `model` may be")
    data.add_argument("--next-call", type=Path, metavar="MODEL", help="GGUF file: keep a teacher's range that lowers its loss, too")
    data.add_argument("--threads", type=int, default=1)
    data.set_defaults(run=make_data)
    fitted = commands.add_parser("fit", help="fit a small model on a CPU")
    fitted.add_argument("--base", type=Path, required=True, help="GGUF file, or folder as transformers saves it")
    fitted.add_argument("--data", type=Path, required=True, help="folder of the data set")
    fitted.add_argument("--out", type=Path, required=True, help="folder for the adapter and the merged model")
    fitted.add_argument("--steps", type=int, default=300)
    fitted.add_argument("--rate", type=float, default=3e-4)
    fitted.add_argument("--tokens", type=int, default=768, metavar="N", help="leave longer rows out")
    fitted.add_argument("--layers", type=int, default=0, metavar="N", help="fit the N upper layers alone: a step takes half; default: all")
    fitted.add_argument("--threads", type=int, default=1)
    fitted.set_defaults(run=_fit)
    merged = commands.add_parser("merge", help="merge an adapter into its base")
    merged.add_argument("--base", type=Path, required=True)
    merged.add_argument("--out", type=Path, required=True, help="folder that holds `adapter`")
    merged.set_defaults(run=_merge)
    judged = commands.add_parser("evaluate", help="judge models on the held-out cuts, beside the nets")
    judged.add_argument("--data", type=Path, required=True, help="folder of the data set")
    judged.add_argument("--model", action="append", default=[], metavar="NAME=MODEL", help="the base first; a path or a URL as `model` is")
    judged.add_argument("--cuts", type=int, default=0, metavar="N", help="so many cuts, spread over the sessions; default: all")
    judged.add_argument("--parts", type=int, default=8, metavar="N", help="parts of each cut, half of them with needed lines; 0 for all")
    judged.add_argument("--result", metavar="NAME", help="write results/NAME.json and .md")
    judged.set_defaults(run=_evaluate)
    lost = commands.add_parser("loss", help="compare the loss of held-out answers")
    lost.add_argument("--data", type=Path, required=True, help="folder of the data set")
    lost.add_argument("--model", action="append", required=True, type=_named_path, metavar="NAME=PATH", help="base first")
    lost.add_argument("--rows", type=int, default=60, metavar="N")
    lost.add_argument("--threads", type=int, default=1)
    lost.add_argument("--result", metavar="NAME", help="write results/NAME.json and .md")
    lost.set_defaults(run=_loss)
    return parser


if __name__ == "__main__":
    sys.exit(main())
