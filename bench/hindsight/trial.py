"""PreparedCase: a cut with what the arms that only benchmarks run need to know of it, and with nets that have not seen its session."""

from __future__ import annotations

from collections import Counter as CountOf
from functools import cached_property

import numpy as np

from clew.compaction.keep import ScoringNetwork
from clew.evaluation.cases import EvaluationCase
from clew.evaluation.needs import TERM_PIECES_MAX, TERM_PIECES_SHARE, extract_identifiers, strip_line_numbers
from clew.evaluation.prepared import PreparedCase
from clew.records import ObservationKind, Packet
from clew.store.bm25 import TermList, score_words
from clew.store.documents import Documents
from clew.text.postings import FIELD_COUNT, SearchDocument, TextField, pack_postings
from clew.text.tokens import TokenCounter
from clew.text.words import extract_terms

BM25_K1, BM25_B = 1.2, 0.75  # as Robertson and Zaragoza 2009 give them


class JudgedTrial(PreparedCase):
    """A trial whose windows clew makes with `using`: networks, where the release's may have seen this session."""

    def __init__(self, case: EvaluationCase, counter: TokenCounter, using: tuple[ScoringNetwork, ScoringNetwork] | None = None) -> None:
        super().__init__(case, counter)
        self.using = using

    def build_packet(self, budget_tokens: int) -> Packet:
        """Clew's window after the cut."""
        return self.compaction_input.build_packet(budget_tokens, self.using)

    @cached_property
    def agreeing(self) -> tuple[int, ...]:
        """The pieces' numbers by their words' agreement with `question` (BM25), the newer of two equals first."""
        if not self.texts:
            return ()
        documents = [SearchDocument(str(at), "", "", "", ("", "", "", "", text)) for at, text in enumerate(self.texts)]
        index = Documents.build([(("session:", 0, ""), pack_postings(documents))])
        asked = [(term, float(times)) for term, times in CountOf(extract_terms(self.question)).items()]
        weights, b = np.zeros(FIELD_COUNT, np.float32), np.full(FIELD_COUNT, BM25_B, np.float32)
        weights[TextField.BODY] = 1
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
            for term in dict.fromkeys(extract_identifiers(strip_line_numbers(text))):
                places[term] += 1
                newest[term] = at
        most = max(TERM_PIECES_MAX, int(len(self.texts) * TERM_PIECES_SHARE))
        found = sorted((term for term in newest if places[term] <= most), key=lambda term: (-newest[term], term))
        return tuple(zip(found, self.counter.count_unrounded_many([f"{term}, \n" for term in found]), strict=True))

    @cached_property
    def question(self) -> str:
        """The last request and the agent's last message: what an arm may ask with."""
        said = next((piece.text for piece in reversed(self.case.pieces) if piece.kind is ObservationKind.MESSAGE), "")
        return "\n".join([*self.user_messages[-1:], said])
