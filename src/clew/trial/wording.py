"""Wording: what a trial's report says, for a terminal and for the page. No code parses it back."""

from __future__ import annotations

from dataclasses import dataclass

from clew.records.wording import describe_time, format_count
from clew.trial.log import Trial
from clew.trial.outcome import SECONDARY
from clew.trial.plan import Plan
from clew.trial.report import PartResult, TrialReport
from clew.trial.statistics import Interval, Share

NO_TESTS = "Only the first two measures decide. Of the others, one in twenty lies outside its interval by chance."


@dataclass(frozen=True, slots=True)
class MeasureLine:
    """One measure of a part, in words. interval, sessions  "" where nothing can be compared; beside  what it is held against."""

    name: str
    value: str
    interval: str = ""
    sessions: str = ""
    beside: str = ""


def describe_plan(trial: Trial) -> str:
    """Return the first line of every report: the plan as it was written down before the first session."""
    return f"Registered {describe_time(trial.plan.started_ns)}, sha256 {trial.plan_digest[:16]}…: {trial.plan.describe()}"


def describe_start(report: TrialReport) -> str:
    """Return what a new trial will be able to tell."""
    return (
        f"It begins with the next session. {report.plan.sessions:,} sessions tell whether work is lost; they show a change of cost "
        f"only from {100 * report.detectable:.0f} % on. Sessions that run now have all of clew, and are not counted."
    )


def describe_progress(trial: Trial, report: TrialReport) -> str:
    """Return how far a trial is, of all its sessions together."""
    progress = report.progress
    ended = f" Stopped {describe_time(trial.stopped_ns)}." if trial.stopped_ns else ""
    return (
        f"{format_count(progress.drawn, 'session')} drawn, {progress.final:,} final, of {report.plan.sessions:,} planned.{ended} All of "
        f"them together: work completed in {progress.median_words}."
    )


def describe_waiting(trial: Trial, report: TrialReport) -> str:
    """Return why there is no verdict yet, or none any more."""
    if trial.stopped_ns:
        return f"No verdict: it was stopped after {report.progress.final:,} of {report.plan.sessions:,} sessions; fewer conclude nothing."
    still = f"{format_count(report.still, 'session')} {'is' if report.still == 1 else 'are'} still needed"
    return (
        f"Not yet: {still}. Until then nothing is said of the difference, because whoever looks again and again sees one by chance. "
        "A session is final a day after its last line once another has begun, else after a week."
    )


def describe_verdict(part: PartResult) -> str:
    """Return what is claimed of a part, as a sentence."""
    return f"{part.why[:1].upper()}{part.why[1:]}."


def describe_needed(part: PartResult) -> str:
    """Return how many sessions would show what this trial did not, "" where it shows it."""
    return f"A new trial would need about {part.needed:,} sessions in all to show it." if part.needed else ""


def list_measures(plan: Plan, part: PartResult) -> list[MeasureLine]:
    """Return the measures of a part in their order: the first two decide."""
    lines = [
        _compare("completed work, with − without", part.completed, "points", 100, 1, "too few sessions to say"),
        _compare("billed, with against without", part.cost, "%", 100, 1, "not known, as no bill stands in the transcripts"),
    ]
    lines = [
        MeasureLine(line.name, line.value, line.interval, line.sessions, beside)
        for line, beside in zip(lines, (f"margin −{100 * plan.margin:g} points", f"margin ±{100 * plan.cost_margin:g} %"), strict=True)
    ]
    if part.judged is not None:
        lines.append(_compare("sessions that could be judged, with − without", part.judged, "points", 100, 1, ""))
    return lines + [_compare(f"{SECONDARY[name]}, with − without", found, "", 1, 2, "") for name, found in part.secondary]


def describe_additions(share: Share | None) -> str:
    """Return how much of what was added to prompts was used, in a sentence."""
    if share is None:
        return "Nothing was added to the prompts of these sessions that could be looked at since."
    return (
        f"Additions used: {share.used:,} of {share.whole:,} files named beside prompts were read or changed afterwards, "
        f"{100 * share.value:.0f} % [{100 * share.low:.0f}, {100 * share.high:.0f}], in {format_count(share.groups, 'session')}. "
        "Some of them would have been found without."
    )


def _compare(name: str, found: Interval | None, unit: str, factor: float, decimals: int, missing: str) -> MeasureLine:
    if found is None:
        return MeasureLine(name, missing)
    low, high = (_end(factor * value, decimals) for value in (found.low, found.high))
    value = f"{factor * found.value:+.{decimals}f} {unit}".strip()
    return MeasureLine(name, value, f"[{low}, {high}]", f"{found.n_with} with, {found.n_without} without")


def _end(value: float, decimals: int) -> str:
    return f"{value:+.{decimals}f}" if abs(value) < float("inf") else ("+∞" if value > 0 else "−∞")
