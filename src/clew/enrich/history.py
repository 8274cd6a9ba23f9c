"""Read the newest commits of a work tree into searchable records.

Reads only what leads to HEAD, so a work tree at an old commit shows what was known then. A commit becomes a
record: its message, and the names of the files that it changed, which are joined with the files that
exist when a question comes. Merges are left out; what they bring is there already.

Commits are kept in blocks, each a source of its own. A block ends at a commit whose hash says so, as in content-defined
chunking: new commits change the newest block only, and which commits are in which block depends on the history alone.
What is kept after any series of commits, amendments and rebases therefore equals what a first run would make.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import msgspec

from clew.enrich.git import GitFailed, is_git_root, run_git
from clew.records import Delta, Layer, Record, RecordText, Resolution, SourceState, Trust, make_id
from clew.text.postings import NameUse, SearchDocument, pack_postings
from clew.text.secrets import mask_text

PRODUCER = "history/1"  # name and version of this producer in its Deltas
HISTORY_SOURCE = "history:"  # the source that remembers which commit was HEAD; blocks are `history:<their oldest commit>`
COMMITS_MAX = 3000  # newest commits that are read; sympy: 0.3 s of git, about two years
BLOCK_COMMITS = 128  # commits of a block on average; the newest block is read again with each new commit
BLOCK_COMMITS_MAX = 1024  # commits of the longest block; one block in 3,000 would be longer, and is cut where the list ends
COMMIT_FILES_MAX = 20  # a commit that changes more files is a sweep (formatting, a move, a licence) and couples none; bench/LOG.md
BODY_CHARS_MAX = 1000  # stored of a message below its first line: the reasons come first, then trailers and lists
SUBJECT_CHARS_MAX = 200  # stored of a message's first line
_HEADER = re.compile(rb"\x01[0-9a-f]{40,64}")
_STATUS = re.compile(rb"\n?([ACDMRTUXB])\d*")


class Commit(msgspec.Struct, array_like=True, frozen=True):
    """A commit as stored for counting changes. `files` are the paths that it left changed, `moved` (old, new) of pure renames.

    A commit without parents, or at the edge of a shallow clone, shows every file as new: it has no files here.
    """

    id: str
    at_s: int
    files: list[str] = []
    moved: list[tuple[str, str]] = []


@dataclass(slots=True)
class HistoryReport:
    """Counts of one run over the git history: commits known now, commits read by it, and problems as sentences for the user."""

    commits: int = 0
    read: int = 0
    problems: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class CommitWithMessage:
    """A commit and its full message."""

    commit: Commit
    message: str


def find_commit_changes(
    root: Path, before: SourceState | None, states: Callable[[], Sequence[SourceState]], report: HistoryReport, commit: str = "HEAD"
) -> Iterator[Delta]:
    """Yield a Delta for every block of commits that differs from its stored state, and one for each block that is gone.

    before  the state of HISTORY_SOURCE that an earlier run left.
    states  returns those of all sources whose name begins with HISTORY_SOURCE; called only when HEAD has moved.
    commit  that the commits lead to.
    report  is filled while the iterator runs. Nothing raises: what git cannot do is a problem in it.
    Cost    one call of git, about 5 ms, when HEAD is where it was.
    """
    report.commits = before.size if before else 0
    if not is_git_root(root):
        report.commits = 0
        if before is not None:
            yield from (Delta(PRODUCER, state.source, is_whole=True, state=None) for state in states())
        return
    made_by = _maker(root)
    try:
        head = run_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", commit).decode().strip()
    except GitFailed as failure:
        if str(failure):  # without a word there is no commit yet
            report.problems.append(f"history: {failure}")
        return
    if before is not None and (before.digest, before.note) == (head, made_by):
        return
    try:
        wanted = _blocks(_list(root, head))
        known = {state.source: state.digest if before and before.note == made_by else "" for state in states()}
        stale = {source: ids for source, ids in wanted.items() if known.get(source) != _digest(ids)}
        read = load_commits(root, [commit for ids in stale.values() for commit in ids])
        is_shallow = run_git(root, "rev-parse", "--is-shallow-repository").strip() == b"true"
    except GitFailed as failure:
        report.problems.append(f"history: {failure or 'git gave no answer'}")
        return
    report.commits, report.read = sum(map(len, wanted.values())), len(read)
    if is_shallow:
        report.problems.append(f"history: the clone is shallow; what changes together is known from {report.commits} commits only")
    if before is not None:  # a run that is killed here leaves blocks of two histories, which must not count
        yield Delta(PRODUCER, HISTORY_SOURCE, is_whole=False, state=SourceState(HISTORY_SOURCE, note=made_by))
    for source, ids in stale.items():
        yield build_block_delta(source, [read[commit] for commit in ids if commit in read], _digest(ids))
    for source in sorted(known.keys() - wanted.keys() - {HISTORY_SOURCE}):
        yield Delta(PRODUCER, source, is_whole=True, state=None)
    yield Delta(PRODUCER, HISTORY_SOURCE, is_whole=False, state=SourceState(HISTORY_SOURCE, head, report.commits, 0, "indexed", made_by))


def decode_commits(states: Iterable[SourceState]) -> list[Commit]:
    """Return the commits stored in these source states, newest first; within a second as git listed them, children before parents."""
    blocks = [msgspec.json.decode(state.note, type=list[Commit]) for state in states if state.source != HISTORY_SOURCE]
    blocks.sort(key=lambda block: (-max((commit.at_s for commit in block), default=0), block[0].id if block else ""))
    return sorted((commit for block in blocks for commit in block), key=lambda commit: -commit.at_s)


def _maker(root: Path) -> str:
    """Who makes the records: this release, from a history that begins where it begins now."""
    edge = root / ".git" / "shallow"
    return f"{PRODUCER} {blake2b(edge.read_bytes(), digest_size=16).hexdigest()}" if edge.is_file() else PRODUCER


def _list(root: Path, head: str) -> list[str]:
    """Hashes of the newest commits that lead to `head`, newest first."""
    said = run_git(root, "rev-list", "--no-merges", f"--max-count={COMMITS_MAX + BLOCK_COMMITS_MAX}", head)
    return said.decode().split()


def _blocks(ids: Sequence[str]) -> dict[str, list[str]]:
    """Source name → its commits, for the blocks that begin among the newest COMMITS_MAX; the first block is the newest."""
    blocks: dict[str, list[str]] = {}
    block: list[str] = []
    for at, commit in enumerate(ids):
        block.append(commit)
        if int(commit[:8], 16) % BLOCK_COMMITS == 0 or at + 1 == len(ids):
            blocks[HISTORY_SOURCE + commit[:16]] = block
            block = []
            if at + 1 >= COMMITS_MAX:
                break
    return blocks


def _digest(ids: Sequence[str]) -> str:
    return blake2b("\n".join(ids).encode(), digest_size=16).hexdigest()


def load_commits(root: Path, ids: Sequence[str]) -> dict[str, CommitWithMessage]:
    """Read these commits from git: {hash: message and changed files}. Only pure renames are reported as moves. Raises GitFailed."""
    if not ids:
        return {}
    form = "--format=%x01%H%x00%P%x00%ct%x00%B"
    said = run_git(
        root, "log", "--no-walk=unsorted", "--stdin", "-z", form, "--name-status", "-M100%", "--no-ext-diff", "--no-textconv",
        "--no-notes", "--no-color", given="\n".join(ids).encode() + b"\n",
    )  # fmt: skip
    tokens = said.split(b"\0")
    found: dict[str, CommitWithMessage] = {}
    at = 0
    while at + 3 < len(tokens):
        if not _HEADER.fullmatch(tokens[at]):
            raise GitFailed("git's log has a form that is not known")
        commit, parents, at_s, message = tokens[at][1:].decode(), tokens[at + 1], int(tokens[at + 2]), tokens[at + 3]
        at += 4
        files: list[bytes] = []
        moved: list[tuple[bytes, bytes]] = []
        while at < len(tokens) and (status := _STATUS.fullmatch(tokens[at])):
            if status[1] in b"RC":
                files.append(tokens[at + 2])
                if status[1] == b"R":
                    moved.append((tokens[at + 1], tokens[at + 2]))
                at += 3
            else:
                files.append(tokens[at + 1])
                at += 2
        if not parents:
            files, moved = [], []
        pairs = [names for pair in moved if len(names := _names(pair)) == 2]
        kept = Commit(commit, at_s, _names(files) if len(files) <= COMMIT_FILES_MAX else [], [(old, new) for old, new in pairs])
        found[commit] = CommitWithMessage(kept, message.decode("utf-8", "replace"))
    return found


def _names(paths: Sequence[bytes]) -> list[str]:
    """The paths that are UTF-8; a state's note cannot hold others."""
    names: list[str] = []
    for path in paths:
        with suppress(UnicodeDecodeError):
            names.append(path.decode())
    return names


def build_block_delta(source: str, reads: Sequence[CommitWithMessage], digest: str) -> Delta:
    """Build the Delta that stores a block of commits (newest first) as the records of one source; `digest` is that of their hashes."""
    records: list[Record] = []
    documents: list[SearchDocument] = []
    for at, (commit, message) in enumerate((read.commit, read.message) for read in reversed(reads)):
        subject, _, body = mask_text(message).strip().partition("\n")
        subject, body = subject.strip()[:SUBJECT_CHARS_MAX], body.strip()[:BODY_CHARS_MAX]
        name = f"{commit.id[:12]} {subject}"
        whole = "\n".join(part for part in (subject, f"\n{body}" if body else "", "", *commit.files) if part) + "\n"
        record = Record(
            id=make_id("history", commit.id),
            layer=Layer.ACTION,
            kind="commit",
            subject=f"commit:{commit.id}",
            source=source,
            digest=commit.id,
            name=name,
            texts=(RecordText(Resolution.NAME, len(name), inline=name), RecordText(Resolution.FULL, len(whole), inline=whole)),
            seq=at,
            trust=Trust.OBSERVED,
            at_ns=commit.at_s * 1_000_000_000,
        )
        records.append(record)
        uses = tuple((f"file:{path}", NameUse.MENTION, 1, 0) for path in commit.files)
        documents.append(SearchDocument(record.id, record.layer.value, record.kind, "", (subject, "", "", body, ""), (commit.id,), uses))
    note = msgspec.json.encode([read.commit for read in reads]).decode()
    state = SourceState(source, digest, len(reads), 0, "indexed", note)
    return Delta(PRODUCER, source, is_whole=True, records=tuple(records), segment=pack_postings(documents), state=state)
