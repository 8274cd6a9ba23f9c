"""Forget: move records that are not used to cheaper tiers; purge: erase records for good."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from clew import usecases
from clew.errors import UnknownHandle
from clew.files import replace_file
from clew.lifecycle import forget as lifecycle
from clew.lifecycle.forget import ForgetReport, ForgetRules
from clew.lifecycle.training_sets import drop_sessions
from clew.records import Tier
from clew.settings import Settings
from clew.store.ports import LOCAL, PurgeResult, Writer
from clew.usecases.inputs import find_record, get_source_state
from clew.usecases.places import find_code, find_holder, find_memory

if TYPE_CHECKING:
    from clew.enrich.models.states import ModelStates


class ForgettingStatus(msgspec.Struct):
    """What unasked forgetting did in all passes so far, when the last one began and how long it took.

    workspace, source  where the next pass goes on; "" where the last one came to the end.
    """

    at_ns: int = 0
    took_s: float = 0.0
    folded: int = 0
    archived: int = 0
    shortened: int = 0
    packed: int = 0
    saved: int = 0
    expired: int = 0
    lost: int = 0
    workspace: str = ""
    source: str = ""


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
    report = lifecycle.forget_idle(store, key, _rules(settings), now_ns=time.time_ns(), dry_run=dry_run)
    _drop_copies(store, settings, key, () if dry_run else report.expired)
    return report


def forget_when_idle(store: Writer, settings: Settings, may_go_on: Callable[[], bool]) -> ForgettingStatus:
    """Forget in all workspaces for at most `forget_seconds`, from where the last pass stopped; store and return what was done.

    may_go_on  is asked between two sources as well: the pass ends when somebody asks something.
    """
    before, started = read_forgetting(settings), time.monotonic()
    now = ForgettingStatus(at_ns=time.time_ns())
    keys = sorted(key for key, _ in store.roots())
    left, begin_at = ([key for key in keys if key >= before.workspace], before.source) if before.workspace else (keys, "")
    for key in left:
        at = begin_at if key == before.workspace else ""
        report = lifecycle.forget_idle(
            store, key, _rules(settings), now_ns=now.at_ns, begin_at=at,
            may_go_on=lambda: may_go_on() and time.monotonic() - started < settings.forget_seconds,
        )  # fmt: skip
        _drop_copies(store, settings, key, report.expired)
        now.folded += len(report.folded)
        now.archived += len(report.archived)
        now.shortened += report.shortened
        now.packed += report.packed
        now.saved += report.saved
        now.expired += len(report.expired)
        now.lost += len(report.lost)
        if report.next_source:
            now.workspace, now.source = key, report.next_source
            break
    now.took_s = round(time.monotonic() - started, 3)
    for name in ("folded", "archived", "shortened", "packed", "saved", "expired", "lost"):
        setattr(now, name, getattr(now, name) + getattr(before, name))
    with suppress(OSError):  # it is only told, and the next pass begins at the start
        replace_file(forgetting_path(settings), msgspec.json.encode(now))
    return now


def read_forgetting(settings: Settings) -> ForgettingStatus:
    """Return what unasked forgetting did so far; all zero where it never ran, or what it noted cannot be read."""
    try:
        return msgspec.json.decode(forgetting_path(settings).read_bytes(), type=ForgettingStatus)
    except (OSError, msgspec.MsgspecError, RecursionError):
        return ForgettingStatus()


def forgetting_path(settings: Settings) -> Path:
    """Return the path of the file in which a pass notes what was done, and where the next one goes on."""
    return settings.database_path.with_name(f"{settings.database_path.name}.forgetting")


def _rules(settings: Settings) -> ForgetRules:
    return ForgetRules(settings.folded_after_days, settings.archived_after_days, settings.keep_days, settings.keep_megabytes)


def _drop_copies(store: Writer, settings: Settings, key: str, expired: Sequence[str]) -> None:
    """Erase what was made of sessions that were purged: rows of training sets, stored states of models, which files they edited."""
    if expired:
        usecases.ingest.record_edited_files(store, key, list(expired))
        drop_sessions(settings.data_dir, set(expired))
        _states(settings).erase()


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
