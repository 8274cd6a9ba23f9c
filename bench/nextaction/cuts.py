"""Cuts: which sessions are cut where, and how the calls after a cut are written for a model.

One cut a session: the first place where the client compacted and went on, else 60 % of the calls; those of entireio/cli, which most
sessions come from, only where it compacted. They stand in turn with those of the other projects, of which the compacted ones come
first, each in the order of a hash of the session's file name: a longer run holds every shorter one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import cast

import msgspec

from clew.evaluation.cases import EvaluationCase, find_cases
from clew.records import Observation, ObservationKind
from clew.task.prompts import extract_typed_text

CALLS = 4  # next calls of which the text is predicted
VALUE_CHARS_MAX = 200  # of one argument: a file's whole content would outweigh everything else
PROMPT_CHARS_MAX = 800  # of what the user said between the cut and the first call
LARGEST = "entireio__cli"  # the project of two thirds of the sessions, reported apart
# One call of each common tool in the form of the calls to predict, so that no window is paid for showing the form.
EXAMPLES = (
    'Bash(command="ls docs", description="List documents")\nRead(file_path="docs/index.md", limit=40, offset=10)\n'
    'Grep(pattern="TODO", path="docs", output_mode="content")\nEdit(file_path="docs/index.md", new_string="two", old_string="one")\n'
)


@dataclass(frozen=True, slots=True)
class Part:
    """Some text of the calls to predict. `is_value` tells an argument's value from the form around it."""

    text: str
    is_value: bool


@dataclass(frozen=True, slots=True)
class SessionCut:
    """One evaluation case with the project it is of, the header that every arm is given, and the text of the next calls."""

    project: str
    case: EvaluationCase
    header: str
    asked: str
    parts: tuple[Part, ...]


def find_cuts(data: Path) -> Iterator[SessionCut]:
    """Yield the cuts of the sessions below a folder, projects in turn."""
    paths = sorted(data.rglob("*.jsonl*"), key=lambda path: hashlib.sha256(path.relative_to(data).as_posix().encode()).hexdigest())
    largest, others = ([path for path in paths if (path.parent.name == LARGEST) is which] for which in (True, False))
    of_others = sorted((cut for path in others if (cut := _cut(path))), key=lambda cut: not cut.case.summary)
    of_largest = (cut for path in largest if (cut := _cut(path)) and cut.case.summary)
    for pair in zip_longest(of_largest, of_others):
        yield from (each for each in pair if each is not None)


def _cut(path: Path) -> SessionCut | None:
    """The cut of a session, None for one that is too short."""
    cases = list(find_cases(path))
    chosen = next((case for case in cases if case.summary), next(iter(cases), None))
    cut = describe_cut(path.parent.name, chosen) if chosen is not None else None
    return cut if cut is not None and cut.parts else None


def describe_cut(project: str, case: EvaluationCase) -> SessionCut:
    """Return a case as a cut, with what a real client would have told the model whatever its window: folder, and the next prompt."""
    calls: list[Observation] = []
    said: list[str] = []
    for each in case.after:
        if each.kind is ObservationKind.PROMPT and not calls:
            said.append(extract_typed_text(each.text))
        elif each.kind is ObservationKind.CALL:
            calls.append(each)
            if len(calls) == CALLS:
                break
    folder = next((each.cwd for each in reversed(case.before) if each.cwd), "")
    asked = "\n".join(words[:PROMPT_CHARS_MAX] for words in said if words)
    return SessionCut(project, case, f"Folder: {folder}\n", f"The user says: {asked}\n" if asked else "", tuple(_parts(calls)))


def _parts(calls: Sequence[Observation]) -> Iterator[Part]:
    for each in calls:
        yield Part(f"{each.tool}(", is_value=False)
        try:
            given: object = msgspec.json.decode(each.arguments) if each.arguments else {}
        except msgspec.DecodeError:
            given = each.arguments
        named = cast("Mapping[str, object]", given) if isinstance(given, dict) else {"input": given}
        for number, (name, value) in enumerate(sorted(named.items())):
            yield Part(f"{', ' if number else ''}{name}=", is_value=False)
            yield Part(msgspec.json.encode(value).decode()[:VALUE_CHARS_MAX], is_value=True)
        yield Part(")\n", is_value=False)
