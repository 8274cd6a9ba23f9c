"""Source: two public sets of long conversations, as haystacks of sessions with questions about them.

Ids of sessions and turns are hashed before anything else sees them: in one of the sets the id of a session says whether it holds an
answer. Ties in every arm break by these hashes, which carry no label.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

LONGMEMEVAL, LOCOMO = "longmemeval_s", "locomo"
SETS = (LONGMEMEVAL, LOCOMO)
LOCOMO_CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}


@dataclass(frozen=True, slots=True)
class Said:
    """One turn, verbatim. `is_user`: a person said it, and not an assistant."""

    uuid: str
    is_user: bool
    text: str


@dataclass(frozen=True, slots=True)
class Held:
    """One session: when it was held, and its turns in order."""

    id: str
    at_ns: int
    turns: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """`gold_sessions` and `gold_turns` are the ids of all that is needed for an answer; `is_unanswerable`: nothing answers it.

    answer  as the set words it, "" where it is not kept.
    """

    id: str
    kind: str
    text: str
    asked_ns: int
    gold_sessions: frozenset[str]
    gold_turns: frozenset[str]
    is_unanswerable: bool = False
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Haystack:
    """Sessions, and the questions that are asked of them. `id` is what results are clustered by."""

    id: str
    sessions: tuple[Held, ...]
    questions: tuple[Question, ...]


def hashed(*parts: str) -> str:
    """An id that says nothing."""
    return blake2b("\0".join(parts).encode(), digest_size=8, person=b"bench/recall").hexdigest()


def haystacks(data: Path, name: str, limit: int | None = None) -> Iterator[Haystack]:
    """The haystacks of one of SETS, at most `limit`, in an order that carries no label. Raises FileNotFoundError without its files."""
    return _longmemeval(data, limit) if name == LONGMEMEVAL else _locomo(data, limit)


def _longmemeval(data: Path, limit: int | None) -> Iterator[Haystack]:
    with lzma.open(data / "longmemeval_s_questions.jsonl.xz", "rt") as lines:
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    rows.sort(key=lambda row: hashed(row["question_id"]))
    rows = rows[:limit]
    wanted = {key for row in rows for key in row["haystack_session_keys"]}
    turns: dict[str, list[dict[str, str]]] = {}
    with lzma.open(data / "longmemeval_s_sessions.jsonl.xz", "rt") as lines:
        for line in lines:
            session = json.loads(line)
            if session["key"] in wanted:
                turns[session["key"]] = session["turns"]
    for row in rows:
        held = tuple(
            Held(
                hashed(name),
                _time(date, "%Y/%m/%d (%a) %H:%M"),
                tuple(Said(hashed(name, str(at)), turn["role"] == "user", turn["content"]) for at, turn in enumerate(turns[key])),
            )
            for name, key, date in zip(row["haystack_session_ids"], row["haystack_session_keys"], row["haystack_dates"], strict=True)
        )
        question = Question(
            row["question_id"],
            row["question_type"],
            row["question"],
            _time(row["question_date"], "%Y/%m/%d (%a) %H:%M"),
            frozenset(hashed(name) for name in row["answer_session_ids"]),
            frozenset(hashed(name, str(at)) for name, at in row["answer_turns"]),
            bool(row["abstention"]),
            str(row.get("answer", "")),
        )
        yield Haystack(row["question_id"], tuple(sorted(held, key=lambda each: (each.at_ns, each.id))), (question,))


def _locomo(data: Path, limit: int | None) -> Iterator[Haystack]:
    with lzma.open(data / "locomo.json.xz", "rt") as file:
        samples: list[dict[str, Any]] = json.load(file)
    for sample in samples[:limit]:
        told, name = sample["conversation"], str(sample["sample_id"])
        held: list[Held] = []
        known: set[str] = set()
        for at in range(1, len(told)):
            session = told.get(f"session_{at}")
            if not session:
                continue
            said: list[Said] = []
            for turn in session:
                picture = f" [shows a picture: {turn['blip_caption']}]" if turn.get("blip_caption") else ""
                said.append(Said(hashed(name, turn["dia_id"]), True, f"{turn['speaker']}: {turn['text']}{picture}"))
                known.add(turn["dia_id"])
            held.append(Held(hashed(name, str(at)), _time(told[f"session_{at}_date_time"], "%I:%M %p on %d %B, %Y"), tuple(said)))
        asked_ns = max(session.at_ns for session in held) + 86_400_000_000_000
        questions: list[Question] = []
        for at, row in enumerate(sample["qa"]):
            turns = {turn for each in row["evidence"] for turn in _turns(each)} & known
            if turns:
                sessions = frozenset(hashed(name, turn[1:].partition(":")[0]) for turn in turns)
                gold = frozenset(hashed(name, turn) for turn in turns)
                questions.append(Question(f"{name}/{at}", LOCOMO_CATEGORIES[row["category"]], row["question"], asked_ns, sessions, gold))
        yield Haystack(name, tuple(held), tuple(questions))


def _turns(evidence: str) -> list[str]:
    """Ids of turns as they stand in the set, where one text may name several and numbers may begin with 0."""
    return [f"D{session}:{int(turn)}" for session, turn in re.findall(r"D(\d+):(\d+)", evidence)]


def _time(text: str, form: str) -> int:
    return int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()) * 1_000_000_000
