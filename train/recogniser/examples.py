"""Read the marked sentences: our own in `data/`, and those of recorded sessions, of which only places, hashes and labels are kept here."""

from __future__ import annotations

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clew.records import ObservationKind
from clew.task.prompts import split_sentences
from clew.task.recogniser import CLASSES, PromptContext
from clew.transcript.parse import TranscriptReader, open_transcript
from clew.transcript.session_files import build_origin, find_session_files

DATA = Path(__file__).with_name("data")
ALONE = PromptContext()


@dataclass(frozen=True, slots=True)
class Example:
    """A marked sentence. group: the project that it is from, or `own.LANGUAGE`. is_hard: written to be near to another class."""

    text: str
    label: str
    group: str
    context: PromptContext = ALONE
    weight: float = 1.0
    is_hard: bool = False


def hash_sentence(text: str) -> str:
    """Return 16 hexadecimal digits that stand for a sentence in `labels.jsonl`."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def read_own(paths: Iterable[Path]) -> list[Example]:
    """Return the sentences of tab-separated files (label, sentence), each once; the language is the file's last suffix but one."""
    found: dict[str, Example] = {}
    for path in paths:
        group = f"own.{path.name.split('.')[1]}"
        for line in path.read_text("utf-8").splitlines():
            label, _, text = line.partition("\t")
            text = text.split("\t")[0].strip()
            if label in CLASSES and text:
                found.setdefault(text, Example(text, label, group))
    return list(found.values())


def place_sentences(prompt: str, sentences: Sequence[str]) -> list[PromptContext]:
    """Return where each sentence stands in its prompt."""
    lines = prompt.count("\n") + 1
    headings = sum(line.startswith(("# ", "## ", "### ", "#### ")) for line in prompt.split("\n"))
    return [PromptContext(len(prompt), lines, headings, at, len(sentences)) for at in range(len(sentences))]


def give_contexts(examples: Sequence[Example], contexts: Sequence[PromptContext], *, seed: int = 0) -> list[Example]:
    """Return examples that stand in no prompt, each with the context of some sentence that does, so that no class knows it by that."""
    chosen = random.Random(seed)
    found: list[Example] = []
    for example in examples:
        size = len(example.text)
        context = chosen.choice(contexts) if contexts and chosen.random() < 0.5 else replace(ALONE, chars=size)
        found.append(replace(example, context=replace(context, chars=max(context.chars, size))))
    return found


def read_prompts(paths: Iterable[Path]) -> list[Example]:
    """Return the sentences of prompts that were written whole, each with its place: a blank line stands between two prompts."""
    found: list[Example] = []
    for path in paths:
        group = f"own.{path.name.split('.')[1]}"
        for prompt in path.read_text("utf-8").split("\n\n"):
            pairs = [(label, text.strip()) for label, _, text in (line.partition("\t") for line in prompt.splitlines()) if label in CLASSES]
            texts = [text for _, text in pairs]
            contexts = place_sentences(" ".join(texts), texts)
            found.extend(Example(text, label, group, context) for (label, text), context in zip(pairs, contexts, strict=True))
    return found


def read_recorded(labels: Path, sessions: Path) -> tuple[list[Example], int]:
    """Return the marked sentences of recorded sessions, and how many marks have no sentence there any more.

    labels    JSON lines: the session's file below `sessions`, the 0-based line of the prompt, the hash of the sentence, its label.
    sessions  the transcripts, which are not part of this repository.
    """
    marks: dict[str, dict[int, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for row in map(json.loads, labels.read_text("utf-8").splitlines()):
        marks[row["file"]][row["line"]][row["hash"]] = row["label"]
    found: list[Example] = []
    for name, by_line in sorted(marks.items()):
        with open_transcript(sessions / name) as lines:
            seen = TranscriptReader(lines, origin=build_origin(find_session_files(sessions / name))).read_observations()
            said = [each for each in seen if each.kind is ObservationKind.PROMPT and each.record_index in by_line]
        for each in said:
            by_hash = by_line[each.record_index]
            sentences = [sentence for line in each.text.split("\n") for sentence in split_sentences(line)]
            kept = {text: by_hash.pop(key) for text in sentences if (key := hash_sentence(text)) in by_hash}
            contexts = place_sentences(each.text, list(kept))
            group = name.partition("/")[0]
            found.extend(Example(text, label, group, context) for (text, label), context in zip(kept.items(), contexts, strict=True))
    return found, sum(len(by_hash) for by_line in marks.values() for by_hash in by_line.values())
