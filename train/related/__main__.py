"""Command: `python -m train.related`. Writes `src/clew/text/related.bin` from the sentence model of the extra `clew[reorder]`.

Each whole word of the model's own vocabulary is embedded alone; words of one stem are averaged; the two directions in which all words
agree most are taken out; and of each stem the nearest are kept. No conversation, question or benchmark is read.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

import clew.text.related
from clew.text import rerank
from clew.text.related import pack
from clew.text.words import split

TARGET = Path(clew.text.related.__file__).with_name("related.bin")
NEAREST = 16  # 8 gave up two thirds of the gain on one set of conversations (bench/LOG.md)
COSINE_MIN = 0.4  # .35 to .45 recall the same
DIRECTIONS_OUT = 2
AT_ONCE = 500


def main() -> int:
    """Run the command; return 0."""
    parser = argparse.ArgumentParser(prog="python -m train.related")
    parser.add_argument("--out", type=Path, default=TARGET)
    given = parser.parse_args()
    model: Any = rerank.load(rerank.MINILM)
    ranks: dict[str, int] = model.vocabulary()
    words = [word for word, _ in sorted(ranks.items(), key=lambda pair: pair[1]) if word.isascii() and word.isalpha() and len(word) > 2]
    rows: list[np.ndarray[Any, Any]] = []
    for at in range(0, len(words), AT_ONCE):
        rows.append(model.embed(words[at : at + AT_ONCE]).astype(np.float16))
        print(f"\r{at + len(rows[-1])} of {len(words)} words", end="", file=sys.stderr)
    data = pack(nearest(words, np.concatenate(rows)))
    given.out.write_bytes(data)
    print(f"\n{given.out}: {len(data):,} bytes", file=sys.stderr)
    return 0


def nearest(words: list[str], rows: np.ndarray[Any, Any]) -> dict[str, list[tuple[str, float]]]:
    """The nearest stems of each stem, nearest first, with their cosine."""
    members: dict[str, list[int]] = {}
    for at, word in enumerate(words):
        stems = split(word)
        if len(stems) == 1:
            members.setdefault(stems[0], []).append(at)
    stems = sorted(members)
    table = np.stack([rows[members[stem]].astype(np.float64).mean(axis=0) for stem in stems])
    table -= table.mean(axis=0)
    _, _, directions = np.linalg.svd(table, full_matrices=False)
    out = directions[:DIRECTIONS_OUT]
    table -= table @ out.T @ out
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    found: dict[str, list[tuple[str, float]]] = {}
    for at, stem in enumerate(stems):
        cosines = np.round(table @ table[at], 2)
        cosines[at] = -1.0
        order = np.lexsort((np.arange(len(stems)), -cosines))[:NEAREST]
        near = [(stems[other], float(cosines[other])) for other in order if cosines[other] >= COSINE_MIN]
        if near:
            found[stem] = near
    return found


if __name__ == "__main__":
    raise SystemExit(main())
