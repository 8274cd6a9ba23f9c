"""Make a task state of a bare question, where there is no session.

Apart from the tracker, so that a question does not load what reads sessions.
"""

from __future__ import annotations

from clew.records import OpenError, TaskState, UserStatement, WorkingFile
from clew.task.clues import Clues, find_clues
from clew.task.prompts import find_stated_rules

ERRORS_MAX = 12  # guess
IDENTIFIERS_MAX = 64


def build_question_state(question: str, found: Clues | None = None) -> TaskState:
    """Return the same nouns for a bare question: what it names stands where recent work would stand.

    Its frames and paths are the working set (the newest last: what is named first matters most), its error
    lines are open errors, its names the recent identifiers.
    found  its clues, where they have been read already.
    """
    found = found or find_clues(question)
    paths = dict.fromkeys(path for path, _ in found.paths)
    return TaskState(
        question=question,
        goals=(UserStatement(question),) if question.strip() else (),
        constraints=tuple(UserStatement(sentence) for sentence in find_stated_rules(question)),
        working_set=tuple(WorkingFile(path, "mention", 0) for path in reversed(paths)),
        open_errors=tuple(OpenError(error, "question") for error in found.errors[-ERRORS_MAX:]),
        recent_identifiers=_names_of(found)[:IDENTIFIERS_MAX][::-1],
    )


def _names_of(found: Clues) -> tuple[str, ...]:
    """What a text names, the likeliest first: dotted names, identifiers, paths, quoted words without spaces."""
    quoted = (name for name in found.quoted if " " not in name)
    names = dict.fromkeys((*found.dotted, *found.identifiers, *(path for path, _ in found.paths), *quoted))
    return tuple(names)
