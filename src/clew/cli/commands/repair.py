"""`clew repair`: replace a damaged database by what can be recovered of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli import output
from clew.cli.open import load_file_settings, open_engine
from clew.cli.options import format_examples, json_option, quiet_option
from clew.cli.progress import show_progress
from clew.records import make_handle
from clew.records.wording import format_count
from clew.settings import find_workspace

if TYPE_CHECKING:
    from clew.adapters.daemon_files import DaemonPaths
    from clew.cli.progress import Show
    from clew.engine import Engine
    from clew.store.sqlite.repair import RepairResult
    from clew.store.sqlite.salvage import LostRecord, SalvageHints

_LISTED_MAX = 20  # names; --json lists all
_KINDS = ("notes", "files", "sessions", "outputs", "compressed", "others")


@dataclass(slots=True)
class _WorkspaceReread:
    """What was read again of one workspace. `why` says why nothing was, "" otherwise; `gone` are sessions without a transcript."""

    key: str
    root: str
    why: str = ""
    files: int = 0
    sessions: int = 0
    gone: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list[str])


@click.command(short_help="Recover what a damaged database still holds.", epilog=format_examples("clew repair --dry-run\nclew repair"))
@click.option("--dry-run", is_flag=True, help="Say what is damaged and what could be recovered, and change nothing.")
@json_option
@quiet_option
def command(*, dry_run: bool, is_json: bool, is_quiet: bool) -> None:
    """Check the database; if it is damaged, set it aside, recover what it still holds, and read the rest again.

    The damaged file is kept under another name, which is printed. Notes, originals and sessions are recovered as far as their pages can be
    read; then each repository is indexed again, and sessions are read from their transcripts, if those still exist. What was purged stays
    purged. An undamaged database is left as it is.
    """
    from clew.adapters.daemon_files import DaemonPaths
    from clew.adapters.http import start
    from clew.store.sqlite import SqliteStore
    from clew.store.sqlite.repair import find_damage, find_faults_beside, repair

    settings = load_file_settings("restore the server's own backup, or import an export into an empty database")
    reasons = find_damage(settings.database_path) if settings.database_path.is_file() else []
    beside = find_faults_beside(settings.database_path) if settings.database_path.is_file() and not reasons else []
    if beside and not dry_run:
        with closing(SqliteStore(settings.database_path)) as store:
            store.rewrite_beside()
    if beside:
        words = "".join(f"{line}\n" for line in [*beside, "would be written again" if dry_run else "written again; the database is well"])
        value = {"is_well": False, "is_dry": dry_run, "database": str(settings.database_path), "reasons": [], "beside": beside}
        output.write_answer(value, output.escape_control(words), is_json=is_json)
        return
    if not reasons:
        words = f"{settings.database_path} is well: nothing was done\n"
        if not settings.database_path.is_file():
            words = f"{settings.database_path}: nothing is stored yet\n"
        output.write_answer({"is_well": True, "database": str(settings.database_path)}, output.escape_control(words), is_json=is_json)
        return
    paths = DaemonPaths(settings.data_dir)
    known = _known(settings.database_path, paths)
    if dry_run:
        repaired = repair(settings.database_path, known, dry_run=True)
        _report(settings.database_path, reasons, repaired, [], [], is_json=is_json)
        return
    was_running = start.stop_daemon(paths)
    try:
        repaired = repair(settings.database_path, known)
        with closing(SqliteStore(settings.database_path)) as store:
            store.rewrite_beside()
        with open_engine() as engine, show_progress(is_quiet=is_quiet or is_json) as show:
            done = [_read_anew(engine, key, root, repaired, show) for key, root in repaired.salvaged.workspaces]
            for (key, source), ids in repaired.salvaged.unfindable.items():
                engine.rebuild_postings(key, source, ids)
            lost = _still_lost(engine, repaired, done)
    finally:
        if was_running:
            start.ensure_daemon(paths)
    _report(settings.database_path, reasons, repaired, done, lost, is_json=is_json)


def _known(database: Path, paths: DaemonPaths) -> SalvageHints:
    """Return what a damaged file may no longer hold: the repositories, how sources are named, and what was purged."""
    from clew.adapters.clients import load_all_clients
    from clew.lifecycle import notes, packets
    from clew.sessions.live import LiveSessions
    from clew.store.sqlite.salvage import SalvageHints
    from clew.store.tombstones import read_tombstones
    from clew.transcript.live import ORIGINAL_KIND, originals_source
    from clew.transcript.session_files import find_sessions

    folders = {str(Path.cwd()), *(live.cwd for live in LiveSessions(paths.run_dir / "sessions").list_recent() if live.cwd)}
    for folder in (folder for client in load_all_clients() for folder in client.list_transcript_dirs()):
        first = next(iter(find_sessions(folder)), None)
        folders.add(first.cwd if first else "")
    roots = dict(map(_named, (Path(folder) for folder in sorted(folders) if folder and Path(folder).is_dir())))

    def transcripts_of(session: str) -> str:
        return f"session:{session}"

    def source_of(kind: str, session: str, path: str) -> str:
        if kind == notes.NOTE_KIND:
            return notes.NOTES_SOURCE
        if not session:
            return f"file:{path}" if path else ""
        by_kind = {ORIGINAL_KIND: originals_source, packets.PACKET_KIND: packets.packets_source}
        return by_kind.get(kind, transcripts_of)(session)

    return SalvageHints(roots, source_of, read_tombstones(database))


def _named(folder: Path) -> tuple[str, str]:
    key, root = find_workspace(folder)
    return key, str(root)


def _read_anew(engine: Engine, key: str, root: str, repaired: RepairResult, show: Show | None) -> _WorkspaceReread:
    from clew.adapters.clients import find_transcript_dirs
    from clew.errors import ClewError

    if not root:
        return _WorkspaceReread(key, key, "nobody knows any more which folder it was; what was recovered of it stays")
    if not Path(root).is_dir():
        return _WorkspaceReread(key, root, "the folder is gone; what was recovered of it stays")
    if find_workspace(Path(root))[0] != key:
        return _WorkspaceReread(key, root, "the folder is now part of another repository; what was recovered of it stays")
    if key in repaired.salvaged.unsure:
        why = "something was purged from it, and the list of that is lost; `clew index` and `clew ingest` would read all of it again"
        return _WorkspaceReread(key, root, why)
    try:
        done = engine.reread_repository(key, Path(root), find_transcript_dirs(Path(root)), progress=show)
    except ClewError as error:
        return _WorkspaceReread(key, root, str(error).partition("\n")[0])
    ingested = done.ingested
    problems = [*done.indexed.report.problems, *(ingested.problems if ingested else ())]
    return _WorkspaceReread(
        key, root, "", done.indexed.report.read, ingested.sessions if ingested else 0, done.missing_transcripts, problems
    )


def _still_lost(engine: Engine, repaired: RepairResult, places: list[_WorkspaceReread]) -> list[LostRecord]:
    """Return the lost records that were not read again; one without an id counts as lost if its source was not read again."""
    from clew.store.ports import LOCAL

    read = {place.key: frozenset(place.gone) for place in places if not place.why}

    def is_back(each: LostRecord) -> bool:
        if each.id:
            with engine.store.snapshot(LOCAL, each.workspace) as snapshot:
                return bool(snapshot.records([each.id]))
        kind, gone = _classify_source(each.source), read.get(each.workspace)
        is_session = kind == "sessions" and not each.source.endswith("/live")
        return gone is not None and (kind == "files" or (is_session and each.source.split(":")[1].partition("/")[0] not in gone))

    return [each for each in repaired.salvaged.lost if not is_back(each)]


def _classify_source(source: str) -> str:
    """Return what a source holds, one of _KINDS."""
    if source == "session:remembered/notes":
        return "notes"
    if source.startswith("session:"):
        return "outputs" if source.endswith("/originals") else "sessions"
    return "files" if source.startswith("file:") else "compressed" if source.startswith("compressed:") else "others"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[kind]:,} of {kind}" for kind in _KINDS if counts[kind])


def _report(
    database: Path, reasons: list[str], repaired: RepairResult, places: list[_WorkspaceReread], lost: list[LostRecord], *, is_json: bool
) -> None:
    found = repaired.salvaged
    recovered: Counter[str] = Counter()
    for (_, source), count in found.records.items():
        recovered[_classify_source(source)] += count
    missed = Counter(_classify_source(each.source) for each in found.lost)
    still = Counter(_classify_source(each.source) for each in lost)
    is_dry = not repaired.set_aside
    if is_json:
        told: dict[str, Any] = {
            "is_well": False, "is_dry": is_dry, "database": str(database), "reasons": reasons,
            "set_aside": [str(path) for path in repaired.set_aside], "log": repaired.log,
            "pages": found.pages, "damaged_pages": found.damaged_pages,
            "recovered": {"records": dict(recovered), "rows": dict(found.rows)}, "unsound": dict(found.unsound),
            "missed": dict(missed), "lost": dict(still), "lost_records": [asdict(each) for each in lost],
            "postings_partly_rebuilt": sorted({source for _, source in found.unfindable}),
            "workspaces": [{**asdict(each), "gone": list(each.gone)} for each in places],
        }  # fmt: skip
        output.write_json(told)
        return
    lines = [f"{database} is damaged: {reasons[0]}" + (f", and {len(reasons) - 1} other faults" if len(reasons) > 1 else "")]
    lines.extend(f"set aside as {path}" for path in repaired.set_aside)
    if repaired.log:
        lines.append(repaired.log)
    lines.append(f"{found.damaged_pages:,} of {format_count(found.pages, 'page')} cannot be read")
    records = _counted(recovered) or "none"
    lines.append(
        f"{'could be recovered' if is_dry else 'recovered'}: records: {records}; {format_count(found.rows['originals'], 'original')}, "
        f"{format_count(found.rows['tombstones'], 'tombstone')}"
    )
    if sum(found.unsound.values()):
        lines.append("unsound: " + ", ".join(f"{count:,} of {name}" for name, count in sorted(found.unsound.items())))
    if missed:
        lines.append(f"not found in it, at least: {_counted(missed)}")
    lines += _places_told(places)
    if not is_dry:
        lines.append(f"lost for good, at least: {_counted(still)}" if lost else "all that is known to have been missing was read anew")
        lines += _lost_told(lost)
        if found.unfindable and not is_dry:
            names = _listed(sorted({source for _, source in found.unfindable}))
            lines.append(f"found by words and paths alone until read again, because the index entries were lost: {names}")
    output.write_text("".join(output.escape_control(line) + "\n" for line in lines))


def _lost_told(lost: list[LostRecord]) -> list[str]:
    """Name what could not be rebuilt: each source, and the handles of its lost records as far as an index still has them."""
    by_source: dict[str, list[str]] = {}
    for each in lost:
        by_source.setdefault(each.source or "a source whose name is lost", []).append(make_handle(each.id) if each.id else "?")
    lines = [f"  {source}: {_listed(sorted(handles))}" for source, handles in sorted(by_source.items())]
    more = len(lines) - _LISTED_MAX
    return lines[:_LISTED_MAX] + ([f"  and of {format_count(more, 'source')} more (--json lists all)"] if more > 0 else [])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED_MAX]) + (f", and {len(names) - _LISTED_MAX} more" if len(names) > _LISTED_MAX else "")


def _places_told(places: list[_WorkspaceReread]) -> list[str]:
    lines: list[str] = []
    for place in places:
        if place.why:
            lines.append(f"{place.root}: not read anew: {place.why}")
            continue
        lines.append(f"{place.root}: read anew: {format_count(place.files, 'file')}, {format_count(place.sessions, 'session')}")
        if place.gone:
            names = _listed(place.gone)
            lines.append(f"  of {format_count(len(place.gone), 'session')} no transcript is left, and only what was recovered: {names}")
        lines.extend(f"  {problem}" for problem in place.problems[:_LISTED_MAX])
    return lines
