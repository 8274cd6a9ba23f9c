"""Trials: write down the outcomes of a trial's sessions that are final by now, from the transcripts that clients keep."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from clew.adapters.clients import find_repository_transcript_dirs
from clew.engine import Engine
from clew.evaluation.trials import measure_pending
from clew.trial.log import NoTrial, Trial, TrialLog


def measure_final(log: TrialLog, engine: Engine, report: Callable[[int, int], None]) -> Trial:
    """Write down what is final by now, and return the trial with it; `report` is told (sessions done, of all that have no outcome).

    Raises NoTrial, TrialDamaged, OSError.
    """
    trial = log.read_current()
    if trial is None:
        raise NoTrial
    waiting = len(trial.drawn) - len(trial.outcomes)
    report(0, waiting)
    pending = measure_pending(
        trial,
        lambda root: find_repository_transcript_dirs(Path(root)),
        lambda root, session: engine.list_added_files(Path(root), session),
        now_ns=time.time_ns(),
    )
    for done, outcome in enumerate(pending, 1):
        if outcome is not None:
            log.record_outcome(outcome)
        report(done, waiting)
    return log.read_current() or trial
