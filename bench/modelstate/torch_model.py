"""Run a GGUF file's weights with transformers, for the parts of `bench.modelstate` that look inside a model.

Needs `bench/requirements-modelstate.txt`, in an environment of its own: clew itself needs none of it.
"""

from __future__ import annotations

import importlib
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

torch: Any = importlib.import_module("torch")
transformers: Any = importlib.import_module("transformers")

NEXT_TOKENS = 40  # whose prediction is compared, of the text that follows the context
ANSWER_TOKENS = 8


@dataclass(frozen=True, slots=True)
class Case:
    """A context and two ways to go on: the text that follows it, and a question whose answer is a line of the context.

    follows  token ids of the following text.
    asks     token ids of the question, which ends with the line's beginning.
    """

    source: str
    context: tuple[int, ...]
    follows: tuple[int, ...]
    asks: tuple[int, ...]
    answer: tuple[int, ...]


@dataclass(slots=True)
class Loaded:
    """A model in float32 on one thread, with its tokenizer."""

    model: Any
    tokenizer: Any

    def hidden(self, tokens: Any, **more: Any) -> Any:
        """Return what the last layer gives for these token ids, and the cache."""
        with torch.no_grad():
            return self.model.model(torch.tensor([list(tokens)]), use_cache=True, **more)

    def argmax(self, hidden: Any) -> list[int]:
        """Return the likeliest next token behind each position."""
        with torch.no_grad():
            return self.model.lm_head(hidden)[0].argmax(-1).tolist()


def load(path: Path) -> Loaded:
    """Load a GGUF file."""
    torch.set_num_threads(1)
    folder, name = str(path.parent), path.name
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name)
    made = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32, attn_implementation="eager")
    return Loaded(made.eval(), tokenizer)


def make_case(loaded: Loaded, file: Path, context_tokens: int, seed: int) -> Case | None:
    """Return the case of a file, None where it is too short."""
    tokens = loaded.tokenizer(file.read_text("utf-8")[: 12 * context_tokens], add_special_tokens=True).input_ids
    if len(tokens) < context_tokens + NEXT_TOKENS + 1:
        return None
    context = tokens[:context_tokens]
    lines = [
        line for line in loaded.tokenizer.decode(context, skip_special_tokens=True).split("\n")[1:-1] if 30 <= len(line.strip()) <= 120
    ]
    if not lines:
        return None
    line = random.Random(seed).choice(lines).strip()
    question = loaded.tokenizer("\n\n# The same line again:\n", add_special_tokens=False).input_ids
    words = loaded.tokenizer(line, add_special_tokens=False).input_ids
    begun = max(3, min(len(words) // 3, len(words) - ANSWER_TOKENS))
    answer = words[begun : begun + ANSWER_TOKENS]
    if len(answer) < ANSWER_TOKENS // 2:
        return None
    follows = tokens[context_tokens : context_tokens + NEXT_TOKENS]
    return Case(file.name, tuple(context), tuple(follows), (*question, *words[:begun]), tuple(answer))


def share_same(first: list[int], second: list[int]) -> float:
    """Return the share of places at which two lists are the same."""
    return sum(a == b for a, b in zip(first, second, strict=True)) / len(first)
