"""Forget: move records that are not used to cheaper tiers; purge: erase records for good."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clew import usecases
from clew.errors import UnknownHandle
from clew.lifecycle import forget as lifecycle
from clew.lifecycle.forget import ForgetReport
from clew.lifecycle.training_sets import drop_sessions
from clew.records import Tier
from clew.settings import Settings
from clew.store.ports import LOCAL, PurgeResult, Writer
from clew.usecases.inputs import find_record, get_source_state
from clew.usecases.places import find_code, find_holder, find_memory

if TYPE_CHECKING:
    from clew.enrich.models.states import ModelStates


def forget(
    store: Writer, settings: Settings, path: Path, *, handles: Sequence[str] = (), tier: Tier | None = None, dry_run: bool = False
) -> ForgetReport:
    """Move records to a cheaper tier: those of `handles` to `tier` (None: archived), or without handles all old enough by the settings.

    With dry_run nothing moves. Raises UnknownHandle.
    """
    key, _ = find_memory(store, path)
    if handles:
        key = find_holder(store, path, handles[0])
        ids = _ids_behind(store, key, handles)
        return lifecycle.move_records(store, key, ids, Tier.ARCHIVED if tier is None else tier, dry_run=dry_run)
    if not dry_run:
        _states(settings).archive_idle(used_before_ns=time.time_ns() - settings.folded_after_days * lifecycle.DAY_NS)
    return lifecycle.move_idle_records(
        store,
        key,
        now_ns=time.time_ns(),
        folded_after_days=settings.folded_after_days,
        archived_after_days=settings.archived_after_days,
        dry_run=dry_run,
    )


def purge(store: Writer, settings: Settings, path: Path, *, handles: Sequence[str] = (), source: str = "", reason: str = "") -> PurgeResult:
    """Erase records, or a whole source (`session:<id>` or `file:<path>`), for good, leaving tombstones with the reason.

    The rows of training sets that were made of a session of which anything is erased go too.
    The stored states of models go as well, all of them: what was erased may stand in any prompt that they hold.
    Raises UnknownHandle for an unknown handle or source, NotReadable for a training set that cannot be read.
    """
    _states(settings).erase()
    key, _ = find_memory(store, path) if source.startswith("session:") else find_code(store, path)
    if not source:
        key = find_holder(store, path, handles[0]) if handles else key
        ids = _ids_behind(store, key, handles)
        with store.snapshot(LOCAL, key) as snapshot:
            sessions = {record.session for record in snapshot.records(ids) if record.session}
        gone = lifecycle.purge_records(store, key, ids, reason=reason, now_ns=time.time_ns())
        return replace(gone, rows=drop_sessions(settings.data_dir, sessions))
    if get_source_state(store, key, source) is None:
        raise UnknownHandle(source)
    gone = lifecycle.purge_whole_source(store, key, source, reason=reason, now_ns=time.time_ns())
    memory, _ = find_memory(store, path)
    if source.startswith("file:") and memory != key:  # a work tree of its own: its sessions are stored with those of the others
        lifecycle.purge_packets_naming(store, memory, source.removeprefix("file:"), reason=reason, now_ns=time.time_ns())
    if source.startswith("session:"):
        session = source.removeprefix("session:")
        usecases.ingest.record_edited_files(store, key, [session])
        gone = replace(gone, rows=drop_sessions(settings.data_dir, {session.partition("/")[0]}))
    return gone


def _states(settings: Settings) -> ModelStates:
    from clew.enrich.models.states import ModelStates  # lazy: with the clients of models comes aiohttp, which nothing else here needs

    return ModelStates(settings.data_dir, settings.model_states_mb * 10**6)


def _ids_behind(store: Writer, key: str, handles: Sequence[str]) -> list[str]:
    with store.snapshot(LOCAL, key) as snapshot:
        return [find_record(snapshot, handle).id for handle in handles]
