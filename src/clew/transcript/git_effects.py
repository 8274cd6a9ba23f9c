"""Gitting: what a git command that worked did to the files that a session has seen.

Reads the words of one simple command, and of its output only the list of files that a pull or a merge changed. Whatever
is not plain changes nothing: then the next read says whether the lines are still the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from clew.transcript.ledger import Ended, Ledger

OUTPUT_CHARS_MAX = 40_000
_MERGES = frozenset(("pull", "merge", "rebase", "cherry-pick", "am"))
_MAKES = frozenset(("-b", "-B", "-c", "-C", "--create", "--force-create", "--orphan"))
_BACK = re.compile(r"HEAD(?:[~^]\d{0,3})+$")
_STAT = re.compile(r"^ (\S[^|\n]{0,300}?) +\| +(?:\d+|Bin)", re.MULTILINE)  # ` src/a.py | 5 ++---`
_RENAMED = re.compile(r"\{([^{}\n]*) => ([^{}\n]*)\}")


def apply_git(
    ledger: Ledger, words: Sequence[str], output: str, record_id: str, root: str, absolute: Callable[[str], str], done: set[str]
) -> list[Ended]:
    """Enter a git command in the ledger; return what ended by it. What it brought back, the ledger says itself.

    words     of the command, "git" first.
    root      of the work tree it ran in.
    absolute  gives an absolute path for a word.
    done      files that it has accounted for are added here.
    """
    verb, rest = words[1], words[2:]
    plain = [word for word in rest if not word.startswith("-")]
    if verb == "commit":
        if "--dry-run" not in rest:
            ledger.commit()
    elif verb in ("checkout", "switch"):
        return _checkout(ledger, rest, plain, record_id, root, absolute, done)
    elif verb == "restore":
        is_elsewhere = any(word.startswith(("--source", "-s")) for word in rest)
        if ("--staged" not in rest or "--worktree" in rest) and not is_elsewhere:
            return _put_back(ledger, plain, record_id, absolute, done)
    elif verb == "stash":
        if plain[:1] in (["pop"], ["apply"]):
            return ledger.unstash(record_id)
        if not plain or plain in (["push"], ["save"]) or "-m" in rest or "--message" in rest:
            return ledger.stash(record_id)
    elif verb == "reset" and "--hard" in rest:
        if any(_BACK.match(word) for word in plain):
            return ledger.drop_commit(record_id, with_edits=True)
        return ledger.put_back(record_id)
    elif verb == "revert" and not {"--abort", "--continue", "--quit", "-n", "--no-commit"} & set(rest):
        return ledger.drop_commit(record_id, with_edits=False) if plain in ([], ["HEAD"]) else []
    elif verb in _MERGES:
        changed = [absolute(f"{root}/{path}") for path in _changed(output)]
        done.update(changed)
        return ledger.disturb(record_id, changed, f"changed by git {verb}") if changed else []
    return []


def _checkout(
    ledger: Ledger, rest: Sequence[str], plain: list[str], record_id: str, root: str, absolute: Callable[[str], str], done: set[str]
) -> list[Ended]:
    if "--" in rest:
        at = list(rest).index("--")
        return (
            _put_back(ledger, list(rest[at + 1 :]), record_id, absolute, done)
            if not [word for word in rest[:at] if word[:1] != "-"]
            else []
        )
    if _MAKES & set(rest):
        return ledger.switch(record_id, root, plain[0], is_known=False) if plain else []
    if plain == ["."]:
        return _put_back(ledger, plain, record_id, absolute, done)
    if len(plain) == 1 and "--ours" not in rest and "--theirs" not in rest:
        if ledger.has_edited(absolute(plain[0])):
            return _put_back(ledger, plain, record_id, absolute, done)
        is_file = "." in plain[0].rpartition("/")[2].strip(".") and "/" in plain[0]
        return ledger.switch(record_id, root, plain[0], is_known=True) if not is_file and plain[0] != "-" else []
    return []


def _put_back(ledger: Ledger, names: list[str], record_id: str, absolute: Callable[[str], str], done: set[str]) -> list[Ended]:
    if names == ["."]:
        return ledger.put_back(record_id)
    paths = [absolute(name) for name in names]
    done.update(paths)
    return ledger.put_back(record_id, paths)


def _changed(output: str) -> list[str]:
    """The files that a list of changes names, as they are called now, from the root of the repository."""
    found = [_RENAMED.sub(r"\2", path).replace("//", "/") for path in _STAT.findall(output[:OUTPUT_CHARS_MAX])]
    return [path.rpartition(" => ")[2] for path in found if not path.startswith("...")]
