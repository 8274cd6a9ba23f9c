"""Compress: have a language model choose lines of ingested sessions, which is stored beside the originals, as jobs of the queue."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import inf
from pathlib import Path

import msgspec

from clew.enrich.compress import CompressionReport, StoredTranscript, WorkLimits, compress_session
from clew.enrich.models import Model
from clew.enrich.prompt import ANSWER_TOKENS, PROMPT_VERSION
from clew.errors import NoUsableAnswers, WorkTaken
from clew.lifecycle.apply import apply_deltas
from clew.lifecycle.queue import Job, JobNote, claim, enqueue, finish, give_back, list_jobs
from clew.settings import Settings
from clew.store.ports import Writer
from clew.text.tokens import make_counter
from clew.usecases.ingest import ingest_transcript, load_stored_transcript
from clew.usecases.inputs import ProgressCallback, is_there
from clew.usecases.places import find_memory, find_session_root
from clew.usecases.work import JobOutcome, WorkContext

JOB_KIND = "compress"
PRIORITY = 10.0  # a person asked for it; what nobody asked for has at most 1


class CompressInput(msgspec.Struct, frozen=True):
    """What a job of this kind begins with: the session's id, and how it is cut."""

    session: str
    tokenizer: str
    chunk_tokens: int


@dataclass(frozen=True, slots=True)
class _Run:
    """How the sessions of a call are compressed."""

    store: Writer
    key: str
    root: Path
    model: Model
    limits: WorkLimits
    progress: ProgressCallback | None = None
    dry_run: bool = False

    def compress(self, wanted: CompressInput, done: CompressionReport) -> None:
        """Compress one session as far as the limits allow; each text is stored before the next request."""
        found, lines = load_stored_transcript(self.store, self.key, wanted.session)
        root = find_session_root(found.cwd, self.root)
        base = str(root) if not found.cwd or Path(found.cwd).is_relative_to(root) else found.cwd
        for delta in compress_session(
            self.store, self.key, StoredTranscript(found, lines, str(root), base), self.model, done,
            counter=make_counter(wanted.tokenizer), chunk_tokens=wanted.chunk_tokens, limits=self.limits, dry_run=self.dry_run,
            progress=self.progress,
        ):  # fmt: skip
            apply_deltas(self.store, self.key, [delta])


def compress(
    store: Writer, settings: Settings, path: Path, sessions: Sequence[str], model: Model, *, tokenizer: str, chunk_tokens: int,
    seconds: float = inf, tokens: float = inf, dry_run: bool = False, is_queued: bool = False, progress: ProgressCallback | None = None,
) -> CompressionReport:  # fmt: skip
    """Have a model choose the lines of each part of these sessions that are to be kept, and store what of its answers holds.

    sessions      paths of transcripts, which are ingested first, or ids of ingested sessions.
    chunk_tokens  tokens of a session in one request, as `tokenizer` counts them.
    seconds, tokens  after which no further request begins; another call goes on from there.
    dry_run       send and store nothing, but return what would be sent.
    is_queued     what is not done now stays in the queue for the model that the settings name; with 0 seconds that is all of it.
    Raises ModelError if a request fails (earlier texts stay), NoUsableAnswers if the model answered and nothing could be stored,
    WorkTaken if another process does the same at this moment.
    """
    started = time.perf_counter()
    key, root = find_memory(store, path)
    done = CompressionReport()
    limits = WorkLimits(time.monotonic() + seconds, tokens)
    run = _Run(store, key, root, model, limits, progress, dry_run)
    for session in sessions:
        stored = ingest_transcript(store, settings, session, path).id if is_there(session) else session
        found, lines = load_stored_transcript(store, key, stored)
        wanted = CompressInput(found.id, tokenizer, chunk_tokens)
        done.sessions += 1
        if dry_run:
            run.compress(wanted, done)
            continue
        job = _job(wanted, sum(map(len, lines)))
        enqueue(store, key, [job], is_again=True)
        held = next(each for each in list_jobs(store, key, JOB_KIND) if each.key == job.key)
        mine = claim(store, key, held, time.time_ns())
        if mine is None:
            raise WorkTaken(found.id)
        left = done.left
        try:
            run.compress(wanted, done)
        except BaseException:
            _leave(store, key, mine, is_queued=is_queued)
            raise
        if done.left > left:
            _leave(store, key, mine, is_queued=is_queued, left=_tokens_of(done.left - left, chunk_tokens))
        else:
            finish(store, key, mine, time.time_ns(), model=model.name)
    done.seconds = time.perf_counter() - started
    if done.asked and len(done.refused) >= done.asked and not (done.known or done.lines or dry_run):
        raise NoUsableAnswers(tuple(dict.fromkeys(reason for _, _, reason in done.refused)))
    return done


def run_compress_job(context: WorkContext, job: Job) -> JobOutcome:
    """Go on with a queued session. Raises ModelError, NoUsableAnswers."""
    wanted = msgspec.json.decode(job.note.input, type=CompressInput)
    done = CompressionReport()
    _Run(context.store, context.workspace, context.root, context.model, context.limits).compress(wanted, done)
    if done.asked and len(done.refused) >= done.asked and not (done.known or done.lines):
        raise NoUsableAnswers(tuple(dict.fromkeys(reason for _, _, reason in done.refused)))
    spent = max(done.tokens_sent, done.billed_in) + done.billed_out
    return JobOutcome(spent, _tokens_of(done.left, wanted.chunk_tokens) if done.left else None)


def _job(wanted: CompressInput, size: int) -> Job:
    """The job of compressing a session whose transcript has so many bytes. How many tokens of it are sent is known when it is cut."""
    digest = blake2b(msgspec.json.encode([PROMPT_VERSION, wanted, size]), digest_size=16).hexdigest()
    note = JobNote(PRIORITY, 0, msgspec.json.encode(wanted).decode())
    return Job(JOB_KIND, wanted.session, digest, note=note)


def _tokens_of(parts: int, chunk_tokens: int) -> tuple[int, int]:
    """Tokens that a model reads and writes for so many parts, about."""
    return parts * chunk_tokens, parts * ANSWER_TOKENS


def _leave(store: Writer, key: str, job: Job, *, is_queued: bool, left: tuple[int, int] | None = None) -> None:
    """Leave what was not done in the queue, or take it away: the next call with the same session goes on either way."""
    if is_queued:
        give_back(store, key, job, time.time_ns(), left=left)
    else:
        enqueue(store, key, (), gone=[job])
