"""Report: what the rows say, by set, arm and kind of question, with intervals; and how well silence can be told from an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.recall.source import LOCOMO
from clew.evaluation.intervals import estimate
from clew.recall.model import load_model

ADVERSARIAL = "adversarial"
DRAWS = 300
MARKS = ("all_sessions", "any_session", "first_session", "turns", "newest_first")
HEADS = {
    "all_sessions": "all gold sessions @5", "any_session": "any @5", "first_session": "any @1", "turns": "gold turns @10",
    "newest_first": "newest first",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One question. Confidences are with the gold sessions in the haystack, and without; milliseconds over the haystack, and over all."""

    set: str
    haystack: str
    question: str
    kind: str
    is_unanswerable: bool
    marks: dict[str, dict[str, float]]
    confidence: float
    confidence_without: float
    ms: float
    ms_everywhere: float

    def as_json(self) -> dict[str, Any]:
        """Plain values, rounded."""
        row = asdict(self)
        return row | {key: round(row[key], 4) for key in ("confidence", "confidence_without", "ms", "ms_everywhere")}


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Figures by set: recall by arm and kind, silence, milliseconds. Questions that nothing answers count for silence alone."""
    out: dict[str, Any] = {}
    for name in dict.fromkeys(row.set for row in rows):
        here = [row for row in rows if row.set == name]
        asked = [row for row in here if not row.is_unanswerable]
        kinds = {"all": asked} | {kind: [row for row in asked if row.kind == kind] for kind in sorted({row.kind for row in asked})}
        recall: dict[str, Any] = {}
        for arm in here[0].marks:
            for kind, some in kinds.items():
                for mark in MARKS:
                    values = [row.marks[arm].get(mark) for row in some]
                    found = estimate(values, [row.haystack for row in some])
                    if found.n:
                        recall.setdefault(arm, {}).setdefault(kind, {})[mark] = [
                            round(float(x), 3) for x in (found.mean or 0.0, found.low or 0.0, found.high or 0.0)
                        ] + [found.n]
        out[name] = {"questions": len(asked), "recall": recall, "silence": silence(here), "ms": _milliseconds(here)}
    return out


def silence(rows: Sequence[Row]) -> dict[str, Any]:
    """Can questions that are answered be told from those that are not, and how many of either are met with silence?

    removed       the same questions, without their gold sessions in the haystack.
    unanswerable  questions that nothing answers, with all sessions: LongMemEval's own, and LoCoMo's that ask of one speaker what the other
                  said (for recall these count as answered: what was said is there).
    Intervals are of DRAWS draws of questions.
    """
    threshold = load_model().threshold
    asked = [row for row in rows if not row.is_unanswerable and row.kind != ADVERSARIAL]
    never = [row for row in rows if row.is_unanswerable or row.kind == ADVERSARIAL]
    held = np.array([row.confidence for row in asked])
    out: dict[str, Any] = {"threshold": round(threshold, 3), "false_silence": round(float((held < threshold).mean()), 3)}
    for name, values in (("removed", [row.confidence_without for row in asked]), ("unanswerable", [row.confidence for row in never])):
        bare = np.array(values)
        if len(held) and len(bare):
            silent = float((bare < threshold).mean())
            out[name] = {"questions": len(bare), "auroc": [round(value, 3) for value in _interval(held, bare)], "silent": round(silent, 3)}
    return out


def _interval(held: np.ndarray[Any, Any], bare: np.ndarray[Any, Any]) -> tuple[float, float, float]:
    """AUROC, and the bounds that hold 95 % of the draws."""
    chance = np.random.default_rng(0)
    draws = [auroc(chance.choice(held, len(held)), chance.choice(bare, len(bare))) for _ in range(DRAWS)]
    return auroc(held, bare), float(np.quantile(draws, 0.025)), float(np.quantile(draws, 0.975))


def auroc(held: Sequence[float] | np.ndarray[Any, Any], bare: Sequence[float] | np.ndarray[Any, Any]) -> float:
    """Return the chance that one of `held` is above one of `bare`, a tie counted half."""
    left, right = np.asarray(held)[:, None], np.asarray(bare)[None, :]
    return float((left > right).mean() + 0.5 * (left == right).mean())


def _milliseconds(rows: Sequence[Row]) -> dict[str, float]:
    out: dict[str, float] = {}
    for name, values in (("haystack", [row.ms for row in rows]), ("everything", [row.ms_everywhere for row in rows if row.ms_everywhere])):
        if values:
            out |= {f"{name}_p50": round(float(np.quantile(values, 0.5)), 1), f"{name}_p99": round(float(np.quantile(values, 0.99)), 1)}
    return out


def table(found: dict[str, Any]) -> str:
    """The summary as Markdown."""
    lines: list[str] = []
    for name, here in found.items():
        marks = [mark for mark in MARKS if any(mark in row for row in here["recall"]["clew"].values())]
        if name == LOCOMO:
            marks = ["turns", *[mark for mark in marks if mark not in ("turns", "newest_first")]]
        lines += [f"## {name}: {here['questions']} questions", "", "| arm | kind | n | " + " | ".join(HEADS[mark] for mark in marks) + " |"]
        lines.append("|---" * (3 + len(marks)) + "|")
        for arm, kinds in here["recall"].items():
            for kind, row in kinds.items():
                if kind != "all" and arm not in ("clew", "bm25"):
                    continue
                cells = [f"{row[mark][0]:.3f} [{row[mark][1]:.3f}, {row[mark][2]:.3f}]" if mark in row else "" for mark in marks]
                lines.append(f"| {arm} | {kind} | {row['all_sessions'][3]} | " + " | ".join(cells) + " |")
        lines += [
            "",
            _said(here["silence"]),
            "",
            "Milliseconds: " + ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in here["ms"].items()) + ".",
            "",
        ]
    return "\n".join(lines)


def _said(found: dict[str, Any]) -> str:
    said = [f"Silence below {found['threshold']}: false for {found['false_silence']} of the answered."]
    for name, title in (("removed", "with the gold sessions removed"), ("unanswerable", "that nothing answers")):
        if one := found.get(name):
            value, low, high = one["auroc"]
            said.append(f"{one['questions']} questions {title}: AUROC {value} [{low}, {high}], silent on {one['silent']}.")
    return " ".join(said)
