"""Arms: ways to fill the window after a cut, each within the same budget and measured by the same counter.

Beside those of `clew eval`: pieces at random, by BM25, the newest tool results, and an oracle that knows what comes. `hoard` is no way
to work but a probe: it lists names and shows none of their lines.
"""

from __future__ import annotations

import random
from collections import Counter as CountOf
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from heapq import heapify, heappop, heappush

from bench.hindsight.trial import JudgedTrial
from clew.evaluation.scores import contains_name, join_lines
from clew.evaluation.windows import WINDOW_BUILDERS, CandidateWindow, take_pieces_within
from clew.records import ObservationKind

SEED = 20_240_501

Arm = Callable[[JudgedTrial, int], CandidateWindow | None]
"""A trial and a budget in tokens → a window; None where the arm has none of this size."""


def at_random(trial: JudgedTrial, budget_tokens: int) -> CandidateWindow:
    """Pieces in a random order that depends on the cut alone."""
    order = list(range(len(trial.texts)))
    random.Random(int.from_bytes(blake2b(f"{SEED} {trial.case.id}".encode(), digest_size=8).digest(), "big")).shuffle(order)
    return CandidateWindow(take_pieces_within(trial, order, budget_tokens))


def bm25(trial: JudgedTrial, budget_tokens: int) -> CandidateWindow:
    """Pieces by their words' agreement with the last request and the agent's last message; the newer of two equals."""
    return CandidateWindow(take_pieces_within(trial, trial.agreeing, budget_tokens))


def newest_results(trial: JudgedTrial, budget_tokens: int) -> CandidateWindow:
    """All talk and all calls, and the newest tool results that still fit; where the talk alone does not fit, the newest of it."""
    newest = range(len(trial.texts) - 1, -1, -1)
    kinds = [piece.kind for piece in trial.case.pieces]
    talk = [at for at in newest if kinds[at] is not ObservationKind.RESULT]
    return CandidateWindow(
        take_pieces_within(trial, [*talk, *(at for at in newest if kinds[at] is ObservationKind.RESULT)], budget_tokens, newest=True)
    )


def oracle(trial: JudgedTrial, budget_tokens: int) -> CandidateWindow:
    """What was needed, as cheaply as it can be shown: the line that gives most per token, again and again.

    A thing counts by its share of the things of its kind, as the scores do.
    """
    gains = _gains(trial)
    lines = list(gains)
    lengths = dict(zip(lines, trial.counter.count_unrounded_many([line + "\n" for line in lines]), strict=True))
    utility = {kind: 1 / count for kind, count in CountOf(kind for kind, _ in {thing for each in gains.values() for thing in each}).items()}
    left = float(budget_tokens)
    seen: set[tuple[str, int]] = set()
    shown: list[str] = []

    def rate(line: str) -> float:
        return sum(utility[thing[0]] for thing in gains[line] if thing not in seen) / max(lengths[line], 1e-9)

    # What a line adds only falls as others are shown, so the first whose rate still holds is the best of all.
    waiting = [(-rate(line), line) for line in lines]
    heapify(waiting)
    while waiting:
        _, line = heappop(waiting)
        if lengths[line] > left or not (now := rate(line)):
            continue
        if waiting and (-now, line) > waiting[0]:
            heappush(waiting, (-now, line))
            continue
        shown.append(line)
        seen.update(gains[line])
        left -= lengths[line]
    return CandidateWindow("".join(line + "\n" for line in shown))


def hoard(trial: JudgedTrial, budget_tokens: int) -> CandidateWindow:
    """Every rare identifier and path of the history, the newest first, as one list without the lines that held them."""
    kept: list[str] = []
    left = float(budget_tokens)
    for term, length in trial.rare:
        if length > left:
            break
        kept.append(term)
        left -= length
    return CandidateWindow(", ".join(kept))


ARMS: Mapping[str, Arm] = {
    **WINDOW_BUILDERS,
    "results": newest_results,
    "bm25": bm25,
    "random": at_random,
    "hoard": hoard,
    "oracle": oracle,
}
"""By the name under which reports list them."""


def _gains(trial: JudgedTrial) -> dict[str, list[tuple[str, int]]]:
    """Lines that could be shown, and the things (kind, number) that each of them brings."""
    wanted = trial.needs
    stated = {"constraint": [each.text for each in trial.state.constraints], "dead end": [each.text for each in trial.state.dead_ends]}
    sought = {
        "line": [line for edit in wanted.edits for line in edit.lines],
        "repeat": [line for repeat in wanted.repeats for line in repeat.lines],
    }
    lines = [*wanted.files, *sought["line"], *(line for term in wanted.terms for line in term.evidence), *sought["repeat"]]
    gains: dict[str, list[tuple[str, int]]] = {line: [] for line in lines}
    text = "\n".join(gains)
    for kind, pieces in sought.items():
        for number, piece in enumerate(pieces):
            for line in _holding(piece, text):
                gains[line].append((kind, number))
    for number, term in enumerate(wanted.terms):
        for line in dict.fromkeys(line for evidence in term.evidence for line in _holding(evidence, text)):
            gains[line].append(("term", number))
    for number, path in enumerate(wanted.files):
        for line in dict.fromkeys(_holding(path, text)):
            if contains_name(path, line):
                gains[line].append(("file", number))
    for kind, texts in stated.items():
        for number, words in enumerate(texts):
            gains.setdefault(join_lines(words), []).append((kind, number))
    return gains


def _holding(piece: str, text: str) -> Iterable[str]:
    """The lines of `text` that hold `piece`."""
    at = text.find(piece)
    while at >= 0:
        start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
        end = len(text) if end < 0 else end
        yield text[start:end]
        at = text.find(piece, end)
