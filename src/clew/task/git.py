"""Infer what a successful git command did to the work tree, from its words alone; an unclear one counts as no effect."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from clew.records import SimpleCommand

_MERGES = frozenset(("pull", "merge", "rebase", "cherry-pick", "am"))
_MAKES = frozenset(("-b", "-B", "-c", "-C", "--create", "--force-create", "--orphan"))
_EARLIER = re.compile(r"HEAD(?:[~^]\d{0,3})+$")


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
