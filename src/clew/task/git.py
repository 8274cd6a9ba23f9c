"""Infer what a git command did to the work tree, from its words, and read what git printed; an unclear command counts as no effect."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum

from clew.records import SimpleCommand

GIT_NOTE = "clew-git-status"  # `tool` of the note that holds git's own answer, a GitStatus
OUTPUT_CHARS_MAX = 40_000
_MERGES = frozenset(("pull", "merge", "rebase", "cherry-pick", "am"))
_MAKES = frozenset(("-b", "-B", "-c", "-C", "--create", "--force-create", "--orphan"))
_EARLIER = re.compile(r"HEAD(?:[~^]\d{0,3})+$")
_COMMITTED = re.compile(r"^\[([^\]\n]{1,200}?)(?: \(root-commit\))? ([0-9a-f]{5,40})\] ", re.MULTILINE)
_CHANGED = re.compile(r"^ (\d{1,6}) files? changed(?:, |$)", re.MULTILINE)
_LISTED = re.compile(r"^ (?:create|delete) mode \d{6} (\S.{0,400})$", re.MULTILINE)
_DELETED = re.compile(r"^ delete mode \d{6} (\S.{0,400})$", re.MULTILINE)
_PROBLEM = re.compile(
    r"^fatal: |^error: (?:pathspec|Your|The following|Entry|unable|cannot|could not|invalid|unknown|you)"
    r"|No local changes to save|^Aborting$",
    re.MULTILINE,
)
_REFUSED = re.compile(
    r"^(?:nothing to commit|no changes added to commit|nothing added to commit|Aborting commit)"
    r"|^(?:fatal: |error: |On branch |HEAD detached )",
    re.MULTILINE,
)


class GitEffectKind(StrEnum):
    """What a git command does to commits and files of the work tree."""

    COMMIT = "commit"
    PUT_BACK = "put back"  # files as they are in a commit
    SWITCH = "switch"  # to a branch; a name that is known as a file is put back instead
    STASH = "stash"
    UNSTASH = "unstash"
    RESET = "reset"  # all files
    DROP = "drop"  # the newest commits with their changes
    REVERT = "revert"  # a commit that undoes an earlier one
    MERGE = "merge"  # others' changes came in
    ABORT = "abort"  # of a merge


@dataclass(frozen=True, slots=True)
class GitEffect:
    """The effect of one successful git command on the work tree.
    names         files, a branch or commits, as written; () for all files, or for the newest commit.
    is_elsewhere  files may come from another commit than the newest.
    is_new        the branch was made.
    """

    kind: GitEffectKind
    names: tuple[str, ...] = ()
    is_elsewhere: bool = False
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class GitCommit:
    """A commit, as git reports that it made it: `[main 1a2b3c4] subject`.

    files    number of files that it changed, None where that is not shown.
    listed   paths of the files that it added or deleted, from the root of the repository; deleted  of those that it deleted.
    """

    branch: str = ""
    digest: str = ""
    files: int | None = None
    listed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    line: str = ""


@dataclass(frozen=True, slots=True)
class GitStatus:
    """How files stand, as git itself says.

    paths    the files that git was asked about; those of them that are `changed` (in the work tree or the index), and `tracked`.
    commits  since the session began, newest first, each with the paths that it changed.
    All paths are relative to the root of the work tree.
    """

    paths: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    tracked: tuple[str, ...] = ()
    commits: tuple[tuple[GitCommit, tuple[str, ...]], ...] = ()

    def encode(self) -> str:
        """Return it as the text of an observation."""
        commits = [{"digest": commit.digest, "line": commit.line, "paths": paths} for commit, paths in self.commits]
        return json.dumps({"paths": self.paths, "changed": self.changed, "tracked": self.tracked, "commits": commits})

    @classmethod
    def decode(cls, text: str) -> GitStatus:
        """Return what `encode` made the text of."""
        held = json.loads(text)
        commits = tuple((GitCommit(digest=each["digest"], line=each["line"]), tuple(each["paths"])) for each in held["commits"])
        return cls(tuple(held["paths"]), tuple(held["changed"]), tuple(held["tracked"]), commits)


def read_commits(output: str) -> list[GitCommit]:
    """Return the commits that an output reports, in order."""
    output = output[:OUTPUT_CHARS_MAX]
    starts = list(_COMMITTED.finditer(output))
    commits: list[GitCommit] = []
    for at, found in enumerate(starts):
        text = output[found.start() : starts[at + 1].start() if at + 1 < len(starts) else len(output)]
        files = _CHANGED.search(text)
        line = text.split("\n", 1)[0]
        listed, deleted = tuple(_LISTED.findall(text)), tuple(_DELETED.findall(text))
        commits.append(GitCommit(found[1], found[2], int(files[1]) if files else None, listed, deleted, line))
    return commits


def read_commit_summary(output: str) -> GitCommit | None:
    """Return the commit whose counts an output shows without the line that names it; None where it shows none."""
    files = _CHANGED.search(output[:OUTPUT_CHARS_MAX])
    if files is None:
        return None
    line = output[files.start() :].split("\n", 1)[0].strip()
    return GitCommit(files=int(files[1]), listed=tuple(_LISTED.findall(output)), line=line)


def has_git_refused(output: str) -> bool:
    """Return whether an output without a report of a commit says, or shows by git's status, that none was made."""
    return _REFUSED.search(output[:OUTPUT_CHARS_MAX]) is not None


def shows_problem(output: str) -> bool:
    """Return whether git complains in an output, or had nothing to do."""
    return _PROBLEM.search(output[:OUTPUT_CHARS_MAX]) is not None


def count_dropped_commits(name: str) -> int | None:
    """Return how many commits `git reset HEAD~2` and its like go back; 0 for HEAD, None for another commit."""
    if name in ("", "HEAD", "@"):
        return 0
    if not _EARLIER.match(name):
        return None
    steps = [(kind, int(count) if count else 1) for kind, count in re.findall(r"([~^])(\d{0,3})", name)]
    return sum(count for _, count in steps) if all(kind == "~" or count == 1 for kind, count in steps) else None


def parse_git_effect(simple: SimpleCommand) -> GitEffect | None:
    """Return what a command that succeeded did to the work tree; None for no effect, and for programs other than git."""
    if simple.words[0] != "git" or len(simple.words) < 2:
        return None
    verb, rest = simple.words[1], simple.words[2:]
    names = tuple(word for word in rest if not word.startswith("-"))
    if verb == "commit":
        return None if "--dry-run" in rest else GitEffect(GitEffectKind.COMMIT)
    if verb in ("checkout", "switch"):
        return _checkout(rest, names)
    if verb == "restore":
        is_elsewhere = any(word.startswith(("--source", "-s")) for word in rest)
        is_kept = "--staged" in rest and "--worktree" not in rest
        return None if is_kept else GitEffect(GitEffectKind.PUT_BACK, () if "." in names else names, is_elsewhere)
    if verb == "stash":
        if names[:1] in (("pop",), ("apply",)):
            return GitEffect(GitEffectKind.UNSTASH)
        is_push = names in ((), ("push",), ("save",)) or "-m" in rest or "--message" in rest
        return GitEffect(GitEffectKind.STASH) if is_push else None
    if verb == "reset" and "--hard" in rest:
        return GitEffect(GitEffectKind.DROP if any(_EARLIER.match(name) for name in names) else GitEffectKind.RESET, names)
    if verb == "revert" and {"--abort", "--continue", "--quit", "-n", "--no-commit"}.isdisjoint(rest):
        return GitEffect(GitEffectKind.REVERT, names)
    if verb in _MERGES:
        return GitEffect(GitEffectKind.ABORT if "--abort" in rest else GitEffectKind.MERGE)
    return None


def _checkout(rest: tuple[str, ...], names: tuple[str, ...]) -> GitEffect | None:
    if "--ours" in rest or "--theirs" in rest:  # one side of a conflict
        return None
    if "--" in rest:
        at = rest.index("--")
        return GitEffect(GitEffectKind.PUT_BACK, rest[at + 1 :], any(word[:1] != "-" for word in rest[:at]))
    if not _MAKES.isdisjoint(rest):
        return GitEffect(GitEffectKind.SWITCH, names[:1], is_new=True) if names else None
    if "." in names:
        return GitEffect(GitEffectKind.PUT_BACK, (), is_elsewhere=names != (".",))
    if len(names) == 1:
        return GitEffect(GitEffectKind.SWITCH, names)
    return GitEffect(GitEffectKind.PUT_BACK, names, is_elsewhere=True) if names else None
