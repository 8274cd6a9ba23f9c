"""As of: find the time, commit or branch that an answer is wanted as of, and open a workspace as it was then.

As of a time, an answer holds what was true then *and* had been stored by then: what clew would have said. As of a commit or a branch it
holds the files of that commit, as git has them, and what sessions had said by the time of the commit (of a branch: the sessions that were
on it), whenever that was stored. Nothing that is stored is changed.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from datetime import time as day_time
from pathlib import Path

from clew.enrich.git import GitFailed, is_git_root, run_git
from clew.errors import NothingStored, UnknownMoment
from clew.records import AsOf
from clew.records.wording import format_instant
from clew.settings import find_repository
from clew.store.ports import LOCAL, Reader, Snapshot

_IS_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?")
NAME_CHARS_MAX = 255  # of a branch: a file system takes no longer name


def find_as_of(path: Path, text: str) -> AsOf:
    """Return what `text` names: a date (its end), a time (local, if it names no zone), a branch or a commit of the repository at `path`.

    Raises UnknownMoment for anything else, and for a time to come.
    """
    wanted = text.strip()
    if _IS_TIME.fullmatch(wanted):
        return AsOf(at_ns=_read_time(wanted))
    if not wanted.isprintable() or len(wanted) > NAME_CHARS_MAX:
        raise UnknownMoment(text[:NAME_CHARS_MAX], "that is no time, and no branch or commit is called so")
    root = find_repository(path).tree
    if not wanted or not is_git_root(root):
        raise UnknownMoment(text, f"that is no time, and {root} is no git repository" if wanted else "that names nothing")
    try:
        for refs, branch in (("refs/heads/", wanted), ("refs/remotes/", wanted.partition("/")[2])):
            with suppress(GitFailed):  # `main~1` is no branch, and the sessions of `origin/main` were on `main`
                return _read_commit(root, run_git(root, "show-ref", "--verify", "--hash", refs + wanted).decode().strip(), branch)
        return _read_commit(root, wanted, "")
    except GitFailed as failure:
        raise UnknownMoment(text, f"that is no time, and no commit or branch of {root}{f' ({failure})' if str(failure) else ''}") from None


def _read_time(text: str) -> int:
    is_day = len(text) == len("2026-11-02")
    try:
        read = datetime.fromisoformat(text)
        moment = datetime.combine(read, day_time.max) if is_day else read
        at_ns = int(moment.astimezone().timestamp()) * 1_000_000_000
    except (ValueError, OverflowError) as error:  # the first and the last year have times that a zone takes out of it
        raise UnknownMoment(text, str(error)) from None
    at_ns += 999_999_999 if is_day else read.microsecond * 1000
    now_ns = time.time_ns()
    if at_ns > now_ns and not (is_day and read.date() == datetime.now().astimezone().date()):
        raise UnknownMoment(text, "that is still to come")
    return min(at_ns, now_ns) or 1  # 0 is now


def _read_commit(root: Path, name: str, branch: str) -> AsOf:
    commit = run_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").decode().strip()
    at_s = int(run_git(root, "show", "--no-patch", "--format=%ct", commit))
    return AsOf(at_ns=(at_s + 1) * 1_000_000_000 - 1, commit=commit, branch=branch)


def open_as_of(store: Reader, key: str, as_of: AsOf, *, is_needed: bool = True) -> tuple[Snapshot, AsOf]:
    """Open what was said in sessions, now or as of a time or commit, and return it with what the answer is as of.

    is_needed  raise NothingStored for a time before the first that the journal holds.
    """
    snapshot = store.snapshot(LOCAL, key, as_of.at_ns, as_of.known_by_ns)
    missing: tuple[str, ...] = ()
    if as_of.known_by_ns:
        first_ns = snapshot.first_ns()
        if is_needed and not 0 < first_ns <= as_of.known_by_ns:
            snapshot.close()
            raise NothingStored(format_instant(as_of.at_ns), format_instant(first_ns) if first_ns else "")
        purged = sum(kind == "record" for kind, _ in snapshot.purged_after(as_of.known_by_ns))
        missing = (f"{purged} records have been purged since; what they said then is not known",) if purged else ()
    return snapshot, replace(as_of, generation=snapshot.generation, missing=missing)
