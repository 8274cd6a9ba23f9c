"""Cuts: lines and names of cut sessions, with what became of them.

Every session is cut at its client's compactions and at some shares of its calls. A line is needed where a later edit replaces
it, a name where a later call uses it (`clew.evaluation.needs`); the features are those that compaction itself computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import clew
from clew.compaction.compact import main_thread_records
from clew.compaction.lines import Lines, line_features
from clew.compaction.names import Floats
from clew.evaluation.cases import EvaluationCase, find_case_lines, find_cases
from clew.evaluation.needs import find_needs
from clew.packet.options import OriginalCache
from clew.records import Record
from clew.settings import Settings
from clew.store.ports import LOCAL
from clew.transcript.session_files import find_session_files, find_sessions

NOWHERE = Path("/nowhere")


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut: `lines` (n, features) with `edited` (n,), `names` (m, features) with `used` (m,)."""

    session: str
    at: int
    lines: Floats
    edited: Floats
    names: Floats
    used: Floats


def cuts_of(folder: Path) -> Iterator[Cut]:
    """Yield the cuts of all sessions below `folder` that needed anything."""
    for session in find_sessions(folder):
        for case in cases_of(session.path):
            lines = lines_at(case)
            wanted = find_needs(case)
            edited = {line for edit in wanted.edits for line in edit.lines}
            used = {term.text for term in wanted.terms}
            if edited or used:
                yield Cut(
                    session.id,
                    case.line,
                    lines.features.astype(np.float16),
                    np.array([line in edited for line in lines.stripped], np.float32),
                    lines.names.features.astype(np.float16),
                    np.array([text in used for text in lines.names.texts], np.float32),
                )


def lines_at(case: EvaluationCase) -> Lines:
    """What compaction sees of a session at a cut."""
    return history_at(case)[2]


def history_at(case: EvaluationCase) -> tuple[Sequence[Record], list[str], Lines]:
    """The records of a session before a cut, their texts, and their lines as compaction sees them."""
    engine = clew.open(settings=Settings(NOWHERE), is_in_memory=True)
    before = engine.load_compaction_input(find_session_files(case.path), case.lines, tokenizer="claude", path=case.path.parent)
    with before.store.snapshot(LOCAL, before.workspace, before.as_of_ns) as snapshot:
        records, statuses = main_thread_records(snapshot, before.source, before.seq_end)
        originals = OriginalCache(snapshot)
        texts = [originals.text_of(record.full_text) for record in records]
        return records, texts, line_features(records, texts, statuses, before.state)


def cases_of(path: Path) -> Iterator[EvaluationCase]:
    """Yield a session's cuts: at its client's compactions, and at some shares of its calls."""
    yield from find_cases(path, find_case_lines(path))
