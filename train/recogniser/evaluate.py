"""Judge the shipped recogniser on sentences that no fit sees: `python -m train.recogniser.evaluate`.

Other writers wrote those of the first seven languages. The rest was written before what is trained on, by the same writer.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clew.task.recogniser import CLASSES, PromptContext, load_recogniser
from train.recogniser.examples import read_own

TESTS = Path(__file__).parents[2] / "bench" / "state" / "sentences"


def main() -> None:
    """Print precision and recall of what is claimed, by file and class."""
    recogniser = load_recogniser()
    for path in sorted(TESTS.glob("*.tsv")):
        examples = read_own([path])
        texts = [example.text for example in examples]
        chances = recogniser.score(texts, [PromptContext(len(text)) for text in texts])
        shown: list[str] = []
        for label in CLASSES:
            claimed = recogniser.is_claimed(chances, label)
            true = np.array([example.label == label for example in examples])
            shown.append(f"{label} P {(claimed & true).sum()}/{claimed.sum()} R {(claimed & true).sum()}/{true.sum()}")
        print(path.stem, "; ".join(shown))


if __name__ == "__main__":
    main()
