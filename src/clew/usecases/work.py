"""Work: do queued jobs with a model, one after another, within limits of time and tokens."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import TypeAlias

from clew.enrich.compress import WorkLimits
from clew.enrich.models import Model
from clew.errors import ModelError, NoUsableAnswers, StoreError
from clew.lifecycle.queue import Job, claim, fail, finish, give_back, list_open_jobs
from clew.settings import Settings
from clew.store.ports import Writer
from clew.usecases.inputs import ProgressCallback

FAILURES_MAX = 3  # one after another, and the run ends: the model is at fault, and not the jobs


@dataclass(frozen=True, slots=True)
class WorkContext:
    """What a job is done with. `root` is the folder of its workspace; no request begins once `limits` are reached."""

    store: Writer
    settings: Settings
    workspace: str
    root: Path
    model: Model
    limits: WorkLimits


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """What became of a job.

    tokens  sent and answered for it.
    left    tokens still to be read and written, where the limits ended it early; None where it is done.
    reason  why nothing could be made of it, "" where something was.
    """

    tokens: int = 0
    left: tuple[int, int] | None = None
    reason: str = ""


JobRunner: TypeAlias = Callable[[WorkContext, Job], JobOutcome]
"""Does one job, storing each result at once. Raises ModelError."""


@dataclass(slots=True)
class WorkReport:
    """What a run did.

    done, left  jobs that were finished, and that are still queued.
    failed      (kind, key, reason) of jobs that failed in this run, or of which nothing could be made.
    """

    done: int = 0
    left: int = 0
    tokens: int = 0
    seconds: float = 0.0
    failed: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])


def work(
    store: Writer, settings: Settings, model: Model, *,
    seconds: float = inf, tokens: float = inf, progress: ProgressCallback | None = None,
) -> WorkReport:  # fmt: skip
    """Do queued jobs of all workspaces, the most wanted first, until none is left or a limit is reached.

    Each job is claimed, done and marked; one that the limits end early, or an interruption, is queued again with what is left of it.
    Raises ModelError after FAILURES_MAX failures one after another: what was done before stands.
    """
    started = time.perf_counter()
    ends_at = time.monotonic() + seconds
    report = WorkReport()
    known = find_runners()
    roots = dict(store.roots())
    failures = 0
    to_do = [(key, job) for key, job in list_open_jobs(store) if job.kind in known]
    try:
        for at, (key, job) in enumerate(to_do):
            if report.tokens >= tokens or time.monotonic() >= ends_at:
                break
            mine = claim(store, key, job, time.time_ns())
            if mine is None:
                continue
            if progress:
                progress("working", at, len(to_do))
            context = WorkContext(store, settings, key, Path(roots[key]), model, WorkLimits(ends_at, tokens - report.tokens))
            try:
                with _given_back(store, key, mine):
                    outcome = known[job.kind](context, mine)
            except NoUsableAnswers as error:
                outcome = JobOutcome(reason=str(error).partition("\n")[0])
            except ModelError as error:
                failures += 1
                reason = str(error).partition("\n")[0]
                report.failed.append((job.kind, job.key, reason))
                fail(store, key, mine, time.time_ns(), reason)
                if failures >= FAILURES_MAX:
                    raise
                continue
            failures = 0
            report.tokens += outcome.tokens
            if outcome.left is not None:
                give_back(store, key, mine, time.time_ns(), left=outcome.left)
                continue
            finish(store, key, mine, time.time_ns(), model=model.name, reason=outcome.reason)
            report.done += 1
            if outcome.reason:
                report.failed.append((job.kind, job.key, outcome.reason))
    finally:
        report.seconds = time.perf_counter() - started
    report.left = sum(job.kind in known for _, job in list_open_jobs(store))
    return report


@contextmanager
def _given_back(store: Writer, workspace: str, job: Job) -> Generator[None]:
    """Queue the job again where something other than the model ends it: an interruption, or a store that takes nothing."""
    try:
        yield
    except ModelError:
        raise
    except BaseException:
        with suppress(StoreError):  # then the claim counts until this process is gone
            give_back(store, workspace, job, time.time_ns())
        raise


def find_runners() -> Mapping[str, JobRunner]:
    """Return what does each kind of job, by kind."""
    from clew.usecases.compress import run_compress_job  # lazy: they import this module for what they are handed
    from clew.usecases.semantic import run_judge_job  # lazy: as above

    return {"compress": run_compress_job, "judge": run_judge_job}
