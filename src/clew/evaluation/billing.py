"""Billing: what sessions were billed, and what the same requests would have cost with clew, against doing nothing and against the client's
own compaction. Savings and losses alike, with intervals over many sessions.

Only what the client notes of its requests is priced, and only what `clew.evaluation.repricing` replays. A session in which clew already
worked holds shortened outputs: what they saved before cannot be seen in it, so that is not counted and said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clew.errors import NotReadable
from clew.evaluation.cases import read_transcript_lines
from clew.evaluation.intervals import CONFIDENCE, draw
from clew.evaluation.repricing import APPEND, BILLED, BOTH, NOTHING, SCHEDULE, reprice
from clew.transcript.session_files import find_session_files

ARMS = {
    APPEND: "outputs shortened as they arrive (hooks)",
    SCHEDULE: "old outputs taken out later (gateway)",
    BOTH: "both",
}
EVEN = 1e-6  # a share of the bill beyond which an arm is dearer


@dataclass(frozen=True, slots=True)
class SessionBill:
    """One session priced again. All amounts are units: the price of one token of plain input of its model.

    billed       as the client notes it; output  of it for what the model wrote.
    nothing      of the same requests by the cache model, without what the client's compactions took; `compaction` is that.
    arms         arm → units, with clew, without any summary by a model.
    unfolds      arm → requests charged because something that was left out was needed.
    model_error  by which the cache model is off the bill, as a share.
    dollars_per_unit  list price; None where it is not known.
    """

    session: str
    folder: str
    model: str
    requests: int
    calls: int
    compactions: int
    billed: float
    output: float
    nothing: float
    compaction: float
    arms: dict[str, float]
    unfolds: dict[str, int]
    model_error: float
    dollars_per_unit: float | None

    def compare(self, arm: str) -> float:
        """Return by which share an arm is dearer than doing nothing, what summaries cost left out of both; below 0 it is cheaper."""
        return self.arms[arm] / self.nothing - 1

    @property
    def compaction_share(self) -> float | None:
        """What the client's compactions cost, as a share of doing nothing; None where it never compacted."""
        return self.compaction / self.nothing if self.compactions else None


@dataclass(frozen=True, slots=True)
class Spread:
    """A share over many sessions: of all they cost together, the median session with its interval, the best and the worst one."""

    pooled: float
    median: float
    low: float
    high: float
    best: float
    worst: float
    cheaper: int
    dearer: int
    sessions: int


@dataclass(frozen=True, slots=True)
class BillReport:
    """The bills of many sessions: those that hold bills, how many hold none, and sentences about those that cannot be read.

    arms        arm → its share against doing nothing; empty without bills.
    compaction  what the client's own compactions cost, over the sessions that have any; None without.
    """

    bills: tuple[SessionBill, ...]
    without: int
    problems: tuple[str, ...]
    arms: dict[str, Spread]
    compaction: Spread | None
    model_error: float


def price_session(path: Path) -> SessionBill | None:
    """Return the bill of the session of a transcript; None where it notes none. Raises NotReadable. Cost: about a second for 1 MB."""
    session = find_session_files(path)
    told = reprice(read_transcript_lines(path))
    if told is None:
        return None
    nothing, billed = told.arms[NOTHING], told.arms[BILLED]
    per_unit = nothing.dollars / nothing.units if nothing.dollars is not None and nothing.units else None
    return SessionBill(
        session.id, session.cwd or str(path.parent), told.model, told.requests, told.calls, told.compactions, billed.units,
        billed.output_units, nothing.units - told.summary_units, told.summary_units, {arm: told.arms[arm].units for arm in ARMS},
        {arm: told.arms[arm].unfolds for arm in ARMS}, told.bill_error, per_unit,
    )  # fmt: skip


def price_quietly(path: Path) -> SessionBill | str | None:
    """Return the bill of a session, None where it notes none, or a sentence that says why it cannot be read."""
    try:
        return price_session(path)
    except (NotReadable, OSError) as problem:
        return str(problem)


def build_bill_report(found: Sequence[SessionBill | str | None]) -> BillReport:
    """Return the report over what `price_quietly` returned for each session."""
    bills = tuple(each for each in found if isinstance(each, SessionBill) and each.nothing > 0)
    compacted = [each for each in bills if each.compactions]
    return BillReport(
        bills, sum(each is None for each in found), tuple(each for each in found if isinstance(each, str)),
        {arm: _spread(bills, [each.arms[arm] - each.nothing for each in bills]) for arm in (ARMS if bills else ())},
        _spread(compacted, [each.compaction for each in compacted]) if compacted else None,
        float(np.median([abs(each.model_error) for each in bills])) if bills else 0.0,
    )  # fmt: skip


def _spread(bills: Sequence[SessionBill], extra: Sequence[float]) -> Spread:
    """The spread of what is paid beyond doing nothing, as shares; folders are drawn, and then their sessions."""
    units = np.array([each.nothing for each in bills])
    shares = np.array(extra) / units
    order = np.argsort(shares, kind="stable")
    reached = np.cumsum(draw(tuple(each.folder for each in bills))[:, order], axis=1)
    medians = shares[order][(reached >= reached[:, -1:] / 2).argmax(axis=1)]
    low, high = np.quantile(medians, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Spread(
        float(sum(extra) / units.sum()), float(np.median(shares)), float(low), float(high), float(shares.min()), float(shares.max()),
        int((shares < -EVEN).sum()), int((shares > EVEN).sum()), len(bills),
    )  # fmt: skip
