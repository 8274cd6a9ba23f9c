"""Compress: have a language model write short texts of ingested sessions, stored beside the originals."""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import inf
from pathlib import Path

from clew.enrich.compress import CompressionReport, StoredTranscript, WorkLimits, compress_session
from clew.enrich.models import Model
from clew.errors import NoUsableAnswers
from clew.lifecycle.apply import apply_deltas
from clew.settings import Settings
from clew.store.ports import Writer
from clew.text.tokens import make_counter
from clew.usecases.ingest import ingest_transcript, load_stored_transcript
from clew.usecases.inputs import ProgressCallback
from clew.usecases.places import find_memory, find_session_root


def compress(
    store: Writer, settings: Settings, path: Path, sessions: Sequence[str], model: Model, *, tokenizer: str, chunk_tokens: int,
    seconds: float = inf, tokens: float = inf, dry_run: bool = False, progress: ProgressCallback | None = None,
) -> CompressionReport:  # fmt: skip
    """Have a model write a short text of each part of these sessions, and store the lines of it that cite their source.

    sessions      paths of transcripts, which are ingested first, or ids of ingested sessions.
    chunk_tokens  tokens of a session in one request, as `tokenizer` counts them.
    seconds, tokens  after which no further request begins; another call goes on from there.
    dry_run       send and store nothing, but return what would be sent.
    Each text is stored before the next request. Raises ModelError if a request fails (earlier texts stay), NoUsableAnswers if the model
    answered and no line could be stored.
    """
    started = time.perf_counter()
    key, root = find_memory(store, path)
    done = CompressionReport()
    counter = make_counter(tokenizer)
    limits = WorkLimits(time.monotonic() + seconds, tokens)
    for session in sessions:
        found, lines = load_stored_transcript(
            store, key, ingest_transcript(store, settings, session, path).id if Path(session).exists() else session
        )
        root = find_session_root(found.cwd, root)
        base = str(root) if not found.cwd or Path(found.cwd).is_relative_to(root) else found.cwd
        done.sessions += 1
        for delta in compress_session(
            store, key, StoredTranscript(found, lines, str(root), base), model, done,
            counter=counter, chunk_tokens=chunk_tokens, limits=limits, dry_run=dry_run, progress=progress,
        ):  # fmt: skip
            apply_deltas(store, key, [delta])
    done.seconds = time.perf_counter() - started
    if done.asked and len(done.refused) >= done.asked and not (done.known or done.lines or dry_run):
        raise NoUsableAnswers(tuple(dict.fromkeys(reason for _, _, reason in done.refused)))
    return done
