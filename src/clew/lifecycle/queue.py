"""Queue: keep background work in the store, as rows of the workspace that it is about.

A job is the state of a source named `work:<kind>:<key>`, so every store keeps it as it keeps everything else: transactional, exported,
verified, by tenant and workspace. A job is taken by comparing and replacing its state, so two workers never have the same one. The claim
of a worker that was killed counts no longer as soon as its process is gone, and on another machine after LEASE_NS. What a job made is
stored before it is marked as done; its results are records and edges of their own.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from clew.lifecycle.apply import apply_deltas
from clew.records import Delta, SourceState
from clew.store.ports import LOCAL, Reader, Writer

WORK_SOURCE = "work:"  # sources that are jobs
PRODUCER = "work/1"  # name and version in the Deltas of this module
TRIES_MAX = 3  # after so many failures a job waits for a person; guess
LEASE_NS = 30 * 60 * 10**9  # a claim of another machine lapses after this time without a word; longer than any one request; guess


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    DONE = "done"
    FAILED = "failed"


class JobNote(msgspec.Struct, frozen=True):
    """What a job's state holds beside its digest, status and time.

    priority       higher ones come first.
    write_tokens   that the model is expected to write; those that it reads are the state's size.
    input          what the kind of work needs to begin, as JSON.
    owner          machine and process that hold the claim; "" for nobody.
    tries, reason  failures so far, and the last one's sentence.
    model          that did it; "" before.
    """

    priority: float = 0.0
    write_tokens: int = 0
    input: str = ""
    owner: str = ""
    tries: int = 0
    reason: str = ""
    model: str = ""


NO_NOTE = JobNote()


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work for a model.

    kind, key    what is to be done, and about what; together they name the job in its workspace.
    digest       of all that its result depends on: a job that was done for this digest is not queued again.
    read_tokens  that the model is expected to read.
    at_ns        when its status was set; of a claimed job, when the claim lapses.
    """

    kind: str
    key: str
    digest: str
    read_tokens: int = 0
    status: JobStatus = JobStatus.QUEUED
    at_ns: int = 0
    note: JobNote = NO_NOTE

    @property
    def source(self) -> str:
        """Name of the source that the job is the state of."""
        return f"{WORK_SOURCE}{self.kind}:{self.key}"

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done."""
        return self.status in (JobStatus.QUEUED, JobStatus.CLAIMED)

    def to_state(self) -> SourceState:
        """Return the state that stores this job."""
        return SourceState(self.source, self.digest, self.read_tokens, self.at_ns, self.status, msgspec.json.encode(self.note).decode())


def job_from_state(state: SourceState) -> Job:
    """Return the job that a state stores. Raises msgspec.DecodeError or ValueError for one of a release that stored it otherwise."""
    kind, _, key = state.source.removeprefix(WORK_SOURCE).partition(":")
    note = msgspec.json.decode(state.note, type=JobNote)
    return Job(kind, key, state.digest, state.size, JobStatus(state.status), state.mtime_ns, note)


def list_jobs(store: Reader, workspace: str, kind: str = "") -> list[Job]:
    """Return the jobs of a workspace, done ones included, by falling priority, then by name; those of one kind where it is given."""
    with store.snapshot(LOCAL, workspace) as snapshot:
        states = snapshot.source_states(f"{WORK_SOURCE}{kind}:" if kind else WORK_SOURCE)
    return sorted(map(job_from_state, states), key=lambda job: (-job.note.priority, job.source))


def enqueue(store: Writer, workspace: str, jobs: Iterable[Job], *, gone: Iterable[Job] = (), is_again: bool = False) -> int:
    """Queue jobs, and take others away, in one transaction; return how many are newly queued.

    A job that is queued, or was done, for the same digest stays as it is; one for another digest is queued anew.
    is_again  a person asks for it: one that was done or failed is queued anew as well.
    """
    wanted = {job.source: job for job in jobs}
    with store.snapshot(LOCAL, workspace) as snapshot:
        known = {source: job_from_state(state) for source, state in snapshot.states_of_sources(wanted.keys()).items()}
    fresh = [job for source, job in wanted.items() if source not in known or known[source].digest != job.digest]
    deltas = [Delta(PRODUCER, job.source, is_whole=False, state=job.to_state()) for job in fresh]
    deltas += [Delta(PRODUCER, job.source, is_whole=True, state=None) for job in gone]
    if deltas:
        apply_deltas(store, workspace, deltas)
    ended = [job for job in wanted.values() if job not in fresh and not known[job.source].is_open] if is_again else []
    return len(fresh) + sum(store.replace_state(workspace, known[job.source].to_state(), job.to_state()) for job in ended)


def claim(store: Writer, workspace: str, job: Job, now_ns: int) -> Job | None:
    """Take a job for this process and return it as claimed; None where it is not to be had: done, changed, or another's."""
    if job.status == JobStatus.CLAIMED:
        if job.at_ns > now_ns and not _is_gone(job.note.owner):
            return None
    elif job.status != JobStatus.QUEUED:
        return None
    note = msgspec.structs.replace(job.note, owner=f"{platform.node()}/{os.getpid()}")
    mine = replace(job, status=JobStatus.CLAIMED, at_ns=now_ns + LEASE_NS, note=note)
    return mine if store.replace_state(workspace, job.to_state(), mine.to_state()) else None


def _is_gone(owner: str) -> bool:
    """Whether an owner is a process of this machine that runs no longer."""
    machine, _, pid = owner.rpartition("/")
    if machine != platform.node() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's, so it runs
        pass
    return False


def give_back(store: Writer, workspace: str, job: Job, now_ns: int, *, left: tuple[int, int] | None = None) -> bool:
    """Queue a claimed job again for the next run; return whether the claim was still held.

    left  tokens to be read and to be written that are left of it; None where nothing of it was done.
    """
    read_tokens, write_tokens = left or (job.read_tokens, job.note.write_tokens)
    note = msgspec.structs.replace(job.note, owner="", write_tokens=write_tokens)
    again = replace(job, status=JobStatus.QUEUED, at_ns=now_ns, read_tokens=read_tokens, note=note)
    return store.replace_state(workspace, job.to_state(), again.to_state())


def finish(store: Writer, workspace: str, job: Job, now_ns: int, *, model: str, reason: str = "") -> bool:
    """Mark a claimed job as done by a model, after its results were stored; return whether the claim was still held.

    reason  why nothing could be made of it, "" where something was.
    """
    note = msgspec.structs.replace(job.note, owner="", tries=0, reason=reason, model=model)
    return store.replace_state(workspace, job.to_state(), replace(job, status=JobStatus.DONE, at_ns=now_ns, note=note).to_state())


def fail(store: Writer, workspace: str, job: Job, now_ns: int, reason: str) -> bool:
    """Note a failure: the job is queued again, behind the others, or counts as failed after TRIES_MAX."""
    tries = job.note.tries + 1
    note = msgspec.structs.replace(job.note, owner="", tries=tries, reason=reason, priority=job.note.priority - 1.0)
    status = JobStatus.FAILED if tries >= TRIES_MAX else JobStatus.QUEUED
    return store.replace_state(workspace, job.to_state(), replace(job, status=status, at_ns=now_ns, note=note).to_state())


def list_open_jobs(store: Reader) -> list[tuple[str, Job]]:
    """Return (workspace, job) of all jobs that are still to be done, by falling priority, then by workspace and name."""
    found = [(key, job) for key, _ in store.roots() for job in list_jobs(store, key) if job.is_open]
    return sorted(found, key=lambda pair: (-pair[1].note.priority, pair[0], pair[1].source))


@dataclass(frozen=True, slots=True)
class QueuedWork:
    """The jobs of one kind in all workspaces, by where they stand, and the tokens that the open ones will take."""

    kind: str
    queued: int = 0
    claimed: int = 0
    done: int = 0
    failed: int = 0
    read_tokens: int = 0
    write_tokens: int = 0


def describe_queue(store: Reader) -> list[QueuedWork]:
    """Return the jobs by kind, kinds by name."""
    jobs = [job for key, _ in store.roots() for job in list_jobs(store, key)]
    found: list[QueuedWork] = []
    for kind in sorted({job.kind for job in jobs}):
        mine = [job for job in jobs if job.kind == kind]
        count = {status: sum(job.status == status for job in mine) for status in JobStatus}
        to_do = [job for job in mine if job.is_open]
        found.append(
            QueuedWork(
                kind, count[JobStatus.QUEUED], count[JobStatus.CLAIMED], count[JobStatus.DONE], count[JobStatus.FAILED],
                sum(job.read_tokens for job in to_do), sum(job.note.write_tokens for job in to_do),
            )
        )  # fmt: skip
    return found
