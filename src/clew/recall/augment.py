"""Worth: what of all that was found should be added to a prompt that nobody asked to be answered, if anything?

A person's prompt is no question to a database. What is added to it is read in every later request, so it must say where to look,
in one line each, and only where there is a sign that it bears on the prompt: files that the prompt names, or whose best symbol
answers to several of its words; and what was said in other sessions where recall itself is confident. A prompt that only lets the agent
go on gets nothing, and nothing is said twice in one window.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from clew.packet.options import Originals, words_of
from clew.packet.retrieve import lengths_of
from clew.ranking.files import FileList, RankedFile
from clew.ranking.seed import STOP_WORDS
from clew.recall.recall import Turn
from clew.records import STAND_IN, Entry, Layer, Packet, Resolution, Spans, clew_says, fenced, handle_of, joined, outside, text_of
from clew.task.clues import clues
from clew.task.prompts import is_assent
from clew.text.tokens import Counter
from clew.text.words import raw_words

WORDS_MIN = 4  # of a prompt that names nothing: fewer fit anything; guess
NEAR_SHARE, NEAR_WORDS, NEAR_COVER = 0.4, 3, 0.5  # of the best file's score; words in common, and their share of the prompt's. Guess
FILES_MAX, TURNS_MAX = 6, 3  # guess
TURN_CHARS_MAX = 280  # of one turn: its beginning; the whole is a handle away. Guess
NAMED = ("named in the question", "its path", "in the stack trace")
_OPENING = "Where this may be found, from the index of the repository (clew; `unfold` takes the handles in brackets):"
_SAID = "Said in earlier sessions of this repository (may be out of date):"


def is_worth_asking(prompt: str) -> bool:
    """Whether a prompt says enough to look for anything: not a command, a message of the client, or a word of assent."""
    text = prompt.strip()
    if not text or text.startswith(("/", "<", "!", "#")) or is_assent(text):
        return False
    found = clues(text)
    return bool(found.paths or found.identifiers or found.dotted or found.frames) or len(set(raw_words(text))) >= WORDS_MIN


def worth(
    prompt: str, found: FileList, turns: Sequence[Turn], originals: Originals, *,
    seen: Collection[str], counter: Counter, budget_tokens: int, standing: Callable[[str], str],
) -> Packet:  # fmt: skip
    """Return what to add to a prompt, at most `budget_tokens` long; a packet without entries where nothing is worth it.

    seen      ids of what stands in the window already.
    standing  says of a record, by id, why it is to be doubted; "" where it is not.
    """
    spans: Spans = ()
    entries: list[Entry] = []
    for group, rows in ((_OPENING, _of_code(prompt, found, seen)), (_SAID, _of_talk(turns, originals, seen, standing))):
        opened = False
        for entry, said in rows:
            more = (*spans, *([] if opened else [clew_says(group + "\n")]), *said, clew_says("\n"))
            if counter.count(fenced(more, STAND_IN)) > budget_tokens:
                break
            spans = more
            entries.append(entry)
            opened = True
    spans = joined(spans)
    tokens, fence_tokens = lengths_of(spans, counter)
    return Packet(prompt, tuple(entries), spans, tokens, budget_tokens, counter.name, 0.0, 0.0, found.skipped, fence_tokens)


def _of_code(prompt: str, found: FileList, seen: Collection[str]) -> list[tuple[Entry, Spans]]:
    rows: list[tuple[Entry, Spans]] = []
    words = {word.lower() for word in raw_words(prompt)} - STOP_WORDS
    for file in found.files:
        if len(rows) == FILES_MAX:
            break
        if not file.handle or file.handle in seen or not (_is_named(file) or _is_near(file, len(words))):
            continue
        name = f" {file.name}" if file.name and file.name != file.path else ""
        where = " ".join(f"{file.path}:{max(file.line, 1)}{name} ({'; '.join(file.why[:2])})".splitlines())
        said = (clew_says(f"[{file.handle}] "), outside(where))
        entry = Entry(
            file.handle, file.handle, Layer.FACT, "file", file.name or file.path, Resolution.NAME, 0, round(file.score, 6),
            file.why, text_of(said), False, file.path, file.line,
        )  # fmt: skip
        rows.append((entry, said))
    return rows


def _is_named(file: RankedFile) -> bool:
    return any(reason.startswith(NAMED) for reason in file.why)


def _is_near(file: RankedFile, asked: int) -> bool:
    words = next((reason.partition(": ")[2] for reason in file.why if reason.startswith("words: ")), "")
    common = len(words.split(", "))
    return file.score >= NEAR_SHARE and common >= max(NEAR_WORDS, NEAR_COVER * min(asked, 2 * 4))  # a reason names four words at most


def _of_talk(
    turns: Sequence[Turn], originals: Originals, seen: Collection[str], standing: Callable[[str], str]
) -> list[tuple[Entry, Spans]]:
    rows: list[tuple[Entry, Spans]] = []
    for turn in turns:
        record = turn.record
        handle = handle_of(record.id)
        if len(rows) == TURNS_MAX:
            break
        if handle in seen or turn.replaced_by:
            continue
        doubt = standing(record.id)
        whole = " ".join(originals.text_of(record.whole).split())
        said = whole if len(whole) <= TURN_CHARS_MAX else whole[:TURN_CHARS_MAX].rsplit(" ", 1)[0] + " …"
        spans = (
            clew_says(f"[{handle}] {record.kind}"),
            *((outside(f", {doubt}"),) if doubt else ()),
            clew_says(": "),
            *words_of(record, said),
        )
        entry = Entry(
            record.id, handle, Layer(record.layer), record.kind, record.name, Resolution.SIGNATURE, 0, round(turn.score, 6), turn.why,
            text_of(spans), len(said) == len(whole), record.path, session=record.session, uuid=record.uuid,
        )  # fmt: skip
        rows.append((entry, spans))
    return rows
