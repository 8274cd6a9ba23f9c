"""Data set: rows in the form that LLaMA-Factory reads, with `dataset_info.json`, registered so that a purge reaches them.

A folder holds `clew_lines.json` (rows to fit to), `clew_lines_held.json` (rows of projects held out), `held.jsonl` (their cuts, for
the judge), `answers.jsonl` (models' answers, once judged), `dataset_info.json`, and `set.json`, which says which of these hold words of
sessions. Every row names its session.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from clew.lifecycle.training_sets import TrainingSet, register
from train.distil.form import SYSTEM, Range, format_answer
from train.distil.parts import JudgedCut, Part

FIT, HELD, CUTS, INFO = "clew_lines.json", "clew_lines_held.json", "held.jsonl", "dataset_info.json"
ANSWERS = "answers.jsonl"
Style = Literal["sharegpt", "alpaca"]


class Row(msgspec.Struct, frozen=True):
    """A part with its answer. `by` says whose labels it holds: "hindsight", or "hindsight+teacher"."""

    session: str
    project: str
    request: str
    answer: str
    by: str = "hindsight"


def make_row(cut: JudgedCut, part: Part, ranges: Sequence[Range], by: str = "hindsight") -> Row:
    """Return the row of a part whose answer is these ranges."""
    return Row(cut.session, cut.project, part.request, format_answer(ranges), by)


def write_set(folder: Path, fit: Sequence[Row], held: Sequence[Row], cuts: Iterable[JudgedCut], style: Style, data_dir: Path) -> None:
    """Write a data set to `folder`, and register it in clew's data folder before a word of a session stands in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    register(data_dir, folder, TrainingSet((FIT, HELD, CUTS, ANSWERS)))
    (folder / FIT).write_bytes(_rows(fit, style))
    (folder / HELD).write_bytes(_rows(held, style))
    (folder / CUTS).write_bytes(b"".join(msgspec.json.encode(cut) + b"\n" for cut in cuts))
    info = {name.removesuffix(".json"): _described(name, style) for name in (FIT, HELD)}
    (folder / INFO).write_bytes(msgspec.json.format(msgspec.json.encode(info)) + b"\n")


def read_cuts(folder: Path) -> list[JudgedCut]:
    """Return the held-out cuts of a data set."""
    return [msgspec.json.decode(line, type=JudgedCut) for line in (folder / CUTS).read_bytes().splitlines() if line]


def read_rows(path: Path) -> list[tuple[str, str, str]]:
    """Return (system, request, answer) of each row of a file of either style."""
    found: list[tuple[str, str, str]] = []
    for row in msgspec.json.decode(path.read_bytes(), type=list[_AnyRow]):
        if row.conversations:
            asked, answered = row.conversations
            found.append((row.system, asked.value, answered.value))
        else:
            found.append((row.system, row.instruction, row.output))
    return found


class _Turn(msgspec.Struct):
    role: str = msgspec.field(name="from")
    value: str = ""


class _AnyRow(msgspec.Struct):
    system: str = ""
    conversations: list[_Turn] = []
    instruction: str = ""
    output: str = ""


def _rows(rows: Sequence[Row], style: Style) -> bytes:
    made: list[dict[str, object]] = []
    for row in rows:
        about: dict[str, object] = {"session": row.session, "project": row.project, "by": row.by, "system": SYSTEM}
        if style == "sharegpt":
            turns = [{"from": "human", "value": row.request}, {"from": "gpt", "value": row.answer}]
            made.append(about | {"conversations": turns})
        else:
            made.append(about | {"instruction": row.request, "input": "", "output": row.answer})
    return b"[\n" + b",\n".join(msgspec.json.encode(each) for each in made) + b"\n]\n"


def _described(name: str, style: Style) -> dict[str, object]:
    if style == "sharegpt":
        return {"file_name": name, "formatting": "sharegpt", "columns": {"messages": "conversations", "system": "system"}}
    return {"file_name": name, "columns": {"prompt": "instruction", "query": "input", "response": "output", "system": "system"}}
