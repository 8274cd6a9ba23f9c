"""Record in the ledger what a successful git command did to files that the session has seen.

Of the command's output only the list of files that a pull or merge changed is read. Where the effect is not plain, nothing
is recorded: the next read shows whether the lines are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from clew.records import EndKind, EndReason, SimpleCommand
from clew.task.git import GitEffectKind, parse_git_effect
from clew.transcript.ledger import EndedRecord, Ledger

OUTPUT_CHARS_MAX = 40_000
_STAT = re.compile(r"^ (\S[^|\n]{0,300}?) +\| +(?:\d+|Bin)", re.MULTILINE)  # ` src/a.py | 5 ++---`
_RENAMED = re.compile(r"\{([^{}\n]*) => ([^{}\n]*)\}")


def apply_git_command(
    ledger: Ledger,
    command: SimpleCommand,
    output: str,
    record_id: str,
    root: str,
    to_absolute: Callable[[str], str],
    handled_paths: set[str],
) -> list[EndedRecord]:
    """Record a successful git command in the ledger; return the records that ended by it.

    root           of the work tree that it ran in.
    to_absolute    returns the absolute path of a word of the command.
    handled_paths  receives the paths of the files that this call has recorded.
    """
    effect = parse_git_effect(command)
    if effect is None:
        return []
    match effect.kind:
        case GitEffectKind.COMMIT:
            ledger.record_commit()
        case GitEffectKind.STASH:
            return ledger.record_stash(record_id)
        case GitEffectKind.UNSTASH:
            return ledger.record_unstash(record_id)
        case GitEffectKind.RESET:
            return ledger.record_restore(record_id)
        case GitEffectKind.DROP:
            return ledger.record_commit_undo(record_id, with_edits=True)
        case GitEffectKind.REVERT if effect.names in ((), ("HEAD",)):
            return ledger.record_commit_undo(record_id, with_edits=False)
        case GitEffectKind.MERGE:
            changed = [to_absolute(f"{root}/{path}") for path in _changed(output)]
            handled_paths.update(changed)
            return (
                ledger.record_unseen_changes(record_id, changed, EndReason(EndKind.CHANGED_BY_GIT, (command.words[1],))) if changed else []
            )
        case GitEffectKind.SWITCH if effect.is_new or not ledger.has_uncommitted_edits(to_absolute(effect.names[0])):
            name = effect.names[0]
            is_file = not effect.is_new and "/" in name and "." in name.rpartition("/")[2].strip(".")
            return ledger.record_checkout(record_id, root, name, is_known=not effect.is_new) if not is_file and name != "-" else []
        case GitEffectKind.PUT_BACK | GitEffectKind.SWITCH if not effect.is_elsewhere:
            paths = [to_absolute(name) for name in effect.names]
            handled_paths.update(paths)
            return ledger.record_restore(record_id, paths) if paths else ledger.record_restore(record_id)
        case _:
            pass
    return []


def _changed(output: str) -> list[str]:
    """The files that a list of changes names, as they are called now, from the root of the repository."""
    found = [_RENAMED.sub(r"\2", path).replace("//", "/") for path in _STAT.findall(output[:OUTPUT_CHARS_MAX])]
    return [path.rpartition(" => ")[2] for path in found if not path.startswith("...")]
