"""Trial: a cut with what the arms that only benchmarks run need to know of it, and with nets that have not seen its session."""

from __future__ import annotations

from collections import Counter as CountOf
from functools import cached_property

import numpy as np

from clew.compaction.keep import ScoringNetwork
from clew.evaluation.cases import Case
from clew.evaluation.needs import TERM_PIECES_MAX, TERM_PIECES_SHARE, bare, terms_of
from clew.evaluation.trial import Trial
from clew.records import ObservationKind, Packet
from clew.store.bm25 import TermList, score_words
from clew.store.documents import Documents
from clew.text.postings import FIELDS, Document, Field, pack
from clew.text.tokens import Counter
from clew.text.words import terms

BM25_K1, BM25_B = 1.2, 0.75  # as Robertson and Zaragoza 2009 give them


class JudgedTrial(Trial):
    """A trial whose windows clew makes with `using`: networks, where the release's may have seen this session."""

    def __init__(self, case: Case, counter: Counter, using: tuple[ScoringNetwork, ScoringNetwork] | None = None) -> None:
        super().__init__(case, counter)
        self.using = using

    def packet(self, budget_tokens: int) -> Packet:
        """Clew's window after the cut."""
        return self.compacting.packet(budget_tokens, self.using)

    @cached_property
    def agreeing(self) -> tuple[int, ...]:
        """The pieces' numbers by their words' agreement with `question` (BM25), the newer of two equals first."""
        if not self.texts:
            return ()
        documents = [Document(str(at), "", "", "", ("", "", "", "", text)) for at, text in enumerate(self.texts)]
        index = Documents.build([(("session:", 0, ""), pack(documents))])
        asked = [(term, float(times)) for term, times in CountOf(terms(self.question)).items()]
        weights, b = np.zeros(FIELDS, np.float32), np.full(FIELDS, BM25_B, np.float32)
        weights[Field.BODY] = 1
        [found] = score_words(index, [TermList(tuple(asked))], weights, prefix="session:", b=b, k1=BM25_K1)
        scores = found.by_document
        ranked = [(-float(scores[doc]), -int(index.id_of(doc))) for doc in range(index.size)]
        return tuple(-newest for _, newest in sorted(ranked))

    @cached_property
    def rare(self) -> tuple[tuple[str, float], ...]:
        """The rare names of the history with their tokens in a list, the newest first."""
        places: CountOf[str] = CountOf()
        newest: dict[str, int] = {}
        for at, text in enumerate(self.texts):
            for term in dict.fromkeys(terms_of(bare(text))):
                places[term] += 1
                newest[term] = at
        most = max(TERM_PIECES_MAX, int(len(self.texts) * TERM_PIECES_SHARE))
        found = sorted((term for term in newest if places[term] <= most), key=lambda term: (-newest[term], term))
        return tuple(zip(found, self.counter.measure_many([f"{term}, \n" for term in found]), strict=True))

    @cached_property
    def question(self) -> str:
        """The last request and the agent's last message: what an arm may ask with."""
        said = next((piece.text for piece in reversed(self.case.pieces) if piece.kind is ObservationKind.MESSAGE), "")
        return "\n".join([*self.requests[-1:], said])
