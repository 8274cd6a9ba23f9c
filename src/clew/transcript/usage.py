"""Usage: what does the provider's bill say about our counts?

Between two replies of one model the window grows by what was said in between: the earlier reply as it is sent again, and
the results of its calls. Usage tells that growth in real tokens. Where all of it stands in the transcript, growth and
estimate make a pair; `clew.text.tokens.corrected` asks for such pairs. The newest pairs of a workspace are kept as a source
of their own, `tokens:`, which holds numbers and the ids of sessions, and no text. Counts, and never reads a file.

Left out is every stretch with words that nobody can count or that may not be sent again: thinking (what is shown is a
summary), prompts and attachments (the client adds to them), pictures, compactions, and whatever a subagent did.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from clew.errors import UnknownTokenizer
from clew.records import Delta, Observation, ObservationKind, SourceState
from clew.text.tokens import Counter, corrected, counter, family_of

TOKENS = "tokens:"  # the source that remembers the pairs of a workspace
BY = "usage/1"
PAIRS_MAX = 256  # of a family: the standard error of their median is then .3 %
SESSION_PAIRS_MAX = 32  # so that no session speaks alone

# Tokens that a call takes beside its arguments and its result: names, ids, markup. Fitted by least absolute deviations to
# 5,030 (claude-3) and 150 (claude-4.7) stretches of real sessions. Families without a figure are left alone.
CALL_TOKENS = {"claude-3": 85, "claude-4.7": 105}
ESTIMATED_MIN = 1000  # with 500 a tenth of the ratios lies 15 % too high, with 1,000 it is 10 %: what calls take varies
RESULTS_SHARE_MIN = 0.9  # arguments are counted as JSON, which is about 12 % longer than what is sent
RATIO_MIN, RATIO_MAX = 0.5, 2.0  # beyond it something was sent that is not in the transcript, or no longer sent
GAP_CHARS_MAX = 1_000_000  # texts held until the next reply; no window took more at once

# When pairs are believed; `fitted` says why, docs/decisions/004-token-correction.md with which figures.
BELIEVED_MIN = 8
SCATTER_MAX = 0.1
ERRORS_MIN = 3.0
_ERROR_PER_SCATTER = 1.8582  # √(π/2) · 1.4826: a median's standard error over √n from the median absolute deviation, if normal

_REPLY = frozenset((ObservationKind.MESSAGE, ObservationKind.THINKING, ObservationKind.CALL))
_COUNTED = frozenset((ObservationKind.MESSAGE, ObservationKind.CALL, ObservationKind.RESULT))
_PICTURES = ("[image", "[document")

Pairs = list[tuple[int, int]]
"""(estimated, real) tokens of the same texts, oldest first."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one session says: when it began (nanoseconds since 1970, 0 unknown), and its newest pairs by family."""

    at_ns: int = 0
    pairs: dict[str, Pairs] = field(default_factory=dict[str, Pairs])


class _Memory(msgspec.Struct):
    at_ns: int = 0
    model: str = ""  # of the newest reply, "" before the first
    family: str = ""  # "" for a model that nobody can count for
    window: int = 0  # tokens that were sent to it
    is_plain: bool = False  # all that was said since can be counted
    chars: int = 0
    calls: int = 0
    estimated: int = 0
    in_results: int = 0
    pairs: dict[str, Pairs] = msgspec.field(default_factory=dict[str, Pairs])


class _Session(msgspec.Struct):
    at_ns: int
    id: str
    pairs: Pairs


class _Kept(msgspec.Struct):
    families: dict[str, list[_Session]] = msgspec.field(default_factory=dict[str, list[_Session]])  # newest session first


class Watching:
    """Watches a session's window grow, observation by observation. `memory` says how to go on, for a later one.

    pairs_max  newest pairs kept of each family.
    Memory     the texts since the newest reply, GAP_CHARS_MAX characters at most.
    """

    def __init__(self, memory: bytes = b"", *, pairs_max: int = SESSION_PAIRS_MAX) -> None:
        self._memory = msgspec.json.decode(memory, type=_Memory) if memory else _Memory()
        self._pairs_max = pairs_max
        self._texts: list[str] = []
        self._are_results: list[bool] = []

    def take(self, observation: Observation) -> None:
        """Look at the next observation. Texts are counted only where usage says that they are long enough."""
        memory, usage = self._memory, observation.usage
        if observation.agent:
            return
        memory.at_ns = memory.at_ns or observation.at_ns
        if usage is not None and observation.kind in _REPLY:
            # 0 stands in the later records of a reply, which tell only what the first did not.
            window = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
            if window > 0:
                self._reply(observation.model, window)
        if memory.is_plain:
            self._hold(observation)

    def memory(self) -> bytes:
        """What the constructor needs to go on, as JSON."""
        if self._memory.is_plain:
            self._count()
        return msgspec.json.encode(self._memory)

    def seen(self) -> Seen:
        """What the session has said so far."""
        return Seen(self._memory.at_ns, {family: list(pairs) for family, pairs in sorted(self._memory.pairs.items())})

    def _reply(self, model: str, window: int) -> None:
        memory = self._memory
        if model == memory.model:
            if memory.is_plain:
                self._judge(window - memory.window)
        else:
            memory.model, memory.family = model, _family(model)
        memory.window, memory.is_plain = window, bool(memory.family)
        memory.chars = memory.calls = memory.estimated = memory.in_results = 0
        self._texts, self._are_results = [], []

    def _hold(self, observation: Observation) -> None:
        memory, text = self._memory, observation.text
        memory.chars += len(text)
        if observation.kind not in _COUNTED or memory.chars > GAP_CHARS_MAX or any(picture in text for picture in _PICTURES):
            memory.is_plain = False
            self._texts, self._are_results = [], []
            return
        memory.calls += observation.kind is ObservationKind.CALL
        self._texts.append(text)
        self._are_results.append(observation.kind is ObservationKind.RESULT)

    def _judge(self, growth: int) -> None:
        """Keep the pair of the stretch that ends here, if it is one."""
        memory = self._memory
        real = growth - memory.calls * CALL_TOKENS[memory.family]
        if real < ESTIMATED_MIN * RATIO_MIN:  # also what shrank; nothing that would be kept below is lost
            return
        self._count()
        estimated = memory.estimated
        if estimated < ESTIMATED_MIN or memory.in_results < RESULTS_SHARE_MIN * estimated:
            return
        if RATIO_MIN * estimated <= real <= RATIO_MAX * estimated:
            pairs = memory.pairs.setdefault(memory.family, [])
            pairs.append((estimated, real))
            del pairs[: -self._pairs_max]

    def _count(self) -> None:
        counts = counter(self._memory.family).count_many(self._texts)
        self._memory.estimated += sum(counts)
        self._memory.in_results += sum(count for count, is_result in zip(counts, self._are_results, strict=True) if is_result)
        self._texts, self._are_results = [], []


def pairs(observations: Iterable[Observation]) -> dict[str, Pairs]:
    """Return (estimated, real) pairs of a session by family: at most the newest PAIRS_MAX of each, oldest first.

    Codex is left out: its reasoning is sent again, and stands in no transcript.
    """
    return watched(observations, pairs_max=PAIRS_MAX).pairs


def watched(observations: Iterable[Observation], *, pairs_max: int = SESSION_PAIRS_MAX) -> Seen:
    """Return what a session says: when it began, and at most the newest `pairs_max` pairs of each family."""
    watching = Watching(pairs_max=pairs_max)
    for observation in observations:
        watching.take(observation)
    return watching.seen()


def merged(state: SourceState | None, session: str, seen: Seen) -> SourceState:
    """Return the workspace's pairs, with those of one session in the place of what it said before.

    state  of the source TOKENS, None if there is none yet.
    Of each family the newest sessions are kept, by (time, id), until they hold PAIRS_MAX pairs; so neither the order in which
    sessions are read nor how often they are changes what is kept.
    """
    kept = _kept(state)
    for family in sorted({*kept.families, *seen.pairs}):
        sessions = [each for each in kept.families.get(family, []) if each.id != session]
        if found := seen.pairs.get(family):
            sessions.append(_Session(seen.at_ns, session, found[-SESSION_PAIRS_MAX:]))
        sessions.sort(key=lambda each: (each.at_ns, each.id), reverse=True)
        kept.families[family] = _newest(sessions)
    families = {family: sessions for family, sessions in sorted(kept.families.items()) if sessions}
    note = msgspec.json.encode(_Kept(families)).decode()
    return SourceState(TOKENS, size=sum(len(each.pairs) for sessions in families.values() for each in sessions), note=note)


def proposed(state: SourceState | None, session: str, seen: Seen) -> Delta | None:
    """Return the Delta that adds a session's pairs to the workspace's; None if they are there already."""
    after = merged(state, session, seen)
    if after == state or (state is None and not after.size):
        return None
    return Delta(BY, TOKENS, is_whole=False, state=after)


def pairs_of(state: SourceState | None, family: str) -> Pairs:
    """All pairs of a family that a workspace keeps, newest session first."""
    return [pair for session in _kept(state).families.get(family, []) for pair in session.pairs]


def fitted(counter: Counter, seen: Sequence[tuple[int, int]]) -> Counter:
    """Return the corrected counter if the pairs are to be believed, else the counter as it is.

    seen  (estimated, real), what `counter` itself says and what usage does.
    Believed are at least BELIEVED_MIN pairs, whose ratios scatter by no more than SCATTER_MAX (median absolute deviation
    over median), and whose median lies off 1 by more than ERRORS_MIN of its standard errors. A smaller shift is as likely
    noise: on held-out sessions of a repository with such a shift the correction made counts worse, and it would change
    packets for nothing.
    """
    ratios = np.array([real / estimated for estimated, real in seen if estimated > 0 and real > 0])
    if len(ratios) < BELIEVED_MIN:
        return counter
    median = float(np.median(ratios))
    scatter = float(np.median(np.abs(ratios - median))) / median
    if scatter > SCATTER_MAX or abs(median - 1) <= ERRORS_MIN * _ERROR_PER_SCATTER * scatter / len(ratios) ** 0.5:
        return counter
    return corrected(counter, seen)


def _newest(sessions: Sequence[_Session]) -> list[_Session]:
    """The first sessions, until they hold PAIRS_MAX pairs; the last of them is cut to its newest."""
    kept: list[_Session] = []
    left = PAIRS_MAX
    for each in sessions:
        if left <= 0:
            break
        kept.append(_Session(each.at_ns, each.id, each.pairs[-left:]))
        left -= len(kept[-1].pairs)
    return kept


def _kept(state: SourceState | None) -> _Kept:
    """What a state holds; nothing, if there is none or a release wrote it that we cannot read: new sessions fill it again."""
    if state is None or not state.note:
        return _Kept()
    try:
        return msgspec.json.decode(state.note, type=_Kept)
    except msgspec.DecodeError:
        return _Kept()


def _family(model: str) -> str:
    """The family whose stretches can be judged, "" for none."""
    try:
        family = family_of(model)
    except UnknownTokenizer:  # the client's own model names, such as `<synthetic>`: nobody was billed
        return ""
    return family if family in CALL_TOKENS else ""
