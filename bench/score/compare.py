"""Comparison of two values of the same name: has it risen or fallen beyond noise?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.score.figure import Value
from clew.evaluation.intervals import difference

REPEATS_SHARE = 0.05  # repeated measurements that differ by less are not told apart, even where their ranges do not touch; guess


@dataclass(frozen=True)
class Change:
    """A value before and now. `verdict` is "better", "worse", "same", "new", or "gone"; `noise` says what it was judged by."""

    name: str
    before: Value | None
    now: Value | None
    verdict: str
    noise: str = ""


def compare(name: str, before: Value | None, now: Value | None) -> Change:
    """Compare a value with the one before it."""
    if before is None or now is None:
        return Change(name, before, now, "new" if before is None else "gone")
    step, noise = _step(before, now)
    if not step:
        return Change(name, before, now, "same", noise)
    return Change(name, before, now, "better" if (step > 0) == (now.better == "higher") else "worse", noise)


def _step(before: Value, now: Value) -> tuple[float, str]:
    """How far the number went beyond noise, 0 for not at all; and by what that was judged."""
    common = [name for name in now.rows if name in before.rows]
    if common:
        found = difference([now.rows[name] for name in common], [before.rows[name] for name in common], [now.clusters[n] for n in common])
        low, high = found.low or 0.0, found.high or 0.0
        changed = sum(now.rows[name] != before.rows[name] for name in common)
        noise = f"{changed} of {len(common)} rows differ, by {found.mean or 0.0:+.3f} [{low:+.3f}, {high:+.3f}]"
        return (found.mean or 0.0) if low > 0 or high < 0 else 0.0, noise
    if None not in (before.low, before.high, now.low, now.high):
        noise = f"{before.low:.3g}–{before.high:.3g}, now {now.low:.3g}–{now.high:.3g}"
        is_apart = (now.low or 0) > (before.high or 0) or (now.high or 0) < (before.low or 0)
        is_large = abs(now.number - before.number) > REPEATS_SHARE * abs(before.number)
        return now.number - before.number if is_apart and is_large else 0.0, noise
    return now.number - before.number, "exact"


def table(found: Mapping[str, list[Change]], missing: Mapping[str, str]) -> str:
    """Return all changes by figure, those for the worse named again at the end, and the figures whose data is missing."""
    lines: list[str] = []
    for figure, changes in found.items():
        lines.append(figure)
        for each in changes:
            sign = {"better": "+", "worse": "!"}.get(each.verdict, " ")
            lines.append(f" {sign} {each.name:<44}{_shown(each.before):>12}{_shown(each.now):>12}  {each.verdict:<7}{each.noise}")
    lines += [f"not measured: {figure}: needs {what}" for figure, what in missing.items()]
    for verdict, title in (("better", "Better beyond noise"), ("worse", "Worse beyond noise"), ("gone", "No longer measured")):
        names = [f"{figure}: {each.name}" for figure, changes in found.items() for each in changes if each.verdict == verdict]
        lines.append(f"{title}: {'; '.join(names) or 'nothing'}")
    return "\n".join(lines)


def _shown(value: Value | None) -> str:
    if value is None:
        return "–"
    if value.unit == "%":
        return f"{100 * value.number:.1f} %"
    return f"{value.number:,.4g} {value.unit}" if value.number < 1000 else f"{value.number:,.0f} {value.unit}"
