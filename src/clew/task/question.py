"""Build a task state from a question alone, where there is no session. A module of its own, so that a question loads little code."""

from __future__ import annotations

from clew.records import OpenError, TaskState, UserStatement, WorkingFile
from clew.task.clues import Clues, find_clues

ERRORS_MAX = 12  # guess
IDENTIFIERS_MAX = 64


def build_question_state(question: str, found: Clues | None = None) -> TaskState:
    """Return a task state made from a question alone, as if the places that it names were the files worked on last.

    Its paths are the working set (the first named last, as the newest), its error lines the open errors, its names the recent
    identifiers.
    found  the question's clues, if they have been found already.
    """
    found = found or find_clues(question)
    paths = dict.fromkeys(path for path, _ in found.paths)
    return TaskState(
        question=question,
        goals=(UserStatement(question),) if question.strip() else (),
        working_set=tuple(WorkingFile(path, "mention", 0) for path in reversed(paths)),
        open_errors=tuple(OpenError(error, "question") for error in found.errors[-ERRORS_MAX:]),
        recent_identifiers=_names_of(found)[:IDENTIFIERS_MAX][::-1],
    )


def _names_of(found: Clues) -> tuple[str, ...]:
    """What a text names, the likeliest first: dotted names, identifiers, paths, quoted words without spaces."""
    quoted = (name for name in found.quoted if " " not in name)
    names = dict.fromkeys((*found.dotted, *found.identifiers, *(path for path, _ in found.paths), *quoted))
    return tuple(names)
