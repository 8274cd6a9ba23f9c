"""Evidence: collect the files that a prompt may be about, each with numbers that say why. Pure over a snapshot and a task state.

Candidates come from the prompt's own words, and from what the session touched, changed, planned, said and saw fail. `FEATURES` names
the numbers; `clew.augment.model` turns them into a probability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from math import log, log1p
from typing import TypeAlias

from clew.ranking.deadline import Deadline
from clew.ranking.files import FileList, RankedFile, rank_files
from clew.ranking.question import Question
from clew.records import MatchKind, MatchReason, TaskState
from clew.store.ports import Snapshot
from clew.store.quoted_paths import find_file
from clew.task.clues import find_clues
from clew.task.prompts import split_sentences
from clew.task.recogniser import CLASSES, PromptContext, load_recogniser
from clew.task.replies import is_assent
from clew.text.embed import Embedder
from clew.text.words import split_word

RANKED_MAX = 10  # files of the ranking; guess
TOUCHED_MAX = 40  # files of the working set, the last ones; guess
PROMPT_CHARS_MAX = 4000  # of the prompt, whose words are compared with names of files; guess
SCORED_CHARS_MAX, SENTENCES_MAX = 2000, 12  # of a prompt, whose sentences are classified; guess
_EXACT = frozenset((MatchKind.NAMED, MatchKind.PATH, MatchKind.FRAME))
_PROSE = (".md", ".txt", ".rst", ".adoc")
_SETTINGS = (".json", ".toml", ".yml", ".yaml", ".lock", ".ini", ".cfg")

_Collector: TypeAlias = "Callable[[str], FileCandidate]"
_Resolver: TypeAlias = Callable[[str], str]

FEATURES = (
    # of the prompt
    "length", "lines", "is_question", "is_assent", "turns", "paths_named", "strength", "words", "files_last_turn", "said_asks",
    "said_length", "has_errors", "has_plan", "files_touched", "is_first",
    "rule", "request", "question", "report", "assent", "withdrawal",
    # of the file and the prompt
    "named", "basename", "stem", "stem_words",
    "rank", "score", "absolute", "words_found", "exact",
    # of the file and the session
    "touched", "distance", "touches", "was_edited", "was_read", "was_mentioned", "recency",
    "last_turn", "turn_before", "few_turns", "edited_last_turn",
    "said", "said_last", "said_share", "said_basename", "planned", "failing", "in_request",
    "changed", "unchecked", "uncommitted", "change_recency",
    # of the file
    "is_test", "is_prose", "is_settings",
)  # fmt: skip
"""Names of the numbers of one candidate, in the order in which the model reads them."""


@dataclass(slots=True)
class FileCandidate:
    """A file that the agent may reach for, its numbers by the names of FEATURES (absent: 0), and where in it to look.

    found  the file as the index ranked it, None where only the session speaks of it; why  reasons from the session.
    """

    path: str
    values: dict[str, float] = field(default_factory=dict[str, float])
    found: RankedFile | None = None
    why: list[MatchReason] = field(default_factory=list[MatchReason])

    def row(self) -> list[float]:
        """Return the numbers in the order of FEATURES."""
        return [float(self.values.get(name, 0.0)) for name in FEATURES]


def collect_candidates(
    snapshot: Snapshot,
    question: Question,
    task: TaskState,
    *,
    is_file: Callable[[str], bool],
    deadline: Deadline,
    embedder: Embedder | None,
) -> list[FileCandidate]:
    """Return the files that a prompt may be about, in no particular order; none for a repository without an index.

    question  the prompt.
    task      what the agent was working on before it.
    is_file   whether the repository holds a file at a path: asked for what the session or the prompt names and the index does not hold.
    """
    prompt, said = question.text, task.last_message
    resolve = cache(partial(find_file, snapshot.documents.paths_by_basename, is_file=is_file))
    found: dict[str, FileCandidate] = {}

    def of(path: str) -> FileCandidate:
        return found.setdefault(path, FileCandidate(path))

    named = _resolved((path for path, _ in question.clues.paths), resolve)
    for path in named:
        of(path).values["named"] = 1.0
    asked = rank_files(snapshot, question, limit=RANKED_MAX, deadline=deadline, embedder=embedder)
    _add_ranked(of, asked)
    _add_touched(of, task, resolve)
    _add_said(of, task, resolve)
    for at, path in enumerate(_resolved((file.path for file in reversed(task.files)), resolve)):
        of(path).values["change_recency"] = 1.0 / (1 + at)
    shared = _of_prompt(question, task, asked, named)
    for one in found.values():
        _describe(one, prompt, said)
        one.values |= shared
    return list(found.values())


def _of_prompt(question: Question, task: TaskState, asked: FileList, named: Sequence[str]) -> dict[str, float]:
    prompt, said = question.text, task.last_message
    last = task.prompts[-1] if task.prompts else 0
    return {
        "length": log1p(len(prompt)) / 8,
        "lines": log1p(prompt.count("\n")) / 4,
        "is_question": float("?" in prompt or "？" in prompt),
        "is_assent": float(is_assent(prompt)),
        "turns": log1p(len(task.prompts)) / 3,
        "is_first": float(not task.prompts),
        "paths_named": log1p(len(named)) / 2,
        "strength": asked.strength / 20,
        "words": min(len(question.word_set), 30) / 30,
        "files_last_turn": log1p(sum(file.seq > last for file in task.working_set)) / 3,
        "said_asks": float(said.rstrip().endswith(("?", "？"))),
        "said_length": log1p(len(said)) / 8,
        "has_errors": float(bool(task.open_errors)),
        "has_plan": float(any(step.status in ("pending", "in_progress") for step in task.plan)),
        "files_touched": log1p(len(task.working_set)) / 4,
        **_score_sentences(prompt),
    }


def _score_sentences(prompt: str) -> dict[str, float]:
    """The highest probability of each class of the recogniser among the prompt's first sentences."""
    lines = prompt[:SCORED_CHARS_MAX].split("\n")
    said = [sentence for line in lines for sentence in split_sentences(line)][:SENTENCES_MAX] or [prompt[:SCORED_CHARS_MAX]]
    contexts = [PromptContext(len(prompt), prompt.count("\n") + 1, 0, at, len(said)) for at in range(len(said))]
    return dict(zip(CLASSES, load_recogniser().score(said, contexts).max(axis=0).tolist(), strict=True))


def _add_ranked(of: _Collector, ranked: FileList) -> None:
    for at, file in enumerate(ranked.files):
        one = of(file.path)
        one.found = file
        one.values |= {
            "rank": 1.0 / (1 + at),
            "score": file.score,
            "absolute": max(0.0, (ranked.strength + log(max(file.score, 1e-6))) / 10),
            "words_found": next((len(reason.values) for reason in file.why if reason.kind is MatchKind.WORDS), 0) / 4,
            "exact": float(any(reason.kind in _EXACT for reason in file.why)),
        }


def _add_touched(of: _Collector, task: TaskState, resolve: _Resolver) -> None:
    """What the session read, edited, or met in the output of a search."""
    newest = task.working_set[-1].seq if task.working_set else 0
    for at, file in enumerate(reversed(task.working_set[-TOUCHED_MAX:])):
        path = resolve(file.path)
        if not path:
            continue
        turns_ago = sum(seq > file.seq for seq in task.prompts)
        is_edit = file.last in ("edit", "write")
        one = of(path)
        one.why.append(MatchReason(MatchKind.IN_SESSION, (file.last,)))
        one.values |= {
            "touched": 1.0,
            "distance": 1.0 / (1 + (newest - file.seq) / 20),
            "touches": log1p(file.touches) / 3,
            "was_edited": float(is_edit),
            "was_read": float(file.last == "read"),
            "was_mentioned": float(file.last == "mention"),
            "recency": 1.0 / (1 + at),
            "last_turn": float(turns_ago == 0),
            "turn_before": float(turns_ago == 1),
            "few_turns": float(2 <= turns_ago <= 4),
            "edited_last_turn": float(is_edit and turns_ago == 0),
        }
    for file in task.files:
        path = resolve(file.path)
        if path:
            of(path).values |= {
                "changed": 1.0, "unchecked": float(not file.checked_by), "uncommitted": float(file.is_committed is False),
            }  # fmt: skip


def _add_said(of: _Collector, task: TaskState, resolve: _Resolver) -> None:
    """What the agent, its plan, its errors and the request before speak of."""
    said = _resolved((path for path, _ in find_clues(task.last_message).paths), resolve)
    for path in said:
        of(path).values |= {"said": 1.0, "said_share": 1.0 / len(said), "said_last": float(path == said[-1])}
    steps = "\n".join(step.text for step in task.plan if step.status in ("pending", "in_progress"))
    errors = "\n".join(f"{error.subject}\n{error.text}" for error in task.open_errors)
    request = task.goals[-1].text if task.goals else ""
    for name, text in (("planned", steps), ("failing", errors), ("in_request", request)):
        for path in _resolved((path for path, _ in find_clues(text).paths), resolve) if text else ():
            of(path).values[name] = 1.0


def _describe(one: FileCandidate, prompt: str, said: str) -> None:
    """Add what the name of the file says."""
    base = one.path.rpartition("/")[2].lower()
    stem = base.partition(".")[0] or base
    words = {term for word in set(prompt[:PROMPT_CHARS_MAX].split()) for term in split_word(word.strip("`'\".,:;()[]?!"))}
    parts = [term for term in split_word(stem) if len(term) > 1]
    lower = one.path.lower()
    one.values |= {
        "basename": float(base in prompt.lower()),
        "stem": float(len(stem) > 2 and stem in words),
        "stem_words": sum(part in words for part in parts) / len(parts) if parts else 0.0,
        "said_basename": float(base in said.lower()),
        "is_test": float("test" in lower or "spec" in lower),
        "is_prose": float(base.endswith(_PROSE)),
        "is_settings": float(base.endswith(_SETTINGS)),
    }


def _resolved(paths: Iterable[str], resolve: _Resolver) -> list[str]:
    """The files of the repository that these paths mean, each once, in order."""
    return [path for path in dict.fromkeys(map(resolve, paths)) if path]
