"""Reorder: a small transformer looks once more at the top of what was found, where it has looked at it before.

Takes candidates with their worths, and changes the worths of those of code whose vector is kept. It never embeds a record:
vectors are made in idle time, and the question is the only text that goes through the model here. A record without one keeps
its worth, as if the model found it average.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clew.retrieval.deadline import Deadline
from clew.store.index import Index
from clew.store.ports import Reader
from clew.text.embed import Embedder
from clew.text.rerank import unpacked

TOP = 50  # candidates that are looked at again
WEIGHT = 0.25  # nats for one standard deviation of the cosines among them; more only lost rows on the dev sample (bench/LOG.md)
QUESTION_CHARS_MAX = 4000  # the model reads no further than 256 tokens; what stands behind them need not be split


def reorder(
    reader: Reader,
    workspace: str,
    index: Index,
    found: tuple[Sequence[int], Sequence[float]],
    question: str,
    *,
    model: Embedder,
    deadline: Deadline,
) -> tuple[list[int], list[float]]:
    """Return documents and worths, heaviest first, after the model has looked at the first TOP of code.

    found    documents and worths, heaviest first.
    Returns  the same documents. A worth is multiplied by exp(WEIGHT · z), where z says by how many standard deviations the
             cosine with the question lies above the mean of those that have a vector; by 1 where there is none.
    Cost     one text through the model, and TOP rows read.
    """
    docs, worths = list(found[0]), list(found[1])
    is_code = index.among("file:").mask
    looked = [at for at, doc in enumerate(docs) if is_code[doc]][:TOP]
    if not looked or not question.strip() or not deadline.allows("reorder"):
        return docs, worths
    kept = reader.vectors(workspace, model.name, [index.id_of(docs[at]) for at in looked])
    held = [(at, data) for at, data in zip(looked, kept, strict=True) if data]
    if len(held) < len(looked):
        deadline.skipped.append(f"reorder: {len(looked) - len(held)} of {len(looked)} have no vector yet; clew warm")
    if len(held) < 2:
        return docs, worths
    cosines = unpacked([data for _, data in held]) @ model.embed([question[:QUESTION_CHARS_MAX]])[0]
    spread = float(cosines.std())
    if spread <= 0:
        return docs, worths
    for (at, _), factor in zip(held, np.exp(WEIGHT * (cosines - cosines.mean()) / spread).tolist(), strict=True):
        worths[at] *= factor
    order = sorted(range(len(docs)), key=lambda at: (-worths[at], index.id_of(docs[at])))
    return [docs[at] for at in order], [worths[at] for at in order]
