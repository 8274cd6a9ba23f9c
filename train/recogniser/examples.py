"""Read the marked sentences: our own in `data/`, and those of recorded sessions, of which only places, hashes and labels are kept here."""

from __future__ import annotations

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clew.task.recogniser import CLASSES, PromptContext

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


def read_recorded(labels: Path, sentences: Path, prompts: Path) -> list[Example]:
    """Return the marked sentences of recorded sessions, from files that are not part of this repository."""
    rows = {row["id"]: row for row in json.loads(sentences.read_text("utf-8"))}
    texts = {(row["project"], row["file"], row["line"]): row["text"] for row in json.loads(prompts.read_text("utf-8"))}
    marked = [json.loads(line) for line in labels.read_text("utf-8").splitlines()]
    by_prompt: dict[tuple[str, str, int], list[tuple[str, str]]] = defaultdict(list)
    for mark in marked:
        row = rows[mark["id"]]
        by_prompt[row["project"], row["file"], row["line"]].append((row["text"], mark["label"]))
    found: list[Example] = []
    for place, pairs in by_prompt.items():
        contexts = place_sentences(texts.get(place, "\n".join(text for text, _ in pairs)), [text for text, _ in pairs])
        found.extend(Example(text, label, place[0], context) for (text, label), context in zip(pairs, contexts, strict=True))
    return found
