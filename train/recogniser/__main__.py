"""Fit the recogniser of sentences, calibrate it on sentences that a fold did not see, and print what it finds there.

    python -m train.recogniser [--sessions FOLDER] [--write]

FOLDER holds the recorded sessions, of which this repository keeps places, hashes and labels only. Without them only our own sentences
are fitted.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clew.task.recogniser import CLASSES, WEIGHTS, Floats, SentenceRecogniser, compute_log_odds
from train.recogniser.examples import DATA, Example, give_contexts, hash_sentence, read_own, read_prompts, read_recorded
from train.recogniser.fit import COUNT, Fitted, Inputs, calibrate, fit_twice, read_inputs
from train.recogniser.templates import fill_templates

FOLDS = 4
OWN_WEIGHT, TEMPLATE_WEIGHT, RECORDED_WEIGHT, PASTED_WEIGHT = 2.0, 0.5, 0.6, 0.2  # of a sentence in the fit: bench/LOG.md
PASTED_CHARS = 1_000  # recorded sentences of longer prompts are pasted for the most part
LEAST = {"rule": 0.5, "withdrawal": 0.5}  # claimed when likelier than not: precision .9 would leave one rule in ten
PRECISION_MIN = 0.9  # of what may be claimed, over our own and recorded sentences that count the same in all
MADE = ("own.", "template.")


def main() -> None:
    """Run the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=Path, help="folder of the sessions that data/labels.jsonl names")
    parser.add_argument("--write", action="store_true", help=f"write {WEIGHTS.name}")
    asked = parser.parse_args()
    recorded, lost = read_recorded(DATA / "labels.jsonl", asked.sessions) if asked.sessions else ([], 0)
    print(f"{len(recorded)} recorded sentences; {lost} marks have none any more")
    short = [example.context for example in recorded if example.context.chars < 600]
    recorded = [replace(example, weight=PASTED_WEIGHT if example.context.chars > PASTED_CHARS else RECORDED_WEIGHT) for example in recorded]
    own = [replace(example, weight=OWN_WEIGHT) for example in read_own(sorted(DATA.glob("sentences.*.tsv")))]
    pairs, prompts = read_own(sorted(DATA.glob("pairs.*.tsv"))), read_prompts(sorted(DATA.glob("prompts.*.tsv")))
    hard, said = ([replace(example, weight=OWN_WEIGHT, is_hard=True) for example in part] for part in (pairs, prompts))
    examples = recorded + said + give_contexts(own + hard + fill_templates(weight=TEMPLATE_WEIGHT), short)
    inputs = read_inputs(examples)
    unseen, rows = score_unseen(examples, inputs)
    weights = balance(examples, rows)
    slope, shift = calibrate(unseen, replace(inputs, weights=weights), rows)
    chances = 1 / (1 + np.exp(-(compute_log_odds(unseen) * slope + shift)))
    thresholds = find_thresholds(chances, inputs.classes[rows], weights[rows])
    report(examples, rows, chances, thresholds)
    for label in ("rule", "withdrawal"):
        print_curve(examples, rows, chances, label)
    if asked.write:
        fitted = fit_twice(inputs, np.arange(len(examples)))
        table, scale = round_table(fitted)
        made = SentenceRecogniser(table, scale, fitted.counts, fitted.bias, slope, shift, thresholds)
        np.savez_compressed(WEIGHTS, **{name: getattr(made, name) for name in SentenceRecogniser.__slots__})


def score_unseen(examples: Sequence[Example], inputs: Inputs) -> tuple[Floats, NDArray[np.int64]]:
    """Return scores of each example but templates and hard pairs, which are no sample of what is said, and their rows.

    A recorded project is scored by a fit without it, our own by folds.
    """
    groups = np.array([example.group for example in examples])
    parts = np.array([int(hash_sentence(example.text)[0], 16) % FOLDS for example in examples])
    is_made = np.char.startswith(groups, "own.")
    is_judged = is_made & ~inputs.is_hard
    sets = [np.flatnonzero(groups == name) for name in sorted(set(groups)) if not name.startswith(MADE)]
    folds = [np.flatnonzero(is_made & (parts == at)) for at in range(FOLDS)]
    scores = np.zeros((len(examples), COUNT), np.float32)
    for left_out in sets + folds:
        rows = left_out[~inputs.is_hard[left_out]]
        scores[rows] = fit_twice(inputs, np.setdiff1d(np.arange(len(examples)), left_out)).score(inputs, rows)
    sets.append(np.flatnonzero(is_judged))
    rows = np.sort(np.concatenate(sets))
    return scores[rows], rows


def print_curve(examples: Sequence[Example], rows: NDArray[np.int64], chances: Floats, label: str) -> None:
    """Print precision and recall of a class at steps of its probability, on our own and on recorded sentences."""
    at = CLASSES.index(label)
    is_own = np.array([examples[row].group.startswith(MADE) for row in rows])
    is_true = np.array([examples[row].label == label for row in rows])
    for step in np.arange(0.05, 1.0, 0.05):
        claimed = chances[:, at] >= step
        shares = [f"{(claimed & is_true & kind).sum()}/{(claimed & kind).sum()} of {(is_true & kind).sum()}" for kind in (is_own, ~is_own)]
        print(f"  {label} at {step:.2f}: own {shares[0]}, recorded {shares[1]}")


def balance(examples: Sequence[Example], rows: NDArray[np.int64]) -> Floats:
    """Return weights (examples,) under which recorded sentences and our own count the same in all."""
    is_own = np.array([example.group.startswith(MADE) for example in examples])
    weights = np.zeros(len(examples), np.float32)
    for kind in (is_own, ~is_own):
        chosen = rows[kind[rows]]
        weights[chosen] = len(rows) / max(1, 2 * len(chosen))
    return weights


def find_thresholds(chances: Floats, classes: NDArray[np.int64], weights: Floats) -> Floats:
    """Return (classes,): the lowest probability from which on PRECISION_MIN of what is claimed is right; 1.1 where there is none."""
    found = np.full(COUNT, 1.1, np.float32)
    for at in range(COUNT):
        order = np.argsort(-chances[:, at], kind="stable")
        hits = np.cumsum(weights[order] * (classes[order] == at))
        good = np.flatnonzero(hits / np.maximum(np.cumsum(weights[order]), 1e-9) >= PRECISION_MIN)
        if len(good):
            found[at] = chances[order[good[-1]], at]
        found[at] = LEAST.get(CLASSES[at], found[at])
    return found


def round_table(fitted: Fitted) -> tuple[NDArray[np.int8], Floats]:
    """Return the weights of n-grams as int8, and the scale of each class."""
    scale = np.maximum(np.quantile(np.abs(fitted.table), 0.9999, axis=0), 1e-6) / 127
    return np.clip(np.round(fitted.table / scale), -127, 127).astype(np.int8), scale.astype(np.float32)


def report(examples: Sequence[Example], rows: NDArray[np.int64], chances: Floats, thresholds: Floats) -> None:
    """Print, for each group and class, the precision and recall of what is claimed."""
    groups = np.array([examples[row].group for row in rows])
    classes = np.array([CLASSES.index(examples[row].label) for row in rows])
    recorded = [name for name in sorted(set(groups)) if not name.startswith(MADE)]
    others = [name for name in recorded if name != "entireio__cli"]
    sets = {"recorded, without entireio/cli": others, **{name: [name] for name in [*recorded, *sorted(set(groups) - set(recorded))]}}
    print("thresholds", dict(zip(CLASSES, thresholds.round(3).tolist(), strict=True)))
    for name, members in sets.items():
        chosen = np.isin(groups, members)
        print(name, int(chosen.sum()))
        for at, label in enumerate(CLASSES):
            claimed, true = chances[chosen, at] >= thresholds[at], classes[chosen] == at
            hits = int((claimed & true).sum())
            print(f"  {label:10} precision {hits}/{int(claimed.sum())} recall {hits}/{int(true.sum())}")


if __name__ == "__main__":
    main()
