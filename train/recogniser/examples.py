"""Read the marked sentences: our own in `data/`, and those of recorded sessions, of which only places, hashes and labels are kept here."""

from __future__ import annotations

import hashlib
import json
import lzma
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clew.records import ObservationKind
from clew.task.prompts import extract_typed_text, read_sentences
from clew.task.recogniser import CLASSES, PromptContext
from clew.transcript.parse import TranscriptReader

DATA = Path(__file__).with_name("data")
ALONE = PromptContext()
LANGUAGES = ("en", "de", "fr", "es", "zh", "ja", "ru")


@dataclass(frozen=True, slots=True)
class Example:
    """A marked sentence. group: the project that it is from, or `own.LANGUAGE`."""

    text: str
    label: str
    group: str
    context: PromptContext = ALONE
    weight: float = 1.0


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


def give_contexts(examples: Sequence[Example], contexts: Sequence[PromptContext], *, seed: int = 0) -> list[Example]:
    """Return examples that stand in no prompt, each with the context of some sentence that does, so that no class knows it by that."""
    chosen = random.Random(seed)
    found: list[Example] = []
    for example in examples:
        size = len(example.text)
        context = chosen.choice(contexts) if contexts and chosen.random() < 0.5 else replace(ALONE, chars=size)
        found.append(replace(example, context=replace(context, chars=max(context.chars, size))))
    return found


def read_pairs(path: Path = DATA / "pairs.tsv") -> list[tuple[str, str, bool]]:
    """Return (earlier rule, later sentence, whether the later one ends the rule)."""
    rows = (line.split("\t") for line in path.read_text("utf-8").splitlines())
    return [(earlier, later, sign == "1") for sign, earlier, later in rows]


def read_labels(path: Path = DATA / "labels.jsonl") -> list[dict[str, str]]:
    """Return the marks of recorded sentences: file, line, hash, label; `first` is what another reader said, "" where there was none."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def read_recorded(sessions: Path) -> list[Example]:
    """Return the marked sentences of recorded sessions, PROJECT/FILE.jsonl.xz below `sessions`, which are not part of this repository."""
    marks: dict[str, dict[str, str]] = defaultdict(dict)
    for row in read_labels():
        marks[row["file"]][row["hash"]] = row["label"]
    found: list[Example] = []
    for name, labels in marks.items():
        for prompt in read_prompts(sessions / name):
            for text, context in zip(*read_sentences(prompt), strict=True):
                if label := labels.pop(hash_sentence(text), ""):
                    found.append(Example(text, label, name.partition("/")[0], context))
    return found


def read_prompts(path: Path) -> Iterator[str]:
    """Yield what the user typed in a recorded session, in order, answers and rejections that the client marked included."""
    with lzma.open(path, "rb") as stream:
        lines = stream.readlines()
    for seen in TranscriptReader(lines).read_observations():
        if seen.agent:
            continue
        if seen.kind is ObservationKind.PROMPT and not seen.is_meta and (typed := extract_typed_text(seen.text)):
            yield typed
        elif seen.kind is ObservationKind.RESULT and seen.call and seen.call.result and seen.call.result.said and not seen.call.is_foreign:
            yield seen.call.result.said
