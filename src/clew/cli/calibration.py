"""Calibration in words and in JSON, for the commands that speak of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clew.retrieval.calibration import Measure, Note


def calibration_text(note: Note) -> str:
    """One line: what holds here, and what it brought."""
    first = note.measures[0]
    return (
        f"fitted to {note.fitted_to} of this repository's commits; in {note.held_out} newer ones "
        f"{100 * first.fitted:.1f} % of {first.name} instead of {100 * first.default:.1f} %"
    )


def calibration_table(note: Note, *, is_fitted: bool) -> list[str]:
    """The measures in columns: the default, and if anything was fitted, the fitted weights and the difference."""
    width = max(len(measure.name) for measure in note.measures)
    head = f"{'of ' + str(note.held_out) + ' commits, found':<{width}}  {'default':<20}"
    lines = [head + (f"  {'fitted':<20}  difference" if is_fitted else "")]
    for measure in note.measures:
        line = f"{measure.name:<{width}}  {_shown(measure.default, measure.default_low, measure.default_high):<20}"
        if is_fitted:
            line += f"  {_shown(measure.fitted, measure.fitted_low, measure.fitted_high):<20}  {_gain(measure)}"
        lines.append(line.rstrip())
    if is_fitted:
        name = "log-likelihood"
        default, fitted = note.likelihood_default, note.likelihood_fitted
        lines.append(f"{name:<{width}}  {default:<20.3f}  {fitted:<20.3f}  {fitted - default:+.3f}")
    return lines


def calibration_json(note: Note) -> dict[str, Any]:
    """The figures, for machines."""
    return {
        "head": note.head,
        "commits": note.commits,
        "fitted_to": note.fitted_to,
        "held_out": note.held_out,
        "pull": note.pull,
        "weights": dict(note.weights),
        "likelihood": {"default": note.likelihood_default, "fitted": note.likelihood_fitted},
        "found": [
            {
                "name": measure.name,
                "default": [measure.default, measure.default_low, measure.default_high],
                "fitted": [measure.fitted, measure.fitted_low, measure.fitted_high],
                "difference": [measure.gain, measure.gain_low, measure.gain_high],
            }
            for measure in note.measures
        ],
    }


def _shown(mean: float, low: float, high: float) -> str:
    return f"{100 * mean:.1f} % [{100 * low:.0f}–{100 * high:.0f}]"


def _gain(measure: Measure) -> str:
    return f"{100 * measure.gain:+.1f} [{100 * measure.gain_low:+.1f}, {100 * measure.gain_high:+.1f}]"
