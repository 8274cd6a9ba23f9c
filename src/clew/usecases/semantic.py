"""Semantic: keep the edges between functions of the core current, and queue for a model what changed of them."""

from __future__ import annotations

import time
from hashlib import blake2b

import msgspec

from clew.enrich.function_edges import (
    ALIKE_SOURCE,
    JUDGE_KIND,
    CoreCounts,
    CoreFunction,
    CorePlan,
    compute_plan_digest,
    find_alike_changes,
    plan_core,
    read_core_counts,
)
from clew.enrich.judge_pairs import PRODUCER, build_judgement_delta, estimate_tokens, judge_function
from clew.lifecycle.apply import apply_deltas
from clew.lifecycle.queue import Job, JobNote, JobStatus, enqueue, list_jobs
from clew.packet.options import OriginalCache
from clew.records import SEMANTIC_SOURCE, Delta, Record, SourceState
from clew.settings import Settings
from clew.store.ports import LOCAL, Writer
from clew.usecases.work import JobOutcome, WorkContext


class JudgeInput(msgspec.Struct, frozen=True):
    """What a job of this kind begins with: ids of the function and of its candidates, and their chances."""

    function: str
    others: list[str]
    chances: list[float]


def update_function_edges(store: Writer, settings: Settings, key: str) -> CoreCounts:
    """Bring the edges between functions of the core up to date after an index, and queue what a model has to judge anew.

    Does nothing where the setting `core_functions` is 0, but for taking away what an earlier one made.
    """
    with store.snapshot(LOCAL, key) as snapshot:
        state = snapshot.source_state(ALIKE_SOURCE)
        if settings.core_functions == 0 and state is None:
            return CoreCounts()
        known = {each.source: each.digest for each in snapshot.source_states(ALIKE_SOURCE) if each.source != ALIKE_SOURCE}
        judged = {each.source: each.digest for each in snapshot.source_states(SEMANTIC_SOURCE)}
        if settings.core_functions == 0:
            plan = None
        elif state is not None and state.digest == compute_plan_digest(snapshot, settings.core_functions, settings.model):
            return read_core_counts(state)
        else:
            plan = plan_core(snapshot, settings.core_functions, settings.model)
    if plan is None:
        gone = [Delta(PRODUCER, source, is_whole=True, state=None) for source in (ALIKE_SOURCE, *known)]
        apply_deltas(store, key, [*gone, *map(_forgotten, judged)])
        enqueue(store, key, (), gone=list_jobs(store, key, JUDGE_KIND))
        return CoreCounts()
    if settings.model:
        _queue(store, key, plan, settings.model)
    apply_deltas(store, key, find_alike_changes(plan, known))  # the last of them says that the plan is carried out
    return plan.counts


def _queue(store: Writer, key: str, plan: CorePlan, model: str) -> None:
    """Queue the functions whose text or candidates a model has not judged; take away jobs of functions that left the core."""
    jobs = [_job(each, model) for each in plan.functions]
    wanted = {job.key for job in jobs}
    gone = [job for job in list_jobs(store, key, JUDGE_KIND) if job.key not in wanted]
    enqueue(store, key, jobs, gone=gone)
    stale = [_forgotten(SEMANTIC_SOURCE + job.key) for job in gone if job.status == JobStatus.DONE]
    if stale:
        apply_deltas(store, key, stale)


def _forgotten(source: str) -> Delta:
    """The end of what was thought of a function. The source stays known, because a purge looks for its ended records too."""
    return Delta(PRODUCER, source, is_whole=True, state=SourceState(source))


def _job(function: CoreFunction, model: str) -> Job:
    wanted = JudgeInput(function.record.id, [each.id for each, _, _ in function.others], [chance for _, _, chance in function.others])
    digest = blake2b(msgspec.json.encode([PRODUCER, model, wanted.function, wanted.others]), digest_size=16).hexdigest()
    read_tokens, write_tokens = estimate_tokens(function)
    worth = sum(wanted.chances) / (1 + read_tokens / 1000)  # later pairs that its candidates hold, for each thousand tokens
    return Job(
        JUDGE_KIND, function.key, digest, read_tokens, note=JobNote(min(worth, 1.0), write_tokens, msgspec.json.encode(wanted).decode())
    )


def run_judge_job(context: WorkContext, job: Job) -> JobOutcome:
    """Have the model judge a function's candidates, and store what it thinks. Raises ModelError."""
    wanted = msgspec.json.decode(job.note.input, type=JudgeInput)
    with context.store.snapshot(LOCAL, context.workspace) as snapshot:
        ids = [wanted.function, *wanted.others]
        records = {record.id: record for record in snapshot.records(ids)}
        live = {each for each, status in zip(ids, snapshot.statuses(ids), strict=True) if status.is_live and each in records}
        cache = OriginalCache(snapshot)
        texts = {each: cache.text_of(records[each].full_text) for each in live}
    others: list[tuple[Record, str, float]] = [
        (records[each], texts[each], chance) for each, chance in zip(wanted.others, wanted.chances, strict=True) if each in live
    ]
    if wanted.function not in live or not others:
        return JobOutcome(reason="the functions have changed since; the next index queues them anew")
    function = CoreFunction(records[wanted.function], texts[wanted.function], tuple(others))
    judged = judge_function(function, context.model)
    delta = build_judgement_delta(function, context.model.name, judged, job.digest, time.time_ns())
    apply_deltas(context.store, context.workspace, [delta])
    return JobOutcome(judged.tokens)
