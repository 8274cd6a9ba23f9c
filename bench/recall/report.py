"""Report: what the rows say, by set, arm and kind of question, with intervals; and how well silence can be told from an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.intervals import estimate
from bench.recall.source import LOCOMO
from clew.recall.recall import CONFIDENCE_MIN

FALSE_SILENCE_MAX = 0.05
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
    """Every answerable question once with its gold sessions and once without: can the two be told apart, and at the threshold in force?

    `crossed` is the highest threshold that keeps false silence within FALSE_SILENCE_MAX, taken on one half of the questions and judged on
    the other, both ways: means.
    """
    asked = [row for row in rows if not row.is_unanswerable]
    held, bare = np.array([row.confidence for row in asked]), np.array([row.confidence_without for row in asked])
    above = (held[:, None] > bare[None, :]).mean() + 0.5 * (held[:, None] == bare[None, :]).mean()
    halves = [np.arange(len(asked)) % 2 == side for side in (0, 1)]
    crossed = [_at(held[~half], bare[~half], _threshold(held[half])) for half in halves]
    return {
        "auroc": round(float(above), 3),
        "at_threshold": _at(held, bare, CONFIDENCE_MIN),
        "crossed": {key: round(float(np.mean([each[key] for each in crossed])), 3) for key in crossed[0]},
        "unanswerable": {
            "questions": sum(row.is_unanswerable for row in rows),
            "silent": sum(row.is_unanswerable and row.confidence < CONFIDENCE_MIN for row in rows),
        },
    }


def _threshold(held: np.ndarray[Any, Any]) -> float:
    return float(np.sort(held)[int(FALSE_SILENCE_MAX * len(held))])


def _at(held: np.ndarray[Any, Any], bare: np.ndarray[Any, Any], threshold: float) -> dict[str, float]:
    """Silence is what is looked for: it is right where the gold is not there, and false where it is."""
    right, false = float((bare < threshold).sum()), float((held < threshold).sum())
    precision, found = right / max(right + false, 1.0), right / max(len(bare), 1)
    return {
        "threshold": round(threshold, 4),
        "f1": round(2 * precision * found / max(precision + found, 1e-9), 3),
        "silent_without_gold": round(found, 3),
        "false_silence": round(false / max(len(held), 1), 3),
    }


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
    silent, best, never = found["at_threshold"], found["crossed"], found["unanswerable"]
    return (
        f"Silence: AUROC {found['auroc']}; at the threshold in force ({silent['threshold']}) F1 {silent['f1']}, silent on "
        f"{silent['silent_without_gold']} without gold, false silence {silent['false_silence']}; at the threshold that keeps false "
        f"silence within 5 % of the other half F1 "
        f"{best['f1']}, {best['silent_without_gold']}, {best['false_silence']}. Unanswerable: silent on {never['silent']} of "
        f"{never['questions']}."
    )
