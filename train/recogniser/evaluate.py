"""Judge the shipped recogniser on sentences that others wrote, which no fit sees: `python -m train.recogniser.evaluate`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clew.task.recogniser import CLASSES, PromptContext, load_recogniser
from train.recogniser.examples import LANGUAGES, read_own

TESTS = Path(__file__).parents[2] / "bench" / "state" / "sentences"


def main() -> None:
    """Print precision and recall of what is claimed, by language and class."""
    recogniser = load_recogniser()
    for language in LANGUAGES:
        examples = read_own([TESTS / f"test.{language}.tsv"])
        texts = [example.text for example in examples]
        chances = recogniser.score(texts, [PromptContext(len(text)) for text in texts])
        shown: list[str] = []
        for label in CLASSES:
            claimed = recogniser.is_claimed(chances, label)
            true = np.array([example.label == label for example in examples])
            shown.append(f"{label} P {(claimed & true).sum()}/{claimed.sum()} R {(claimed & true).sum()}/{true.sum()}")
        print(language, "; ".join(shown))


if __name__ == "__main__":
    main()
