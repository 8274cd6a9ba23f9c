"""Fit the model that says whether any recalled turn answers, print how it does on what a fit left out, and write its weights.

    python -m train.recall --data FOLDER --work FOLDER [--write]

Fitted to LongMemEval-S (MIT), as it is and as dialogues (`train.recall.dialogue`). Each third of its questions is judged by a fit without
them; LoCoMo (CC BY-NC) is never fitted to, and only measures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.doors import opened
from bench.recall.report import auroc
from bench.recall.source import LOCOMO, LONGMEMEVAL
from clew.recall.evidence import ANSWER_FEATURES
from clew.recall.model import WEIGHTS, AnswerModel
from train.recall.fit import describe, fit, is_answered
from train.recall.rows import DIALOGUE, Row, collect

FOLDS = 3


def main() -> None:
    """Run the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with both sets")
    parser.add_argument("--work", type=Path, required=True, help="where the store is kept between runs")
    parser.add_argument("--limit", type=int, help="haystacks of each set at most")
    parser.add_argument("--dialogues", type=int, default=40, help="haystacks that are read as dialogues as well")
    parser.add_argument("--write", action="store_true", help="write the weights of a fit to all rows")
    given = parser.parse_args()
    sets = ((LONGMEMEVAL, given.limit), (DIALOGUE, given.dialogues), (LOCOMO, given.limit))
    with opened(given.work / "home", jobs=1) as engine:
        rows = {name: list(collect(engine, given.work, given.data, name, limit)) for name, limit in sets}
    fitted = [*rows[LONGMEMEVAL], *rows[DIALOGUE]]
    report(fitted, rows[LOCOMO])
    if given.write:
        write(fit(fitted))


def report(fitted: Sequence[Row], others: Sequence[Row]) -> None:
    """Print figures of thirds of the rows that are fitted to, each by a fit without it, and of others by a fit to all of them."""
    names = sorted({row.haystack for row in fitted})
    judged: list[tuple[Row, float, bool]] = []
    for at in range(FOLDS):
        fold = set(names[at::FOLDS])
        judged += judge(fit([row for row in fitted if row.haystack not in fold]), [row for row in fitted if row.haystack in fold])
    for name in (LONGMEMEVAL, DIALOGUE):
        print(name, figures([each for each in judged if each[0].set == name]))
    print(LOCOMO, figures(judge(fit(fitted), others)))


def judge(model: AnswerModel, rows: Sequence[Row]) -> list[tuple[Row, float, bool]]:
    """Return each row with its probability, and whether it is met with silence."""
    chances = [model.estimate(describe(row)) if row.found else 0.0 for row in rows]
    return [(row, chance, chance < model.threshold) for row, chance in zip(rows, chances, strict=True)]


def figures(judged: Sequence[tuple[Row, float, bool]]) -> dict[str, float]:
    """Return the share that is met with silence of each kind of row, and how well each can be told from those that are answered."""
    out: dict[str, float] = {}
    kinds = sorted({_name(row) for row, _, _ in judged})
    for kind in kinds:
        mine = [(chance, is_silent) for row, chance, is_silent in judged if _name(row) == kind]
        base = [chance for row, chance, _ in judged if _name(row) == ("small answered" if kind.startswith("small") else "answered")]
        out[f"{kind} ({len(mine)}) silent"] = round(float(np.mean([is_silent for _, is_silent in mine])), 3)
        if base and not kind.endswith(" answered") and kind != "answered":
            out[f"{kind} auroc"] = round(auroc(base, [chance for chance, _ in mine]), 3)
    return out


def write(model: AnswerModel) -> None:
    """Write the weights of the release."""
    parts = {name: getattr(model, name).astype(np.float32) for name in ("mean", "scale", "weights")}
    np.savez_compressed(
        WEIGHTS, names=np.array(ANSWER_FEATURES), bias=np.float64(model.bias), threshold=np.float64(model.threshold), **parts
    )
    print(f"{WEIGHTS.stat().st_size} bytes; threshold {model.threshold:.3f}")


def _name(row: Row) -> str:
    what = (
        "answered"
        if is_answered(row)
        else "removed"
        if not row.is_held and row.gold_count
        else "adversarial"
        if row.is_held
        else "unanswerable"
    )
    return f"small {what}" if row.is_small else what


if __name__ == "__main__":
    main()
