"""Made-up files and sessions of a real shape: words with the frequencies of a natural text, the same for the same number."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import accumulate

from clew.records import Blob, Delta, Layer, Record, RecordText, Resolution, SourceState, make_id
from clew.store.originals import digest_of
from clew.text.postings import NameUse, SearchDocument, pack_postings

RECORDS_A_SOURCE = 20
_WORDS = 20_000
_YEAR_NS = 365 * 86_400 * 10**9
BEGIN_NS = 1_750_000_000 * 10**9


class Vocabulary:
    """Words that are drawn with a frequency of 1 / rank."""

    def __init__(self) -> None:
        rng = random.Random(1)
        self.words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 11))) for _ in range(_WORDS)]
        self._weights = list(accumulate(1 / rank for rank in range(1, _WORDS + 1)))

    def draw(self, rng: random.Random, count: int) -> list[str]:
        """Return `count` words."""
        return rng.choices(self.words, cum_weights=self._weights, k=count)

    def questions(self, count: int, seed: int) -> list[str]:
        """Return questions of four words each, of which one is rare."""
        rng = random.Random(seed)
        return [f"where is {' '.join(self.draw(rng, 3))} {rng.choice(self.words[500:])}?" for _ in range(count)]


def make_sources(vocabulary: Vocabulary, records: int) -> Iterator[Delta]:
    """Yield files and sessions by turns, with `records` records in all."""
    for at in range(records // RECORDS_A_SOURCE):
        yield make_file(vocabulary, at) if at % 2 == 0 else make_session(vocabulary, at, 0, RECORDS_A_SOURCE)


def make_file(vocabulary: Vocabulary, at: int) -> Delta:
    """Return a file of functions, each a span of the file's bytes."""
    rng = random.Random(at)
    path = f"package{at % 40}/{vocabulary.words[at % _WORDS]}{at}.py"
    chunks = [
        f"def {'_'.join(vocabulary.draw(rng, 2))}_{number}(self):\n    {' '.join(vocabulary.draw(rng, 40))}"
        for number in range(RECORDS_A_SOURCE)
    ]
    return _delta(f"file:{path}", path, "function", chunks, rng, vocabulary, first=0, is_whole=True)


def make_session(vocabulary: Vocabulary, at: int, first: int, count: int) -> Delta:
    """Return `count` turns of a session, prompts and answers by turns, from turn `first` on."""
    rng = random.Random(at * 1000 + first)
    chunks = [" ".join(vocabulary.draw(rng, 45)) for _ in range(count)]
    return _delta(f"session:{at}", "", "prompt", chunks, rng, vocabulary, first=first, is_whole=first == 0)


def _delta(
    source: str, path: str, kind: str, chunks: Sequence[str], rng: random.Random, vocabulary: Vocabulary, *, first: int, is_whole: bool
) -> Delta:
    data = "\n".join(chunks).encode()
    digest, start = digest_of(data), 0
    records: list[Record] = []
    documents: list[SearchDocument] = []
    for number, chunk in enumerate(chunks, first):
        name = chunk[4:].partition("(")[0] if path else f"turn {number}"
        subject = f"symbol:{path}::{name}" if path else f"{source}#{number}"
        texts = (
            RecordText(Resolution.NAME, len(name), name),
            RecordText(Resolution.SIGNATURE, 60, chunk[:60]),
            RecordText(Resolution.FULL, len(chunk), "", digest, start, start + len(chunk), number + 1, number + 1),
        )
        shown = kind if path else ("prompt", "message")[number % 2]
        session = "" if path else source.removeprefix("session:")
        at_ns = 0 if path else BEGIN_NS + rng.randrange(_YEAR_NS)
        layer = Layer.FACT if path else Layer.INTENT
        record_id = make_id(subject, chunk)
        records.append(
            Record(record_id, layer, shown, subject, source, digest, name, texts, seq=number, path=path, session=session, at_ns=at_ns)
        )
        uses = tuple((vocabulary.draw(rng, 1)[0], NameUse.CALL, 1, 0) for _ in range(4)) if path else ()
        documents.append(SearchDocument(record_id, layer, shown, path, (name, path, chunk[:60], "", chunk), (name, subject), uses))
        start += len(chunk) + 1
    state = SourceState(source, digest, len(data), BEGIN_NS, status="indexed")
    return Delta("bench/1", source, is_whole, tuple(records), blobs=(Blob(digest, data),), segment=pack_postings(documents), state=state)
